"""Forecasts: rows in time order, placed, cut and turned into windows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnkit.data.dataset import Dataset, refuse
from nnkit.data.naive import yardstick
from nnkit.data.split import Split
from nnkit.data.target import TargetState
from nnkit.data.windows import Spacing, Windowed, Windows
from nnkit.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.clock import Points, Step
    from nnkit.frames.table import Frame
    from nnkit.frames.windows import Places, Runs

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Stand:
    """Where rows [n] stand: their times and series, as written and as points, and the lines of their source."""

    points: "Points"
    times: "NDArray[np.object_]"
    """As they are written; empty texts without a column of times."""
    series: "NDArray[np.object_]"
    """Names; empty texts without a column of series."""
    lines: "NDArray[np.int64]"

    def take(self, rows: "Places") -> "Stand":
        """Return some rows."""
        return Stand(self.points[rows], self.times[rows], self.series[rows], self.lines[rows])

    def joined(self, other: "Stand") -> "Stand":
        """Return these rows and then those of ``other``."""
        import numpy as np

        names = ("points", "times", "series", "lines")
        return Stand(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))


@dataclass(frozen=True)
class Placed:
    """Rows by series and by time, and the runs in which they follow each other."""

    stand: Stand
    order: "Places"
    """The places of these rows among those that were given."""
    codes: "NDArray[np.int32]"
    """The series of each row, as a place in ``names``."""
    names: Sequence[str]
    runs: "Runs"
    spacing: Spacing | None
    notes: Sequence[str] = ()


def stand_of(frame: "Frame", lines: Sequence[int], title: str, windows: Windows, way: Any = None) -> tuple[Stand, Any]:
    """Return where rows stand, and the way in which times are written; raises ``DataError`` for what is no time."""
    import numpy as np

    count = len(lines)
    points: Points = np.arange(count)
    times = np.full(count, "", dtype=object)
    if windows.time is not None:
        points, times, way = _times(frame, lines, title, windows.time, way)
    series = np.full(count, "", dtype=object)
    if windows.series is not None:
        from nnkit.data.transforms.encode import labels

        found = labels(frame[windows.series]).tolist()
        gaps = [row for row, name in enumerate(found) if name is None]
        refuse(dict.fromkeys(gaps, f"the series {windows.series} is missing"), lines, title)
        series = np.array(found, dtype=object)
    return Stand(points, times, series, np.array(lines, dtype=np.int64)), way


def _times(
    frame: "Frame", lines: Sequence[int], title: str, name: str, way: Any
) -> "tuple[Points, NDArray[np.object_], Any]":
    import numpy as np

    from nnkit.frames import clock

    column = frame[name]
    gaps = np.flatnonzero(column.gaps).tolist()
    refuse(dict.fromkeys(gaps, f"the time {name} is missing"), lines, title)
    if not column.is_text:
        texts = [f"{value:.15g}" for value in column.values.tolist()]
        return column.values, np.array(texts, dtype=object), "number"
    texts = column.values.tolist()
    read = clock.read(texts, way)
    if isinstance(read, int):
        first = "" if read == 0 else f", as {texts[0]!r:.40} in line {lines[0]} is"
        known = {"iso": "ISO 8601", "month_first": "month/day/year", "day_first": "day/month/year"}.get(way or "")
        expected = f"a time written as {known}" if known else f"a time written as all others{first}"
        raise DataError(f"{title}:{lines[read]}: {name} is {texts[read]!r:.60}; expected {expected}")
    return read[0], np.array(texts, dtype=object), read[1]


def bounded(stand: Stand, windows: Windows, way: Any, title: str) -> "Places":
    """Return the rows from ``since`` on and before ``until``; raises ``DataError`` where there are none."""
    import numpy as np

    low, high = (_bound(getattr(windows, name), name, way) for name in ("since", "until"))
    keep = np.ones(len(stand.points), dtype=bool)
    if low is not None:
        keep &= stand.points >= low
    if high is not None:
        keep &= stand.points < high
    if not keep.any():
        raise DataError(f"{title}: no row is left between data.windows.since and data.windows.until")
    return np.flatnonzero(keep)


def _bound(text: str | None, option: str, way: Any) -> float | None:
    if text is None:
        return None
    from nnkit.frames import clock

    try:
        found: Any = float(text) if way == "number" else clock.read([text], way)
    except ValueError:
        found = 0
    if isinstance(found, int):
        raise DataError(f"data.windows.{option}: {text!r} is no time written as those of the data are")
    return found if isinstance(found, float) else float(found[0][0])


def place(stand: Stand, windows: Windows, title: str, known: Spacing | None = None) -> Placed:
    """Put rows into the order of their series and times; ``known`` is the spacing that they must have.

    Raises ``DataError`` with the lines of doubles, and of gaps where ``windows.gaps`` does not allow them.
    """
    import numpy as np

    from nnkit.frames.windows import order_of, runs

    names, places = np.unique(stand.series, return_inverse=True)
    codes = places.astype(np.int32)
    order = order_of(codes, stand.points)
    notes = [] if (np.diff(order) > 0).all() or windows.series else [f"{title}: the rows are sorted by {windows.time}"]
    stand, codes = stand.take(order), codes[order]
    same = codes[1:] == codes[:-1]
    spacing = known
    new = np.concatenate([[True], ~same])[: len(codes)]
    if windows.time is not None:
        _refuse_doubles(stand, same, windows.time, title)
        spacing, gaps = _spacing(stand, same, windows, title, known)
        if windows.gaps == "break":
            new[1:] |= gaps
    return Placed(stand, order, codes, names.tolist(), runs(new), spacing, notes)


def _refuse_doubles(stand: Stand, same: "NDArray[np.bool_]", time: str, title: str) -> None:
    import numpy as np

    doubles = np.flatnonzero(same & (stand.points[1:] == stand.points[:-1])) + 1
    refuse(
        {
            row: f"{time} is {stand.times[row]}, as in line {stand.lines[row - 1]}{_of(stand, row)}; a time comes once"
            for row in doubles.tolist()
        },
        stand.lines.tolist(),
        title,
    )


def _of(stand: Stand, row: int) -> str:
    return f" of the series {stand.series[row]}" if stand.series[row] else ""


def _spacing(
    stand: Stand, same: "NDArray[np.bool_]", windows: Windows, title: str, known: Spacing | None
) -> "tuple[Spacing | None, NDArray[np.bool_]]":
    """Return the usual spacing, and between which neighbours it is another; raises where that is an error."""
    import numpy as np

    from nnkit.frames import clock

    before, after = stand.points[:-1], stand.points[1:]
    way: Any = "number" if stand.points.dtype.kind == "f" else "iso"
    step = clock.Step(known.unit, known.count) if known else clock.usual_step(before[same], after[same], way)
    if step is None:
        return None, np.zeros(len(same), dtype=bool)
    gaps = same & step.breaks(before, after)
    if windows.gaps == "error":
        _refuse_gaps(stand, np.flatnonzero(gaps) + 1, windows, title, step)
    irregular = windows.gaps == "ignore" and bool(gaps.any())
    return None if irregular else Spacing(unit=step.unit, count=step.count), gaps


def _refuse_gaps(stand: Stand, rows: "Places", windows: Windows, title: str, step: "Step") -> None:
    way_out = "put the rows in, or set data.windows.gaps to break or ignore"
    refuse(
        {
            row: f"{windows.time} is {stand.times[row]}, after {stand.times[row - 1]} in line {stand.lines[row - 1]}"
            f"{_of(stand, row)}; expected a step of {step.words}: {way_out}"
            for row in rows.tolist()
        },
        stand.lines.tolist(),
        title,
    )


def place_all(frame: "Frame", lines: Sequence[int], title: str, known: Windowed) -> Placed:
    """Put the rows of another table into order, which must be spaced as those that a run knows.

    Raises ``DataError`` as ``place`` does, and for a series that is shorter than a window.
    """
    stand, _ = stand_of(frame, lines, title, known.options, known.way)
    placed = place(stand, known.options, title, known.spacing)
    refuse_short(placed, *needed_rows(known.options), title)
    return placed


def refuse_short(placed: Placed, needed: int, words: str, title: str) -> None:
    """Raise ``DataError`` for every series that has less rows than ``needed``."""
    import numpy as np

    counts = np.bincount(placed.codes, minlength=len(placed.names))
    found = {}
    for code in np.flatnonzero(counts < needed).tolist():
        first = int(np.flatnonzero(placed.codes == code)[0])
        named = f"the series {placed.names[code]}" if placed.names[code] else "the series"
        found[first] = f"{named}, which begins here, has {counts[code]} rows; {words} takes {needed}"
    refuse(found, placed.stand.lines.tolist(), title)


def needed_rows(windows: Windows, forecasts: bool = True) -> tuple[int, str]:
    """Return the rows that a whole window has, or only its input, and what that is in words."""
    if not forecasts:
        return windows.length, "the input of a forecast"
    return windows.length + windows.horizon, f"a window (length {windows.length} + horizon {windows.horizon})"


def cuts(points: "Points", split: Split) -> Iterator[tuple[float, float, float]]:
    """Yield for each fold, or once, the points at which training, validation and testing end.

    Shares are of all rows; rows of one time stay together. Folds test as many blocks of rows at the end, one after
    the other, each by a model of all rows before it (a rolling origin). Raises ``DataError`` where no row is left.
    """
    import math

    import numpy as np

    ordered, count = np.sort(points), len(points)

    def at(place: int) -> float:
        return float(ordered[max(place, 0)]) if place < count else math.inf

    validating = split.share_of("validation")
    if split.folds is None:
        tests = [(count - _share(split.share_of("test"), count), count)]
    else:
        size = count // (split.folds + 1)
        if not size:
            raise DataError(f"{split.folds} folds in time need {split.folds + 1} rows, and there are {count}")
        tests = [(count - size * left, count - size * (left - 1)) for left in range(split.folds, 0, -1)]
    for start, end in tests:
        yield at(start - _share(validating, count)), at(start), at(end)


def _share(share: float, count: int) -> int:
    return max(1, round(share * count)) if share else 0


def part_origins(placed: Placed, windows: Windows, cut: tuple[float, float, float]) -> "dict[str, Places]":
    """Return the origins of the windows of each part, those that have any."""
    import math

    bounds = dict(zip(PARTS, zip((-math.inf, *cut[:2]), cut, strict=True), strict=True))
    return {part: origins_between(placed, windows, *ends) for part, ends in bounds.items() if ends[0] < ends[1]}


def origins_between(placed: Placed, windows: Windows, low: float, high: float) -> "Places":
    """Return the origins of windows that forecast rows from ``low`` on and before ``high`` only."""
    from nnkit.frames.windows import between, origins, thinned

    whole = origins(placed.runs, windows.length, windows.horizon)
    return thinned(between(placed.stand.points, whole, windows.horizon, low, high), placed.runs, windows.step)


def no_windows(part: str, windows: Windows) -> DataError:
    """Return the error of a part in which no window fits."""
    return DataError(
        f"no window of length {windows.length} and horizon {windows.horizon} is left for {part}; add rows, make its "
        "share of data.split larger, or make the window smaller"
    )


@dataclass(frozen=True)
class Values:
    """Values of placed rows [n]: the inputs' columns, and the targets, in their own units and as training sees them."""

    inputs: "Mapping[str, NDArray[np.float32]]"
    truth: "NDArray[np.float64]"
    targets: "NDArray[np.float32]"

    def take(self, rows: "Places") -> "Values":
        """Return some rows."""
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        return Values(inputs, self.truth[rows], self.targets[rows])


def dataset(placed: Placed, chosen: "Places", rows: Values, numbers: "NDArray[np.int64]", known: Windowed) -> Dataset:
    """Return the windows with the origins ``chosen``; ``numbers`` [n] are those of the rows in their source."""
    from nnkit.frames import windows as frames

    options = known.options
    series = placed.stand.series[chosen].tolist()
    forecasts = {
        name: frames.naive(rows.truth, chosen, options.horizon, season) for name, season in options.seasons.items()
    }
    marks = {"series": series} if options.series else {}
    marks |= {"time": placed.stand.times[chosen].tolist()} if options.time else {}
    return Dataset(
        inputs={name: frames.sliding(values, chosen, options.length) for name, values in rows.inputs.items()},
        rows=numbers[chosen],
        truth=frames.ahead(rows.truth, chosen, options.horizon),
        targets=frames.ahead(rows.targets, chosen, options.horizon),
        yardstick=yardstick(known, series, forecasts),
        marks=marks,
    )


def widened(state: TargetState, windows: Windows) -> TargetState:
    """Return what is known of the targets at each step of the horizon, from what is known of the targets."""
    return state.model_copy(
        update={
            "columns": windows.names(state.columns),
            "shift": [shift for shift in state.shift for _ in range(windows.horizon)],
            "scale": [scale for scale in state.scale for _ in range(windows.horizon)],
        }
    )


def narrowed(state: TargetState, known: Windowed) -> TargetState:
    """Undo ``widened``."""
    horizon = known.options.horizon
    return state.model_copy(
        update={"columns": known.targets, "shift": state.shift[::horizon], "scale": state.scale[::horizon]}
    )


def last_rows(stand: Stand, count: int) -> "Places":
    """Return the last rows of each series by time, ``count`` of each at most, as they stand."""
    import numpy as np

    from nnkit.frames.windows import order_of

    codes = np.unique(stand.series, return_inverse=True)[1].astype(np.int32)
    order = order_of(codes, stand.points)
    ends = np.searchsorted(codes[order], codes[order], side="right")
    return np.sort(order[ends - np.arange(len(order)) <= count])
