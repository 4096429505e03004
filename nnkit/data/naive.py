"""Naive forecasts: the scales of their errors, and what a run's own forecasts are measured against."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nnkit.data.windows import Windowed, Windows
from nnkit.metrics.yardstick import Yardstick, over_horizon

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.forecast import Placed


def scales(
    placed: "Placed", windows: Windows, values: "NDArray[np.float64]", end: float
) -> dict[str, dict[str, list[float | None]]]:
    """Return the mean error of each naive forecast one season ahead and over the horizon, and the standard deviation.

    All are of the rows before ``end``, and by series.
    """
    import numpy as np

    from nnkit.frames.windows import deviation, naive_error

    counted, steps = placed.stand.points < end, range(1, windows.horizon + 1)

    def error(lag: int) -> "NDArray[np.float64]":
        return naive_error(values, placed.runs, counted, placed.codes, lag)

    by_name = {name: error(season).tolist() for name, season in windows.seasons.items()}
    for name, season in windows.seasons.items():
        # So many rows before each step stands the value that is repeated for it.
        lags = Counter(season * -(-step // season) for step in steps)
        errors = sum(count * error(lag) for lag, count in lags.items())
        by_name[over_horizon(name)] = (np.asarray(errors) / windows.horizon).tolist()
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
        for name in (*forecasts, *map(over_horizon, forecasts), "deviation")
    }
    horizon = known.options.horizon
    return Yardstick(
        forecasts,
        {name: np.repeat(rows.reshape(-1, len(known.targets)), horizon, axis=1) for name, rows in found.items()},
    )
