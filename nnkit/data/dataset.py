"""Datasets: rows as the arrays that a network takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnkit.errors import Problem, SpecError
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import Column, Frame


@dataclass(frozen=True)
class Dataset:
    """Rows with their inputs by name (float32 [n, ...]) and, where known, truth, training targets and row weights.

    ``truth`` is as in ``nnkit.tasks``; ``targets`` are float32 [n, k], or int64 [n] for several classes; ``rows`` are
    the 0-based numbers of the rows among those of their source that could be read.
    """

    inputs: "dict[str, NDArray[np.float32]]"
    rows: "NDArray[np.int64]"
    truth: "NDArray[Any] | None" = None
    targets: "NDArray[Any] | None" = None
    weights: "NDArray[np.float64] | None" = None

    def __len__(self) -> int:
        return len(self.rows)


def choose_features(frame: "Frame", inputs: Mapping[str, Sequence[str]] | None) -> dict[str, list[str]]:
    """Return the columns of each input; raises ``SpecError`` for one that has none, or text."""
    from nnkit.data.transforms.base import matching

    if inputs is None:
        return {"input": list(frame)}
    return {name: matching(frame, wanted, ("data", "inputs", name)) for name, wanted in inputs.items()}


def input_array(columns: "Sequence[Column]") -> "NDArray[np.float32]":
    """Return columns of numbers side by side [n, columns], or the only array column as it is [n, ...]."""
    import numpy as np

    if len(columns) == 1 and columns[0].values.ndim > 1:
        return np.ascontiguousarray(columns[0].values, dtype=np.float32)
    result = np.empty((len(columns[0].values), len(columns)), dtype=np.float32)
    with np.errstate(over="ignore"):
        for index, column in enumerate(columns):
            result[:, index] = column.values
    return result


def shapes(frame: "Frame", features: Mapping[str, Sequence[str]]) -> dict[str, Shape]:
    """Return the shape of a row of each input; raises ``SpecError`` where columns can't stand side by side."""
    result: dict[str, Shape] = {}
    for name, columns in features.items():
        arrays = [column for column in columns if frame[column].values.ndim > 1]
        if not columns or (arrays and len(columns) > 1):
            reason = f"{', '.join(arrays)} hold arrays" if arrays else "no column is left for it"
            message = (
                f"the input {name!r} cannot be made: {reason}; name one array or columns of numbers in data.inputs"
            )
            raise SpecError([Problem(("data", "inputs", name), message)])
        result[name] = frame[arrays[0]].values.shape[1:] if arrays else (len(columns),)
    return result


def incomplete(frame: "Frame", features: Mapping[str, Sequence[str]]) -> dict[int, str]:
    """Return the rows that lack a number among the features, and which source columns it comes from."""
    import numpy as np

    found: dict[int, dict[str, None]] = {}
    for name in dict.fromkeys(column for columns in features.values() for column in columns):
        values = frame[name].values
        finite = np.isfinite(values.astype(np.float32, copy=False) if values.ndim > 1 else _narrow(values))
        for row in np.flatnonzero(~finite.all(axis=tuple(range(1, values.ndim)))).tolist():
            found.setdefault(row, {})[frame[name].source] = None
    return {row: f"{', '.join(sources)} missing" for row, sources in found.items()}


def _narrow(values: Any) -> Any:
    import numpy as np

    with np.errstate(over="ignore"):
        return values.astype(np.float32)
