"""Clocks: columns of times as points that sort, the spacing between them, and what comes next."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Way: TypeAlias = Literal["iso", "month_first", "day_first", "number"]
"""How a column of times is written."""
Unit: TypeAlias = Literal["months", "month_ends", "microseconds", "number"]
Points: TypeAlias = "NDArray[np.int64] | NDArray[np.float64]"
"""Microseconds since 1970, or plain numbers, [n]."""

OPTIONS: dict[str, dict[str, Any]] = {
    "iso": {"format": "ISO8601"},
    "month_first": {"dayfirst": False},
    "day_first": {"dayfirst": True},
}
SECOND = 1_000_000
WORDS = {86400 * 7: "week", 86400: "day", 3600: "hour", 60: "minute", 1: "second"}
_CLOCK = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M", " %H:%M:%S.%f", "T%H:%M:%S.%f", "T%H:%M:%SZ")
_DATES = {
    "iso": ("%Y-%m", "%Y-%m-%d", "%Y", "%Y%m%d"),
    "month_first": ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%b %Y", "%B %Y", "%b %d %Y", "%b %d, %Y", "%Y/%m/%d"),
    "day_first": ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%y", "%d.%m.%y", "%d %b %Y", "%d %B %Y"),
}


def read(texts: Sequence[str], way: Way | None = None) -> tuple[Points, Way] | int:
    """Return texts as points and the way in which all of them are written; or the first that cannot be read so.

    Without a ``way`` it is ISO 8601, or else as ``nnkit.frames.times`` does: 1/2/2024 is in January unless a later
    row rules it out.
    """
    ways: Sequence[Any] = [way] if way else list(OPTIONS)
    strange = 0
    for one in ways:
        points = _points(texts, one)
        lost = np.flatnonzero(points.isna().to_numpy())
        if not len(lost):
            return points.dt.tz_convert(None).dt.as_unit("us").astype("int64").to_numpy(), one
        strange = max(strange, int(lost[0]))
    return strange


def _points(texts: Sequence[str], way: str) -> "pd.Series[Any]":
    """Return texts as times, with none where one is not written in the way of the first."""
    cells = pd.Series(list(texts), dtype=object)
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        try:
            points = pd.to_datetime(cells, utc=True, errors="coerce", **OPTIONS[way])
        except (ValueError, TypeError, OverflowError):
            return pd.Series(pd.NaT, index=cells.index)
    # pandas warns where it would read each row in a way of its own, or 13/1/2024 with the month first.
    return pd.Series(pd.NaT, index=cells.index) if doubts else points


@dataclass(frozen=True)
class Step:
    """The usual distance of a row from the one before it."""

    unit: Unit
    count: float

    @property
    def words(self) -> str:
        """The distance in words, as in ``1 hour``."""
        if self.unit == "number":
            return f"{self.count:g}"
        if self.unit != "microseconds":
            return _several(self.count, "month")
        seconds = self.count / SECOND
        size = next((size for size in WORDS if seconds >= size and seconds % size == 0), 1)
        return _several(seconds / size, WORDS[size])

    def after(self, point: float, steps: int) -> list[float]:
        """Return the next ``steps`` points after ``point``."""
        if self.unit == "number":
            return [point + self.count * number for number in range(1, steps + 1)]
        if self.unit == "microseconds":
            return [int(point) + int(self.count) * number for number in range(1, steps + 1)]
        start = pd.Timestamp(int(point), unit="us")
        later = [start + pd.DateOffset(months=int(self.count) * number) for number in range(1, steps + 1)]
        if self.unit == "month_ends":
            later = [time + pd.offsets.MonthEnd(0) for time in later]
        return [int(time.to_datetime64().astype("datetime64[us]").astype(np.int64)) for time in later]

    def breaks(self, before: Points, after: Points) -> NDArray[np.bool_]:
        """Tell of pairs of points whether their distance is another."""
        if self.unit in ("months", "month_ends"):
            found: NDArray[np.bool_] = _months(after) - _months(before) != self.count
            return found
        slack = abs(self.count) * 1e-6 if self.unit == "number" else 0
        wrong: NDArray[np.bool_] = np.abs((after - before) - self.count) > slack
        return wrong


def _several(count: float, word: str) -> str:
    return f"{count:g} {word}" + ("" if count == 1 else "s")


def usual_step(before: Points, after: Points, way: Way) -> Step | None:
    """Return the commonest distance of pairs of points, None of none; in months where all have one day of the month."""
    distances = after - before
    if not len(distances):
        return None
    if way == "number":
        return Step("number", float(_commonest(distances)))
    unit = _monthly(np.concatenate([before, after])) if len(np.unique(distances)) > 1 else None
    if unit is not None:
        return Step(unit, int(_commonest(_months(after) - _months(before))))
    return Step("microseconds", int(_commonest(distances)))


def _commonest(values: NDArray[Any]) -> Any:
    found, counts = np.unique(values, return_counts=True)
    return found[counts.argmax()]


def _months(points: Points) -> NDArray[np.int64]:
    return points.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def _monthly(points: Points) -> Unit | None:
    """Tell whether all points are of one day of the month, or of its last, at one time of the day."""
    times = pd.DatetimeIndex(points.astype("datetime64[us]"))
    if len(set((points % (86400 * SECOND)).tolist())) > 1:
        return None
    if len(set(times.day)) == 1:
        return "months"
    return "month_ends" if bool(times.is_month_end.all()) else None


def written(points: Sequence[float], like: str, way: Way) -> list[str]:
    """Return points as text, in the form that ``like`` has, or else in ISO 8601."""
    if way == "number":
        return [f"{point:.15g}" for point in points]
    form = _form(like, way)
    times = [pd.Timestamp(int(point), unit="us") for point in points]
    zone = "+00:00" if re.search(r"(Z|[+-]\d\d:?\d\d)$", like) else ""
    return [time.strftime(form) if form else time.isoformat() + zone for time in times]


def _form(like: str, way: Way) -> str | None:
    for date in _DATES[way]:
        for clock in _CLOCK:
            try:
                if datetime.strptime(like, date + clock).strftime(date + clock) == like:
                    return date + clock
            except ValueError:
                continue
    return None
