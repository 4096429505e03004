"""Preparing: from the spec's `data` to arrays for training, validation and test, and the pipeline that made them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnkit.config.spelling import nearest
from nnkit.data.dataset import Dataset, choose_features, incomplete, input_array, shapes
from nnkit.data.pipeline import Fitted, Known, Pipeline
from nnkit.data.sources import Source
from nnkit.data.spec import Data
from nnkit.data.split import Divider
from nnkit.data.target import TargetState, encode, learn
from nnkit.data.transforms.base import Notes
from nnkit.errors import DataError, Path, Problem, SpecError
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import Frame, Raw

SHOWN = 5
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Prepared:
    """Rows for training, validation and test, the pipeline, and the SHA-256 of each file that they come from."""

    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    pipeline: Pipeline
    hashes: dict[str, str]


@dataclass(frozen=True)
class Table:
    """The typed columns of one source, and the lines of its rows."""

    frame: "Frame"
    lines: list[int]
    title: str


def prepare(data: Data, task_of: Callable[[int], Task], seed: int) -> Prepared:
    """Read, divide and transform the rows; ``task_of`` says what so many targets mean.

    Raises ``SpecError`` for what the spec says of columns that are not there, ``DataError`` for the data itself.
    """
    preparation = _Preparation(data, task_of, seed)
    return preparation.prepared(preparation.divider().parts())


def prepare_folds(data: Data, task_of: Callable[[int], Task], seed: int) -> Iterator[Prepared]:
    """Yield the rows once for each fold of ``data.split.folds``, each with a pipeline of its own."""
    preparation = _Preparation(data, task_of, seed)
    for parts in preparation.divider().folds():
        yield preparation.prepared(parts)


class _Preparation:
    """The rows of the main source, typed."""

    def __init__(self, data: Data, task_of: Callable[[int], Task], seed: int) -> None:
        self.data = data
        self.task = task_of(len(data.targets))
        self.seed = seed
        raw = read(data.source)
        _check_columns(data, raw)
        self.kinds = infer_kinds(data, raw)
        self.main = self.table(data.source, raw)
        _check_text(data, self.main.frame)

    def table(self, source: Source, raw: "Raw") -> Table:
        """Return typed columns; raises ``DataError`` for cells that are not of their column's kind."""
        from nnkit.frames.kinds import typed
        from nnkit.frames.table import Column

        frame: Frame = {}
        refused: dict[int, str] = {}
        for name, kind in self.kinds.items():
            if name not in raw.cells:
                raise DataError(f"{source.title}: lacks the column {name}")
            result = typed(raw.cells[name], kind, source.spelling())
            frame[name] = Column(result.values, name)
            for row, reason in result.bad.items():
                refused.setdefault(row, f"{name}: {reason}")
        table = Table(frame, raw.lines, source.title)
        _refuse(table, refused)
        return table

    def divider(self) -> Divider:
        """Return what divides the main source's rows."""
        data, frame = self.data, self.main.frame
        labels = None
        if data.split.stratify:
            if len(data.targets) > 1:
                raise SpecError([Problem(("data", "split", "stratify"), "needs one target column, found several")])
            from nnkit.data.transforms.encode import texts

            labels = texts(frame[data.targets[0]])
            if any(label is None for label in labels):
                _refuse(
                    self.main,
                    {
                        row: f"the target {data.targets[0]} is missing"
                        for row, label in enumerate(labels)
                        if label is None
                    },
                )
        keys = _keys(frame, data.split.uses[0], bool(data.split.order)) if data.split.uses else None
        return Divider(data.split, len(self.main.lines), self.seed, labels, keys)

    def prepared(self, parts: "dict[str, NDArray[np.int64]]") -> Prepared:
        """Fit the transforms on the training rows and apply them to all."""
        from nnkit.frames.table import take

        data = self.data
        features = self._features()
        targets = [self.main.frame[name] for name in data.targets]
        state = learn(targets, self.task, data.positive, data.target_transform, parts["train"])
        fitted, trained = self._fit({name: self.main.frame[name].take(parts["train"]) for name in features})
        chosen = choose_features(trained, data.inputs)
        _check_numbers(trained, chosen)
        known = self._known(fitted, trained, chosen, state)
        pipeline = Pipeline(known)
        made: dict[str, Dataset | None] = dict.fromkeys(PARTS)
        for part, rows in parts.items():
            lines = [self.main.lines[row] for row in rows.tolist()]
            table = Table(take(self.main.frame, rows), lines, self.main.title)
            made[part] = self._dataset(table, rows, pipeline)
        hashes = data.source.hashes()
        for part, source in self._sources().items():
            table = self.table(source, read(source))
            import numpy as np

            made[part] = self._dataset(table, np.arange(len(table.lines)), pipeline)
            hashes |= source.hashes()
        assert made["train"] is not None  # noqa: S101 - a split without training rows raises
        return Prepared(made["train"], made["validation"], made["test"], pipeline, hashes)

    def _sources(self) -> dict[str, Source]:
        """Return the sources of parts that have one of their own."""
        parts = {part: getattr(self.data.split, part) for part in ("validation", "test")}
        return {part: source for part, source in parts.items() if isinstance(source, Source)}

    def _features(self) -> list[str]:
        data = self.data
        others = {*data.targets, *data.drop, *data.split.uses, data.weight}
        return [name for name in self.main.frame if name not in others]

    def _fit(self, frame: "Frame") -> "tuple[list[Fitted], Frame]":
        """Fit each transform on what those before it give; returns them and what the last gives."""
        fitted = []
        notes = Notes(on_unseen="ignore")
        for index, transform in enumerate(self.data.transforms):
            try:
                states = transform.fit(frame, ("data", "transforms", index))
            except DataError as error:
                raise DataError(f"{self.main.title}: {transform.type_name}: {error}") from None
            fitted.append(Fitted(transform=transform, states=states))
            frame = transform.apply(frame, states, notes)
        return fitted, frame

    def _known(
        self, fitted: list[Fitted], frame: "Frame", features: dict[str, list[str]], target: TargetState
    ) -> Known:
        used = {frame[name].source for names in features.values() for name in names}
        return Known(
            source=self.data.source,
            columns={name: self.kinds[name] for name in self._features() if name in used},
            transforms=fitted,
            features=features,
            shapes={name: [axis or 0 for axis in shape] for name, shape in shapes(frame, features).items()},
            target=target,
            target_kinds={name: self.kinds[name] for name in self.data.targets},
            weight=self.data.weight,
            on_unseen=self.data.on_unseen,
        )

    def _dataset(self, table: Table, rows: "NDArray[np.int64]", pipeline: Pipeline) -> Dataset:
        """Return the arrays of some rows; raises ``DataError`` for rows that cannot be used."""
        known, frame = pipeline.known, table.frame
        notes = Notes(known.on_unseen)
        changed = pipeline.transformed({name: frame[name] for name in known.columns}, notes)
        for row, reason in incomplete(changed, known.features).items():
            notes.refused.setdefault(row, f"{reason}; fill it by the transform impute, or drop the column")
        encoded = encode([frame[name] for name in self.data.targets], known.target)
        _refuse(table, notes.refused | encoded.bad)
        pipeline.unseen += notes.unseen
        weights = None if self.data.weight is None else frame[self.data.weight].values
        _check_weights(weights, self.data.weight, table)
        inputs = {
            name: input_array([changed[column] for column in columns]) for name, columns in known.features.items()
        }
        return Dataset(inputs, rows, encoded.truth, encoded.targets, weights)


def read(source: Source) -> "Raw":
    """Return all rows of a source; raises ``DataError`` where some could not be read, or there are none."""
    from nnkit.frames.table import join

    raw = join(source.chunks())
    if raw.bad:
        shown = "\n".join(f"{source.title}:{bad.line}: {bad.reason}" for bad in raw.bad[:SHOWN])
        more = f"\nand {len(raw.bad) - SHOWN} more rows" if len(raw.bad) > SHOWN else ""
        raise DataError(shown + more)
    if not len(raw):
        raise DataError(f"{source.title}: has no rows, only the names of the columns; training needs some")
    return raw


def _check_columns(data: Data, raw: "Raw") -> None:
    """Raise ``SpecError`` for every column that the spec names and the source lacks."""
    problems: list[Problem] = []
    named: list[tuple[Path, str]] = [(("data", "drop", index), name) for index, name in enumerate(data.drop)]
    if isinstance(data.target, str):
        named.append((("data", "target"), data.target))
    else:
        named += [(("data", "target", index), name) for index, name in enumerate(data.target)]
    named += [(("data", "types", name), name) for name in data.types]
    named += [(("data", "weight"), data.weight)] if data.weight else []
    for option in ("group", "column", "order"):
        value = getattr(data.split, option)
        named += [(("data", "split", option), value)] if isinstance(value, str) else []
    hint = "; is the source's delimiter right?" if len(raw.cells) == 1 else ""
    for path, name in named:
        if name not in raw.cells:
            listed = ", ".join(list(raw.cells)[:40])
            message = f"{data.source.title} has no column {name!r}{nearest(name, raw.cells)} It has: {listed}{hint}"
            problems.append(Problem(path, message))
    if problems:
        raise SpecError(problems)


def infer_kinds(data: Data, raw: "Raw") -> dict[str, Any]:
    """Return the kind of each column: declared, or what all its cells are; columns that are dropped are left out."""
    from nnkit.frames.kinds import infer

    spelling = data.source.spelling()
    kept = [name for name in raw.cells if name not in data.drop]
    kinds: dict[str, Any] = {name: data.types.get(name) or infer(raw.cells[name], spelling) for name in kept}
    if data.weight:
        kinds[data.weight] = "number"
    return kinds


def _check_text(data: Data, frame: "Frame") -> None:
    """Raise ``SpecError`` naming all columns of text that no transform takes and nobody declared."""
    others = {*data.targets, *data.split.uses}
    consumed = {name for transform in data.transforms if transform.consumes_text for name in transform.columns or []}
    if any(transform.type_name == "select" for transform in data.transforms):
        return
    left = [name for name, column in frame.items() if column.is_text and name not in others | consumed]
    if data.inputs is not None:
        wanted = {name for names in data.inputs.values() for name in names}
        left = [name for name in left if name in wanted]
    if left:
        listed = ", ".join(left)
        message = f"{listed} hold text that no transform takes: encode them, as by one_hot, or name them in data.drop"
        raise SpecError([Problem(("data", "transforms"), message)])


def _check_numbers(frame: "Frame", features: dict[str, list[str]]) -> None:
    texts = dict.fromkeys(name for names in features.values() for name in names if frame[name].is_text)
    if texts:
        message = f"{', '.join(texts)} still hold text after the transforms; encode them, as by one_hot, or drop them"
        raise SpecError([Problem(("data", "transforms"), message)])


def _keys(frame: "Frame", name: str, times: bool) -> list[Any]:
    """Return what a split sorts or groups by: numbers, dates as times, or text."""
    column = frame[name]
    if not (times and column.is_text):
        return list(column.values.tolist())
    import pandas as pd

    try:
        return [stamp.value for stamp in pd.to_datetime(pd.Series(column.values), format="mixed", utc=True)]
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"the column {name} is neither numbers nor dates, so it gives no order ({error})") from error


def _check_weights(weights: Any, name: str | None, table: Table) -> None:
    if weights is None:
        return
    import numpy as np

    wrong = np.flatnonzero(~(weights >= 0)).tolist()
    _refuse(table, dict.fromkeys(wrong, f"the weight {name} is missing or negative"))


def _refuse(table: Table, refused: dict[int, str]) -> None:
    """Raise ``DataError`` with the first rows that cannot be used."""
    if not refused:
        return
    rows: Sequence[int] = sorted(refused)
    shown = [f"{table.title}:{table.lines[row]}: {refused[row]}" for row in rows[:SHOWN]]
    more = [f"and {len(rows) - SHOWN} more rows"] if len(rows) > SHOWN else []
    raise DataError("\n".join([*shown, *more]))
