"""Transforms that shift and scale numbers."""

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from nnkit.config.piece import check_ordered
from nnkit.data.transforms.base import TRANSFORMS, Notes, State, Transform
from nnkit.errors import DataError, Path

if TYPE_CHECKING:
    from nnkit.frames.table import Column, Frame


class Shift(State):
    """x becomes (x - shift) / scale."""

    shift: float
    scale: float = Field(gt=0)


class Scaler(Transform):
    """A transform that shifts and scales each column by what it learned; a column of arrays by all their values.

    The values of a column of pictures are their pixels, from 0 to 1.
    """

    state = Shift
    arrays_too = True

    def fit_column(self, column: "Column", path: Path) -> State:
        """Return shift and scale; raises ``DataError`` where the training rows have no number at all."""
        import numpy as np

        values = column.numbers
        if np.isnan(values).all():
            raise DataError(f"the column {column.source} has no number in the training rows; drop it, or impute")
        with np.errstate(over="ignore", invalid="ignore"):
            shift, scale = self.learn(values)
        if not np.isfinite([shift, scale]).all():
            raise DataError(f"the column {column.source} has numbers too large to scale; clip it first, or drop it")
        return Shift(shift=shift, scale=scale)

    def learn(self, values: Any) -> tuple[float, float]:
        """Return the shift and the scale of numbers."""
        raise TypeError(f"{type(self).__name__} does not say what it learns")

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return the column shifted and scaled."""
        import numpy as np

        from nnkit.frames.table import Column

        with np.errstate(over="ignore", invalid="ignore"):
            return {name: Column((column.numbers - state.shift) / state.scale, column.source)}

    def restore_column(self, name: str, made: "Frame", state: Any) -> "Column":
        """Return the column in its own units."""
        from nnkit.frames.table import Column

        [column] = made.values()
        return Column(column.numbers * state.scale + state.shift, column.source)


@TRANSFORMS.register("standard_scale")
class StandardScale(Scaler):
    """Brings columns to mean 0 and standard deviation 1; a constant column becomes 0."""

    def learn(self, values: Any) -> tuple[float, float]:
        """Return mean and deviation."""
        from nnkit.frames import scaling

        return scaling.standard(values)


@TRANSFORMS.register("min_max_scale")
class MinMaxScale(Scaler):
    """Brings the training rows' columns to the range from 0 to 1; other rows may lie outside."""

    def learn(self, values: Any) -> tuple[float, float]:
        """Return minimum and range."""
        from nnkit.frames import scaling

        return scaling.min_max(values)


@TRANSFORMS.register("robust_scale")
class RobustScale(Scaler):
    """Takes the median away and divides by the distance of two percentiles, which outliers hardly change."""

    low: float = Field(default=25.0, ge=0, lt=100, description="Lower percentile.")
    high: float = Field(default=75.0, gt=0, le=100, description="Upper percentile.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_ordered(self.low, self.high)
        return self

    def learn(self, values: Any) -> tuple[float, float]:
        """Return the median and the percentiles' distance."""
        from nnkit.frames import scaling

        return scaling.robust(values, self.low, self.high)


@TRANSFORMS.register("log")
class Log(Transform):
    """Takes the natural logarithm of x + offset: steps by a factor become steps by a sum."""

    offset: float = Field(default=0.0, ge=0, description="Added first; 1 where there are zeros.")

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return the logarithm; a row where there is none is refused."""
        import numpy as np

        from nnkit.frames.table import Column

        shifted = column.values + self.offset
        for row in np.flatnonzero(shifted <= 0).tolist():
            notes.refused.setdefault(
                row, f"{column.source} is {column.values[row]:g}, which has no logarithm; set offset"
            )
        with np.errstate(invalid="ignore", divide="ignore"):
            return {name: Column(np.where(shifted > 0, np.log(shifted), np.nan), column.source)}

    def restore_column(self, name: str, made: "Frame", state: Any) -> "Column":
        """Return the exponential."""
        import numpy as np

        from nnkit.frames.table import Column

        [column] = made.values()
        with np.errstate(over="ignore"):
            return Column(np.exp(column.values) - self.offset, column.source)


@TRANSFORMS.register("clip")
class Clip(Transform):
    """Moves numbers outside of a range to its ends."""

    arrays_too = True

    low: float | None = Field(default=None, description="Smallest value that stays.")
    high: float | None = Field(default=None, description="Largest value that stays.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("expected low, high or both")
        if self.low is not None and self.high is not None:
            check_ordered(self.low, self.high)
        return self

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return the column with its values in the range."""
        import numpy as np

        from nnkit.frames.table import Column

        return {name: Column(np.clip(column.numbers, self.low, self.high), column.source)}

    def restore_column(self, name: str, made: "Frame", state: Any) -> "Column":
        """Return the values, brought into the range."""
        [column] = self.apply_column(name, next(iter(made.values())), state, Notes("ignore")).values()
        return column
