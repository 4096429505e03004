"""One row of data: found by its number, with cells put in by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nnkit.commands.traced import TracedRow
from nnkit.config.spelling import nearest
from nnkit.data.pipeline import Pipeline
from nnkit.errors import DataError, UsageError
from nnkit.shapes import show

if TYPE_CHECKING:
    from nnkit.data.dataset import Dataset
    from nnkit.frames.table import Raw

CHUNK_ROWS = 1024


@dataclass(frozen=True)
class ChosenRow:
    """A row as the network takes it, and where it comes from."""

    dataset: "Dataset"
    row: TracedRow


def choose_row(
    pipeline: Pipeline,
    data: Path | BinaryIO | None,
    number: int | None,
    by_hand: Sequence[str],
    needs_target: bool | None,
    first: int = 0,
) -> ChosenRow:
    """Return the row with a ``number`` (from 0) of ``data``, or of the source of ``pipeline``, changed by hand.

    Without a number it is the row ``first``.

    ``by_hand`` has ``column=value``; where that is every column that the network reads, and neither ``data`` nor
    ``number`` is given, nothing is read at all. ``needs_target`` says whether the row must have its target; None leaves
    it out where the data has no such column. Raises ``UsageError`` for a row or a column that is not there, and
    ``DataError`` for a row that cannot be used.
    """
    if pipeline.task in ("next", "tagging"):
        if needs_target:
            what = "text has a loss at each step; ask for --of 'output[0,0]', a step and a token"
            if pipeline.task == "tagging":
                what = "sentence has a loss at each word; ask for --of 'output[0,0]', a word and a tag"
            raise UsageError(f"--of loss: a {what}")
        needs_target = False
    if pipeline.known.windows is not None:
        return _choose_window(pipeline, data, number or 0, by_hand)
    cells = parse_cells(by_hand, pipeline)
    if data is None and number is None and cells.keys() >= pipeline.known.columns.keys():
        raw, row = _no_row(), TracedRow(None, None, {}, cells)
    else:
        number = first if number is None else number
        raw, title = _read(pipeline, data, number)
        row = TracedRow(title, number, {}, cells)
    raw.cells.update({name: [value] for name, value in cells.items()})
    missing = [name for name in pipeline.targets if name not in raw.cells]
    if needs_target and missing:
        raise UsageError(
            f"--of loss: the row has no {', '.join(missing)}, the target; give it as --input {missing[0]}=VALUE, "
            "or ask for --of output"
        )
    return _encoded(pipeline, raw, row, needs_target or (needs_target is None and not missing))


def _choose_window(pipeline: Pipeline, data: Path | BinaryIO | None, number: int, by_hand: Sequence[str]) -> ChosenRow:
    """Return the window with a ``number`` among those of ``data`` whose targets are known."""
    from nnkit.data.dataset import Dataset

    if by_hand:
        raise UsageError(f"--input {by_hand[0]}: the network sees a window of several rows; give a file with them")
    title = _title(pipeline, data)
    [chunk] = pipeline.stream(data, need_target=True)
    for rejected in chunk.rejected:
        raise DataError(f"{title}:{rejected.line}: {rejected.reason}")
    rows = chunk.dataset
    if number >= len(rows):
        raise UsageError(f"--row {number}: {title} has no such window; the first has the number 0, of {len(rows)}")
    assert rows.truth is not None  # noqa: S101 - the targets were asked for
    assert rows.targets is not None  # noqa: S101 - the same
    one = slice(number, number + 1)
    inputs = {name: values[one] for name, values in rows.inputs.items()}
    truth = dict(zip(pipeline.targets, (f"{value:g}" for value in rows.truth[number]), strict=True))
    dataset = Dataset(inputs, rows.rows[one], rows.truth[one], rows.targets[one])
    return ChosenRow(dataset, TracedRow(title, number, truth, {}))


def _encoded(pipeline: Pipeline, raw: "Raw", row: TracedRow, with_target: bool) -> ChosenRow:
    """Return the only row of ``raw`` as the network takes it; raises for one that cannot be used."""
    if with_target and pipeline.known.weight:
        raw.cells[pipeline.known.weight] = ["1"]  # A row by itself is not weighed.
    pipeline.unseen.clear()
    chunk = pipeline.rows(raw, with_target)
    for rejected in chunk.rejected:
        if any(rejected.reason.startswith((f"{name}: ", f"{name} ", f"the target {name} ")) for name in row.by_hand):
            raise UsageError(f"--input: {rejected.reason}")
        raise DataError(f"row {row.text()}: {rejected.reason}")
    target = {name: str(raw.cells[name][0]) for name in pipeline.targets} if with_target else {}
    unseen = [name for name, count in pipeline.unseen.items() if count]
    return ChosenRow(chunk.dataset, replace(row, target=target, unseen=unseen))


def parse_cells(texts: Sequence[str], pipeline: Pipeline) -> dict[str, str]:
    """Read ``column=value``, each column once; raises ``UsageError`` for a column that the network does not read."""
    shapes = pipeline.cell_shapes()
    known = [*shapes, *([] if pipeline.task == "next" else pipeline.targets)]
    cells: dict[str, str] = {}
    for given in texts:
        text = given.encode(errors="replace").decode()  # A shell can pass bytes that are no text.
        if "=" not in text:
            raise UsageError(f"--input {text}: expected COLUMN=VALUE, such as --input {known[0]}=1")
        # The longest that fits, as a column's name may have a = in it.
        columns = (column for column in known if text.startswith(f"{column}="))
        name = max(columns, key=len, default=text.partition("=")[0])
        if name not in known:
            hint = nearest(name, known)
            raise UsageError(f"--input {text}: the network reads no column {name!r}{hint} It has: {', '.join(known)}")
        if name in cells:
            raise UsageError(f"--input {text}: {name} is given twice; a trace is of one row")
        if shapes.get(name):
            shape = show(shapes[name])
            raise UsageError(f"--input {text}: each cell of {name} is an array of {shape}; give a file with the row")
        cells[name] = text[len(name) + 1 :]
    return cells


def _no_row() -> "Raw":
    from nnkit.frames.table import Raw

    return Raw({}, [1])


def _read(pipeline: Pipeline, data: Path | BinaryIO | None, number: int) -> "tuple[Raw, str]":
    """Return the row with a number, which those that cannot be read have not, and what messages call its source."""
    title = _title(pipeline, data)
    rows = 0
    for chunk in pipeline.stream(data, chunk_rows=CHUNK_ROWS):
        if number < rows + len(chunk.part):
            return _one(chunk.part, number - rows), title
        rows += len(chunk.part)
    if not rows:
        raise DataError(f"{title}: has no rows")
    raise UsageError(f"--row {number}: {title} has no such row; the first has the number 0, the last {rows - 1}")


def _title(pipeline: Pipeline, data: Path | BinaryIO | None) -> str:
    """Return what messages call the source: a file by its path from here, where it is below."""
    if data is None:
        return pipeline.known.source.title.removeprefix(f"{Path.cwd()}/")
    return str(data) if isinstance(data, Path) else "standard input"


def _one(part: "Raw", place: int) -> "Raw":
    from nnkit.frames.table import Raw

    return Raw({name: _cell(cells, place) for name, cells in part.cells.items()}, [part.lines[place]])


def _cell(cells: Any, place: int) -> Any:
    """Return one cell of a column as a column."""
    from nnkit.frames.cells import Text

    return [cells[place]] if isinstance(cells, Text | list) else cells[place : place + 1]
