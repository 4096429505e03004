"""The history of a training as a picture."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.figures.canvas import BLUE, GREY, INK, ORANGE, arrange, legend, new_axes, new_figure, png, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record: TypeAlias = Mapping[str, Any]

MOST_PANELS = 6
MARKERS_UP_TO = 30
"""Epochs up to which each has a dot."""
SPLITS = {"train": BLUE, "validation": ORANGE}


def history(records: Sequence[Record]) -> bytes:
    """Draw loss and metrics over the epochs, and which epoch was best; returns PNG.

    ``records`` are the lines of history.jsonl: ``phase``, ``epoch``, ``train_loss``, ``validation_accuracy``, ...; None
    stands for a value that is not a number. The best epoch is the one with the least validation loss, or training loss
    where there is no validation. Of more than six values the first six are drawn.
    """
    names = _names(records)[:MOST_PANELS]
    columns = min(len(names), 3) if len(names) != 4 else 2
    lines = math.ceil(len(names) / columns)
    figure = new_figure(max(4.2 * columns, 6.0), 3.1 * lines + 0.5, _title(records))
    best = _best(records)
    panels = []
    for name in names:
        axes = new_axes(figure)
        handles = _draw(axes, records, name, best)
        panels.append((axes, tidy(axes, "epoch", "", name, whole=True)))
        if name == names[0] and handles:
            legend(axes, list(handles.values()), list(handles), loc="best")
    arrange([panels[start : start + columns] for start in range(0, len(panels), columns)])
    return png(figure)


def _names(records: Sequence[Record]) -> list[str]:
    """Return the values' names without the split, the loss first; of longer trainings those that change."""
    counts = Counter(name for record in records for name in record)
    names = [name.partition("_") for name, count in counts.items() if count > 1 or len(records) == 1]
    found = dict.fromkeys(name for split, _, name in names if split in SPLITS and name)
    return sorted(found, key=lambda name: name != "loss") or ["loss"]


def _title(records: Sequence[Record]) -> str:
    phases = list(dict.fromkeys(str(record["phase"]) for record in records if record.get("phase")))
    epochs = f"{len(records)} epoch{'s' if len(records) > 1 else ''}"
    return f"Training: {', '.join(phases)} ({epochs})" if phases else f"Training ({epochs})"


def _numbers(records: Sequence[Record], name: str) -> list[float]:
    values = (record.get(name) for record in records)
    # Of numbers near the largest there are, axes could not be made.
    return [float(value) if isinstance(value, int | float) and abs(value) < 1e300 else math.nan for value in values]


def _best(records: Sequence[Record]) -> int | None:
    """Return the place of the best epoch in the records, from 1."""
    for name in ("validation_loss", "train_loss"):
        values = _numbers(records, name)
        places = [place for place, value in enumerate(values, 1) if math.isfinite(value)]
        if places:
            return min(places, key=lambda place: values[place - 1])
    return None


def _draw(axes: "Axes", records: Sequence[Record], name: str, best: int | None) -> dict[str, Any]:
    """Draw one value; returns the lines by what they show."""
    places = range(1, len(records) + 1)
    handles: dict[str, Any] = {}
    for split, colour in SPLITS.items():
        values = _numbers(records, f"{split}_{name}")
        if any(map(math.isfinite, values)):
            marker = "o" if len(records) <= MARKERS_UP_TO else ""
            (handles[split],) = axes.plot(places, values, color=colour, linewidth=1.6, marker=marker, markersize=3)
    if best is not None:
        line = axes.axvline(best, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        handles[f"least loss: epoch {best}"] = line
    for place in _phase_starts(records):
        axes.axvline(place - 0.5, color=INK, linewidth=0.8)
    room = max(0.02 * len(records), 0.1)
    axes.set_xlim(1 - room, len(records) + room)
    return handles


def _phase_starts(records: Sequence[Record]) -> list[int]:
    phases = [record.get("phase") for record in records]
    return [place for place in range(2, len(phases) + 1) if phases[place - 1] != phases[place - 2]]
