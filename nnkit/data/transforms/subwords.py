"""The transform that cuts text into pieces of words, which a library learns from the training rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from nnkit.data.transforms.base import TRANSFORMS
from nnkit.data.transforms.tokens import LONGEST, MAX_TOKENS, Tokenizer, Vocabulary
from nnkit.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.subwords import Coder


class Pieces(Vocabulary):
    """Sub-words, and the pairs of them that are put together, in the order in which that is done."""

    merges: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(default=[], max_length=MAX_TOKENS)

    _coder: Any = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _fit(self) -> Self:
        from nnkit.frames.subwords import UNKNOWN

        known = set(self.tokens)
        if len(known) < len(self.tokens) or {"", UNKNOWN} & known:
            raise ValueError("expected sub-words that are all different, and none of them empty")
        if any(not {first, second, first + second} <= known for first, second in self.merges):
            raise ValueError("expected pairs of sub-words that together are one")
        return self

    def coder(self, kind: str) -> "Coder":
        """Return what cuts words into these sub-words."""
        from nnkit.frames.subwords import Coder

        if self._coder is None:
            self._coder = Coder(kind, self.tokens, self.merges)
        coder: Coder = self._coder
        return coder


@TRANSFORMS.register("subwords")
class SubwordTokens(Tokenizer):
    """Cuts text into pieces of words and numbers them: frequent words whole, rare ones in parts, none unknown.

    The pieces are learned from the training rows by the library tokenizers (`pip install 'nnkit[subwords]'`). A piece
    holds the blank before it, so put together they are the text again. Only a character that the training rows do not
    have, or less than `min_count` times, is 0, in `word_piece` the word that it is in.
    """

    state = Pieces

    algorithm: Literal["bpe", "word_piece"] = Field(
        default="bpe",
        description="How pieces are learned: by putting the most frequent pair together again and again (bpe, "
        "Sennrich and others 2016), or the same and then the longest that fits first (word_piece, as BERT does).",
    )
    max_size: int = Field(
        default=8000,
        ge=2,
        le=MAX_TOKENS,
        description="Most pieces of the vocabulary; single characters are at most half of them.",
    )
    min_count: int = Field(
        default=2, gt=0, description="How often characters and pairs must come in the training rows to be used."
    )
    lower: bool = Field(default=False, description="Take capital letters for small ones.")

    @property
    def cut(self) -> Callable[[str], Sequence[str]]:
        """The cut between words, a blank with the word behind it."""
        from nnkit.frames.subwords import words_and_blanks

        return (lambda text: words_and_blanks(text.lower())) if self.lower else words_and_blanks

    def learned(self, texts: Iterable[tuple[Sequence[str], int]], name: str) -> Pieces:
        """Return the sub-words of texts; raises ``DataError`` where there is none, ``ResourceError``."""
        from nnkit.frames.subwords import learn

        tokens, merges = learn(texts, self.algorithm, self.max_size, self.min_count)
        if not tokens:
            raise DataError(
                f"the column {name} has no character that comes {self.min_count} times in the training rows"
            )
        assert max(map(len, tokens)) <= LONGEST  # noqa: S101 - words are cut to less
        return Pieces(tokens=tokens, merges=[*map(list, merges)])

    def numberer(self, state: Any) -> "Callable[[Sequence[str]], NDArray[np.int32]]":
        """Return what gives the numbers of the pieces of words."""
        numbers: Callable[[Sequence[str]], NDArray[np.int32]] = state.coder(self.algorithm).numbers
        return numbers

    def tokens(self, text: str, state: Any) -> Sequence[str]:
        """Return the pieces of a text, each as its number stands for it."""
        coder = state.coder(self.algorithm)
        return [piece for word in self.cut(text) for piece in coder.pieces(word)]

    def learns_unknown(self, state: Vocabulary) -> bool:
        """Tell whether training rows may have characters without a number."""
        return self.min_count > 1

    def joined(self, before: str, token: str) -> str:
        """Return the piece as it is in a text."""
        from nnkit.frames.subwords import INSIDE

        return token.removeprefix(INSIDE) if self.algorithm == "word_piece" and token != INSIDE else token
