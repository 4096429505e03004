"""Vocabularies: words as numbers."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from nnkit.data.transforms.base import TRANSFORMS, Notes, State, Transform
from nnkit.data.transforms.tokens import LONGEST, MAX_TOKENS, Vocabulary
from nnkit.errors import DataError, Path, Problem, SpecError

if TYPE_CHECKING:
    from nnkit.frames.table import Column, Frame


@TRANSFORMS.register("vocabulary")
class TreeVocabulary(Transform):
    """Numbers the words of trees; 0 stands for every word that it does not know.

    What is rare in the training rows is unknown there too, so that a model learns what to make of unknown words.
    """

    state = Vocabulary

    columns: list[str] | None = Field(default=None, min_length=1, description="Columns of trees; default: all.")
    min_count: int = Field(default=2, gt=0, description="How often the training rows must have a word.")
    max_words: int = Field(default=MAX_TOKENS, gt=0, le=MAX_TOKENS, description="Of more words the most frequent ones.")
    lowercase: bool = Field(default=False, description="Whether Film and film are one word.")

    def chosen(self, frame: "Frame", path: Path) -> list[str]:
        """Return the columns of trees; raises ``SpecError`` where there are none, or others are named."""
        trees = [name for name, column in frame.items() if column.is_tree]
        odd = [name for name in self.columns or [] if name not in trees]
        if odd or not trees:
            what = f"{', '.join(odd)} hold no trees" if odd else "no column holds trees"
            raise SpecError([Problem((*path, "columns") if odd else path, f"{what}, whose words it numbers")])
        return self.columns or trees

    def fit_column(self, column: "Column", path: Path) -> State:
        """Return the words, the most frequent first and those that are as frequent in alphabetical order."""
        from nnkit.frames.trees import counts

        found = counts(column.values, self.spelling)
        words = [word for word, count in found.items() if count >= self.min_count and len(word) <= LONGEST]
        if not words:
            raise DataError(
                f"no word of {column.source} comes {self.min_count} times in the training rows; set min_count: 1"
            )
        return Vocabulary(tokens=sorted(words, key=lambda word: (-found[word], word))[: self.max_words])

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return the trees with numbers for their words; leaves whose word is unknown are counted."""
        from nnkit.frames.table import Column
        from nnkit.frames.trees import coded

        return {name: Column(coded(column.values, state.tokens, self.spelling), column.source)}

    def spelling(self, word: str) -> str:
        """Return how a word is looked up."""
        return word.lower() if self.lowercase else word
