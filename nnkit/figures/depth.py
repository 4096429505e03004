"""Gradient norms by layer as a picture: whether they vanish or explode on their way down."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.engine.health import NEAR, VANISHED
from nnkit.figures.canvas import (
    BLUE,
    GAP,
    GREY,
    INK,
    RED,
    Room,
    arrange,
    beside,
    legend,
    new_axes,
    new_figure,
    png,
    say,
    short,
    size_of,
    tidy,
    write,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Norms: TypeAlias = Mapping[str, float | None]

MOST_EPOCHS = 4
SHADES = ("#c3d3e4", "#8fb0d0", BLUE, INK)
"""From the first of the epochs that are drawn to the last."""
MOST_NAMES = 12
"""Layers up to which each has its name under it; of more the numbers are written."""
LINES_UP_TO = 60
"""Layers up to which dots are joined by lines; of more, whose norms differ within each block, lines would be a blot."""
WIDTH, HEIGHT = 7.0, 3.6


def gradients(records: Sequence[Mapping[str, Any]]) -> bytes | None:
    """Draw the norm of each layer's gradient, the layers from input to output, for some epochs; returns PNG.

    ``records`` are the lines of history.jsonl, of which ``gradient_norms`` is drawn: those of the last phase. None
    where they have none.
    """
    epochs = _drawn(records)
    if not epochs:
        return None
    first, last = epochs[0][0], epochs[-1][0]
    when = f"epochs {first} to {last}" if first != last else f"epoch {last}"
    figure = new_figure(WIDTH, HEIGHT, f"Gradients: norm by layer ({when})")
    axes = new_axes(figure)
    layers = list(epochs[-1][1])
    handles = _draw(axes, epochs, layers)
    named = len(layers) <= MOST_NAMES
    axes.set_xlim(0.5, len(layers) + 0.5)
    about = "" if named else f"layer with weights, from the input (1) to the output ({len(layers):,})"
    room = tidy(axes, about, "norm of the gradient", whole=True, xticks=not named, powers=True)
    if named:
        room = _with_names(axes, layers, room)
    legend(axes, list(handles.values()), list(handles), loc="best")
    arrange([[(axes, room)]])
    return png(figure)


def _drawn(records: Sequence[Mapping[str, Any]]) -> list[tuple[int, Norms]]:
    """Return the epochs that are drawn, spread over the last phase that has norms, each with its norms."""
    found = [record for record in records if isinstance(record.get("gradient_norms"), Mapping)]
    found = [record for record in found if record["gradient_norms"]]
    last = [record for record in found if record.get("phase") == found[-1].get("phase")]
    count = min(MOST_EPOCHS, len(last))
    places = sorted({round(step * (len(last) - 1) / max(count - 1, 1)) for step in range(count)})
    return [(_epoch(last[place], place + 1), last[place]["gradient_norms"]) for place in places]


def _epoch(record: Mapping[str, Any], place: int) -> int:
    epoch = record.get("epoch")
    return epoch if isinstance(epoch, int) and 0 < epoch < 10**9 else place


def _draw(axes: "Axes", epochs: Sequence[tuple[int, Norms]], layers: Sequence[str]) -> dict[str, Any]:
    """Draw a line for each epoch; returns what is drawn by what it shows."""
    handles: dict[str, Any] = {}
    places = range(1, len(layers) + 1)
    lines = [[_power(norms.get(layer)) for layer in layers] for _, norms in epochs]
    style: dict[str, Any] = {"linewidth": 1.4, "marker": "o", "markersize": 3}
    if len(layers) > LINES_UP_TO:
        style = {"linestyle": "", "marker": ".", "markersize": 2}
    for (epoch, _), powers, shade in zip(epochs, lines, SHADES[-len(epochs) :], strict=True):
        [line] = axes.plot(places, powers, color=shade, **style)
        handles[f"epoch {epoch}"] = line
    there = [power for powers in lines for power in powers if math.isfinite(power)]
    if not there:
        say(axes, "all gradients are zero, or not finite")
    low, high = min(there, default=-1.0), max(there, default=0.0)
    limit = max([power for power in lines[-1][-NEAR:] if math.isfinite(power)], default=high) + math.log10(VANISHED)
    if low < limit + 1:
        handles["a millionth of those near the output"] = axes.axhline(limit, color=GREY, linestyle="--", linewidth=1)
        low = min(low, limit)
    slack = max(0.06 * (high - low), 0.5)
    axes.set_ylim(low - slack, high + slack)
    zero = [place for place, layer in zip(places, layers, strict=True) if epochs[-1][1].get(layer) == 0]
    if zero:
        bottom = [low - slack / 2] * len(zero)
        [handles[f"exactly 0 in epoch {epochs[-1][0]}"]] = axes.plot(zero, bottom, "x", color=RED, markersize=5)
    return handles


def _power(norm: object) -> float:
    """Return the power of ten that a norm is; NaN for none, for 0 and for what is not finite."""
    fits = isinstance(norm, int | float) and not isinstance(norm, bool) and 0 < norm < math.inf
    return math.log10(norm) if isinstance(norm, int | float) and fits else math.nan


def _with_names(axes: "Axes", layers: Sequence[str], room: Room) -> Room:
    """Write the names of few layers; returns the room with what they take."""
    below = beside(axes, 0, -GAP)
    slanted = max(map(len, layers)) * len(layers) > 70
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {"ha": "center"}
    names = [
        write(axes, (place + 0.5) / len(layers), 0, short(layer, 20), transform=below, va="top", **turn)
        for place, layer in enumerate(layers)
    ]
    width, height = size_of(names)
    beyond = width - 0.4 * WIDTH / len(layers) if slanted else 0.0  # What the first may reach out to the left.
    return Room(max(room.left, beyond), room.right, room.top, 2 * GAP + height)
