"""Transforms that turn categories into numbers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from nnkit.data.transforms.base import TRANSFORMS, Notes, State, Transform
from nnkit.errors import DataError, Path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.cells import Words
    from nnkit.frames.table import Column, Frame

MAX_CATEGORIES = 100_000
SHOWN = 60


class Categories(State):
    """The categories of the training rows, in order."""

    categories: list[str] = Field(min_length=1, max_length=MAX_CATEGORIES)


class Encoder(Transform):
    """A transform of text, or of numbers taken as categories."""

    text_too = True
    consumes_text = True

    columns: list[str] = Field(min_length=1, description="Columns to encode.")


class CategoryEncoder(Encoder):
    """An encoder that learns the categories of the training rows."""

    state = Categories

    def fit_column(self, column: "Column", path: Path) -> State:
        """Return the categories in order; raises ``DataError`` where there are none, or too many."""
        from nnkit.frames.kinds import in_order

        found = in_order(labels(column).used())
        if not found:
            raise DataError(f"the column {column.source} is empty in all training rows; drop it")
        if len(found) > MAX_CATEGORIES:
            raise DataError(
                f"the column {column.source} has {len(found)} categories, at most {MAX_CATEGORIES}; use hash"
            )
        return Categories(categories=found)

    def codes(self, column: "Column", categories: Sequence[str], notes: Notes) -> "NDArray[np.int64]":
        """Return each row's place in ``categories``: -1 for an unseen one, which is counted, -2 for a missing one."""
        import numpy as np

        from nnkit.frames.scaling import codes

        cells = labels(column)
        found = codes(cells, categories)
        unseen = np.flatnonzero(found == -1)
        if len(unseen):
            notes.unseen[column.source] += len(unseen)
        if notes.on_unseen == "error":
            for row, cell in zip(unseen.tolist(), cells[unseen].tolist(), strict=True):
                notes.refused.setdefault(row, f"{column.source} is {str(cell)[:SHOWN]!r}, which no training row has")
        return found


def labels(column: "Column") -> "Words":
    """Return a column's cells as text: numbers as labels."""
    import numpy as np

    from nnkit.frames.cells import Words
    from nnkit.frames.kinds import label

    if isinstance(column.values, Words):
        return column.values
    distinct, codes = np.unique(column.values, return_inverse=True, equal_nan=True)
    texts = [None if value != value else label(value) for value in distinct.tolist()]
    return Words(codes.astype(np.int32), [""] * len(texts)).mapped(texts)


def _chosen(places: "NDArray[Any]", categories: Sequence[str], source: str) -> "Column":
    """Return the categories at some places as a column."""
    from nnkit.frames.cells import Words
    from nnkit.frames.table import Column

    return Column(Words(places.astype("int32"), list(categories)), source)


@TRANSFORMS.register("one_hot")
class OneHot(CategoryEncoder):
    """Makes a column of 0 and 1 for each category, named `column=category`; an unseen category is 0 in all of them."""

    drop_first: bool = Field(
        default=False, description="Leave the first category's column out: it is where the others are 0."
    )

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return a column for each category, NaN where the cell is missing."""
        import numpy as np

        from nnkit.frames.table import Column

        found = self.codes(column, state.categories, notes)
        missing = found == -2
        made = {}
        for number, category in enumerate(state.categories):
            if number == 0 and self.drop_first:
                continue
            values = (found == number).astype(np.float64)
            values[missing] = np.nan
            made[f"{name}={category}"] = Column(values, column.source)
        return made

    def restore_column(self, name: str, made: "Frame", state: Any) -> "Column":
        """Return the category of the largest number; the one that is left out where no other has a half."""
        import numpy as np

        sources = {column.source for column in made.values()} or {name}
        values = [column.values for column in made.values()]
        if self.drop_first:
            values.insert(0, np.full(len(values[0]), 0.5))
        return _chosen(np.argmax(values, axis=0), state.categories, *sources)


@TRANSFORMS.register("ordinal")
class Ordinal(CategoryEncoder):
    """Numbers the categories from 0; an unseen one gets the next number, so an embedding needs categories + 1."""

    order: list[str] | None = Field(
        default=None, min_length=1, description="The categories from lowest to highest; default: sorted."
    )

    def fit_column(self, column: "Column", path: Path) -> State:
        """Return the categories in the given order; raises ``DataError`` for one that the order lacks."""
        learned = super().fit_column(column, path)
        assert isinstance(learned, Categories)  # noqa: S101 - what super makes
        if self.order is None:
            return learned
        absent = [category for category in learned.categories if category not in self.order]
        if absent:
            raise DataError(f"the column {column.source} has {', '.join(absent[:5])}, which `order` lacks")
        return Categories(categories=self.order)

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return the numbers, NaN where the cell is missing."""
        import numpy as np

        from nnkit.frames.table import Column

        found = self.codes(column, state.categories, notes)
        numbers = np.where(found == -1, len(state.categories), found).astype(np.float64)
        numbers[found == -2] = np.nan
        return {name: Column(numbers, column.source)}

    def restore_column(self, name: str, made: "Frame", state: Any) -> "Column":
        """Return the nearest category."""
        import numpy as np

        [column] = made.values()
        places = np.clip(np.rint(np.nan_to_num(column.values)), 0, len(state.categories) - 1)
        return _chosen(places, state.categories, column.source)


@TRANSFORMS.register("hash")
class Hash(Encoder):
    """Puts categories into a fixed number of buckets, a column `column#bucket` each: none is unseen.

    The feature hashing of Weinberger and others, 2009, without signs; by BLAKE2b, so the same everywhere.
    """

    state: ClassVar[type[State]] = State

    buckets: int = Field(gt=1, le=MAX_CATEGORIES, description="Number of buckets.")

    def width(self, states: Mapping[str, State]) -> int:
        """Return the number of buckets of all columns."""
        return self.buckets * len(states)

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return a column for each bucket, NaN where the cell is missing."""
        import numpy as np

        from nnkit.frames.scaling import bucket
        from nnkit.frames.table import Column

        cells = labels(column)
        found = np.array([*(bucket(text, self.buckets) for text in cells.words), -1], dtype=np.int64)[cells.codes]
        made = {}
        for number in range(self.buckets):
            values = (found == number).astype(np.float64)
            values[found == -1] = np.nan
            made[f"{name}#{number}"] = Column(values, column.source)
        return made
