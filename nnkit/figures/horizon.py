"""Forecasts as a picture: what came beside what was foreseen, and the error by the steps ahead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.figures.canvas import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    Room,
    arrange,
    legend,
    new_axes,
    new_figure,
    png,
    say,
    short,
    tidy,
)
from nnkit.metrics.sample import middle

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

MOST_TARGETS, MOST_STEPS, LEAST_FORECASTS = 4, 240, 3
STYLES = {"naive": (GREY, (0, (1, 1.5))), "seasonal_naive": (ORANGE, (0, (4, 2)))}


@dataclass(frozen=True)
class Shown:
    """Forecasts of m windows: truth [m, targets * horizon], outputs [m, targets * horizon * quantiles], naive ones.

    ``times`` are those of the last row that each sees.
    """

    truth: "Floats"
    outputs: "Floats"
    quantiles: Sequence[float]
    naive: "Mapping[str, Floats]"
    series: Sequence[str]
    times: Sequence[str]


def forecasts(shown: Shown, targets: Sequence[str], horizon: int, step: int) -> bytes:
    """Draw for each target the last forecasts of a series that do not overlap, and the error by step; returns PNG.

    The series is the first one; the errors are those of all. Of more than four targets the first four are drawn;
    ``step`` is the number of rows from one window to the next.
    """
    count = min(len(targets), MOST_TARGETS)
    figure = new_figure(11.0, 3.6 * count + 0.4, "Forecast and truth")
    lines = []
    for index, name in enumerate(targets[:count]):
        left, right = new_axes(figure), new_axes(figure)
        columns = slice(index * horizon, (index + 1) * horizon)
        room = _draw_course(left, shown, columns, short(name), horizon, step)
        lines.append([(left, room), (right, _draw_errors(right, shown, columns, short(name)))])
    arrange(lines)
    return png(figure)


def _draw_course(axes: "Axes", shown: Shown, columns: slice, name: str, horizon: int, step: int) -> Room:
    """Draw truth and forecasts one after the other; returns the room that labels take."""
    import numpy as np

    first = shown.series[0] if shown.series else ""
    rows = np.flatnonzero(np.array(shown.series) == first)
    apart = -(-horizon // step)
    rows = rows[::-1][::apart][: max(MOST_STEPS // max(horizon, apart * step), LEAST_FORECASTS)][::-1]
    if not len(rows):
        say(axes, "no windows")
        return tidy(axes, "", name)
    quantiles = len(shown.quantiles) or 1
    spread = shown.outputs.reshape(len(shown.outputs), -1, quantiles)[:, columns]
    foreseen = middle(shown.outputs, shown.quantiles)[:, columns]
    handles: dict[str, Any] = {}
    for place, row in enumerate(rows.tolist()):
        x = place * apart * step + np.arange(1, horizon + 1)
        if quantiles > 1:
            bounds = spread[row].min(axis=1), spread[row].max(axis=1)
            low, high = 100 * min(shown.quantiles), 100 * max(shown.quantiles)
            band = axes.fill_between(x, *bounds, color=BLUE, alpha=0.2, linewidth=0)
            handles[f"{low:g} to {high:g} %"] = band
        (handles["truth"],) = axes.plot(x, shown.truth[row, columns], color=INK, linewidth=1.2)
        marker = "o" if horizon == 1 else ""
        (handles["forecast"],) = axes.plot(x, foreseen[row], color=BLUE, linewidth=1.6, marker=marker, markersize=3)
        if place:
            axes.axvline(x[0] - 0.5, color=GREY, linewidth=0.5, alpha=0.6)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.3 * (high - low))  # Room for the legend.
    axes.margins(x=0.02)
    legend(axes, list(handles.values()), list(handles), loc="upper left")
    of = f" of {short(first)}" if first else ""
    return tidy(axes, f"rows after {short(shown.times[rows[0]])}", name + of, whole=True)


def _draw_errors(axes: "Axes", shown: Shown, columns: slice, name: str) -> Room:
    """Draw the mean size of the error at each step ahead, of the model and the naive forecasts."""
    import numpy as np

    if not len(shown.truth):
        say(axes, "no windows")
        return tidy(axes, "steps ahead", f"mean error of {name}")
    truth = shown.truth[:, columns]
    steps = np.arange(1, truth.shape[1] + 1)
    marker = "o" if len(steps) < 30 else ""
    errors = abs(middle(shown.outputs, shown.quantiles)[:, columns] - truth).mean(axis=0)
    (model,) = axes.plot(steps, errors, color=BLUE, linewidth=1.6, marker=marker, markersize=3)
    handles, labels = [model], ["model"]
    for method, outputs in shown.naive.items():
        colour, dashes = STYLES[method]
        (line,) = axes.plot(steps, abs(outputs[:, columns] - truth).mean(axis=0), color=colour, linestyle=dashes)
        handles.append(line)
        labels.append(method.replace("_", " "))
    axes.set_ylim(bottom=0)
    axes.margins(x=0.05)
    legend(axes, handles, labels, loc="best")
    return tidy(axes, "steps ahead", f"mean error of {name}", whole=True)
