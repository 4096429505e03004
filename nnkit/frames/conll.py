"""CoNLL: a word a line with columns beside it, a blank line between sentences, read line by line."""

import re
from collections.abc import Sequence

from nnkit.errors import DataError
from nnkit.frames.lists import Lists
from nnkit.frames.table import BadRow, Raw

SENTENCE_LIMIT = 10_000
"""Words of a sentence that are read: one of more has lost the blank lines behind it."""
_BLANKS = re.compile(r"[ \t]+")
"""Other blanks, such as one that does not break, are letters of a word."""
SHOWN = 200


class ConllReader:
    """Reads sentences line by line; one with a line that has not ``width`` cells becomes a bad row.

    ``names`` are the columns, ``separator`` is what stands between cells (None: tabs where a line has one, else
    blanks). Where ``partial``, the first line says how many of the columns there are. Lines that begin with one of
    ``comments`` are passed over between sentences. ``name`` is what messages call the text.
    """

    def __init__(
        self, name: str, names: Sequence[str], separator: str | None, comments: Sequence[str], partial: bool
    ) -> None:
        self._name = name
        self._names = names
        self._separator = separator
        self._comments = tuple(comments)
        self._width = None if partial else len(names)
        self._rows: list[list[str]] = []
        self._first = 0
        self._fault: BadRow | None = None
        self._clear()

    def _clear(self) -> None:
        self._sentences: list[list[list[str]]] = []
        self._lines: list[int] = []
        self._bad: list[BadRow] = []

    def __len__(self) -> int:
        """How many sentences and bad rows wait to be taken."""
        return len(self._sentences) + len(self._bad)

    def feed(self, line: str, number: int) -> None:
        """Read the line with this number (from 1); raises ``DataError`` where a sentence has no end."""
        text = line.rstrip("\r\n")
        if not text.strip(" \t"):
            self.finish()
        elif text.startswith(self._comments):
            if self._rows:
                self._blame(number, "a comment within a sentence: a blank line ends the sentence before", text)
        else:
            self._add(text, number)

    def _add(self, text: str, number: int) -> None:
        if not self._rows:
            self._first = number
        if len(self._rows) == SENTENCE_LIMIT:
            raise DataError(
                f"{self._name}:{number}: the sentence that begins in line {self._first} has more than "
                f"{SENTENCE_LIMIT:,} words; are there blank lines between sentences?"
            )
        cells = self._cut(text)
        if self._width is None and len(cells) <= len(self._names):
            self._width = len(cells)
        if len(cells) != self._width:
            self._blame(number, f"{len(cells)} cell{'s' if len(cells) > 1 else ''}, expected {self._expected()}", text)
        elif not all(cells):
            self._blame(number, f"the {self._names[cells.index('')]} is empty", text)
        self._rows.append(cells)

    def _cut(self, text: str) -> list[str]:
        if self._separator is not None:
            return text.split(self._separator)
        return text.split("\t") if "\t" in text.strip(" \t") else _BLANKS.split(text.strip(" \t"))

    def _expected(self) -> str:
        names = ", ".join(self._names[: self._width])
        if self._width is None:
            return f"at most {len(self._names)} ({names}): one word a line, and a blank line between sentences"
        return f"{self._width} ({names})"

    def _blame(self, number: int, reason: str, text: str) -> None:
        """Keep the first thing that is wrong with a sentence."""
        self._fault = self._fault or BadRow(number, reason, text[:SHOWN])

    def finish(self) -> None:
        """End the sentence, if there is one: keep it, or refuse it."""
        if self._fault is not None:
            self._bad.append(self._fault)
        elif self._rows:
            self._sentences.append(self._rows)
            self._lines.append(self._first)
        self._rows, self._fault = [], None

    def take(self) -> Raw:
        """Return the sentences read so far, the line of each first word, and the bad rows; forgets them."""
        columns = {
            name: Lists.of([[cells[place] for cells in sentence] for sentence in self._sentences])
            for place, name in enumerate(self._names[: self._width])
        }
        raw = Raw(columns, self._lines, self._bad)
        self._clear()
        return raw
