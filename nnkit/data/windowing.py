"""Windowing: the rows of a table in time order, read and typed once, as windows that train, validate and test."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nnkit.data import forecast, naive
from nnkit.data.columns import check_numbers, rows_where
from nnkit.data.dataset import Dataset, choose_features, incomplete, input_array, refuse
from nnkit.data.known import Known
from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import PARTS, Preparation, Prepared, Table, about, hashes_of, with_hints
from nnkit.data.sources import Source
from nnkit.data.target import encode, learn
from nnkit.data.transforms.base import Notes
from nnkit.data.windows import Windowed, Windows
from nnkit.errors import DataError, Problem, SpecError
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import Frame, Raw


class Windowing(Preparation):
    """The rows of the main source, read and typed once, to be cut into windows; raises as ``prepare`` does."""

    @property
    def windows(self) -> Windows:
        """What the spec says of the windows."""
        assert self.data.windows is not None  # noqa: S101 - the caller looked
        return self.data.windows

    def check(self) -> None:
        """Raise ``SpecError`` for what cannot be forecast."""
        _check_windows(self.task, self.inherited)

    def once(self, seed: int) -> Prepared:
        """Return the windows of the rows; nothing is drawn."""
        return next(self.folds(seed))

    def folds(self, seed: int) -> Iterator[Prepared]:
        """Yield the windows of the rows once for each fold, or once; transforms know the rows before the cut alone."""
        data, title = self.data, self.main.title
        stand, way = forecast.stand_of(self.main.frame, self.main.lines, title, self.windows)
        kept = forecast.bounded(stand, self.windows, way, title)
        placed = forecast.place(stand.take(kept), self.windows, title)
        forecast.refuse_short(placed, *forecast.needed_rows(self.windows), title)
        rows = kept[placed.order]
        with about(title):
            found = list(forecast.cuts(placed.stand.points, data.split))
        for cut in found:
            yield self._forecast(placed, rows, cut, way)

    def _forecast(
        self, placed: forecast.Placed, rows: "NDArray[np.int64]", cut: tuple[float, float, float], way: Any
    ) -> Prepared:
        """Return the windows of placed rows, the table's ``rows``, divided by a cut."""
        from nnkit.frames.table import take

        data, title = self.data, self.main.title
        windows = self.windows
        before = rows[placed.stand.points < cut[0]]
        if not len(before):
            raise DataError(f"{title}: no row is left for train; make the shares of data.split smaller")
        with about(title):
            state = learn(
                [self.main.frame[name] for name in data.targets],
                self.task,
                data.positive,
                data.target_transform,
                before,
                quantiles=self.quantiles,
            )
        fitted, trained = self._fit({name: self.main.frame[name].take(before) for name in self._features()})
        chosen = choose_features(trained, data.inputs)
        check_numbers(trained, chosen)
        _check_rows(trained, chosen)
        known = self._known(
            fitted, trained, chosen, forecast.widened(state, windows), self._windowed(placed, way, rows, cut[0])
        )
        pipeline = Pipeline(known)
        table = Table(take(self.main.frame, rows), placed.stand.lines.tolist(), title)
        values = self._values(table, pipeline)
        assert known.windows is not None  # noqa: S101 - given above
        numbers = self.numbers[rows]
        made: dict[str, Dataset | None] = dict.fromkeys(PARTS)
        for part, origins in forecast.part_origins(placed, windows, cut).items():
            made[part] = forecast.dataset(placed, origins, values, numbers, known.windows)
        hashes, notes = dict(self.hashes), [*self.notes, *placed.notes]
        for part, source in self._sources().items():
            raw, dataset = self._own_windows(part, source, pipeline)
            made[part], hashes, notes = dataset, hashes | hashes_of(source, raw), [*notes, *raw.notes]
        for part, windowed in made.items():
            if windowed is not None and not len(windowed):
                with about(title):
                    raise forecast.no_windows(part, windows)
        assert made["train"] is not None  # noqa: S101 - cuts always give rows for training
        return Prepared(made["train"], made["validation"], made["test"], pipeline, hashes, data.augment, notes)

    def _own_windows(self, part: str, source: Source, pipeline: Pipeline) -> "tuple[Raw, Dataset]":
        """Return the rows of a part's own source, and all their windows."""
        from nnkit.frames.table import take

        known, whole = pipeline.known.windows, self._other(part, source)
        assert known is not None  # noqa: S101 - the caller has windows
        raw, numbers = rows_where(whole, self.data.where, source.title)
        table = self.table(source, raw)
        placed = forecast.place_all(table.frame, table.lines, table.title, known)
        ordered = Table(take(table.frame, placed.order), placed.stand.lines.tolist(), table.title)
        values = self._values(ordered, pipeline)
        everywhere = forecast.origins_between(placed, known.options, -math.inf, math.inf)
        return whole, forecast.dataset(placed, everywhere, values, numbers[placed.order], known)

    def _windowed(self, placed: forecast.Placed, way: Any, rows: "NDArray[np.int64]", end: float) -> Windowed:
        """Return what is known of windows; the rows before ``end`` give the scales of errors."""
        import numpy as np

        windows = self.windows
        truth = np.stack([self.main.frame[name].values[rows] for name in self.data.targets], axis=1)
        kinds = {name: self.kinds[name] for name in windows.uses}
        return Windowed.model_validate(
            {
                "options": windows,
                "targets": self.data.targets,
                "kinds": kinds,
                "way": way,
                "spacing": placed.spacing,
                "scales": naive.scales(placed, windows, truth, end),
            }
        )

    def _values(self, table: Table, pipeline: Pipeline) -> forecast.Values:
        """Return the values of rows that windows are made of; raises ``DataError`` for rows that cannot be used."""
        known, frame = pipeline.known, table.frame
        assert known.windows is not None  # noqa: S101 - the caller has windows
        notes = Notes(known.on_unseen)
        changed = pipeline.transformed({name: frame[name] for name in known.columns}, notes)
        encoded = encode([frame[name] for name in self.data.targets], forecast.narrowed(known.target, known.windows))
        refuse(notes.refused | with_hints(incomplete(changed, known.features)) | encoded.bad, table.lines, table.title)
        pipeline.unseen += notes.unseen
        inputs = {
            name: input_array([changed[column] for column in columns]) for name, columns in known.features.items()
        }
        return forecast.Values(inputs, encoded.truth, encoded.targets)


def _check_windows(task: Task, inherited: Known | None) -> None:
    """Raise ``SpecError`` for what cannot be forecast."""
    if task != "regression":
        message = f"windows forecast numbers, and the loss is for {task}; use one for numbers, as mean_squared_error"
        raise SpecError([Problem(("data", "windows"), message)])
    if inherited is not None:
        raise SpecError([Problem(("data", "windows"), "a pretrained network brings its own inputs; leave windows out")])


def _check_rows(frame: "Frame", features: dict[str, list[str]]) -> None:
    """Raise ``SpecError`` for features that have no place in a window."""
    columns = dict.fromkeys(name for names in features.values() for name in names)
    arrays = [name for name in columns if frame[name].is_whole or frame[name].values.ndim > 1]
    if arrays:
        message = f"{', '.join(arrays)} hold arrays, and a window has columns of numbers; name them in data.drop"
        raise SpecError([Problem(("data", "windows"), message)])
