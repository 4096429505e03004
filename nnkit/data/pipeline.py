"""The pipeline: all that a run knows of its data, and what makes arrays of fresh rows by it."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import ValidationError

from nnkit.data import naive
from nnkit.data.chunk import Chunk, rejected_of
from nnkit.data.dataset import Dataset, check_shapes, incomplete, input_array, shapes, unusable
from nnkit.data.known import Kind, Known
from nnkit.data.sources.text import TEXT, TextFile
from nnkit.data.tags import tags_words, word_marks
from nnkit.data.target import encode, node_classes, restored, strange_nodes
from nnkit.data.transforms.base import Notes
from nnkit.data.transforms.tokens import UNKNOWN, Tokenizer, Vocabulary
from nnkit.errors import DataError, RunError, SpecError, UsageError
from nnkit.metrics.entities import Sentences
from nnkit.metrics.yardstick import Yardstick
from nnkit.predictions import Layout, Predictions
from nnkit.shapes import Shape
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import Frame, Raw

NO_ROWS = (
    "a language model has no rows: nnkit generate RUN --prompt TEXT goes on with a text, nnkit evaluate RUN FILE says "
    "how well the model foretells one, nnkit trace RUN --input text=TEXT shows what it computes"
)


@dataclass
class Pipeline:
    """The fitted transforms, the kinds of columns and the labels of a run."""

    known: Known
    unseen: Counter[str] = field(default_factory=Counter)
    """Cells so far, by column, whose category no training row has."""

    @property
    def task(self) -> Task:
        """What the network is asked for."""
        return self.known.target.task

    @property
    def classes(self) -> list[str]:
        """Labels in the model's order; the target columns in multilabel; nothing in regression.

        Of a language model the tokens, after what stands for one that is not in the vocabulary.
        """
        if self.task == "next":
            return [UNKNOWN, *self.vocabulary.tokens]
        return list(self.known.target.classes)

    def sentences(self, lengths: "NDArray[np.int64]") -> Sentences | None:
        """Return what is to be known of sentences with so many words each where words have tags, else None."""
        if self.task != "tagging":
            return None
        return Sentences(lengths, self.classes, self.known.source.tag_scheme)

    @property
    def tokenizer(self) -> Tokenizer:
        """What cuts the text of a language model into tokens."""
        tokenizer = self.known.transforms[0].transform
        assert isinstance(tokenizer, Tokenizer)  # noqa: S101 - the pipeline was checked
        return tokenizer

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens of a language model."""
        [state] = self.known.transforms[0].states.values()
        assert isinstance(state, Vocabulary)  # noqa: S101 - the pipeline was checked
        return state

    def numbers(self, text: str) -> "NDArray[np.int32]":
        """Return the numbers of a text's tokens, as a language model takes them; 0 is not in the vocabulary."""
        tokenizer = self.tokenizer
        return tokenizer.numberer(self.vocabulary)(tokenizer.cut(text))

    @property
    def targets(self) -> list[str]:
        """The target columns; of a forecast each by step, as ``OT+1``."""
        return list(self.known.target.columns)

    @property
    def layout(self) -> Layout:
        """What the predictions of the run are of."""
        windows = self.known.windows
        if windows is None:
            marks = ["step", "word"] if self.task == "tagging" else []
            return Layout(self.task, self.classes, self.targets, self.quantiles, marks)
        marks = [name for name in ("series", "time") if getattr(windows.options, name)]
        return Layout(self.task, self.classes, self.targets, self.quantiles, marks, list(windows.options.seasons))

    def yardstick(self, predictions: Predictions) -> Yardstick | None:
        """Return what forecasts are measured against; None of predictions that are none."""
        known = self.known.windows
        if known is None:
            return None
        series = predictions.marks.get("series", [""] * len(predictions.rows))
        return naive.yardstick(known, series, predictions.naive)

    @property
    def quantiles(self) -> list[float]:
        """The quantiles that outputs give of each target, nothing where each is one number."""
        return list(self.known.target.quantiles)

    @property
    def input_shapes(self) -> dict[str, Shape]:
        """The shape of a row of each input."""
        return {name: tuple(axis or None for axis in shape) for name, shape in self.known.shapes.items()}

    @property
    def vocabularies(self) -> dict[str, int]:
        """The number of tokens that each input of tokens may have."""
        return {name: len(tokens) + 1 for name, tokens in self.tokens.items()}

    @property
    def tokens(self) -> dict[str, list[str]]:
        """The tokens of each input of tokens, in the order of their numbers from 1 on."""
        tokens = {
            fitted.transform.made(column): state.tokens
            for fitted in self.known.transforms
            for column, state in fitted.states.items()
            if isinstance(state, Vocabulary)
        }
        return {name: tokens[first] for name, [first, *_] in self.known.features.items() if first in tokens}

    @property
    def tree_input(self) -> str | None:
        """The input that is trees, if there is one."""
        trees = (name for name, columns in self.known.features.items() if self.known.columns.get(columns[0]) == "tree")
        return next(trees, None)

    @property
    def feature_names(self) -> dict[str, list[str]]:
        """The columns of each input."""
        return {name: list(columns) for name, columns in self.known.features.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the pipeline as plain values."""
        return self.known.model_dump(mode="json")

    @classmethod
    def from_json(cls, value: Any) -> "Pipeline":
        """Make a pipeline of plain values; raises ``RunError`` for anything that is not one."""
        try:
            known = Known.model_validate(value)
        except (ValidationError, RecursionError) as error:
            raise RunError(
                f"pipeline.json: not the pipeline of a run ({_first(error)}); copy the run folder again"
            ) from error
        pipeline = cls(known)
        if not pipeline._is_whole():
            raise RunError(
                "pipeline.json: its columns, inputs and shapes do not fit together; copy the run folder again"
            )
        return pipeline

    def _is_whole(self) -> bool:
        """Tell whether no row at all goes through the pipeline to the inputs that it promises."""
        known = self.known
        if known.target_kinds.keys() != set(known.sources) or not self._has_windows():
            return False
        if known.target.task == "next" and not _reads_on(known):
            return False
        if known.target.task == "tagging" and not tags_words(known):
            return False
        if any(len(set(names)) < len(names) for names in known.features.values()):
            return False
        cell_shapes = self.cell_shapes()
        axes = {"array": range(1, 9), "image": range(3, 4), "audio": range(2, 3)}
        if any(kind in axes and len(cell_shapes[name]) not in axes[kind] for name, kind in known.columns.items()):
            return False
        try:
            frame = self.transformed(self.empty(), Notes(known.on_unseen))
            used = [frame[name] for names in known.features.values() for name in names]
            texts = [column for column in used if column.is_text or column.is_list]
            return not texts and self._windowed(shapes(frame, known.features)) == self.input_shapes
        except (DataError, SpecError, LookupError, TypeError, ValueError):
            return False

    def _windowed(self, rows: Mapping[str, Shape]) -> dict[str, Shape]:
        """Return the shapes of inputs, of which a window has several rows."""
        before = (self.known.windows.options.length,) if self.known.windows else ()
        return {name: (*before, *shape) for name, shape in rows.items()}

    def _has_windows(self) -> bool:
        """Tell whether what is known of windows fits the targets."""
        known, windows = self.known, self.known.windows
        if windows is None:
            return True
        whole = known.target.task == "regression" and windows.options.names(windows.targets) == known.target.columns
        return whole and windows.is_whole()

    def only(self, inputs: Collection[str]) -> Known:
        """Return what is known of some of the inputs, and of the columns that they are made from."""
        known = self.known
        features = {name: columns for name, columns in known.features.items() if name in inputs}
        frame = self.transformed(self.empty(), Notes(known.on_unseen))
        used = {frame[column].source for columns in features.values() for column in columns}
        columns = {name: kind for name, kind in known.columns.items() if name in used}
        shapes = {name: shape for name, shape in known.shapes.items() if name in features}
        return known.model_copy(update={"features": features, "columns": columns, "shapes": shapes})

    def empty(self) -> "Frame":
        """Return the columns before the transforms, with no rows in them."""
        from nnkit.frames.table import Raw

        return self.typed(Raw(self._no_rows(), []), self.known.columns, Notes(self.known.on_unseen))

    def _no_rows(self) -> dict[str, Any]:
        """Return the columns of fresh rows with no rows in them."""
        import numpy as np

        from nnkit.frames.sounds import no_samples

        cell_shapes, kinds = self.cell_shapes(), self.known.columns
        pixels = {name: np.uint8 if kind == "image" else np.float32 for name, kind in kinds.items()}
        arrays: dict[str, Any] = {
            name: np.empty((0, *(axis or 0 for axis in shape)), pixels[name]) if shape else []
            for name, shape in cell_shapes.items()
        }
        return arrays | {name: no_samples() for name, kind in kinds.items() if kind == "audio"}

    def cell_shapes(self) -> dict[str, Shape]:
        """Return the shape of each column's cells, ``()`` for single values: what has axes is an input by itself."""
        known = self.known
        arrays = {
            names[0]: self.input_shapes.get(name, ())
            for name, names in known.features.items()
            if len(names) == 1 and known.columns.get(names[0]) in ("array", "image", "audio")
        }
        return {name: arrays.get(name, ()) for name in known.columns}

    def restore_target(self, outputs: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return outputs in the target's own units."""
        return restored(outputs, self.known.target)

    def transformed(self, frame: "Frame", notes: Notes) -> "Frame":
        """Apply the transforms to typed columns."""
        for fitted in self.known.transforms:
            frame = fitted.transform.apply(frame, fitted.states, notes)
        return frame

    def stream(
        self,
        origin: Path | BinaryIO | None,
        *,
        format: str | None = None,  # noqa: A002 - the word of the command line
        columns: list[str] | None = None,
        chunk_rows: int = 16384,
        need_target: bool = False,
    ) -> Iterator[Chunk]:
        """Yield fresh rows in chunks of at most ``chunk_rows``, one chunk at least, in constant memory.

        ``origin`` is a file, an open stream, or None for the rows that the run was made of; ``columns`` names the
        columns of a file without a header. Raises ``DataError`` for what is no table, or lacks columns.
        """
        parts, name = self.parts(origin, format=format, columns=columns, chunk_rows=chunk_rows, need_target=need_target)
        if self.known.windows is not None:
            from nnkit.data.history import rolled
            from nnkit.frames.table import join

            yield rolled(self, join(parts), name)
            return
        rows = 0
        for part in parts:
            yield self._chunk(part, rows, need_target)
            rows += len(part)

    def parts(
        self,
        origin: Path | BinaryIO | None,
        *,
        format: str | None,  # noqa: A002 - the word of the command line
        columns: list[str] | None,
        chunk_rows: int,
        need_target: bool,
    ) -> "tuple[Iterator[Raw], str]":
        """Return fresh rows as they are read, with the columns that the model needs, and what messages call them."""
        from nnkit.data.fresh import open_source

        if self.task == "next":
            raise UsageError(NO_ROWS)
        cell_shapes, known_kinds = self.cell_shapes(), self.known.columns
        pictures = {name: shape for name, shape in cell_shapes.items() if known_kinds[name] == "image"}
        parts, name = open_source(self.known.source, origin, format, columns, chunk_rows, need_target, pictures)
        return self._checked(parts, name, chunk_rows, need_target), name

    def _checked(self, parts: "Iterator[Raw]", name: str, chunk_rows: int, need_target: bool) -> "Iterator[Raw]":
        """Yield parts with the columns that the model needs; raises ``DataError`` for others."""
        cell_shapes, known_kinds, rows = self.cell_shapes(), self.known.columns, 0
        found: dict[str, None] = {}
        for part in parts:
            found.update(dict.fromkeys(part.cells))
            if part.complete or len(part) + len(part.bad) < chunk_rows:
                self._check_columns(found, name, need_target, "; is the delimiter right?" if part.complete else "")
            check_shapes(part, cell_shapes, known_kinds, name)
            yield part
            rows += len(part)
        if rows:
            self._check_columns(found, name, need_target)

    def rows(self, part: "Raw", need_target: bool) -> Chunk:
        """Return rows that are in memory; raises ``DataError`` where the cells of a column have another shape."""
        check_shapes(part, self.cell_shapes(), self.known.columns, self.known.source.title)
        return self._chunk(part, 0, need_target)

    def _check_columns(self, found: Collection[str], name: str, need_target: bool, doubt: str = "") -> None:
        """Raise ``DataError`` naming all columns that the model needs and no row has; nothing has none at all."""
        known = self.known
        needed = [*known.columns, *(known.windows.kinds if known.windows else [])]
        if need_target:
            needed += [*([] if self.task == "unlabelled" else known.sources), *([known.weight] if known.weight else [])]
        missing = [column for column in needed if column not in found]
        if missing and found:
            hint = doubt if len(found) == 1 else ""
            raise DataError(f"{name}: lacks the columns {', '.join(missing)}; it has: {', '.join(found):.500}{hint}")

    def _chunk(self, part: "Raw", start: int, need_target: bool) -> Chunk:
        import numpy as np

        from nnkit.frames.table import take

        notes = Notes(self.known.on_unseen)
        frame = self.typed(part, self.known.columns, notes)
        changed = self.transformed(frame, notes)
        for row, reason in incomplete(changed, self.known.features).items():
            notes.refused.setdefault(row, reason)
        truth, targets = self._targets(part, notes, need_target)
        if need_target:
            notes.refused |= strange_nodes(changed, self.known.features, self.known.target) | notes.refused
        weights = self._weights(part, notes) if need_target and self.known.weight else None
        keep = np.delete(np.arange(len(part)), list(notes.refused))
        features = self.known.features.items()
        if notes.refused:
            changed = take(changed, keep)
            truth, targets, weights = (None if rows is None else rows[keep] for rows in (truth, targets, weights))
        inputs = {name: input_array([changed[column] for column in columns]) for name, columns in features}
        self.unseen += notes.unseen
        nodes = node_classes(inputs, self.known.target) if need_target else None
        marks = word_marks(frame, keep) if need_target and self.task == "tagging" else {}
        dataset = Dataset(inputs, keep + start, truth, targets, weights, nodes=nodes, marks=marks)
        return Chunk(dataset, rejected_of(part, notes.refused), part, keep)

    def typed(self, part: "Raw", kinds: Mapping[str, Kind], notes: Notes) -> "Frame":
        """Return columns of the kinds that they have; cells that are not of their kind are refused in ``notes``."""
        from nnkit.frames.kinds import typed
        from nnkit.frames.table import Column

        frame: Frame = {}
        spelling = self.known.source.spelling()
        for name, kind in kinds.items():
            result = typed(part.cells.get(name, [None] * len(part)), kind, spelling)
            for row, reason in result.bad.items():
                notes.refused.setdefault(row, f"{name}: {reason}")
            frame[name] = Column(result.values, name)
        return frame

    def _targets(self, part: "Raw", notes: Notes, needed: bool) -> "tuple[Any, Any]":
        """Return truth and targets, or None for both where they are not asked for."""
        if not needed or (self.task == "unlabelled" and not set(self.known.sources) <= part.cells.keys()):
            return None, None
        columns = self.typed(part, self.known.target_kinds, notes)
        encoded = encode([columns[name] for name in self.known.sources], self.known.target)
        for row, reason in encoded.bad.items():
            notes.refused.setdefault(row, reason)
        return encoded.truth, encoded.targets

    def _weights(self, part: "Raw", notes: Notes) -> "NDArray[np.float64]":
        assert self.known.weight is not None  # noqa: S101 - the caller looked
        weights: NDArray[np.float64] = self.typed(part, {self.known.weight: "number"}, notes)[self.known.weight].values
        for row, reason in unusable(weights, self.known.weight).items():
            notes.refused.setdefault(row, reason)
        return weights


def _reads_on(known: Known) -> bool:
    """Tell whether the pipeline is one of a language model: a text, cut into tokens of one vocabulary."""
    if not isinstance(known.source, TextFile) or len(known.transforms) != 1:
        return False
    [fitted] = known.transforms
    whole = isinstance(fitted.transform, Tokenizer) and list(fitted.states) == [TEXT]
    return whole and known.features == {"input": [TEXT]} and known.columns == {TEXT: "category"}


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "nested too deep"
    details = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, details['loc']))}: {details['msg']}"[:300]
