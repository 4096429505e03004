"""Sentences whose words have tags: CoNLL."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO, Self

from pydantic import Field, PrivateAttr, model_validator

from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, FileSource, Source
from nnkit.data.words import Encoding
from nnkit.tasks import Scheme

if TYPE_CHECKING:
    from pathlib import Path

    from nnkit.frames.table import Raw
    from nnkit.shapes import Shape


@SOURCES.register("conll")
class Conll(FileSource):
    """Reads sentences as CoNLL has them: a word a line, its columns beside it, a blank line between sentences.

    A row is a sentence, and each of its columns a list of as many texts as the sentence has words. Rows that
    `predict` reads need no more than the first columns. Also packed with gzip or bzip2.
    """

    own_format = True

    columns: list[str] = Field(
        default=["token", "tag"], min_length=1, max_length=100, description="Names of the columns, from left to right."
    )
    scheme: Scheme = Field(
        default="BIO",
        description="How tags mark entities: `BIO` as B-place I-place O; `IOB1`, where B only parts two neighbours; "
        "`BIOES` with E for the last word and S for a single one; `none`: each tag stands for itself, as parts of "
        "speech do.",
    )
    separator: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description='What stands between cells, "\\t" for a tab; default: a tab where a line has one, else blanks.',
    )
    comments: list[str] = Field(
        default=["-DOCSTART-"],
        description='Beginnings of lines to pass over between sentences; `"# "` are the comments of CoNLL-U.',
    )
    encoding: Encoding = Field(
        default="utf-8", description="How the text is coded: utf-8, latin-1, cp1252, utf-16, ..."
    )
    _labelled: bool = PrivateAttr(default=True)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("`columns` names a column twice")
        if not all(self.comments):
            raise ValueError("`comments` has an empty text, with which every line begins")
        if self.separator is not None and self.separator in "\r\n\0":
            raise ValueError(f"separator cannot be {self.separator!r}")
        return self

    @property
    def tag_scheme(self) -> Scheme:
        """How tags mark entities."""
        return self.scheme

    def fresh(self, path: "Path | None", labelled: bool, shapes: "Mapping[str, Shape]") -> Source:
        """Return the source for another file, which has the first columns at least if it is not ``labelled``."""
        made = self.model_copy(update={} if path is None else {"path": path})
        made._labelled = labelled
        return made

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the sentences of an open file, as they come."""
        from nnkit.frames.conll import ConllReader
        from nnkit.frames.lines import Lines, unpacked

        lines = Lines(unpacked(file, name), self.encoding, name)
        partial = columns is None and not self._labelled
        reader, some = ConllReader(name, columns or self.columns, self.separator, self.comments, partial), False
        for line in lines:
            reader.feed(line, lines.number)
            if len(reader) >= chunk_rows or (len(reader) and lines.is_between_blocks):
                some = True
                yield reader.take()
        reader.finish()
        if len(reader) or not some:
            yield reader.take()
