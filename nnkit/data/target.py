"""Targets: labels and numbers as the arrays of ``nnkit.tasks``."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from nnkit.config.piece import Options
from nnkit.data.tags import encode_tags
from nnkit.data.transforms.encode import labels
from nnkit.errors import DataError, Problem, SpecError
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import Column, Frame

CLASSIFY = ("binary", "multiclass")
FLAGS = ("0", "1")


class TargetState(Options):
    """What is known of the target: the task, its columns, its labels, and how numbers are scaled while training."""

    task: Task
    columns: list[str]
    classes: list[str] = Field(default=[], max_length=100_000)
    """Labels in the model's order; the target columns in multilabel; nothing in regression."""
    transform: Literal["standard_scale", "min_max_scale", "log"] | None = None
    shift: list[float] = Field(default=[])
    scale: list[Annotated[float, Field(gt=0)]] = Field(default=[])
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default=[])
    """Those that outputs give of each target, side by side; nothing where each is one number."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        count, classes = len(self.columns), len(self.classes)
        scaled = count if self.transform in ("standard_scale", "min_max_scale") else 0
        fits = {
            "binary": count == 1 and classes == 2,
            "multiclass": count == 1 and classes >= 2,
            "multilabel": self.classes == self.columns,
            "regression": classes == 0,
            "next": count == 1 and classes == 0,
            "tagging": count == 1 and classes >= 2,
            "unlabelled": count <= 1 and (classes > 0) == (count == 1),
        }
        if not count and self.task != "unlabelled":
            raise ValueError(f"a {self.task} target has a column")
        if not fits[self.task] or len(set(self.classes)) < classes or not len(self.shift) == len(self.scale) == scaled:
            raise ValueError(f"the classes and scales do not fit a {self.task} target")
        return self


@dataclass(frozen=True)
class Encoded:
    """Truth and what training sees (``nnkit.data.dataset.Dataset``), and the rows without a usable target.

    Where there is no target, both are None; of ``unlabelled`` data with labels only what training sees.
    """

    truth: Any
    targets: Any
    bad: dict[int, str]


def learn(
    columns: "Sequence[Column]",
    task: Task,
    positive: str | None,
    transform: Any,
    train: "NDArray[np.int64]",
    more: Collection[str] = (),
    quantiles: Sequence[float] = (),
) -> TargetState:
    """Return what is known of the target; labels come from all rows and from ``more``, scales from the training rows.

    Raises ``DataError`` where the target cannot be what the task needs, ``SpecError`` for options of other tasks.
    """
    names = [column.source for column in columns]
    _check_options(task, names, positive, transform)
    if task == "unlabelled":
        return TargetState(task=task, columns=names, classes=_labels_of(columns, more))
    if task == "regression":
        return _learn_numbers(columns, transform, train).model_copy(update={"quantiles": list(quantiles)})
    if task == "multilabel":
        for column in columns:
            _check_flags(column)
        return TargetState(task=task, columns=names, classes=names)
    return TargetState(task=task, columns=names, classes=_classes(columns[0], task, positive, more))


def missing(columns: "Sequence[Column]") -> dict[int, str]:
    """Return the rows that lack a target; raises ``DataError`` where all of them do."""
    import numpy as np

    found: dict[int, str] = {}
    for column in columns:
        rows = np.flatnonzero(column.gaps).tolist()
        if len(rows) == len(column.values):
            raise DataError(f"the target {column.source} is missing in all rows")
        found |= dict.fromkeys(rows, f"the target {column.source} is missing")
    return found


def _check_options(task: Task, names: Sequence[str], positive: str | None, transform: Any) -> None:
    problems = []
    if len(names) > 1 and task in (*CLASSIFY, "tagging", "unlabelled"):
        problems.append(Problem(("data", "target"), f"a {task} experiment has one target, found {len(names)}"))
    if transform and task != "regression":
        problems.append(Problem(("data", "target_transform"), f"is for regression; this experiment is {task}"))
    if positive is not None and task not in CLASSIFY:
        problems.append(Problem(("data", "positive"), f"is for two classes; this experiment is {task}"))
    if problems:
        raise SpecError(problems)


def _labels_of(columns: "Sequence[Column]", more: Collection[str]) -> list[str]:
    """Return the labels of unlabelled data that has some, for those who judge it."""
    from nnkit.frames.kinds import in_order

    return in_order({*labels(columns[0]).used(), *more}) if columns else []


def _classes(column: "Column", task: Task, positive: str | None, more: Collection[str]) -> list[str]:
    from nnkit.frames.kinds import in_order

    found = in_order({*(column.values.used() if column.is_list else labels(column).used()), *more})
    listed = ", ".join(found[:8]) + (", ..." if len(found) > 8 else "")
    if len(found) == 1:
        raise DataError(f"the target {column.source} has one class only, {found[0]}: there is nothing to tell apart")
    if task == "binary" and len(found) > 2:
        raise DataError(
            f"the target {column.source} has {len(found)} classes ({listed}) and the loss is for two; "
            "use categorical_cross_entropy with softmax, or mean_squared_error for numbers"
        )
    if positive is None:
        return found
    if positive not in found or len(found) != 2:
        message = f"expected one of two classes; the target has {listed}, found {positive!r}"
        raise SpecError([Problem(("data", "positive"), message)])
    return [label for label in found if label != positive] + [positive]


def _check_flags(column: "Column") -> None:
    strange = sorted({*labels(column).used()} - {"0", "1"})
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
    learned = []
    if transform in ("standard_scale", "min_max_scale"):
        learn_one = scaling.standard if transform == "standard_scale" else scaling.min_max
        with np.errstate(over="ignore", invalid="ignore"):
            learned = [learn_one(column.values[train]) for column in columns]
        if not np.isfinite(learned).all():
            raise DataError(f"target_transform: {transform} cannot scale numbers so large; use log, or leave it out")
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

    if state.task == "tagging":
        truth, strange = encode_tags(columns[0], state.classes)
        return Encoded(truth, truth, strange)
    if not state.columns:
        return Encoded(None, None, {})
    if state.task == "unlabelled":
        return _encode_labels(columns[0], state.classes)
    if state.task in CLASSIFY:
        encoded = _encode_classes(columns[0], state.classes)
        if state.task == "multiclass":
            return encoded
        return Encoded(encoded.truth, encoded.truth[:, None].astype(np.float32), encoded.bad)
    if state.task == "multilabel":
        return _encode_flags(columns)
    values = np.stack([column.values.astype(np.float64) for column in columns], axis=1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        targets = scaled(values, state).astype(np.float32)
    bad: dict[int, str] = {}
    for row, index in zip(*(axis.tolist() for axis in np.nonzero(~np.isfinite(targets))), strict=True):
        bad[row] = f"the target {state.columns[index]} {_fault(float(values[row, index]), state)}"
    return Encoded(values, targets, bad)


def _fault(value: float, state: TargetState) -> str:
    if value != value:
        return "is missing"
    if state.transform == "log" and value <= 0:
        return f"is {value:g}, which has no logarithm: target_transform: log needs numbers greater than 0"
    return f"is {value:g}, too large for float32"


def _encode_flags(columns: "Sequence[Column]") -> Encoded:
    import numpy as np

    found, bad = [], dict[int, str]()
    for column in columns:
        one = _encode_classes(column, FLAGS)
        found.append(one.truth)
        bad |= {row: reason for row, reason in one.bad.items() if row not in bad}
    flags = np.stack(found, axis=1)
    return Encoded(flags, flags.astype(np.float32), bad)


def _encode_labels(column: "Column", classes: Sequence[str]) -> Encoded:
    """Return the labels of unlabelled data, -1 where there is none; an unknown one is bad."""
    import numpy as np

    encoded = _encode_classes(column, classes)
    gaps = column.gaps
    bad = {row: reason for row, reason in encoded.bad.items() if not gaps[row]}
    return Encoded(np.where(gaps, -1, encoded.truth), None, bad)


def _encode_classes(column: "Column", classes: Sequence[str]) -> Encoded:
    import numpy as np

    from nnkit.frames.scaling import codes

    cells = labels(column)
    found = codes(cells, classes)
    bad = dict.fromkeys(np.flatnonzero(found == -2).tolist(), f"the target {column.source} is missing")
    unknown = np.flatnonzero(found == -1)
    for row, cell in zip(unknown.tolist(), cells[unknown].tolist(), strict=True):
        bad[row] = f"the target {column.source} is {cell!r:.60}; the model's classes are {', '.join(classes[:8])}"
    truth = np.maximum(found, 0)
    return Encoded(truth, truth, bad)


def strange_nodes(frame: "Frame", features: Mapping[str, Sequence[str]], state: TargetState) -> dict[int, str]:
    """Return the rows whose trees have a node of a label that is no class."""
    import numpy as np

    bad: dict[int, str] = {}
    for trees in (frame[name].values for names in features.values() for name in names if frame[name].is_tree):
        strange = np.flatnonzero(trees.classes(state.classes) < 0)
        rows = np.searchsorted(trees.starts, strange, side="right") - 1
        for row, label in zip(rows.tolist(), trees.labels[strange].tolist(), strict=True):
            known = ", ".join(state.classes[:8])
            bad.setdefault(row, f"a node has the label {trees.names[label]!r:.60}; the model's classes are {known}")
    return bad


def node_classes(inputs: Mapping[str, Any], state: TargetState) -> "NDArray[np.int64] | None":
    """Return the class of each node of the input that is trees; None where none is."""
    from nnkit.frames.trees import Trees

    return next((rows.classes(state.classes) for rows in inputs.values() if isinstance(rows, Trees)), None)


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
        with np.errstate(over="ignore"):
            numbers: NDArray[np.float64] = np.exp(outputs)
        return numbers
    scale, shift = (np.repeat(numbers, len(state.quantiles) or 1) for numbers in (state.scale, state.shift))
    own_units: NDArray[np.float64] = outputs * scale + shift
    return own_units
