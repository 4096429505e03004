"""ROC and precision-recall curves as pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.figures.canvas import COLOURS, GREY, arrange, legend, new_axes, new_figure, png, say, short, tidy
from nnkit.metrics.ranking import area, mean_precision, precision_recall_curve, roc_curve
from nnkit.metrics.sample import one_hot
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Truth: TypeAlias = NDArray[np.generic]

MOST_POINTS = 2000
"""Of longer curves so many points are drawn; more can't be seen."""
SIZE = (5.6, 5.6)
"""Inches, with which the curve's own part is as high as wide."""
UNNAMED = "#c9cfd8"
NAMED_OF_MANY = 3
"""Where there are more classes than colours, so many with the least area are named."""


@dataclass(frozen=True)
class Curve:
    """A curve of one class, and the area under it."""

    name: str
    x: "Floats"
    y: "Floats"
    area: float


Trace: TypeAlias = "Callable[[Truth, Floats], tuple[Floats, Floats, float]]"
"""f(truth [n] of 0 and 1, scores [n]) -> x, y, area."""


def task_of(truth: "Truth", outputs: "Floats") -> Task:
    """Return which of the tasks with probabilities the shapes of the arrays are of."""
    if outputs.ndim == 1:
        return "binary"
    return "multiclass" if truth.ndim == 1 else "multilabel"


def roc(truth: "Truth", outputs: "Floats", classes: Sequence[str]) -> bytes:
    """Draw the ROC curve of each class (of two: of the positive one) against the rest; returns PNG.

    ``truth`` and ``outputs`` are arrays of ``nnkit.tasks``, ``classes`` the labels in the model's order.
    """
    figure = new_figure(*SIZE, "ROC curve")
    axes = _unit_square(figure)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    _draw(axes, _curves(truth, outputs, classes, _roc), "AUC", "lower right")
    arrange([[(axes, tidy(axes, "false positive rate (1 - specificity)", "true positive rate (recall)"))]])
    return png(figure)


def precision_recall(truth: "Truth", outputs: "Floats", classes: Sequence[str]) -> bytes:
    """Draw the precision-recall curve of each class (of two: of the positive one); returns PNG.

    The broken line, with two classes, is the precision of chance: the positive class' share of the rows.
    """
    figure = new_figure(*SIZE, "Precision-recall curve")
    axes = _unit_square(figure)
    if outputs.ndim == 1 and len(truth):
        axes.axhline(float(truth.astype(float).mean()), color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    _draw(axes, _curves(truth, outputs, classes, _precision_recall), "AP", "lower left")
    arrange([[(axes, tidy(axes, "recall", "precision"))]])
    return png(figure)


def _unit_square(figure: "Figure") -> "Axes":
    axes = new_axes(figure)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    return axes


def _curves(truth: "Truth", outputs: "Floats", classes: Sequence[str], trace: Trace) -> list[Curve]:
    """Return the curves of the classes that have rows of their own and others."""
    import numpy as np

    columns, scores = one_hot(truth, outputs, task_of(truth, outputs))
    finite = np.isfinite(scores).all(axis=1)
    names = classes[-1:] if outputs.ndim == 1 else classes
    return [
        Curve(name, *trace(column, score))
        for name, column, score in zip(names, columns[finite].T, scores[finite].T, strict=True)
        if len(column) and column.min() != column.max()
    ]


def _roc(truth: "Truth", scores: "Floats") -> "tuple[Floats, Floats, float]":
    x, y = roc_curve(truth, scores)
    return x, y, area(x, y)


def _precision_recall(truth: "Truth", scores: "Floats") -> "tuple[Floats, Floats, float]":
    """Return the curve from recall 0, where no row is taken and all of them are right."""
    import numpy as np

    recalls, precisions = precision_recall_curve(truth, scores)
    return np.append(0.0, recalls), np.append(1.0, precisions), mean_precision(recalls, precisions)


def _draw(axes: "Axes", curves: Sequence[Curve], measure: str, place: str) -> None:
    if not curves:
        say(axes, "undefined: the rows are all of one class")
        return
    if len(curves) <= len(COLOURS):
        handles = [_line(axes, curve, colour, 1.8) for curve, colour in zip(curves, COLOURS, strict=False)]
        legend(axes, handles, [_name(curve, measure) for curve in curves], loc=place)
        return
    ranked = sorted(curves, key=lambda curve: curve.area)
    others = [_line(axes, curve, UNNAMED, 1.0) for curve in ranked[NAMED_OF_MANY:]]
    handles = [_line(axes, curve, colour, 1.8) for curve, colour in zip(ranked[:NAMED_OF_MANY], COLOURS, strict=False)]
    mean = sum(curve.area for curve in curves) / len(curves)
    names = [_name(curve, measure) for curve in ranked[:NAMED_OF_MANY]]
    legend(axes, [*handles, others[0]], [*names, f"{len(others)} others; mean of all {mean:.3f}"], loc=place)


def _name(curve: Curve, measure: str) -> str:
    return f"{short(curve.name)} ({measure} {curve.area:.3f})"


def _line(axes: "Axes", curve: Curve, colour: str, width: float) -> Any:
    import numpy as np

    shown = np.unique(np.linspace(0, len(curve.x) - 1, MOST_POINTS).astype(int))
    return axes.plot(curve.x[shown], curve.y[shown], color=colour, linewidth=width)[0]
