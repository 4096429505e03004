"""One text, to be read on."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import Field

from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, FileSource

if TYPE_CHECKING:
    from nnkit.frames.table import Raw

TEXT = "text"
"""The name of the source's only column."""


@SOURCES.register("text")
class TextFile(FileSource):
    """Reads one text in UTF-8, also packed with gzip or bzip2, for a language model: `target: next`.

    Its one column is `text`, which a transform cuts into tokens: `characters`, `words` or `subwords`. Its parts follow
    each other as in the file: the first trains, the last tests. Line ends of any kind are read as one.
    """

    length: int = Field(
        default=128,
        gt=0,
        le=1_000_000,
        description="Steps of a window: so many tokens go through the network at once, and gradients as far back.",
    )

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the text of an open file as one row; raises ``DataError``."""
        from nnkit.frames.running import read_running
        from nnkit.frames.table import Raw

        yield Raw({TEXT: [read_running(file, name)]}, [1])

    def text(self) -> str:
        """Return the text; raises ``DataError``."""
        from nnkit.frames.lines import open_plain
        from nnkit.frames.running import read_running

        with open_plain(Path(self.path)) as file:
            return read_running(file, self.title)
