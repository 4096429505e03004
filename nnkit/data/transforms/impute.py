"""The transform that fills missing cells."""

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from nnkit.data.transforms.base import TRANSFORMS, Notes, State, Transform
from nnkit.errors import DataError, Path, Problem, SpecError

if TYPE_CHECKING:
    from nnkit.frames.table import Column, Frame


class Filling(State):
    """What stands in for a missing cell."""

    value: float | str


@TRANSFORMS.register("impute")
class Impute(Transform):
    """Fills missing cells with a value learned from the training rows, or with one that is given."""

    state = Filling
    text_too = True

    strategy: Literal["mean", "median", "most_frequent", "constant"] = Field(
        default="mean", description="Where the value comes from; text takes most_frequent or constant."
    )
    value: float | str | None = Field(default=None, description="The value of the strategy constant.")
    indicator: bool = Field(default=False, description="Add a column `column__missing` of 1 where a cell was missing.")

    @model_validator(mode="after")
    def _constant(self) -> Self:
        if (self.strategy == "constant") != (self.value is not None):
            raise ValueError("the strategy constant needs `value`, and no other strategy takes it")
        return self

    def fit_column(self, column: "Column", path: Path) -> State:
        """Return the value; raises ``SpecError`` where the strategy does not fit the column's kind."""
        if (
            column.is_text != isinstance(self.value, str)
            if self.strategy == "constant"
            else column.is_text and (self.strategy != "most_frequent")
        ):
            kind = "text" if column.is_text else "numbers"
            message = (
                f"{column.source} holds {kind}: {self.strategy} gives no value for it; use most_frequent or constant"
            )
            raise SpecError([Problem((*path[:-1], "strategy"), message)])
        if self.value is not None:
            return Filling(value=self.value)
        return Filling(value=self._learn(column))

    def _learn(self, column: "Column") -> float | str:
        import numpy as np

        present = column.values[~column.gaps]
        if not len(present):
            raise DataError(f"the column {column.source} is empty in all training rows; drop it, or impute a constant")
        if self.strategy == "most_frequent":
            counts = Counter(present.tolist())
            most = max(counts.values())
            value: float | str = min(value for value, count in counts.items() if count == most)
            return value
        with np.errstate(over="ignore"):
            number = float(np.mean(present) if self.strategy == "mean" else np.median(present))
        if not np.isfinite(number):
            raise DataError(f"the column {column.source} has numbers too large for a {self.strategy}; clip it first")
        return number

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return the column with its gaps filled, and where they were."""
        import numpy as np

        from nnkit.frames.table import Column

        missing = column.gaps
        values = column.values.filled(state.value) if column.is_text else np.where(missing, state.value, column.values)
        made = {name: Column(values, column.source)}
        if self.indicator:
            made[f"{name}__missing"] = Column(missing.astype(np.float64), column.source)
        return made

    def restore_column(self, name: str, made: "Frame", state: Any) -> "Column":
        """Return the column, whose gaps stay filled."""
        return made[name]
