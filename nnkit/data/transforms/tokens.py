"""Transforms that make sequences of numbers of text: a number for each token, from a vocabulary."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nnkit.data.transforms.base import TRANSFORMS, Notes, State, Transform
from nnkit.errors import DataError, Path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import Column, Frame

MAX_TOKENS = 1_000_000
LONGEST = 1000


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


class Tokenizer(Transform):
    """A transform that cuts text into tokens and numbers them by a vocabulary, learned from the training rows."""

    state = Vocabulary
    text_too = True
    consumes_text = True

    columns: list[str] = Field(min_length=1, description="Columns of text.")
    max_size: int | None = Field(
        default=None, gt=0, le=MAX_TOKENS, description="Most tokens of the vocabulary: the most frequent; default: all."
    )
    min_count: int = Field(
        default=1, gt=0, description="How often a token must come in the training rows to be in the vocabulary."
    )
    max_length: int | None = Field(default=None, gt=0, description="Tokens of a text that are used, from its start.")

    @property
    def cut(self) -> Callable[[str], Sequence[str]]:
        """What cuts a text into tokens."""
        raise TypeError(f"{type(self).__name__} does not say how it cuts")

    def fit_column(self, column: "Column", path: Path) -> State:
        """Return the vocabulary; raises ``DataError`` where no training row has a token, or there are too many."""
        import numpy as np

        texts, cut = column.values, self.cut
        times = np.bincount(texts.codes[texts.codes >= 0], minlength=len(texts.words)).tolist()
        return self.learned(zip(map(cut, texts.words), times, strict=True), column.source)

    def learned(self, texts: Iterable[tuple[Sequence[str], int]], name: str) -> Vocabulary:
        """Return the vocabulary of the tokens of texts, each with how often it comes; ``name`` is their column.

        Raises ``DataError`` where there is no token, or there are too many.
        """
        from nnkit.frames.tokens import vocabulary

        found = vocabulary(texts, self.max_size, self.min_count)
        tokens = [token for token in found if len(token) <= LONGEST]
        if not tokens:
            raise DataError(f"the column {name} has no token that comes {self.min_count} times in the training rows")
        if len(tokens) > MAX_TOKENS:
            raise DataError(f"the column {name} has {len(tokens)} tokens, at most {MAX_TOKENS}; set max_size")
        return Vocabulary(tokens=tokens)

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

        from nnkit.frames.table import Column
        from nnkit.frames.tokens import numbered

        sequences = numbered(column.values, self.cut, self.numberer(state), self.max_length)
        for row in np.flatnonzero(sequences.lengths == 0).tolist():
            notes.refused.setdefault(row, f"{column.source} is empty")
        return {name: Column(sequences, column.source)}


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
    """

    lower: bool = Field(default=True, description="Take capital letters for small ones.")

    @property
    def cut(self) -> Callable[[str], Sequence[str]]:
        """The cut between words."""
        from nnkit.frames.tokens import words

        return (lambda text: words(text.lower())) if self.lower else words

    def joined(self, before: str, token: str) -> str:
        """Return the word behind a blank, and a sign as it is usually set."""
        from nnkit.frames.tokens import joined_word

        return joined_word(before, token)
