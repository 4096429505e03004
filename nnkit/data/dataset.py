"""Datasets: rows as the arrays that a network takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.errors import DataError, Problem, SpecError
from nnkit.metrics.yardstick import Yardstick
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.kinds import Kind
    from nnkit.frames.table import Column, Frame, Raw
    from nnkit.frames.trees import Trees


Input: TypeAlias = Any
"""The rows of an input: an array float32 [n, ...], ``Pictures`` uint8 [n, height, width, channels], ``Ragged``,
``Trees``, or ``Sliding`` windows."""


@dataclass(frozen=True)
class Dataset:
    """Rows with their inputs by name and, where known, truth, training targets and row weights.

    Pictures give an array where they are indexed, and become numbers from 0 to 1 where a network takes them.
    ``truth`` is an array as in ``nnkit.tasks``; ``targets`` are float32 [n, k], or int64 [n] for several classes; both
    are None where unknown, and ``Ragged`` where each step of a row has its own, as words of sentences have tags.
    ``rows`` are the 0-based numbers of the rows among those of their source that could be read.
    """

    inputs: dict[str, Input]
    rows: "NDArray[np.int64]"
    truth: Any = None
    targets: Any = None
    weights: "NDArray[np.float64] | None" = None
    nodes: "NDArray[np.int64] | None" = None
    """Of trees whose truth is known, the class of each node."""
    yardstick: Yardstick | None = None
    """Of windows what their forecasts are measured against."""
    marks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of windows the ``series``, and the ``time`` of the last row that they see, where rows have such.

    Of sentences whose words have tags, for all words of all of them the ``step`` (from 0) and the word itself.
    """

    @property
    def trees(self) -> "tuple[str, Trees] | None":
        """The input that is trees, by its name."""
        from nnkit.frames.trees import Trees

        return next(((name, rows) for name, rows in self.inputs.items() if isinstance(rows, Trees)), None)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> "NDArray[np.int64]":
        """Of rows that are sequences how many steps each has."""
        lengths: NDArray[np.int64] = next(iter(self.inputs.values())).lengths
        return lengths


def predicted_trees(rows: Dataset, outputs: "NDArray[np.float64]", classes: Sequence[str]) -> list[str]:
    """Return trees in the Penn format, each node with its likeliest class; ``outputs`` are those of all nodes."""
    assert rows.trees is not None  # noqa: S101 - the caller looked
    return rows.trees[1].relabelled(outputs.argmax(axis=1), classes).tolist()


def choose_features(frame: "Frame", inputs: Mapping[str, Sequence[str]] | None) -> dict[str, list[str]]:
    """Return the columns of each input; raises ``SpecError`` for one that has none, or text."""
    from nnkit.data.transforms.base import matching

    if inputs is None:
        return {"input": list(frame)}
    return {name: matching(frame, wanted, ("data", "inputs", name)) for name, wanted in inputs.items()}


def input_array(columns: "Sequence[Column]") -> Input:
    """Return columns of numbers side by side [n, columns], or the only column of anything else as it is."""
    import numpy as np

    if len(columns) == 1 and columns[0].is_whole:
        return columns[0].values
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
        result[name] = _shape(frame[arrays[0]]) if arrays else (len(columns),)
    return result


def _shape(column: "Column") -> Shape:
    """Return the shape of a column's cells; a sequence has an axis that varies.

    That of a tree is how many words there are for each of its leaves to be.
    """
    if column.is_tree:
        return (column.values.width,)
    shape: Shape = column.values.shape[1:]
    return (None, *shape[1:]) if column.is_sequence else shape


SHOWN = 5
"""Rows that a message names, of those that cannot be used."""


def refuse(refused: Mapping[int, str], lines: Sequence[int], title: str) -> None:
    """Raise ``DataError`` with the first rows that cannot be used, by their ``lines`` in the source, if there are any.

    ``refused`` has the reasons by the rows' places.
    """
    if not refused:
        return
    rows = sorted(refused)
    shown = [f"{title}:{lines[row]}: {refused[row]}" for row in rows[:SHOWN]]
    more = [f"and {len(rows) - SHOWN} more rows"] if len(rows) > SHOWN else []
    raise DataError("\n".join([*shown, *more]))


MISSING = "missing"


def incomplete(frame: "Frame", features: Mapping[str, Sequence[str]]) -> dict[int, str]:
    """Return the rows that lack a number among the features, or have one too large, by the source's columns.

    Pictures, sequences and trees lack none.
    """
    import numpy as np

    found: dict[int, dict[str, str]] = {}
    for name in dict.fromkeys(column for columns in features.values() for column in columns):
        if frame[name].is_whole:
            continue
        with np.errstate(over="ignore"):
            values = frame[name].values.astype(np.float32, copy=False)
        finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        for row in np.flatnonzero(~finite).tolist():
            fault = MISSING if np.isnan(values[row]).any() else "too large for float32"
            found.setdefault(row, {})[frame[name].source] = fault
    return {row: _faults(faults) for row, faults in found.items()}


def unusable(weights: "NDArray[np.float64]", name: str) -> dict[int, str]:
    """Return the rows whose weight is no weight."""
    import numpy as np

    return dict.fromkeys(np.flatnonzero(~(weights >= 0)).tolist(), f"the weight {name} is missing or negative")


def _faults(faults: Mapping[str, str]) -> str:
    by_fault: dict[str, list[str]] = {}
    for name, fault in faults.items():
        by_fault.setdefault(fault, []).append(name)
    return "; ".join(f"{', '.join(names)} {fault}" for fault, names in by_fault.items())


def shape_of(cells: Any) -> Shape:
    """Return the shape of each cell of a raw column: ``()`` for single values, and a sound's first axis varies."""
    from nnkit.engine.ragged import Ragged

    shape = tuple(getattr(cells, "shape", ())[1:])
    return (None, *shape[1:]) if isinstance(cells, Ragged) else shape


def check_shapes(raw: "Raw", wanted: Mapping[str, Shape], kinds: "Mapping[str, Kind]", title: str) -> None:
    """Raise ``DataError`` for a column whose cells are not those of ``wanted``; one value has the shape ``()``.

    Pictures differ from other arrays in more than their shape: their numbers are bytes.
    """
    from nnkit.frames.kinds import is_picture

    for name, shape in wanted.items():
        if name not in raw.cells:
            continue
        found = shape_of(raw.cells[name])
        if found != shape:
            raise DataError(f"{title}: each cell of {name} is {_of(found)}, and the model takes {_of(shape)}")
        if is_picture(raw.cells[name]) != (kinds[name] == "image"):
            what, wants = "bytes (uint8)", "other numbers"
            if kinds[name] == "image":
                what, wants = f"numbers of the type {raw.cells[name].dtype}", "bytes (uint8), from 0 to 255"
            raise DataError(f"{title}: the cells of {name} are {what}, and the model takes {wants}")


def _of(shape: Shape) -> str:
    return f"an array of {show(shape)}" if shape else "one value"
