"""Forecasts of what comes after the last rows of fresh history: a line for each step."""

import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnkit.data import forecast as windows
from nnkit.data.dataset import Dataset
from nnkit.data.history import fresh_rows
from nnkit.data.pipeline import Pipeline
from nnkit.errors import DataError
from nnkit.inference import Predictor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import BadRow, Raw


class Ending:
    """The last rows of each series of a history that goes by in parts, as many as a forecast needs.

    So the memory does not grow with the history; the rows may come in any order where they have times.
    """

    def __init__(self, pipeline: Pipeline, title: str) -> None:
        known = pipeline.known.windows
        assert known is not None  # noqa: S101 - the caller looked
        self.pipeline, self.known, self.title = pipeline, known, title
        self._rows = 0
        self._stand: windows.Stand | None = None
        self._inputs: dict[str, NDArray[np.float32]] = {}

    def add(self, part: "Raw") -> "list[BadRow]":
        """Take the rows of a part that can be used; returns the others. Raises ``DataError`` for what is no time."""
        import numpy as np

        rows, rejected = fresh_rows(self.pipeline, part, False)
        stand, _ = windows.stand_of(rows.frame, rows.lines, self.title, self.known.options, self.known.way)
        if self.known.options.time is None:
            stand = windows.Stand(stand.points + self._rows, stand.times, stand.series, stand.lines)
        self._rows += len(rows.lines)
        inputs = dict(rows.values.inputs)
        if self._stand is not None:
            stand = self._stand.joined(stand)
            inputs = {name: np.concatenate([self._inputs[name], values]) for name, values in inputs.items()}
        kept = windows.last_rows(stand, self.known.options.length + 1)
        self._stand, self._inputs = stand.take(kept), {name: values[kept] for name, values in inputs.items()}
        return rejected

    def windows(self) -> "tuple[Dataset, windows.Placed, NDArray[np.int64]]":
        """Return the last window of each series, and where it ends; raises ``DataError`` as ``windows.place`` does."""
        import numpy as np

        from nnkit.frames.windows import seen

        stand, options = self._stand, self.known.options
        if stand is None or not len(stand.lines):
            raise DataError(f"{self.title}: has no rows; a forecast needs the last {options.length}")
        placed = windows.place(stand, options, self.title, self.known.spacing)
        windows.refuse_short(placed, *windows.needed_rows(options, forecasts=False), self.title)
        last = np.append(np.flatnonzero(np.diff(placed.codes)), len(placed.codes) - 1)
        broken = last[last - placed.runs.starts[last] + 1 < options.length]
        if len(broken):
            line = placed.stand.lines[placed.runs.starts[broken[0]]]
            raise DataError(
                f"{self.title}:{line}: after a gap {options.time} goes on here, and to the end there are less than the "
                f"{options.length} rows that a forecast needs"
            )
        inputs = {name: seen(values[placed.order], last, options.length) for name, values in self._inputs.items()}
        return Dataset(inputs, last), placed, last


def forecast(predictor: Predictor, ending: Ending, form: str) -> list[str]:
    """Return the lines of the forecast: series by series, step by step, a column for each target; CSV has a header.

    Where rows come in equal steps each line has its time. Raises ``DataError``.
    """
    known, layout = ending.known, predictor.pipeline.layout
    dataset, placed, last = ending.windows()
    outputs = predictor.outputs(dataset).reshape(len(last), len(known.targets), known.options.horizon, -1)
    tails = [f"_{tail}" for tail in layout.tails] or [""]
    names = ["prediction"] if len(known.targets) == 1 else [f"prediction_{name}" for name in known.targets]
    rows: list[dict[str, Any]] = []
    for place, numbers in zip(last.tolist(), outputs, strict=True):
        times = _times(placed, place, ending)
        for step in range(known.options.horizon):
            row: dict[str, Any] = {} if known.options.series is None else {"series": placed.stand.series[place]}
            row |= {"step": step + 1} | ({"time": times[step]} if times else {})
            values = [name + tail for name in names for tail in tails]
            row |= zip(values, _cells(numbers[:, step].ravel()), strict=True)
            rows.append(row)
    return _json(rows, predictor) if form == "jsonl" else _csv(rows)


def _times(placed: windows.Placed, place: int, ending: Ending) -> list[str]:
    """Return the times of the steps after a row, as they are written there; nothing where they cannot be told."""
    from nnkit.frames import clock

    known = ending.known
    if known.spacing is None or known.way is None:
        return []
    step = clock.Step(known.spacing.unit, known.spacing.count)
    points = step.after(placed.stand.points[place].item(), known.options.horizon)
    return clock.written(points, str(placed.stand.times[place]), known.way)


def _cells(numbers: "NDArray[np.float64]") -> list[str]:
    from nnkit.frames.written import texts

    return list(texts(numbers))


def _csv(rows: Sequence[dict[str, Any]]) -> list[str]:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return text.getvalue().splitlines(keepends=True)


def _json(rows: Sequence[dict[str, Any]], predictor: Predictor) -> list[str]:
    """Return rows as JSON Lines, where ``prediction`` is a mapping if there are several numbers."""
    lines = []
    for row in rows:
        marks = {name: row[name] for name in ("series", "step", "time") if name in row}
        found: dict[str, Any] = {name: _number(cell) for name, cell in row.items() if name not in marks}
        if list(found) != ["prediction"]:
            found = {"prediction": {name.removeprefix("prediction_"): value for name, value in found.items()}}
        lines.append(json.dumps(marks | found, ensure_ascii=False) + "\n")
    return lines


def _number(cell: str) -> float | None:
    return None if cell in ("nan", "inf", "-inf") else float(cell)
