"""Targets: labels and numbers as the arrays of ``nnkit.tasks``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from nnkit.config.piece import Options
from nnkit.data.transforms.encode import texts
from nnkit.errors import DataError, Problem, SpecError
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import Column

CLASSIFY = ("binary", "multiclass")


class TargetState(Options):
    """What is known of the target: the task, its columns, its labels, and how numbers are scaled while training."""

    task: Task
    columns: list[str] = Field(min_length=1)
    classes: list[str] = Field(default=[], max_length=100_000)
    """Labels in the model's order; the target columns in multilabel; nothing in regression."""
    transform: Literal["standard_scale", "min_max_scale", "log"] | None = None
    shift: list[float] = Field(default=[])
    scale: list[float] = Field(default=[])


@dataclass(frozen=True)
class Encoded:
    """Truth and what training sees (``nnkit.data.prepare.Dataset``), and the rows without a usable target."""

    truth: "NDArray[Any]"
    targets: "NDArray[Any]"
    bad: dict[int, str]


def learn(
    columns: "Sequence[Column]", task: Task, positive: str | None, transform: Any, train: "NDArray[np.int64]"
) -> TargetState:
    """Return what is known of the target; labels come from all rows, scales from the training rows.

    Raises ``DataError`` where the target cannot be what the task needs.
    """
    names = [column.source for column in columns]
    if transform and task != "regression":
        raise SpecError([Problem(("data", "target_transform"), f"is for regression; this experiment is {task}")])
    if task == "regression":
        return _learn_numbers(columns, transform, train)
    if task == "multilabel":
        for column in columns:
            _check_flags(column)
        return TargetState(task=task, columns=names, classes=names)
    return TargetState(task=task, columns=names, classes=_classes(columns[0], task, positive))


def _classes(column: "Column", task: Task, positive: str | None) -> list[str]:
    from nnkit.frames.kinds import in_order

    labels = in_order({text for text in texts(column) if text is not None})
    if not labels:
        raise DataError(f"the target {column.source} is missing in all rows")
    listed = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
    if len(labels) == 1:
        raise DataError(f"the target {column.source} has one class only, {labels[0]}: there is nothing to tell apart")
    if task == "binary" and len(labels) > 2:
        raise DataError(
            f"the target {column.source} has {len(labels)} classes ({listed}) and the loss is for two; "
            "use categorical_cross_entropy with softmax, or mean_squared_error for numbers"
        )
    if positive is None:
        return labels
    if positive not in labels or len(labels) != 2:
        message = f"expected one of two classes; the target has {listed}, found {positive!r}"
        raise SpecError([Problem(("data", "positive"), message)])
    return [label for label in labels if label != positive] + [positive]


def _check_flags(column: "Column") -> None:
    strange = sorted({str(text) for text in texts(column) if text is not None} - {"0", "1"})
    if strange:
        raise DataError(f"the target {column.source} must be 0 or 1 in each row; it also has {', '.join(strange[:5])}")


def _learn_numbers(columns: "Sequence[Column]", transform: Any, train: "NDArray[np.int64]") -> TargetState:
    import numpy as np

    from nnkit.frames import scaling

    for column in columns:
        if column.is_text:
            raise DataError(
                f"the target {column.source} holds text and the loss is for numbers; use a loss for classes, "
                "such as binary_cross_entropy or categorical_cross_entropy"
            )
        if np.isnan(column.values).all():
            raise DataError(f"the target {column.source} is missing in all rows")
    learned = []
    if transform in ("standard_scale", "min_max_scale"):
        learn_one = scaling.standard if transform == "standard_scale" else scaling.min_max
        learned = [learn_one(column.values[train]) for column in columns]
    if transform == "log" and any(np.nanmin(column.values) <= 0 for column in columns):
        raise DataError("target_transform: log needs targets greater than 0")
    return TargetState(
        task="regression",
        columns=[column.source for column in columns],
        transform=transform,
        shift=[shift for shift, _ in learned],
        scale=[scale for _, scale in learned],
    )


def encode(columns: "Sequence[Column]", state: TargetState) -> Encoded:
    """Return truth and training targets; what is missing or unknown is in ``bad`` with its reason."""
    import numpy as np

    if state.task in CLASSIFY:
        return _encode_classes(columns[0], state)
    values = np.stack([_numbers(column) for column in columns], axis=1)
    bad = {
        row: f"the target {', '.join(state.columns)} is missing"
        for row in np.flatnonzero(np.isnan(values).any(1)).tolist()
    }
    if state.task == "multilabel":
        flags = np.nan_to_num(values).astype(np.int64)
        return Encoded(flags, flags.astype(np.float32), bad)
    return Encoded(values, scaled(values, state).astype(np.float32), bad)


def _numbers(column: "Column") -> "NDArray[np.float64]":
    import numpy as np

    if not column.is_text:
        return column.values.astype(np.float64)
    return np.array([np.nan if cell is None else float(cell) for cell in column.values], dtype=np.float64)


def _encode_classes(column: "Column", state: TargetState) -> Encoded:
    import numpy as np

    from nnkit.frames.scaling import codes

    cells = texts(column)
    found = codes(cells, state.classes)
    bad = dict.fromkeys(np.flatnonzero(found == -2).tolist(), f"the target {column.source} is missing")
    for row in np.flatnonzero(found == -1).tolist():
        bad[row] = (
            f"the target {column.source} is {cells[row]!r}; the model's classes are {', '.join(state.classes[:8])}"
        )
    truth = np.maximum(found, 0)
    return Encoded(truth, truth[:, None].astype(np.float32) if state.task == "binary" else truth, bad)


def scaled(values: "NDArray[np.float64]", state: TargetState) -> "NDArray[np.float64]":
    """Return the numbers that training sees."""
    import numpy as np

    if state.transform is None:
        return values
    if state.transform == "log":
        logs: NDArray[np.float64] = np.log(values)
        return logs
    shifted: NDArray[np.float64] = (values - np.array(state.shift)) / np.array(state.scale)
    return shifted


def restored(outputs: "NDArray[np.float64]", state: TargetState) -> "NDArray[np.float64]":
    """Undo ``scaled``; the outputs of other tasks stay as they are."""
    import numpy as np

    if state.transform is None:
        return outputs
    if state.transform == "log":
        numbers: NDArray[np.float64] = np.exp(outputs)
        return numbers
    own_units: NDArray[np.float64] = outputs * np.array(state.scale) + np.array(state.shift)
    return own_units
