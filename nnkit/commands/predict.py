"""``nnkit predict``: a line out for each row in, in order, in constant memory."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, TextIO, TypeAlias

from nnkit.commands.overlap import Overlap
from nnkit.commands.rejects import Rejects, rejects_to
from nnkit.commands.tagged import TagWriter
from nnkit.data.chunk import Chunk
from nnkit.data.dataset import predicted_trees
from nnkit.data.fresh import format_for
from nnkit.data.pipeline import Pipeline
from nnkit.errors import DataError, UsageError
from nnkit.inference import Predictor
from nnkit.predictions import (
    Layout,
    csv_line,
    csv_predictions,
    csv_rows,
    json_members,
    json_predictions,
    json_rows,
    prediction_table,
)
from nnkit.runs.folder import RunFolder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.cells import Piece

Format: TypeAlias = Literal["csv", "jsonl", "trees", "conll"]
Cells: TypeAlias = Mapping[str, Sequence[Any]]
"""An input's columns, as they were read: text, or values of JSON."""
CHUNK_ROWS = 16384
PREDICTED_TREE = "predicted_tree"


@dataclass(frozen=True)
class PredictSummary:
    """What a stream came to: rows predicted, rows rejected, and by column how many categories were never seen."""

    rows: int
    rejected: int
    unseen: dict[str, int]
    notes: Sequence[str] = ()
    """Which rows were left out as the run's spec says."""


def predict(
    run: Path,
    data: Path | BinaryIO | None,
    output: TextIO,
    *,
    format: Format | None = None,  # noqa: A002 - the name that the option has
    columns: Sequence[str] | None = None,
    keep: bool = False,
    rejects: Path | None = None,
    chunk_rows: int = CHUNK_ROWS,
    device: str | None = None,
) -> PredictSummary:
    """Write a prediction for each row of ``data`` to ``output``, in order; None stands for the run's own source.

    ``format`` is that of the output; by default it is that of the input where this is JSON Lines, trees or CoNLL,
    and else CSV. ``columns`` names
    the columns of a CSV input that has no header. With ``keep`` the input's columns come before the prediction.
    Rows that cannot be read go to ``rejects`` as CSV: line, reason, the row; without it the first is a ``DataError``,
    and what comes before its chunk has been written. What is written does not depend on ``chunk_rows``.
    Raises ``RunError``, ``DataError``, ``ResourceError``, and ``UsageError`` for names that ``keep`` would double.
    """
    predictor = Predictor(RunFolder.usable(run), device)
    pipeline = predictor.pipeline
    source = origin_of(data, pipeline)
    if pipeline.known.windows is not None:
        return _forecast(predictor, source, output, format, columns, keep, rejects, chunk_rows)
    writer = _writer(output, predictor, format or usual(source.format), keep)
    stream = pipeline.stream(
        source.origin, format=source.format, columns=list(columns) if columns else None, chunk_rows=chunk_rows
    )

    def compute(chunk: Chunk, start: int) -> "tuple[NDArray[np.float64], Cells]":
        return _predicted(predictor, chunk, start, keep)

    rows, refused = answer(stream, compute, writer, output, rejects, source.name)
    return PredictSummary(rows, refused.count, dict(pipeline.unseen), refused.notes)


def answer(
    stream: Iterator[Chunk],
    compute: "Callable[[Chunk, int], tuple[NDArray[np.float64], Cells]]",
    writer: "Writer",
    output: TextIO,
    rejects: Path | None,
    name: str,
) -> tuple[int, Rejects]:
    """Write what ``compute`` gives for each chunk and the number of its first row; returns the rows, and the rejects.

    ``name`` is what messages call the input.
    """
    rows = 0

    def write(given: tuple[Chunk, int]) -> None:
        writer.write(*compute(*given))
        output.flush()

    with rejects_to(rejects, name) as refused, Overlap(write) as overlap:
        for chunk in stream:
            refused.take(chunk, stream)
            overlap.give((chunk, rows))
            rows += len(chunk.dataset)
    return rows, refused


def _forecast(
    predictor: Predictor,
    source: "Origin",
    output: TextIO,
    form: Format | None,
    columns: Sequence[str] | None,
    keep: bool,
    rejects: Path | None,
    chunk_rows: int,
) -> PredictSummary:
    """Write the forecast of what comes after the last row of each series."""
    from nnkit.commands.forecast import Ending, forecast

    if keep:
        raise UsageError("--keep: a forecast is of rows that are not in the input; leave it out")
    if form in ("trees", "conll"):
        raise UsageError(f"--format {form}: the model forecasts numbers; use csv or jsonl")
    pipeline = predictor.pipeline
    parts, name = pipeline.parts(
        source.origin,
        format=source.format,
        columns=list(columns) if columns else None,
        chunk_rows=chunk_rows,
        need_target=False,
    )
    with rejects_to(rejects, source.name) as refused:
        ending = Ending(pipeline, name)
        for part in parts:
            refused.take_rows(ending.add(part))
        lines = forecast(predictor, ending, form or usual(source.format))
    output.write("".join(lines))
    output.flush()
    return PredictSummary(len(lines), refused.count, dict(pipeline.unseen), refused.notes)


def usual(format_name: str) -> Format:
    """Return the format of the output for an input's."""
    usual: dict[str, Format] = {"jsonl": "jsonl", "trees": "trees", "conll": "conll"}
    return usual.get(format_name, "csv")


def _predicted(predictor: Predictor, chunk: Chunk, start: int, keep: bool) -> "tuple[NDArray[np.float64], Cells]":
    """Return the outputs for the rows of a chunk, and the columns to write with them: of trees the predicted ones."""
    cells = chunk.raw if keep or predictor.pipeline.task == "tagging" else {}
    trees = chunk.dataset.trees
    if trees is None:
        return predictor.outputs(chunk.dataset, start), cells
    outputs = predictor.node_outputs(chunk.dataset)
    if PREDICTED_TREE in cells:
        raise UsageError(f"--keep: the input has a column {PREDICTED_TREE!r} already; rename it, or leave out --keep")
    written = predicted_trees(chunk.dataset, outputs, predictor.pipeline.classes)
    return outputs[trees[1].roots], {**cells, PREDICTED_TREE: written}


@dataclass(frozen=True)
class Origin:
    """Where rows come from, what messages call it, and the type of source that reads it."""

    origin: Path | BinaryIO | None
    name: str
    format: str


def origin_of(data: Path | BinaryIO | None, pipeline: Pipeline) -> Origin:
    """Return where the rows of ``data`` come from; None stands for the run's own source."""
    if data is None:
        return Origin(None, pipeline.known.source.title, pipeline.known.source.type_name)
    if isinstance(data, Path):
        return Origin(data, str(data), format_for(pipeline.known.source, data))
    from nnkit.frames.lines import unpacked

    file = unpacked(data)
    return Origin(file, "standard input", format_for(pipeline.known.source, file))


class Writer(Protocol):
    """Writes what there is to say of rows."""

    def write(self, outputs: "NDArray[np.float64]", cells: Cells) -> None:
        """Write a line for each of ``outputs``; ``cells`` are the input's columns."""


def _writer(output: TextIO, predictor: Predictor, format_name: Format, keep: bool) -> Writer:
    layout = predictor.layout
    if layout.task == "tagging":
        return TagWriter(output, predictor.pipeline, format_name, keep)
    if format_name == "conll":
        raise UsageError("--format conll: the model does not tag words; use csv or jsonl")
    trees = predictor.pipeline.tree_input is not None
    if format_name == "trees":
        if keep or not trees:
            reason = "the output is trees alone; leave out --keep" if trees else "the model does not predict trees"
            raise UsageError(f"--format trees: {reason}, or use csv or jsonl")
        return TreeWriter(output)
    keep = keep or trees
    return table_writer(output, layout, format_name, keep)


def table_writer(output: TextIO, layout: Layout, format_name: Format, keep: bool) -> Writer:
    """Return what writes CSV or JSON Lines."""
    return JsonWriter(output, layout, keep) if format_name == "jsonl" else CsvWriter(output, layout, keep)


class TreeWriter:
    """Writes predicted trees in the Penn format, each in a line."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def write(self, outputs: "NDArray[np.float64]", cells: Cells) -> None:
        """Write the trees, which are a column of ``cells``."""
        self._output.write("".join(f"{tree}\n" for tree in cells[PREDICTED_TREE]))


class CsvWriter:
    """Writes predictions as CSV, under a header that the first chunk fixes."""

    def __init__(self, output: TextIO, layout: Layout, keep: bool) -> None:
        self._output = output
        self._layout = layout
        self._keep = keep
        self._kept: list[str] | None = None

    def write(self, outputs: "NDArray[np.float64]", cells: Cells) -> None:
        """Write a row for each of ``outputs``; ``cells`` are the input's columns."""
        if self._kept is None:
            self._kept = list(cells) if self._keep else []
            refuse_doubles(self._kept, self._layout.header)
            self._output.write(csv_line([*self._kept, *self._layout.header]))
        if more := [name for name in cells if name not in self._kept]:
            raise DataError(
                f"--keep: {more[0]!r} is not in the rows before, and CSV has one header; use --format jsonl"
            )
        pieces = _pieces([cells.get(name) for name in self._kept])
        if pieces is not None:
            self._output.write(csv_predictions(outputs, self._layout, pieces))
            return
        empty = [""] * len(outputs)
        kept = {f"kept {name}": list(map(cell_text, cells.get(name, empty))) for name in self._kept}
        self._output.write(csv_rows(kept | prediction_table(outputs, self._layout)))


def _pieces(columns: "Sequence[Sequence[Any] | None]") -> "list[Piece] | None":
    """Return columns that are cells of one block each, or None where they are not all so."""
    from nnkit.frames.cells import Text

    pieces = [column.pieces[0] for column in columns if isinstance(column, Text) and len(column.pieces) == 1]
    return pieces if len(pieces) == len(columns) else None


class JsonWriter:
    """Writes predictions as JSON Lines."""

    def __init__(self, output: TextIO, layout: Layout, keep: bool) -> None:
        self._output = output
        self._layout = layout
        self._keep = keep

    def write(self, outputs: "NDArray[np.float64]", cells: Cells) -> None:
        """Write an object for each of ``outputs``; ``cells`` are the input's columns."""
        if not self._keep:
            self._output.write(json_predictions(outputs, self._layout))
            return
        refuse_doubles(cells, self._layout.members)
        self._output.write(json_rows(prediction_table(outputs, self._layout), self._layout, json_members(cells)))


def refuse_doubles(kept: Iterable[str], written: Sequence[str]) -> None:
    """Raise ``UsageError`` where a column of the input has the name of one that is written."""
    doubles = [name for name in kept if name in written]
    if doubles:
        raise UsageError(f"--keep: the input has a column {doubles[0]!r} already; rename it, or leave out --keep")


def cell_text(cell: object) -> str:
    """Write an input's cell as CSV has it: text as it is, nothing for a missing one, other values as JSON."""
    if isinstance(cell, str):
        return cell
    return "" if cell is None else json.dumps(cell, ensure_ascii=False)
