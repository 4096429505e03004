"""Evaluation: metrics of a set of predictions, a table of the classes and the confusion matrix."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.metrics import Metric, compute_all
from nnkit.metrics.entities import Sentences, entity_counts
from nnkit.metrics.sample import count
from nnkit.metrics.sample import predicted as predicted
from nnkit.metrics.yardstick import Yardstick
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts: TypeAlias = NDArray[np.int64]
    Floats: TypeAlias = NDArray[np.float64]
    Truth: TypeAlias = NDArray[np.generic]

ClassRow: TypeAlias = dict[str, str | int | float | None]
"""A class (``class``), label (``label``) or type of entity (``entity``) with ``precision``, ``recall``, ``f1`` and
``support``, its rows or entities."""


@dataclass(frozen=True)
class Evaluation:
    """How good predictions are; None stands for what is undefined."""

    task: Task
    classes: Sequence[str]
    """The labels in the model's order; of multilabel the targets; none in regression and of a language model."""
    values: dict[str, float | None]
    """By metric."""
    per_class: list[ClassRow]
    """A row for each class or label, also for those that no row has; none in regression and of a language model.

    Where tags mark entities, a row for each type of them.
    """
    confusion: "Counts | None"
    """Rows counted by truth (axis 0) and prediction (axis 1); only with classes that exclude each other."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "task": self.task,
            "classes": list(self.classes),
            "values": self.values,
            "per_class": self.per_class,
            "confusion": None if self.confusion is None else self.confusion.tolist(),
        }


def evaluate(
    truth: "Truth",
    outputs: "Floats",
    task: Task,
    classes: Sequence[str],
    metrics: Sequence[Metric],
    weights: "Floats | None" = None,
    nodes: "tuple[Truth, Floats] | None" = None,
    *,
    yardstick: Yardstick | None = None,
    quantiles: Sequence[float] = (),
    sentences: Sentences | None = None,
) -> Evaluation:
    """Compare ``truth`` with ``outputs`` (arrays as in ``nnkit.tasks``).

    ``classes`` are the labels in the model's order, or the targets of multilabel. Weights [n] go into the metrics and
    the table of the classes; its ``support`` and the confusion matrix count rows. ``nodes`` are
    truth and outputs of all nodes, where the rows are trees; ``sentences`` are those whose words the rows are, in
    tagging.
    """
    computed = compute_all(
        metrics, truth, outputs, task, weights, nodes, yardstick=yardstick, quantiles=quantiles, sentences=sentences
    )
    values = {key: defined(value) for key, value in computed.items()}
    if task in ("regression", "next"):
        return Evaluation(task, (), values, [], None)
    decided = predicted(outputs, task)
    if task == "multilabel":
        return Evaluation(task, classes, values, _label_rows(classes, truth, decided, weights), None)
    counts = count(truth, decided, len(classes))
    weighed = counts if weights is None else count(truth, decided, len(classes), weights)
    if sentences is not None and sentences.scheme != "none":
        return Evaluation(task, classes, values, _entity_rows(truth, decided, sentences), counts.astype("int64"))
    rows: list[ClassRow] = [{"class": name, **_scores(weighed, index, counts)} for index, name in enumerate(classes)]
    return Evaluation(task, classes, values, rows, counts.astype("int64"))


def naive_values(truth: "Truth", yardstick: Yardstick, metrics: Sequence[Metric]) -> dict[str, float | None]:
    """Return the metrics of the naive forecasts, as ``naive_mae``, where they say something of them."""
    meaningful = [metric for metric in metrics if metric.of_naive]
    return {
        f"{name}_{key}": defined(value)
        for name, outputs in yardstick.forecasts.items()
        for key, value in compute_all(meaningful, truth, outputs, "regression", yardstick=yardstick).items()
    }


def beaten(values: Mapping[str, float | None]) -> list[str]:
    """Return a sentence for each naive forecast that is better than the model, by the first metric of errors."""
    methods = {"naive": "the last value, repeated", "seasonal_naive": "the values of a season before"}
    found = []
    for name, words in methods.items():
        key = next((key for key in ("mae", "rmse", "mse", "mase") if f"{name}_{key}" in values), "mae")
        model, naive = values.get(key), values.get(f"{name}_{key}")
        if model is not None and naive is not None and model >= naive:
            found.append(
                f"the {name.replace('_', ' ')} forecast ({words}) is better: {key} {naive:.4g} against {model:.4g}"
            )
    return found


def defined(value: float) -> float | None:
    """Return the value, or None for what is not a finite number."""
    return value if math.isfinite(value) else None


def _label_rows(labels: Sequence[str], truth: "Truth", decided: "Truth", weights: "Floats | None") -> list[ClassRow]:
    rows: list[ClassRow] = []
    for index, name in enumerate(labels):
        counts = count(truth[:, index], decided[:, index], 2)
        weighed = counts if weights is None else count(truth[:, index], decided[:, index], 2, weights)
        rows.append({"label": name, **_scores(weighed, 1, counts)})
    return rows


def _entity_rows(truth: "Truth", decided: "Truth", sentences: Sentences) -> list[ClassRow]:
    counts = zip(*(each.tolist() for each in entity_counts(truth, decided, sentences)), strict=True)
    return [
        {
            "entity": name,
            "precision": _share(hits, found),
            "recall": _share(hits, there),
            "f1": _share(2 * hits, found + there),
            "support": there,
        }
        for name, (hits, found, there) in zip(sentences.types, counts, strict=True)
    ]


def _scores(weighed: "NDArray[Any]", index: int, counts: "NDArray[Any]") -> ClassRow:
    hits, predicted_rows, rows = weighed[index, index], weighed[:, index].sum(), weighed[index].sum()
    return {
        "precision": _share(hits, predicted_rows),
        "recall": _share(hits, rows),
        "f1": _share(2 * hits, predicted_rows + rows),
        "support": int(counts[index].sum()),
    }


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


def confusion_csv(evaluation: Evaluation) -> str:
    """Write the confusion matrix as CSV: a row for each true class, a column for each predicted one.

    Raises ``TypeError`` for a task that has no confusion matrix.
    """
    if evaluation.confusion is None:
        raise TypeError(f"a {evaluation.task} evaluation has no confusion matrix")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["truth", *evaluation.classes])
    for name, counts in zip(evaluation.classes, evaluation.confusion.tolist(), strict=True):
        writer.writerow([name, *counts])
    return text.getvalue()
