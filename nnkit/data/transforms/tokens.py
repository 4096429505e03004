"""Transforms that make sequences of numbers of text: a number for each token, from a vocabulary."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nnkit.data.transforms.base import TRANSFORMS, Notes, State, Transform, matching
from nnkit.errors import DataError, Path, Problem, SpecError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.engine.ragged import Ragged
    from nnkit.frames.table import Column, Frame

MAX_TOKENS = 1_000_000
LONGEST = 1000
UNKNOWN = "<unknown>"
"""What a token that is not in the vocabulary is called; no token is."""


class Vocabulary(State):
    """The tokens that have numbers of their own, from 1 on; 0 is every other."""

    tokens: list[Annotated[str, Field(max_length=LONGEST)]] = Field(max_length=MAX_TOKENS)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.tokens) + 1

    @property
    def index(self) -> dict[str, int]:
        """The number of each token."""
        return {token: number for number, token in enumerate(self.tokens, start=1)}


class Numbering(Transform):
    """A transform that numbers tokens by a vocabulary, learned from the training rows."""

    state = Vocabulary
    text_too = True
    consumes_text = True

    columns: list[str] = Field(min_length=1, description="Columns of text.")
    into: str | None = Field(
        default=None,
        min_length=1,
        description="Name of a new column for the numbers, so that others can be made of the same text; by default "
        "they take its place.",
    )
    max_size: int | None = Field(
        default=None, gt=0, le=MAX_TOKENS, description="Most tokens of the vocabulary: the most frequent; default: all."
    )
    min_count: int = Field(
        default=1, gt=0, description="How often a token must come in the training rows to be in the vocabulary."
    )

    def fit(self, frame: "Frame", path: Path) -> dict[str, State]:
        """Return the vocabulary of each column; raises ``SpecError`` where several would get one name."""
        states = super().fit(frame, path)
        if self.into is not None and (len(states) > 1 or self.into in frame):
            taken = f"two columns would be called {self.into!r}"
            hint = "give each of the columns a transform of its own" if len(states) > 1 else "choose another name"
            raise SpecError([Problem((*path, "into"), f"{taken}; {hint}")])
        return states

    def made(self, column: str) -> str:
        """Return the name of the column of numbers that is made of a column."""
        return self.into or column

    def beside(self, name: str, column: "Column", values: Any) -> "Frame":
        """Return the numbers in the place of a column of text, or beside it."""
        from nnkit.frames.table import Column

        made = {self.made(name): Column(values, column.source)}
        return made if self.into is None else {name: column} | made

    def known(self, texts: Iterable[tuple[Sequence[str], int]], name: str) -> list[str]:
        """Return the tokens of texts that the vocabulary holds; ``texts`` come each with how often; ``name`` is theirs.

        Raises ``DataError`` where there is no token, or there are too many.
        """
        from nnkit.frames.tokens import vocabulary

        found = vocabulary(texts, self.max_size, self.min_count)
        tokens = [token for token in found if len(token) <= LONGEST]
        if not tokens:
            raise DataError(f"the column {name} has no token that comes {self.min_count} times in the training rows")
        if len(tokens) > MAX_TOKENS:
            raise DataError(f"the column {name} has {len(tokens)} tokens, at most {MAX_TOKENS}; set max_size")
        return tokens


class WordNumbering(Numbering):
    """A transform that numbers each word of lists of words, as sentences of CoNLL are, by something about it."""

    columns: list[str] = Field(min_length=1, description="A column of lists of words, as the source `conll` has them.")

    def chosen(self, frame: "Frame", path: Path) -> list[str]:
        """Return the columns; raises ``SpecError`` for those that are not of lists."""
        names = [name for name in matching(frame, self.columns, (*path, "columns")) if not frame[name].is_sequence]
        odd = [name for name in names if not frame[name].is_list]
        if odd or not names:
            what = ", ".join(odd or self.columns)
            message = f"{self.type_name} is for lists of words, as sentences of CoNLL are; {what} holds none"
            raise SpecError([Problem((*path, "columns"), message)])
        return names

    def look(self, word: str) -> str:
        """Return what of a word is numbered."""
        raise TypeError(f"{type(self).__name__} does not say what it looks at")

    def fit_column(self, column: "Column", path: Path) -> State:
        """Return the vocabulary of what is looked at."""
        return Vocabulary(tokens=self.known(words_looked_at(column, self.look), column.source))

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return a number for each word."""
        return self.beside(name, column, numbered_words(column, self.look, state))


def words_looked_at(column: "Column", look: Callable[[str], str]) -> list[tuple[list[str], int]]:
    """Return what ``look`` gives of each distinct word in lists of words, and how often the word comes."""
    lists = column.values
    return [([look(word)], count) for word, count in zip(lists.words, lists.counts(), strict=True) if count]


def numbered_words(column: "Column", look: Callable[[str], str], state: Vocabulary) -> "Ragged":
    """Return for each word in lists of words the number of what ``look`` gives of it."""
    index = state.index
    numbers: Ragged = column.values.numbered(lambda word: index.get(look(word), 0))
    return numbers


class Tokenizer(Numbering):
    """A transform that cuts text into tokens and numbers them."""

    max_length: int | None = Field(default=None, gt=0, description="Tokens of a text that are used, from its start.")

    def chosen(self, frame: "Frame", path: Path) -> list[str]:
        """Return the columns of text; raises ``SpecError`` for lists of words where it cannot take such."""
        names = [name for name in matching(frame, self.columns, (*path, "columns")) if not frame[name].is_sequence]
        lists = [name for name in names if frame[name].is_list]
        if lists and self.max_length is not None:
            message = f"every word of {', '.join(lists)} has its tag; leave it out"
            raise SpecError([Problem((*path, "max_length"), message)])
        if lists and self.look is None:
            message = (
                f"{', '.join(lists)} holds lists of words, which {self.type_name} does not cut; word_characters "
                "numbers the characters of each"
            )
            raise SpecError([Problem((*path, "columns"), message)])
        arrays = [name for name in names if frame[name].values.ndim > 1 and name not in lists]
        return names if names and not arrays else super().chosen(frame, path)

    @property
    def look(self) -> Callable[[str], str] | None:
        """What of a word is numbered where texts are lists of words already; None where it takes no lists."""
        return None

    @property
    def cut(self) -> Callable[[str], Sequence[str]]:
        """What cuts a text into tokens."""
        raise TypeError(f"{type(self).__name__} does not say how it cuts")

    def fit_column(self, column: "Column", path: Path) -> State:
        """Return the vocabulary; raises ``DataError`` where no training row has a token, or there are too many."""
        import numpy as np

        if column.is_list and self.look is not None:
            return Vocabulary(tokens=self.known(words_looked_at(column, self.look), column.source))
        texts, cut = column.values, self.cut
        times = np.bincount(texts.codes[texts.codes >= 0], minlength=len(texts.words)).tolist()
        return self.learned(zip(map(cut, texts.words), times, strict=True), column.source)

    def learned(self, texts: Iterable[tuple[Sequence[str], int]], name: str) -> Vocabulary:
        """Return the vocabulary of the tokens of texts, each with how often it comes; ``name`` is their column.

        Raises ``DataError`` where there is no token, or there are too many.
        """
        return Vocabulary(tokens=self.known(texts, name))

    def learns_unknown(self, state: Vocabulary) -> bool:
        """Tell whether training rows may have tokens outside of the vocabulary, so that a model learns what 0 is."""
        return self.min_count > 1 or len(state.tokens) == self.max_size

    def numberer(self, state: Any) -> "Callable[[Sequence[str]], NDArray[np.int32]]":
        """Return what gives the numbers of what a text was cut into, 0 for what is not in the vocabulary."""
        from nnkit.frames.tokens import numbers_of

        index = state.index
        return lambda tokens: numbers_of(tokens, index)

    def tokens(self, text: str, state: Any) -> Sequence[str]:
        """Return the part of a text that each of its numbers stands for."""
        return self.cut(text)

    def joined(self, before: str, token: str) -> str:
        """Return a token as it is written behind a text, with the blank between them where there is one."""
        raise TypeError(f"{type(self).__name__} does not say how it joins")

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return the numbers of the tokens; a row without any is refused."""
        import numpy as np

        from nnkit.frames.tokens import numbered

        if column.is_list and self.look is not None:
            return self.beside(name, column, numbered_words(column, self.look, state))
        sequences = numbered(column.values, self.cut, self.numberer(state), self.max_length)
        for row in np.flatnonzero(sequences.lengths == 0).tolist():
            notes.refused.setdefault(row, f"{column.source} is empty")
        return self.beside(name, column, sequences)


@TRANSFORMS.register("characters")
class Characters(Tokenizer):
    """Cuts text into characters and numbers them; what no training row has is 0."""

    @property
    def cut(self) -> Callable[[str], Sequence[str]]:
        """The cut between any two characters."""
        from nnkit.frames.tokens import characters

        return characters

    def joined(self, before: str, token: str) -> str:
        """Return the character."""
        return token


@TRANSFORMS.register("words")
class WordTokens(Tokenizer):
    """Cuts text into words and signs and numbers them; what no training row has is 0.

    A word is a stretch of letters and digits, also with apostrophes inside; any other sign is a token of its own.
    Lists of words, as the source `conll` has them, are cut already and stay as they are.
    """

    lower: bool = Field(default=True, description="Take capital letters for small ones.")

    @property
    def cut(self) -> Callable[[str], Sequence[str]]:
        """The cut between words."""
        from nnkit.frames.tokens import words

        return (lambda text: words(text.lower())) if self.lower else words

    @property
    def look(self) -> Callable[[str], str]:
        """The word as it is looked up."""
        return str.lower if self.lower else str

    def joined(self, before: str, token: str) -> str:
        """Return the word behind a blank, and a sign as it is usually set."""
        from nnkit.frames.tokens import joined_word

        return joined_word(before, token)
