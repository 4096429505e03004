"""Picture files: a folder of them, a folder for each class, or a list."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, Self, TypeAlias

from pydantic import Field, PrivateAttr, model_validator

from nnkit.config.paths import SpecPath
from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, FileSource, Source
from nnkit.data.sources.csv import Csv
from nnkit.errors import DataError
from nnkit.files import open_bytes
from nnkit.shapes import Shape

if TYPE_CHECKING:
    from nnkit.frames.albums import Entry
    from nnkit.frames.galleries import Reading
    from nnkit.frames.kinds import Spelling
    from nnkit.frames.table import Raw

    Album: TypeAlias = tuple[Sequence[Entry], Raw]
    """Picture files, and their rows without the pictures."""

LONGEST = 16_384
CHUNK_BYTES = 64 * 2**20
"""Pixels that a stream has in memory at once."""
PICTURE, FILE, LABEL = "image", "file", "label"
WAY_OUT = "mend or remove them, or set on_bad: skip in the source, which leaves them out"

Length = Annotated[int, Field(ge=1, le=LONGEST)]


@SOURCES.register("images")
class Images(FileSource):
    """Reads picture files: a folder with a folder for each class, a folder of pictures, or a CSV that lists them.

    The columns are `image`, pixels as bytes height x width x channels that a network sees from 0 to 1, and `file`, the
    name, which is no feature unless `data.types` says what it is. A folder of classes gives `label`, the name of the
    class's folder; a CSV gives its other columns, and its paths are relative to it.

    In a folder every file has to be a picture, in the order of names, but for hidden ones and what operating systems
    leave behind (Thumbs.db, desktop.ini); links are followed. The content says what a file is, whatever its name: PNG,
    JPEG, GIF, BMP, WebP, TIFF, PPM. Photos are turned as their EXIF orientation says. Palettes and CMYK are converted,
    greys of 16 bits divided by 257, and colours of 16 bits lose their lower 8, where `mode` says to what. Files that
    are cut short, damaged, empty, or no pictures, animations and files of several pages, pixels of 32 bits, more than
    89,478,485 pixels, and what `mode` would have to convert but is not said cannot be read: all are named at once.

    Pictures that take more than a quarter of the memory that is available are decoded into a file in the folder
    NNKIT_CACHE (by default ~/.cache/nnkit), which may be deleted at any time, and used from there.
    """

    path: SpecPath = Field(description="The folder, or the CSV, relative to the spec.")
    column: str | None = Field(default=None, description="The column of the CSV that has the paths; default: file.")
    size: Annotated[list[Length], Field(min_length=2, max_length=2)] | None = Field(
        default=None,
        description="Height and width that all pictures are brought to; without it they must have one size.",
    )
    mode: Literal["RGB", "RGBA", "grey"] | None = Field(
        default=None,
        description="Colours, colours with alpha, or one channel of grey (ITU-R 601), to which all pictures are "
        "converted; default: RGB, without pictures of 16 bits, CMYK and palettes, which would not stay what they are.",
    )
    resize: Literal["crop", "pad", "stretch"] | None = Field(
        default=None,
        description="How a picture comes to `size`: scaled until it covers it and cut around the centre (crop), scaled "
        "until it fits within and framed in black (pad), or stretched; default: crop.",
    )
    on_bad: Literal["error", "skip"] = Field(
        default="error", description="Whether files that cannot be read end the command, or are skipped and counted."
    )

    _model_shape: tuple[int, int, int] | None = PrivateAttr(default=None)
    """The shape that fresh pictures must have, where nothing brings them to it."""

    @model_validator(mode="after")
    def _resizable(self) -> Self:
        if self.resize is not None and self.size is None:
            raise ValueError("resize says how pictures come to `size`; give size: [height, width], or leave resize out")
        return self

    @property
    def aside(self) -> Collection[str]:
        """The names of the files."""
        return (FILE,)

    def chunks(self, chunk_rows: int = CHUNK_ROWS) -> "Iterator[Raw]":
        """Yield the pictures, as many at once as a stream may have in memory."""
        if self._is_list:
            return self._parts(
                (self._listed(raw) for raw in self._list.chunks(min(chunk_rows, CHUNK_ROWS))), chunk_rows
            )
        return self._parts(iter([self._found()]), chunk_rows)

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the pictures of an open list, whose paths are relative to the current folder, or an open picture."""
        from nnkit.frames.albums import Entry, looks_like_picture
        from nnkit.frames.lines import reading, unpacked

        opened = unpacked(file, name)
        with reading(name):
            if looks_like_picture(opened.peek(12)[:12]):  # type: ignore[attr-defined]
                album = [Entry(Path(name), name, 1, name, data=opened.read())]
                return self._parts(iter([(album, _no_cells(album))]), chunk_rows)
        lists = Csv(path=Path(name)).chunks_of(opened, name, chunk_rows, columns)
        return self._parts((self._listed(raw, Path(), name) for raw in lists), chunk_rows)

    def whole(self) -> "Raw":
        """Return all pictures, decoded once; raises ``DataError`` with all files that cannot be read."""
        entries, rest = self._listed(self._list.whole()) if self._is_list else self._found()
        if not entries and not rest.bad:
            raise DataError(f"{self.title}: has no pictures")
        raw = self._reading.whole(entries, rest)
        return replace(raw, hashes=self._hashes(raw.hashes or {}))

    def spelling(self) -> "Spelling":
        """Return how a list writes what is missing; a folder may have any name, and none stands for a missing class."""
        from nnkit.frames.kinds import Spelling

        return Spelling(frozenset() if Path(self.path).is_dir() else None)

    def fresh(self, path: Path | None, labelled: bool, shapes: Mapping[str, Shape]) -> Source:
        """Return the source for other pictures, which come to the size of the run's, or have it already."""
        other = self.model_copy(update={} if path is None else {"path": path})
        if PICTURE in shapes:
            height, width, channels = (axis or 1 for axis in shapes[PICTURE])
            other._model_shape = (height, width, channels)
        return other

    def hashes(self) -> dict[str, str]:
        """Return one hash over the names and contents of all pictures, and where there is a list that of the list."""
        from nnkit.frames.albums import together
        from nnkit.frames.galleries import digest_of, on_all_cores

        entries, _ = self._listed(self._list.whole()) if self._is_list else self._found()
        return self._hashes({self.title: together(entries, on_all_cores(digest_of, entries))})

    def _hashes(self, pictures: Mapping[str, str]) -> dict[str, str]:
        if not self._is_list:
            return dict(pictures)
        return super().hashes() | {f"the pictures of {title}": digest for title, digest in pictures.items()}

    @property
    def _is_list(self) -> bool:
        """Whether the path is that of a list; raises ``DataError`` where it is not, and a column of a list is named."""
        path = Path(self.path)
        pictures = path.is_dir() or is_picture_file(path)
        if pictures and self.column is not None and self._model_shape is None:
            what = "a folder" if path.is_dir() else "a picture"
            raise DataError(f"{path}: is {what}, and `column` is for a CSV that lists pictures; leave it out")
        return not pictures

    @property
    def _list(self) -> Csv:
        return Csv(path=self.path, delimiter="\t" if ".tsv" in self.path.suffixes else ",")

    @property
    def _reading(self) -> "Reading":
        from nnkit.frames.decoding import Look
        from nnkit.frames.galleries import Reading

        size = None if self.size is None else (self.size[0], self.size[1])
        look = Look(self.mode or "RGB", size, self.resize or "crop", converts=self.mode is not None)
        return Reading(self.title, look, self.on_bad == "skip", WAY_OUT)

    def _found(self) -> "Album":
        """Return the files of the folder, or the only picture, with their other cells."""
        from nnkit.frames.albums import Entry, listed

        path = Path(self.path)
        entries = listed(path) if path.is_dir() else [Entry(path, path.name, 1, str(path))]
        return entries, _no_cells(entries)

    def _listed(self, raw: "Raw", base: Path | None = None, name: str | None = None) -> "Album":
        """Return the files that a list names, relative to ``base``, with their other cells."""
        from nnkit.frames.albums import Entry

        column, name = self.column or FILE, name or self.title
        if column not in raw.cells:
            raise DataError(
                f"{name}: has no column {column!r} with the paths of pictures; it has: {', '.join(raw.cells):.300}; "
                "name it by `column` in the source"
            )
        taken = [other for other in raw.cells if other in (FILE, PICTURE) and other != column]
        if taken:
            raise DataError(f"{name}: has a column {taken[0]!r}, which nnkit itself makes of the pictures; rename it")
        base = Path(self.path).parent if base is None else base
        entries = [
            Entry(
                path=base / cell,
                name=cell,
                line=line,
                place=f"{name}:{line}: {cell}" if cell.strip() else f"{name}:{line}",
                fault="" if cell.strip() else f"{column} is empty, and should be the path of a picture",
            )
            for cell, line in zip(raw.cells[column], raw.lines, strict=True)
        ]
        return entries, replace(raw, cells={other: cells for other, cells in raw.cells.items() if other != column})

    def _parts(self, albums: "Iterator[Album]", chunk_rows: int) -> "Iterator[Raw]":
        """Yield the pictures of albums in parts that fit in memory."""
        import numpy as np

        from nnkit.frames.galleries import first_shape
        from nnkit.frames.table import pick

        shape = self._model_shape
        for entries, rest in albums:
            shape = shape or first_shape(entries, self._reading.look)
            rows = max(1, min(chunk_rows, CHUNK_BYTES // math.prod(shape)))
            for start in range(0, max(len(entries), 1), rows):
                some = pick(rest, np.arange(start, min(start + rows, len(entries))))
                bad = rest.bad if start == 0 else []
                yield self._reading.part(entries[start : start + rows], replace(some, bad=bad), shape)


def _no_cells(entries: "Sequence[Entry]") -> "Raw":
    """Return the rows of entries with the classes that folders name, if they do."""
    from nnkit.frames.table import Raw

    labels = [entry.label for entry in entries if entry.label is not None]
    return Raw({LABEL: labels} if labels else {}, [entry.line for entry in entries])


def is_picture_file(path: Path) -> bool:
    """Tell whether a file is a picture, by the end of its name or how it begins; not whether it can be read."""
    from nnkit.frames.albums import SUFFIXES, looks_like_picture

    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with open_bytes(path) as file:
            return looks_like_picture(file.read(12))
    except OSError:
        return False
