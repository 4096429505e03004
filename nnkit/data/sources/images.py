"""Picture files: a folder of them, a folder for each class, or a list."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from nnkit.data.sources.base import SOURCES, Source
from nnkit.data.sources.files import WAY_OUT, Files
from nnkit.shapes import Shape

if TYPE_CHECKING:
    from nnkit.data.sources.files import Album
    from nnkit.frames.albums import Entry
    from nnkit.frames.galleries import Reading
    from nnkit.frames.table import Raw

LONGEST = 16_384
CHUNK_BYTES = 64 * 2**20
"""Pixels that a stream has in memory at once."""
PICTURE = "image"

Length = Annotated[int, Field(ge=1, le=LONGEST)]


@SOURCES.register("images")
class Images(Files):
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

    cell: ClassVar[str] = PICTURE
    one: ClassVar[str] = "a picture"
    many: ClassVar[str] = "pictures"

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
    _model_shape: tuple[int, int, int] | None = PrivateAttr(default=None)
    """The shape that fresh pictures must have, where nothing brings them to it."""

    @model_validator(mode="after")
    def _resizable(self) -> Self:
        if self.resize is not None and self.size is None:
            raise ValueError("resize says how pictures come to `size`; give size: [height, width], or leave resize out")
        return self

    def is_one(self, start: bytes, suffix: str = "") -> bool:
        """Tell whether a file is a picture, by how it begins or the end of its name; not whether it can be read."""
        from nnkit.frames.albums import SUFFIXES, looks_like_picture

        return suffix in SUFFIXES or looks_like_picture(start)

    def fresh(self, path: Path | None, labelled: bool, shapes: Mapping[str, Shape]) -> Source:
        """Return the source for other pictures, which come to the size of the run's, or have it already."""
        other = self.model_copy(update={} if path is None else {"path": path})
        if PICTURE in shapes:
            height, width, channels = (axis or 1 for axis in shapes[PICTURE])
            other._model_shape = (height, width, channels)
        return other

    @property
    def is_fresh(self) -> bool:
        """Whether the pictures are fresh ones."""
        return self._model_shape is not None

    @property
    def _reading(self) -> "Reading":
        from nnkit.frames.decoding import Look
        from nnkit.frames.galleries import Reading

        size = None if self.size is None else (self.size[0], self.size[1])
        look = Look(self.mode or "RGB", size, self.resize or "crop", converts=self.mode is not None)
        return Reading(self.title, look, self.on_bad == "skip", WAY_OUT)

    def read(self, entries: "Sequence[Entry]", rest: "Raw") -> "Raw":
        """Return all pictures, decoded once; raises ``DataError`` with all files that cannot be read."""
        return self._reading.whole(entries, rest)

    def parts(self, albums: "Iterator[Album]", chunk_rows: int) -> "Iterator[Raw]":
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


def is_picture_file(path: Path) -> bool:
    """Tell whether a file is a picture, by the end of its name or how it begins; not whether it can be read."""
    return Images(path=path).is_file_of(path)
