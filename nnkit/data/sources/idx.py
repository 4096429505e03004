"""IDX files, the format of MNIST and of the sets that follow it."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import Field

from nnkit.config.paths import SpecPath
from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, Source, hash_of
from nnkit.errors import DataError
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import Raw


AXES = (3, 4)
"""The axes that files of pictures may have."""


@SOURCES.register("idx")
class Idx(Source):
    """Reads pictures and their labels from IDX files, as MNIST and its like come in, also packed with gzip.

    The columns are `image`, pictures of bytes height x width x channels, and `label`, whole numbers; a file with three
    axes has pictures of one channel. A network sees the pixels from 0 to 1. Of the format's types only bytes are read.
    `nnkit predict` needs no labels; `nnkit evaluate` takes those beside the pictures that have MNIST's name for them:
    t10k-labels-idx1-ubyte for t10k-images-idx3-ubyte.
    """

    images: SpecPath = Field(description="The file of the pictures, relative to the spec.")
    labels: SpecPath | None = Field(
        default=None, description="The file of the labels, as many as pictures; without it there is no column label."
    )

    @property
    def title(self) -> str:
        """The file of the pictures."""
        return str(self.images)

    def chunks(self, chunk_rows: int = CHUNK_ROWS) -> "Iterator[Raw]":
        """Yield the rows; raises ``DataError`` for files that are not as their headers say."""
        from nnkit.frames.idx import read_idx
        from nnkit.frames.table import Raw, in_chunks

        pictures = with_channels(read_idx(Path(self.images), AXES, "pictures"))
        cells = {"image": pictures}
        if self.labels is not None:
            cells["label"] = read_idx(Path(self.labels), (1,), "labels")
            if len(cells["label"]) != len(pictures):
                raise DataError(
                    f"{self.labels}: has {len(cells['label'])} labels, and {self.images} has {len(pictures)} pictures; "
                    "these files do not belong together"
                )
        return in_chunks(Raw(cells, range(1, len(pictures) + 1)), chunk_rows)

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the pictures of an open file."""
        from nnkit.frames.idx import read_idx_of
        from nnkit.frames.table import Raw, in_chunks

        pictures = with_channels(read_idx_of(file, name, AXES, "pictures"))
        return in_chunks(Raw({"image": pictures}, range(1, len(pictures) + 1)), chunk_rows)

    def whole(self) -> "Raw":
        """Return all rows as they were read, without a copy."""
        [raw] = self.chunks(sys.maxsize)
        return raw

    def fresh(self, path: Path | None, labelled: bool, shapes: Mapping[str, Shape]) -> Source:
        """Return the source for another file of pictures, and where labels are needed for the file of MNIST's name."""
        if path is None:
            return self
        labels = labels_beside(path) if labelled else None
        return self.model_copy(update={"images": path, "labels": labels})

    def hashes(self) -> dict[str, str]:
        """Return the hash of each file."""
        paths = (path for path in (self.images, self.labels) if path is not None)
        return {str(path): hash_of(path) for path in paths}


def with_channels(pictures: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """Return pictures with an axis for channels, [n, height, width, 1] where they have none."""
    return pictures[..., None] if pictures.ndim == 3 else pictures


def labels_beside(images: Path) -> Path | None:
    """Return the file of labels that goes with ``images`` by its name, or None where there is none.

    With ``t10k-images-idx3-ubyte.gz`` goes ``t10k-labels-idx1-ubyte.gz``.
    """
    name = re.sub(r"idx[34]", "idx1", images.name.replace("images", "labels"))
    path = images.with_name(name)
    return path if "images" in images.name and path.is_file() else None
