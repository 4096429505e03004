"""The pipeline: all that a run knows of its data, and what makes arrays of fresh rows by it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, Self

from pydantic import Field, ValidationError, model_validator

from nnkit.config.piece import Options
from nnkit.data.dataset import Dataset, incomplete, input_array
from nnkit.data.sources import SourceChoice
from nnkit.data.target import TargetState, encode, restored
from nnkit.data.transforms import TransformChoice
from nnkit.data.transforms.base import Notes, OnUnseen, State
from nnkit.errors import DataError, RunError
from nnkit.shapes import Shape
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import Frame, Raw

MAX_COLUMNS = 1_000_000

Kind = Literal["number", "category", "boolean", "array"]


class Fitted(Options):
    """A transform with what it learned of each column."""

    transform: TransformChoice
    states: dict[str, Any] = Field(max_length=MAX_COLUMNS)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        for name, state in self.states.items():
            if not isinstance(state, State):
                self.states[name] = self.transform.state.model_validate(state)
        return self


class Known(Options):
    """What pipeline.json holds."""

    source: SourceChoice
    columns: dict[str, Kind] = Field(max_length=MAX_COLUMNS)
    """The columns that fresh rows must have, and their kinds."""
    transforms: list[Fitted] = Field(max_length=1000)
    features: dict[str, list[str]] = Field(min_length=1, max_length=1000)
    """Columns after the transforms, by input."""
    shapes: dict[str, Annotated[list[int], Field(max_length=8)]]
    target: TargetState
    target_kinds: dict[str, Kind]
    weight: str | None = None
    on_unseen: OnUnseen = "ignore"


@dataclass(frozen=True)
class Rejected:
    """A row that cannot be used: its line (from 1) in the file, why, and its text."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Chunk:
    """Some fresh rows: those that can be used, those that cannot, and the raw cells of the former by column."""

    dataset: Dataset
    rejected: list[Rejected]
    raw: dict[str, list[Any]]


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
        """Labels in the model's order; the target columns in multilabel; nothing in regression."""
        return list(self.known.target.classes)

    @property
    def targets(self) -> list[str]:
        """The target columns."""
        return list(self.known.target.columns)

    @property
    def input_shapes(self) -> dict[str, Shape]:
        """The shape of a row of each input."""
        return {name: tuple(shape) for name, shape in self.known.shapes.items()}

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
        unfit = known.features.keys() != known.shapes.keys()
        if unfit or any(len(set(names)) < len(names) for names in known.features.values()):
            raise RunError("pipeline.json: its inputs and their shapes do not fit; copy the run folder again")
        return cls(known)

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
        chunk_rows: int = 8192,
        need_target: bool = False,
    ) -> Iterator[Chunk]:
        """Yield fresh rows in chunks of at most ``chunk_rows``, one chunk at least, in constant memory.

        ``origin`` is a file, an open stream, or None for the rows that the run was made of; ``columns`` names the
        columns of a file without a header. Raises ``DataError`` for what is no table, or lacks columns.
        """
        from nnkit.data.fresh import open_source

        parts, name = open_source(self.known.source, origin, format, columns, chunk_rows)
        start = 0
        for number, part in enumerate(parts):
            if number == 0:
                self._check_columns(part, name, need_target)
            yield self._chunk(part, start, need_target)
            start += len(part)

    def _check_columns(self, part: "Raw", name: str, need_target: bool) -> None:
        needed = [*self.known.columns, *(self.known.target.columns if need_target else [])]
        missing = [column for column in needed if column not in part.cells]
        if missing and part.cells:
            found = ", ".join(part.cells) or "none"
            hint = "; is the delimiter right?" if len(part.cells) == 1 else ""
            raise DataError(f"{name}: lacks the columns {', '.join(missing)}; it has: {found[:500]}{hint}")

    def _chunk(self, part: "Raw", start: int, need_target: bool) -> Chunk:
        import numpy as np

        notes = Notes(self.known.on_unseen)
        frame = self._typed(part, self.known.columns, notes)
        changed = self.transformed(frame, notes)
        for row, reason in incomplete(changed, self.known.features).items():
            notes.refused.setdefault(row, reason)
        truth, targets = self._targets(part, notes, need_target)
        weights = self._weights(part, notes) if need_target else None
        keep = np.array([row for row in range(len(part)) if row not in notes.refused], dtype=np.int64)
        inputs = {
            name: input_array([changed[column].take(keep) for column in columns])
            for name, columns in self.known.features.items()
        }
        self.unseen += notes.unseen
        dataset = Dataset(
            inputs=inputs,
            rows=keep + start,
            truth=None if truth is None else truth[keep],
            targets=None if targets is None else targets[keep],
            weights=None if weights is None else weights[keep],
        )
        raw = {name: [cells[row] for row in keep.tolist()] for name, cells in part.cells.items()}
        return Chunk(dataset, _rejected(part, notes.refused), raw)

    def _typed(self, part: "Raw", kinds: Mapping[str, Kind], notes: Notes) -> "Frame":
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
        if not needed:
            return None, None
        columns = self._typed(part, self.known.target_kinds, notes)
        encoded = encode([columns[name] for name in self.known.target.columns], self.known.target)
        for row, reason in encoded.bad.items():
            notes.refused.setdefault(row, reason)
        return encoded.truth, encoded.targets

    def _weights(self, part: "Raw", notes: Notes) -> Any:
        if self.known.weight is None or self.known.weight not in part.cells:
            return None
        return self._typed(part, {self.known.weight: "number"}, notes)[self.known.weight].values


def _rejected(part: "Raw", refused: Mapping[int, str]) -> list[Rejected]:
    from nnkit.data.fresh import row_text

    rows = [Rejected(part.lines[row], reason, row_text(part, row)) for row, reason in refused.items()]
    rows += [Rejected(bad.line, bad.reason, bad.text) for bad in part.bad]
    return sorted(rows, key=lambda rejected: rejected.line)


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "nested too deep"
    details = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, details['loc']))}: {details['msg']}"[:300]
