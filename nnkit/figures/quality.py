"""Pictures of how far numbers can be believed: calibration of probabilities, residuals of regression."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from nnkit.figures.canvas import (
    BLUE,
    GREY,
    INK,
    RED,
    arrange,
    bars,
    legend,
    new_axes,
    new_figure,
    png,
    say,
    short,
    tidy,
)
from nnkit.figures.curves import task_of
from nnkit.metrics.probabilities import believed_and_true, bins_of

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Truth: TypeAlias = NDArray[np.generic]

BINS = 10
MOST_DOTS = 5000
"""Of more rows so many, evenly chosen, are drawn as dots."""
MOST_TARGETS = 6
LONGEST_NAME = 20
"""Letters of a class or target in the name of an axis."""


def calibration(truth: "Truth", outputs: "Floats", classes: Sequence[str]) -> bytes:
    """Draw how often probabilities come true, above how often each is given; returns PNG.

    With two classes it is about the positive one, with several about the prediction, with several labels about all of
    them together. ``truth`` and ``outputs`` are arrays of ``nnkit.tasks``, ``classes`` the labels in the model's order.
    """
    import numpy as np

    task = task_of(truth, outputs)
    believed, came_true = believed_and_true(truth, outputs, task)
    finite = np.isfinite(believed)
    believed, came_true = believed[finite], came_true[finite]
    figure = new_figure(5.6, 6.6, "Calibration")
    upper, lower = new_axes(figure), new_axes(figure)
    positive = short(classes[-1], LONGEST_NAME)
    what, share = {
        "binary": (f"probability of {positive}", f"share of rows that are {positive}"),
        "multiclass": ("probability of the predicted class", "share of predictions that are right"),
        "multilabel": ("probability of a label", "share of labels that are there"),
    }[task]
    _draw_reliability(upper, believed, came_true)
    bars(lower, *np.histogram(believed, np.linspace(0, 1, 2 * BINS + 1)))
    lower.set_xlim(upper.get_xlim())
    rows = tidy(lower, what, "rows" if task != "multilabel" else "labels", steps=4)
    arrange([[(upper, tidy(upper, "", share, xticks=False))], [(lower, rows)]], heights=[3, 1])
    return png(figure)


def _draw_reliability(axes: "Axes", believed: "Floats", came_true: "Floats") -> None:
    import numpy as np

    axes.set(xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    (diagonal,) = axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    if not len(believed):
        say(axes, "no rows")
        return
    bins = bins_of(believed, BINS)
    counts = np.bincount(bins, minlength=BINS)
    used = counts > 0
    x = np.bincount(bins, believed, BINS)[used] / counts[used]
    y = np.bincount(bins, came_true, BINS)[used] / counts[used]
    error = float((np.abs(y - x) * counts[used]).sum() / counts.sum())
    (model,) = axes.plot(x, y, color=BLUE, linewidth=1.6, marker="o", markersize=5)
    legend(axes, [model, diagonal], [f"model (calibration error {error:.3f})", "perfect"], loc="upper left")


def residuals(truth: "Truth", outputs: "Floats", targets: Sequence[str]) -> bytes:
    """Draw for each target what is predicted against what is true, and the errors' distribution; returns PNG.

    ``truth`` and ``outputs`` are [n, k], in the units of the ``targets``. Of more than six targets the first six are
    drawn.
    """
    import numpy as np

    shown = min(len(targets), MOST_TARGETS)
    title = "Predictions and errors" if shown == len(targets) else f"Predictions and errors, first {shown} targets"
    figure = new_figure(9.0, 3.9 * shown + 0.4, title)
    lines = []
    for index, name in enumerate(targets[:shown]):
        left, right = new_axes(figure), new_axes(figure)
        finite = np.isfinite(outputs[:, index])
        _draw_target(left, right, truth[finite, index].astype(float), outputs[finite, index])
        named = short(name, LONGEST_NAME)
        errors = tidy(right, f"error of {named} (predicted - true)", "rows")
        lines.append([(left, tidy(left, f"true {named}", f"predicted {named}")), (right, errors)])
    arrange(lines)
    return png(figure)


def _draw_target(left: "Axes", right: "Axes", truth: "Floats", outputs: "Floats") -> None:
    import numpy as np

    if not len(truth):
        say(left, "no rows")
        return
    dots = np.unique(np.linspace(0, len(truth) - 1, MOST_DOTS).astype(int))
    opacity = 0.75 if len(dots) < 300 else 0.35
    left.scatter(truth[dots], outputs[dots], s=14, color=BLUE, alpha=opacity, linewidths=0, zorder=2)
    ends = [min(truth.min(), outputs.min()), max(truth.max(), outputs.max())]
    (diagonal,) = left.plot(ends, ends, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=3)
    legend(left, [diagonal], ["perfect"], loc="upper left")
    errors = outputs - truth
    counts, edges = np.histogram(errors, min(max(int(len(errors) ** 0.5), 5), 50))
    bars(right, counts, edges)
    right.set_ylim(0, 1.3 * counts.max())
    middle = right.axvline(float(errors.mean()), color=RED, linewidth=1.4)
    label = f"mean {errors.mean():.3g}, deviation {errors.std():.3g}"
    legend(right, [middle], [label], loc="upper right")
