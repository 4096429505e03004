"""Preparing: from the spec's `data` to arrays for training, validation and test, and the pipeline that made them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnkit.data.augmentations import Augmentation
from nnkit.data.columns import check_columns, check_numbers, check_text, infer_kinds, rows_where
from nnkit.data.dataset import (
    MISSING,
    Dataset,
    check_shapes,
    choose_features,
    incomplete,
    input_array,
    refuse,
    shape_of,
    shapes,
    unusable,
)
from nnkit.data.inherit import inherited_kinds
from nnkit.data.known import Fitted, Known
from nnkit.data.pipeline import Pipeline
from nnkit.data.sources import Source
from nnkit.data.spec import Data
from nnkit.data.split import Divider
from nnkit.data.tags import check_tags, has_tags, misfits, word_marks
from nnkit.data.target import TargetState, encode, learn, missing, node_classes, strange_nodes
from nnkit.data.transforms.base import Notes
from nnkit.data.transforms.encode import labels
from nnkit.data.windows import Windowed
from nnkit.errors import DataError, Problem, SpecError
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.running import TextPreparation
    from nnkit.frames.table import Frame, Raw

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Prepared:
    """Rows for training, validation and test, the pipeline, the SHA-256 of each file, and what a person should know.

    ``augment`` is what happens to pictures of the training rows, anew whenever they are used.
    """

    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    pipeline: Pipeline
    hashes: dict[str, str]
    augment: Sequence[Augmentation] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """The typed columns of one source, and the lines of its rows."""

    frame: "Frame"
    lines: Sequence[int]
    title: str


def prepare(
    data: Data,
    task_of: Callable[[int], Task],
    seed: int,
    inherited: Known | None = None,
    quantiles: Sequence[float] = (),
) -> Prepared:
    """Read, divide and transform the rows; ``task_of`` says what so many targets mean.

    ``inherited`` is what an earlier run knows of its inputs; its fitted transforms are then used, and none is fitted.
    ``quantiles`` are those that the network gives of each target.
    Raises ``SpecError`` for what the spec says of columns that are not there, ``DataError`` for the data itself.
    """
    return preparation(data, task_of, inherited, quantiles).once(seed)


def prepare_folds(
    data: Data,
    task_of: Callable[[int], Task],
    seed: int,
    inherited: Known | None = None,
    quantiles: Sequence[float] = (),
) -> Iterator[Prepared]:
    """Yield the rows once for each fold of ``data.split.folds``, each with a pipeline of its own."""
    return preparation(data, task_of, inherited, quantiles).folds(seed)


def preparation(
    data: Data, task_of: Callable[[int], Task], inherited: Known | None = None, quantiles: Sequence[float] = ()
) -> "Preparation | TextPreparation":
    """Return what prepares the rows of a spec, its windows of rows, or its text; raises as ``prepare`` does."""
    if data.is_text:
        from nnkit.data.running import TextPreparation

        return TextPreparation(data, task_of, inherited)
    if data.windows is None:
        return Preparation(data, task_of, inherited, quantiles)
    from nnkit.data.windowing import Windowing

    return Windowing(data, task_of, inherited, quantiles)


class Preparation:
    """The rows of the main source, read and typed once, to be divided by any seed; raises as ``prepare`` does."""

    def __init__(
        self,
        data: Data,
        task_of: Callable[[int], Task],
        inherited: Known | None = None,
        quantiles: Sequence[float] = (),
    ) -> None:
        self.data = data
        self.inherited = inherited
        self.quantiles = quantiles
        self.task = task_of(len(data.targets) * (data.windows.horizon if data.windows else 1))
        self.check()
        raw = read(data.source)
        self.hashes, self.notes = hashes_of(data.source, raw), raw.notes
        self._others: dict[str, Raw] = {}
        check_columns(data, raw)
        raw, self.numbers = rows_where(raw, data.where, data.source.title)
        if has_tags(data, raw):
            check_tags(data, self.task)
            self.task = "tagging"
        self.kinds = infer_kinds(data, raw, self.task)
        if inherited is not None:
            self.kinds = inherited_kinds(data, inherited, raw, self.kinds)
        self.shapes = {name: shape_of(raw.cells[name]) for name in self.kinds}
        self.main = self.table(data.source, raw)
        if inherited is None:
            check_text(data, self.main.frame)
        if self.task != "unlabelled":
            with about(self.main.title):
                gaps = missing([self.main.frame[name] for name in data.targets])
            _refuse(self.main, gaps)
        if self.task == "tagging":
            tags = self.main.frame[data.targets[0]]
            _refuse(self.main, misfits(tags, data.source.tag_scheme, self.main.lines))

    def check(self) -> None:
        """Raise ``SpecError`` for what is wrong whatever the rows are."""

    def once(self, seed: int) -> Prepared:
        """Divide the rows by ``seed`` and transform them."""
        divider = self._divider(seed)
        with about(self.main.title):
            parts = divider.parts()
        return self._prepared(parts)

    def folds(self, seed: int) -> Iterator[Prepared]:
        """Yield the rows once for each fold."""
        divider = self._divider(seed)
        with about(self.main.title):
            folds = list(divider.folds())
        for parts in folds:
            yield self._prepared(parts)

    def table(self, source: Source, raw: "Raw") -> Table:
        """Return typed columns; raises ``DataError`` for cells that are not of their column's kind."""
        from nnkit.frames.kinds import typed
        from nnkit.frames.table import Column

        frame: Frame = {}
        refused: dict[int, str] = {}
        lacking = [name for name in self.kinds if name not in raw.cells and name not in self.data.uses]
        if lacking:
            raise DataError(f"{source.title}: lacks the columns {', '.join(lacking)}")
        check_shapes(raw, self.shapes, self.kinds, source.title)
        for name, kind in self.kinds.items():
            if name not in raw.cells:
                continue
            result = typed(raw.cells[name], kind, source.spelling())
            frame[name] = Column(result.values, name)
            for row, reason in result.bad.items():
                refused.setdefault(row, f"{name}: {reason}")
        table = Table(frame, raw.lines, source.title)
        _refuse(table, refused)
        return table

    def _divider(self, seed: int) -> Divider:
        """Return what divides the main source's rows."""
        data, frame = self.data, self.main.frame
        classes = None
        if data.split.by_class:
            option = "stratify" if data.split.stratify else "train_per_class"
            if len(data.targets) != 1:
                found = "several" if data.targets else "none"
                raise SpecError([Problem(("data", "split", option), f"needs one target column, found {found}")])
            classes = labels(frame[data.targets[0]]).tolist()
        keys = None
        if data.split.uses:
            name = data.split.uses[0]
            keys = frame[name].values.tolist()
            gaps = [row for row, key in enumerate(keys) if key is None or key != key]
            _refuse(self.main, dict.fromkeys(gaps, f"{name} missing, by which the rows are split"))
            if data.split.order and frame[name].is_text:
                from nnkit.frames.times import times

                keys = times(keys, f"{self.main.title}: {name}")
        return Divider(data.split, len(self.main.lines), seed, classes, keys)

    def _prepared(self, parts: "dict[str, NDArray[np.int64]]") -> Prepared:
        """Fit the transforms on the training rows and apply them to all."""
        from nnkit.frames.table import take

        data = self.data
        features = self._features()
        targets = [self.main.frame[name] for name in data.targets]
        with about(self.main.title):
            labels_inside = [label for name in features for label in self.main.frame[name].labels_inside]
            state = learn(
                targets,
                self.task,
                data.positive,
                data.target_transform,
                parts["train"],
                labels_inside,
                self.quantiles,
            )
        fitted, trained = self._fit({name: self.main.frame[name].take(parts["train"]) for name in features})
        chosen = self.inherited.features if self.inherited else choose_features(trained, data.inputs)
        check_numbers(trained, chosen)
        known = self._known(fitted, trained, chosen, state, rows=len(parts["train"]))
        pipeline = Pipeline(known)
        made: dict[str, Dataset | None] = dict.fromkeys(PARTS)
        hashes, notes = dict(self.hashes), list(self.notes)
        for part, rows in parts.items():
            lines = [self.main.lines[row] for row in rows.tolist()]
            table = Table(take(self.main.frame, rows), lines, self.main.title)
            made[part] = self._dataset(table, self.numbers[rows], pipeline)
        for part, source in self._sources().items():
            whole = self._other(part, source)
            raw, numbers = rows_where(whole, data.where, source.title)
            made[part] = self._dataset(self.table(source, raw), numbers, pipeline)
            hashes |= hashes_of(source, whole)
            notes += whole.notes
        assert made["train"] is not None  # noqa: S101 - a split without training rows raises
        return Prepared(made["train"], made["validation"], made["test"], pipeline, hashes, data.augment, notes)

    def _other(self, part: str, source: Source) -> "Raw":
        """Return the rows of a part's own source, which is read once."""
        if part not in self._others:
            self._others[part] = read(source)
        return self._others[part]

    def _sources(self) -> dict[str, Source]:
        """Return the sources of parts that have one of their own."""
        parts = {part: getattr(self.data.split, part) for part in ("validation", "test")}
        return {part: source for part, source in parts.items() if isinstance(source, Source)}

    def _features(self) -> list[str]:
        data = self.data
        if self.inherited is not None:
            return list(self.inherited.columns)
        others = {*data.drop, *data.uses, data.weight, *(() if data.windows else data.targets)}
        return [name for name in self.main.frame if name not in others]

    def _fit(self, frame: "Frame") -> "tuple[list[Fitted], Frame]":
        """Fit each transform on what those before it give; returns them and what the last gives.

        Inherited ones are fitted already.
        """
        notes = Notes(on_unseen="ignore")
        if self.inherited is not None:
            with about(self.main.title):
                return self.inherited.transforms, Pipeline(self.inherited).transformed(frame, notes)
        fitted = []
        for index, transform in enumerate(self.data.transforms):
            with about(f"{self.main.title}: {transform.type_name}"):
                states = transform.fit(frame, ("data", "transforms", index))
                frame = transform.apply(frame, states, notes)
            fitted.append(Fitted(transform=transform, states=states))
        return fitted, frame

    def _known(
        self,
        fitted: list[Fitted],
        frame: "Frame",
        features: dict[str, list[str]],
        target: TargetState,
        windows: Windowed | None = None,
        rows: int = 0,
    ) -> Known:
        used = {frame[name].source for names in features.values() for name in names}
        before = [] if windows is None else [windows.options.length]
        return Known(
            source=self.data.source,
            columns={name: self.kinds[name] for name in self._features() if name in used},
            transforms=fitted,
            features=features,
            shapes={name: [*before, *(axis or 0 for axis in shape)] for name, shape in shapes(frame, features).items()},
            target=target,
            target_kinds={name: self.kinds[name] for name in self.data.targets},
            weight=self.data.weight,
            rows=rows,
            on_unseen=self.data.on_unseen,
            windows=windows,
        )

    def _dataset(self, table: Table, rows: "NDArray[np.int64]", pipeline: Pipeline) -> Dataset:
        """Return the arrays of some rows; raises ``DataError`` for rows that cannot be used."""
        known, frame = pipeline.known, table.frame
        notes = Notes(known.on_unseen)
        changed = pipeline.transformed({name: frame[name] for name in known.columns}, notes)
        for row, reason in with_hints(incomplete(changed, known.features)).items():
            notes.refused.setdefault(row, reason)
        encoded = encode([frame[name] for name in self.data.targets], known.target)
        _refuse(table, notes.refused | encoded.bad | strange_nodes(changed, known.features, known.target))
        pipeline.unseen += notes.unseen
        weights = None if self.data.weight is None else frame[self.data.weight].values
        _check_weights(weights, self.data.weight, table)
        inputs = {
            name: input_array([changed[column] for column in columns]) for name, columns in known.features.items()
        }
        nodes, marks = node_classes(inputs, known.target), {}
        if self.task == "tagging":
            marks = word_marks({name: frame[name] for name in known.columns}, slice(None))
        return Dataset(inputs, rows, encoded.truth, encoded.targets, weights, nodes=nodes, marks=marks)


def with_hints(faults: Mapping[int, str]) -> dict[int, str]:
    """Add to what is missing in rows how it can be filled."""
    way_out = "; fill it by the transform impute, or drop the column"
    return {row: reason + (way_out if reason.endswith(MISSING) else "") for row, reason in faults.items()}


def read(source: Source) -> "Raw":
    """Return all rows of a source; raises ``DataError`` where some could not be read, or there are none."""
    from nnkit.frames.table import listing

    raw = source.whole()
    if raw.bad:
        raise DataError("\n".join(listing(raw.bad, source.title)))
    if not len(raw):
        raise DataError(f"{source.title}: has no rows, only the names of the columns; training needs some")
    return raw


def hashes_of(source: Source, raw: "Raw") -> dict[str, str]:
    """Return the SHA-256 of each file that rows come from: found while they were read, or else now."""
    return source.hashes() if raw.hashes is None else raw.hashes


@contextmanager
def about(title: str) -> Iterator[None]:
    """Begin the message of a ``DataError`` with what it is about."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{title}: {error}") from None


def _check_weights(weights: Any, name: str | None, table: Table) -> None:
    if weights is None or name is None:
        return
    _refuse(table, unusable(weights, name))


def _refuse(table: Table, refused: dict[int, str]) -> None:
    """Raise ``DataError`` with the first rows that cannot be used."""
    refuse(refused, table.lines, table.title)
