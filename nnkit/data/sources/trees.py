"""Trees: bracketed sentences with a label at every node."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from pydantic import Field

from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, FileSource
from nnkit.data.words import Encoding, Label

if TYPE_CHECKING:
    from nnkit.frames.brackets import TreeReader
    from nnkit.frames.table import Raw

TREE, LABEL = "tree", "label"


@SOURCES.register("trees")
class Trees(FileSource):
    """Reads binary trees in the Penn format, as `(3 (2 good) (2 film))`, each in a line or over several, gz too.

    Each node has a label, and a word or two trees. The columns are `tree` and `label`, the label of the root. Words
    stay as they are written, -LRB- and -RRB- for brackets too.
    """

    categories: ClassVar[tuple[str, ...]] = (LABEL,)
    own_format: ClassVar[bool] = True

    encoding: Encoding = Field(
        default="utf-8", description="How the text is coded: utf-8, latin-1, cp1252, utf-16, ..."
    )
    labels: list[Label] | None = Field(
        default=None, min_length=1, description="The labels that nodes may have, in fresh trees too; default: any."
    )

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the trees of an open file, as they come."""
        from nnkit.frames.brackets import TreeReader
        from nnkit.frames.lines import Lines, unpacked

        lines = Lines(unpacked(file, name), self.encoding, name)
        reader, some = TreeReader(name, self.labels), False
        for line in lines:
            reader.feed(line, lines.number)
            if len(reader) >= chunk_rows or (len(reader) and lines.is_between_blocks):
                some = True
                yield _raw(reader)
        reader.finish()
        if len(reader) or not some:
            yield _raw(reader)


def _raw(reader: "TreeReader") -> "Raw":
    from nnkit.frames.table import Raw

    trees, lines, bad = reader.take()
    names = trees.names
    return Raw({TREE: trees, LABEL: [names[label] for label in trees.labels[trees.roots].tolist()]}, lines, bad)
