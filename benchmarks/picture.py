"""The results as a picture: a bar for each row, longer is slower, on a logarithmic axis."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import Result, Section
from benchmarks.table import LABELS, shown

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

COLOURS = {"nnkit": "#d1495b", "defaults": "#9fb3c8", "best": "#30638e", "by hand": "#c9c9c9", "import": "#e3d5b8"}
BAR = 0.25
HEAD = 0.55


def draw(sections: Sequence[Section], path: Path) -> None:
    """Write a picture with a panel for each workload that has figures."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    panels = [(section, bars) for section in sections if (bars := _bars(section))]
    if not panels:
        return
    heights = [BAR * len(bars) for _, bars in panels]
    figure, axes = pyplot.subplots(
        len(panels),
        1,
        figsize=(9, sum(heights) + HEAD * (len(panels) + 1)),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for (section, bars), axis in zip(panels, axes[:, 0], strict=True):
        _panel(axis, section, bars)
    figure.legend(handles=_legend([item for _, bars in panels for item, _ in bars]), loc="outside upper right", ncols=5)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _bars(section: Section) -> list[tuple[Result, float]]:
    """Return rows with their figures, the quickest on top."""
    by_rate = section.more_is_better
    found = [(item, spread.median) for item in section.results if (spread := item.rate if by_rate else item.wall)]
    return sorted(found, key=lambda pair: pair[1], reverse=by_rate)


def _legend(results: Sequence[Result]) -> "list[Artist]":
    from matplotlib.patches import Patch

    kinds = {item.kind for item in results}
    return [Patch(color=COLOURS[kind], label=label) for kind, label in LABELS.items() if kind in kinds]


def _panel(axis: "Axes", section: Section, bars: list[tuple[Result, float]]) -> None:
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    values = [value for _, value in bars]
    axis.barh([item.name for item, _ in bars], values, color=[COLOURS[item.kind] for item, _ in bars])
    axis.set_xscale("log")
    axis.set_xlim(min(values) / 2, max(values) * 3)
    axis.set_ylim(len(bars) - 0.5, -0.5)
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    for place, value in enumerate(values):
        axis.text(value, place, f" {shown(value)}", va="center", fontsize=8)
    what = (
        f"{section.unit}, more is better" if section.more_is_better else "seconds of the whole process, less is better"
    )
    axis.set_title(f"{section.title} ({what})", fontsize=10, loc="left")
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
