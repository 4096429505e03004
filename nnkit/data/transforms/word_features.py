"""Transforms of words in lists, such as sentences to be tagged: their characters, their shapes, their ends."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from nnkit.data.transforms.base import TRANSFORMS, Notes, State
from nnkit.data.transforms.tokens import Vocabulary, WordNumbering
from nnkit.errors import Path

if TYPE_CHECKING:
    from nnkit.frames.table import Column, Frame

NOTHING = ""
"""What stands behind the end of a word that has fewer characters than there are places."""


@TRANSFORMS.register("word_shapes")
class WordShapes(WordNumbering):
    """Numbers the shape of each word: `Xxxxx` for Paris, `XX` for UK, `dd-xxx` for 10-day.

    X is a capital letter, x another one, d a digit, and any other sign stands for itself; of more than four of a kind
    in a row four are kept. A shape that no training row has is 0.
    """

    def look(self, word: str) -> str:
        """Return the word's shape."""
        from nnkit.frames.tokens import word_shape

        return word_shape(word)


@TRANSFORMS.register("word_affixes")
class WordAffixes(WordNumbering):
    """Numbers the first or the last characters of each word, in small letters: `-ing`, `un-`.

    A word that is shorter is taken whole. What no training row has is 0.
    """

    length: int = Field(default=3, gt=0, le=20, description="Number of characters.")
    side: Literal["start", "end"] = Field(default="end", description="Where of the word they are.")

    def look(self, word: str) -> str:
        """Return the characters."""
        small = word.lower()
        return small[: self.length] if self.side == "start" else small[-self.length :]


@TRANSFORMS.register("word_characters")
class WordCharacters(WordNumbering):
    """Numbers the characters of each word: a sentence becomes `words x length`.

    A character that no training row has is 0; what lies behind the end of a shorter word has a number of its own, 1.
    """

    length: int = Field(
        default=20, gt=0, le=1000, description="Places for characters; of a longer word the first ones are used."
    )

    def look(self, word: str) -> str:
        """Return the word as far as there are places."""
        return word[: self.length]

    def fit_column(self, column: "Column", path: Path) -> State:
        """Return the characters that training rows have, after the one that stands for none."""
        lists = column.values
        counted = ((list(self.look(word)), count) for word, count in zip(lists.words, lists.counts(), strict=True))
        return Vocabulary(tokens=[NOTHING, *self.known(counted, column.source)])

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return the numbers of each word's characters."""
        index = state.index
        nothing = index.get(NOTHING, 0)

        def numbers(word: str) -> list[int]:
            found = [index.get(character, 0) for character in self.look(word)]
            return found + [nothing] * (self.length - len(found))

        return self.beside(name, column, column.values.numbered(numbers, (self.length,)))
