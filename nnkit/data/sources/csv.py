"""Delimited text: CSV, TSV and the like."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Self

from pydantic import Field, model_validator

from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, FileSource
from nnkit.data.words import Encoding

if TYPE_CHECKING:
    from nnkit.frames.kinds import Spelling
    from nnkit.frames.table import Raw


@SOURCES.register("csv")
class Csv(FileSource):
    """Reads delimited text, also packed with gzip or bzip2.

    Every row must have as many cells as the header. Cells keep their blanks; numbers may have blanks around them.
    A missing number is an empty cell, NA, N/A, NaN, null, None or ?; in text only the empty cell is missing.
    """

    delimiter: str = Field(default=",", min_length=1, max_length=1, description='Between cells; "\\t" for tabs.')
    encoding: Encoding = Field(
        default="utf-8", description="How the text is coded: utf-8, latin-1, cp1252, utf-16, ..."
    )
    quoting: bool = Field(default=True, description="Whether cells in quotes may hold delimiters and line breaks.")
    quote: str = Field(default='"', min_length=1, max_length=1, description="The quote character.")
    header: bool = Field(default=True, description="Whether the first line names the columns.")
    columns: list[str] | None = Field(
        default=None, min_length=1, description="Names of the columns; needed where there is no header."
    )
    missing: list[str] | None = Field(
        default=None, description="Words that stand for a missing cell in every column, instead of the usual ones."
    )
    decimal: str = Field(default=".", min_length=1, max_length=1, description="Decimal mark of numbers.")
    thousands: str | None = Field(default=None, min_length=1, max_length=1, description="Mark between thousands.")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.header and self.columns is None:
            raise ValueError("without a header, `columns` must name the columns")
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError("`columns` names a column twice")
        return self

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        between = {"delimiter": self.delimiter} | ({"quote": self.quote} if self.quoting else {})
        within = {"decimal": self.decimal} | ({"thousands": self.thousands} if self.thousands else {})
        for marks in (between, within):
            if len(set(marks.values())) < len(marks):
                raise ValueError(
                    f"{' and '.join(marks)} are both {self.delimiter if marks is between else self.decimal!r}"
                )
        for option, mark in (between | within).items():
            if mark in "\r\n\0" or (option in within and (mark.isalnum() or mark in "+-_")):
                raise ValueError(f"{option} cannot be {mark!r}")
        return self

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the rows of an open file; ``columns`` names them where it has no header."""
        from nnkit.frames.text import Dialect, read_text

        dialect = Dialect(
            delimiter=self.delimiter,
            quote=self.quote if self.quoting else None,
            encoding=self.encoding,
            header=self.header and columns is None,
            columns=columns or self.columns,
        )
        return read_text(file, dialect, name, chunk_rows)

    def spelling(self) -> "Spelling":
        """Return how numbers and missing cells are written."""
        from nnkit.frames.kinds import Spelling

        missing = None if self.missing is None else frozenset(self.missing)
        return Spelling(missing, self.decimal, self.thousands)
