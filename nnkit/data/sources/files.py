"""What sources have in common whose rows are files: a folder of them, a folder for each class, or a list."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal, TypeAlias

from pydantic import Field

from nnkit.config.paths import SpecPath
from nnkit.data.sources.base import CHUNK_ROWS, FileSource
from nnkit.data.sources.csv import Csv
from nnkit.errors import DataError
from nnkit.files import open_bytes

if TYPE_CHECKING:
    from nnkit.frames.albums import Entry
    from nnkit.frames.kinds import Spelling
    from nnkit.frames.table import Raw

    Album: TypeAlias = tuple[Sequence[Entry], Raw]
    """Files, and their rows without what is in them."""

FILE, LABEL = "file", "label"
WAY_OUT = "mend or remove them, or set on_bad: skip in the source, which leaves them out"
START = 16
"""Bytes that say what a file is."""


class Files(FileSource):
    """A source whose rows are files."""

    cell: ClassVar[str]
    """The column of what is in the files."""
    one: ClassVar[str]
    """What messages call a file, with its article, and several."""
    many: ClassVar[str]

    path: SpecPath = Field(description="The folder, or the CSV, relative to the spec.")
    column: str | None = Field(default=None, description="The column of the CSV that has the paths; default: file.")
    on_bad: Literal["error", "skip"] = Field(
        default="error", description="Whether files that cannot be read end the command, or are skipped and counted."
    )

    def is_one(self, start: bytes, suffix: str = "") -> bool:
        """Tell whether a file is one of them, by how it begins or the end of its name; not whether it can be read."""
        raise TypeError(f"{type(self).__name__} does not say what its files are")

    def parts(self, albums: "Iterator[Album]", chunk_rows: int) -> "Iterator[Raw]":
        """Yield the rows of albums in parts that fit in memory."""
        raise TypeError(f"{type(self).__name__} does not say how it reads")

    def read(self, entries: "Sequence[Entry]", rest: "Raw") -> "Raw":
        """Return all rows, and the hash of their files; raises ``DataError`` with all files that cannot be read."""
        raise TypeError(f"{type(self).__name__} does not say how it reads")

    def album(self, entries: "Sequence[Entry]") -> "Album":
        """Return files that are not listed with what their names and folders say of them."""
        from nnkit.frames.table import Raw

        labels = [entry.label for entry in entries if entry.label is not None]
        return entries, Raw({LABEL: labels} if labels else {}, [entry.line for entry in entries])

    @property
    def aside(self) -> Collection[str]:
        """The names of the files."""
        return (FILE,)

    def chunks(self, chunk_rows: int = CHUNK_ROWS) -> "Iterator[Raw]":
        """Yield the files, as many at once as a stream may have in memory."""
        if self._is_list:
            lists = self._list.chunks(min(chunk_rows, CHUNK_ROWS))
            return self.parts((self._listed(raw) for raw in lists), chunk_rows)
        return self.parts(iter([self._found()]), chunk_rows)

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the files of an open list, whose paths are relative to the current folder, or one open file."""
        from nnkit.frames.albums import Entry
        from nnkit.frames.lines import reading, unpacked

        opened = unpacked(file, name)
        with reading(name):
            if self.is_one(opened.peek(START)[:START]):  # type: ignore[attr-defined]
                entries = [Entry(Path(name), name, 1, name, data=opened.read())]
                return self.parts(iter([self.album(entries)]), chunk_rows)
        lists = Csv(path=Path(name)).chunks_of(opened, name, chunk_rows, columns)
        return self.parts((self._listed(raw, Path(), name) for raw in lists), chunk_rows)

    def whole(self) -> "Raw":
        """Return all files, read once; raises ``DataError`` with all that cannot be read."""
        entries, rest = self._listed(self._list.whole()) if self._is_list else self._found()
        if not entries and not rest.bad:
            raise DataError(f"{self.title}: has no {self.many}")
        raw = self.read(entries, rest)
        return replace(raw, hashes=self._hashes(raw.hashes or {}))

    def spelling(self) -> "Spelling":
        """Return how a list writes what is missing; a folder may have any name, and none stands for a missing class."""
        from nnkit.frames.kinds import Spelling

        return Spelling(frozenset() if Path(self.path).is_dir() else None)

    def hashes(self) -> dict[str, str]:
        """Return one hash over the names and contents of all files, and where there is a list that of the list."""
        from nnkit.frames.albums import together
        from nnkit.frames.galleries import digest_of, on_all_cores

        entries, _ = self._listed(self._list.whole()) if self._is_list else self._found()
        return self._hashes({self.title: together(entries, on_all_cores(digest_of, entries))})

    def _hashes(self, files: dict[str, str]) -> dict[str, str]:
        if not self._is_list:
            return files
        return super().hashes() | {f"the {self.many} of {title}": digest for title, digest in files.items()}

    def is_file_of(self, path: Path) -> bool:
        """Tell whether the path is that of one of the files, and not of a list."""
        try:
            with open_bytes(path) as file:
                return self.is_one(file.read(START), path.suffix.lower())
        except OSError:
            return self.is_one(b"", path.suffix.lower())

    @property
    def _is_list(self) -> bool:
        """Whether the path is that of a list; raises ``DataError`` where it is not, and a column of a list is named."""
        path = Path(self.path)
        files = path.is_dir() or self.is_file_of(path)
        if files and self.column is not None and not self.is_fresh:
            what = "a folder" if path.is_dir() else self.one
            raise DataError(f"{path}: is {what}, and `column` is for a CSV that lists {self.many}; leave it out")
        return not files

    @property
    def is_fresh(self) -> bool:
        """Whether the path is of fresh rows, and the other options were meant for other ones."""
        return False

    @property
    def _list(self) -> Csv:
        return Csv(path=self.path, delimiter="\t" if ".tsv" in self.path.suffixes else ",")

    def _found(self) -> "Album":
        """Return the files of the folder, or the only file, with their other cells."""
        from nnkit.frames.albums import Entry, listed

        path = Path(self.path)
        return self.album(listed(path) if path.is_dir() else [Entry(path, path.name, 1, str(path))])

    def _listed(self, raw: "Raw", base: Path | None = None, name: str | None = None) -> "Album":
        """Return the files that a list names, relative to ``base``, with their other cells."""
        from nnkit.frames.albums import Entry

        column, name = self.column or FILE, name or self.title
        if column not in raw.cells:
            raise DataError(
                f"{name}: has no column {column!r} with the paths of {self.many}; it has: "
                f"{', '.join(raw.cells):.300}; name it by `column` in the source"
            )
        taken = [other for other in raw.cells if other in (FILE, self.cell) and other != column]
        if taken:
            raise DataError(
                f"{name}: has a column {taken[0]!r}, which nnkit itself makes of the {self.many}; rename it"
            )
        base = Path(self.path).parent if base is None else base
        entries = [
            Entry(
                path=base / cell,
                name=cell,
                line=line,
                place=f"{name}:{line}: {cell}" if cell.strip() else f"{name}:{line}",
                fault="" if cell.strip() else f"{column} is empty, and should be the path of {self.one}",
            )
            for cell, line in zip(raw.cells[column], raw.lines, strict=True)
        ]
        return entries, replace(raw, cells={other: cells for other, cells in raw.cells.items() if other != column})
