"""Naive forecasts: the scales of their errors, and what a run's own forecasts are measured against."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nnkit.data.windows import Windowed, Windows
from nnkit.metrics.yardstick import Yardstick

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.forecast import Placed


def scales(
    placed: "Placed", windows: Windows, values: "NDArray[np.float64]", end: float
) -> dict[str, dict[str, list[float | None]]]:
    """Return the mean error of each naive forecast one season ahead, and the standard deviation, by series.

    Both are of the rows before ``end``.
    """
    from nnkit.frames.windows import deviation, naive_error

    counted = placed.stand.points < end
    by_name = {
        name: naive_error(values, placed.runs, counted, placed.codes, season).tolist()
        for name, season in windows.seasons.items()
    }
    by_name["deviation"] = deviation(values, counted, placed.codes).tolist()
    return {
        series: {name: [_number(value) for value in rows[code]] for name, rows in by_name.items()}
        for code, series in enumerate(placed.names)
    }


def _number(value: float) -> float | None:
    return value if value == value else None


def yardstick(known: Windowed, series: Sequence[str], forecasts: "Mapping[str, NDArray[np.float64]]") -> Yardstick:
    """Return what forecasts [m, k * horizon] for windows of ``series`` [m] are measured against."""
    import numpy as np

    unknown = [None] * len(known.targets)
    found = {
        name: np.array([known.scales.get(each, {}).get(name, unknown) for each in series], dtype=np.float64)
        for name in (*forecasts, "deviation")
    }
    horizon = known.options.horizon
    return Yardstick(
        forecasts,
        {name: np.repeat(rows.reshape(-1, len(known.targets)), horizon, axis=1) for name, rows in found.items()},
    )
