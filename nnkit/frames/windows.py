"""Windows: pieces of series as the rows that a network learns from, and the forecasts that cost nothing.

Throughout, n rows stand by series and by time. An *origin* is the place of the last row that a window sees; what it
forecasts stands right after.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnkit.frames.clock import Points

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """Rows that follow each other without a break: for each [n] the first of its run, and the one after the last."""

    starts: Places
    ends: Places


def order_of(series: NDArray[np.int32], points: Points) -> Places:
    """Return the places of rows by series, then time, then as they stand."""
    order: Places = np.lexsort((points, series))
    return order


def runs(new: NDArray[np.bool_]) -> Runs:
    """Return the runs of rows; ``new`` [n] says where one begins."""
    first = np.flatnonzero(new)
    number = np.cumsum(new) - 1
    return Runs(first[number], np.append(first[1:], len(new))[number])


def origins(found: Runs, length: int, horizon: int) -> Places:
    """Return the rows that have ``length`` rows of their run up to them and ``horizon`` after them."""
    places = np.arange(len(found.starts))
    return places[(places - found.starts + 1 >= length) & (found.ends - places > horizon)]


def between(points: Points, chosen: Places, horizon: int, low: float, high: float) -> Places:
    """Return the origins whose forecast rows are all at ``low`` or later and before ``high``."""
    return chosen[(points[chosen + 1] >= low) & (points[chosen + horizon] < high)]


def thinned(chosen: Places, found: Runs, step: int) -> Places:
    """Return every ``step``-th origin of each run, the first one among them."""
    first = np.searchsorted(chosen, found.starts[chosen])
    kept: Places = chosen[(np.arange(len(chosen)) - first) % step == 0]
    return kept


def seen(values: NDArray[np.float32], chosen: Places, length: int) -> NDArray[np.float32]:
    """Return the last ``length`` of the rows [n, features] of each origin [m]: [m, length, features]."""
    found: NDArray[np.float32] = values[chosen[:, None] + np.arange(1 - length, 1)]
    return found


HELD = 256 * 2**20
"""Up to this many bytes windows are held as they are, each value as often as windows have it."""


class Sliding:
    """Windows [m, length, features] that are cut out of their rows [n, features] whenever some are asked for.

    So they take the memory of the rows, and not ``length`` times as much (``nnkit.engine.batches.Stored``).
    """

    in_memory = True

    def __init__(self, values: NDArray[np.float32], chosen: Places, length: int) -> None:
        self._values, self._chosen, self._length = values, chosen, length

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of all axes."""
        return (len(self._chosen), self._length, *self._values.shape[1:])

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        """Return some windows, by a slice or by their numbers."""
        return seen(self._values, self._chosen[rows], self._length)


def sliding(values: NDArray[np.float32], chosen: Places, length: int) -> "NDArray[np.float32] | Sliding":
    """Return the windows of ``seen``, held if they are small."""
    large = len(chosen) * length * values[:1].nbytes > HELD
    return Sliding(values, chosen, length) if large else seen(values, chosen, length)


def ahead(values: NDArray[Any], chosen: Places, horizon: int) -> NDArray[Any]:
    """Return the next values [n, k] after each origin [m]: [m, k * horizon], all steps of a target side by side."""
    return _flat(values[chosen[:, None] + np.arange(1, horizon + 1)])


def naive(values: NDArray[np.float64], chosen: Places, horizon: int, season: int) -> NDArray[np.float64]:
    """Return the forecast that each value [n, k] is that of a ``season`` before: [m, k * horizon].

    With a season of 1 it is the last value. At least ``season`` rows must stand up to each origin.
    """
    steps = np.arange(1, horizon + 1)
    back = steps - season * -(-steps // season)
    return _flat(values[chosen[:, None] + back])


def _flat(windows: NDArray[Any]) -> NDArray[Any]:
    count, steps, targets = windows.shape
    return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(count, targets * steps)


def deviation(
    values: NDArray[np.float64], counted: NDArray[np.bool_], series: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return for each series the standard deviation of the ``counted`` values [n, k]: [series, k], NaN of none."""
    places = np.flatnonzero(counted)
    means = _means(values[places], series[places], series)
    squares = (values[places] - means[series[places]]) ** 2
    return _means(squares, series[places], series) ** 0.5


def naive_error(
    values: NDArray[np.float64], found: Runs, counted: NDArray[np.bool_], series: NDArray[np.int32], season: int
) -> NDArray[np.float64]:
    """Return for each series the mean size of the change [n, k] over a ``season``, among ``counted`` rows: [series, k].

    NaN where there is no such pair of rows: the scale of Hyndman and Koehler (2006).
    """
    places = np.flatnonzero(counted)
    places = places[places - found.starts[places] >= season]
    changes = np.abs(values[places] - values[places - season])
    return _means(changes, series[places], series)


def _means(values: NDArray[np.float64], codes: NDArray[np.int32], series: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the means of values [n, k] by their codes [n], for all codes of ``series``: NaN of none."""
    names = int(series.max(initial=-1)) + 1
    sums, counts = np.zeros((names, values.shape[1])), np.bincount(codes, minlength=names)
    np.add.at(sums, codes, values)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = sums / np.where(counts, counts, np.nan)[:, None]
    return means
