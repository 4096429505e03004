"""The way back: from what a network gives for a row to the columns of the data, in their own units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnkit.data.pipeline import Pipeline
from nnkit.data.transforms.base import Notes

if TYPE_CHECKING:
    from nnkit.data.known import Fitted
    from nnkit.frames.table import Frame

FLAGS = ("false", "true")


@dataclass(frozen=True)
class Restored:
    """Columns in the data's own units and words, and which of them are not, as lines for people."""

    frame: "Frame"
    notes: list[str]


def restore(pipeline: Pipeline, inputs: Mapping[str, Any]) -> Restored:
    """Undo the run's transforms on inputs [n, ...] as a network takes them, pictures from 0 to 1.

    Columns whose transform has no way back stay as the network sees them, and a note says so. What is restored has
    the precision of a float32.
    """
    frame, notes = _features(pipeline, inputs), []
    left: Frame = {}
    stages = _stages(pipeline)
    for fitted, before in reversed(list(zip(pipeline.known.transforms, stages, strict=False))):
        frame, lost = _undone(fitted, before, frame)
        if lost:
            sources = sorted({column.source for column in lost.values()})
            notes.append(
                f"{', '.join(sources)}: {fitted.transform.type_name} cannot be undone; as the network sees them are "
                f"{', '.join(list(lost)[:5])}{', ...' if len(lost) > 5 else ''}"
            )
        left |= lost
    order = {name: number for number, name in enumerate(pipeline.known.columns)}
    own = {
        name: _in_kind(frame[name], pipeline.known.columns.get(name)) for name in sorted(frame, key=order.__getitem__)
    }
    return Restored(own | {name: _in_kind(column, None) for name, column in left.items()}, notes)


def _features(pipeline: Pipeline, inputs: Mapping[str, Any]) -> "Frame":
    """Return the columns that inputs are made of; of a column in several inputs the first."""
    import numpy as np

    from nnkit.frames.table import Column

    last = _stages(pipeline)[-1]
    frame: Frame = {}
    for name, columns in pipeline.known.features.items():
        values = np.asarray(inputs[name], dtype=np.float64)
        whole = len(columns) == 1 and (values.ndim > 2 or last[columns[0]].values.ndim > 1)
        for number, column in enumerate(columns):
            made = Column(values if whole else values[:, number], last[column].source)
            frame.setdefault(column, made)
    return frame


def _stages(pipeline: Pipeline) -> "list[Frame]":
    """Return the columns before each transform and after all of them, with no rows."""
    frames = [pipeline.empty()]
    for fitted in pipeline.known.transforms:
        frames.append(fitted.transform.apply(frames[-1], fitted.states, Notes("ignore")))
    return frames


def _undone(fitted: "Fitted", before: "Frame", frame: "Frame") -> "tuple[Frame, Frame]":
    """Return the columns before a transform, and those that it made and that have no way back."""
    rest = dict(frame)
    lost: Frame = {}
    for name, state in fitted.states.items():
        if name not in before:
            continue
        made = fitted.transform.apply({name: before[name]}, {name: state}, Notes("ignore"))
        given = {new: rest.pop(new) for new in made if new in rest}
        if not given:
            continue
        restored = fitted.transform.restore_column(name, given, state) if len(given) == len(made) else None
        if restored is None:
            lost |= given
        else:
            rest[name] = restored
    return rest, lost


def _in_kind(column: Any, kind: str | None) -> Any:
    """Return a column as the data has it: a flag as a word, a number with the digits of a float32."""
    import numpy as np

    from nnkit.frames.cells import Words
    from nnkit.frames.table import Column

    if column.is_text:
        return column
    if kind == "boolean":
        return Column(Words((column.values >= 0.5).astype(np.int32), list(FLAGS)), column.source)
    with np.errstate(over="ignore"):
        return Column(column.values.astype(np.float32).astype(np.float64), column.source)
