"""History: fresh rows in time order, as the windows of a run's forecasts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnkit.data import forecast
from nnkit.data.chunk import Chunk, rejected_of
from nnkit.data.dataset import incomplete, input_array
from nnkit.data.pipeline import Pipeline
from nnkit.data.target import encode
from nnkit.data.transforms.base import Notes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import BadRow, Frame, Raw


@dataclass(frozen=True)
class FreshRows:
    """Rows of a file that windows can be made of: typed columns, lines, values, and their places in the file."""

    frame: "Frame"
    lines: Sequence[int]
    values: forecast.Values
    kept: "NDArray[np.int64]"


def rolled(pipeline: Pipeline, part: "Raw", name: str) -> Chunk:
    """Return all windows of fresh rows whose targets are known."""
    known = pipeline.known.windows
    assert known is not None  # noqa: S101 - the caller looked
    rows, rejected = fresh_rows(pipeline, part, True)
    placed = forecast.place_all(rows.frame, rows.lines, name, known)
    everywhere = forecast.origins_between(placed, known.options, -math.inf, math.inf)
    dataset = forecast.dataset(placed, everywhere, rows.values.take(placed.order), rows.kept[placed.order], known)
    return Chunk(dataset, rejected, part, dataset.rows)


def fresh_rows(pipeline: Pipeline, part: "Raw", need_target: bool) -> "tuple[FreshRows, list[BadRow]]":
    """Return the rows that windows can be made of, with their targets where those are needed, and the others."""
    import numpy as np

    from nnkit.frames.table import take

    known, notes = pipeline.known, Notes(pipeline.known.on_unseen)
    assert known.windows is not None  # noqa: S101 - the caller looked
    frame = pipeline.typed(part, {**known.columns, **known.windows.kinds}, notes)
    changed = pipeline.transformed({name: frame[name] for name in known.columns}, notes)
    for row, reason in incomplete(changed, known.features).items():
        notes.refused.setdefault(row, reason)
    state = forecast.narrowed(known.target, known.windows)
    columns = pipeline.typed(part, known.target_kinds, notes) if need_target else {}
    encoded = encode([columns[name] for name in known.sources], state) if need_target else None
    for row, reason in (encoded.bad if encoded else {}).items():
        notes.refused.setdefault(row, reason)
    kept = np.delete(np.arange(len(part)), list(notes.refused))
    pipeline.unseen += notes.unseen
    inputs = {name: input_array([changed[column] for column in columns]) for name, columns in known.features.items()}
    empty = np.empty((len(part), 0))
    values = forecast.Values(inputs, *((encoded.truth, encoded.targets) if encoded else (empty, empty)))
    lines = [part.lines[row] for row in kept.tolist()]
    return FreshRows(take(frame, kept), lines, values.take(kept), kept), rejected_of(part, notes.refused)
