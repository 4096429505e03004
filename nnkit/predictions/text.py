"""Predictions as CSV and JSON Lines."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.evaluation import predicted
from nnkit.predictions.layout import CLASSES, FLAGS, Layout, OutputColumn, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.cells import Words
    from nnkit.frames.written import Written

    Floats: TypeAlias = NDArray[np.float64]
    Truth: TypeAlias = NDArray[np.generic]


def prediction_table(outputs: "Floats", layout: Layout) -> Table:
    """Return predictions and probabilities of ``outputs`` (an array of ``nnkit.tasks``) as text."""
    from nnkit.frames.written import texts

    return dict(zip(layout.header, map(texts, _columns(outputs, layout)), strict=True))


def csv_predictions(outputs: "Floats", layout: Layout, before: "Sequence[Written]" = ()) -> str:
    """Return what ``csv_rows`` makes of the table of ``outputs``, in bulk; ``before`` are columns to put first."""
    from nnkit.frames.written import written

    columns: list[Written] = [*before, *(renamed(column, csv_cell) for column in _columns(outputs, layout))]
    return written(columns, ["", *[","] * (len(columns) - 1), "\n"])


def json_predictions(outputs: "Floats", layout: Layout) -> str:
    """Return what ``json_rows`` makes of the table of ``outputs``, in bulk."""
    import numpy as np

    from nnkit.frames.written import written

    if layout.task == "unlabelled" or not np.isfinite(outputs).all():
        return json_rows(prediction_table(outputs, layout), layout)
    literals = _json_labels(layout.classes) if layout.single else {}
    columns: list[Written] = [
        renamed(column, lambda label: literals.get(label, label)) for column in _columns(outputs, layout)
    ]
    first, *others = (_json_template(layout) % (("\0",) * len(columns))).split("\0")
    return written(columns, ["{" + first, *others[:-1], others[-1] + "}\n"])


def _columns(outputs: "Floats", layout: Layout) -> "list[Floats | Words]":
    """Return the columns of predictions and probabilities."""
    if layout.task == "unlabelled":
        return [_output_column(values, column) for values, column in zip(outputs.T, layout.columns, strict=True)]
    return [*target_columns(predicted(outputs, layout.task), layout), *_probabilities(outputs, layout).T]


def _output_column(values: "Floats", column: OutputColumn) -> "Floats | Words":
    from nnkit.frames.cells import Words

    return values if column.words is None else Words(values.astype("int32"), column.words)


def target_columns(values: "Truth", layout: Layout) -> "list[Floats | Words]":
    """Return a column for each target of class indices, of 0 and 1, or of numbers."""
    from nnkit.frames.cells import Words

    if layout.task in (*CLASSES, "next"):
        return [Words(values.astype("int32"), layout.classes)]
    if layout.task == "unlabelled":
        return [Words(values.astype("int32"), layout.classes).filled("")] if layout.targets else []
    if layout.task == "multilabel":
        return [Words(column.astype("int32"), FLAGS) for column in values.T]
    return list(values.T)


def renamed(column: "Floats | Words", name: Callable[[str], str]) -> "Floats | Words":
    """Return a column with its words written in another way."""
    from nnkit.frames.cells import Words

    return Words(column.codes, list(map(name, column.words))) if isinstance(column, Words) else column


def csv_cell(text: str) -> str:
    """Write a text as it stands in a line of CSV, beside others."""
    return csv_line([text, ""])[: -len(",\n")]


def _probabilities(outputs: "Floats", layout: Layout) -> "Floats":
    import numpy as np

    from nnkit.frames.written import is_float32

    if layout.task == "regression":
        return np.empty((len(outputs), 0))
    if layout.task == "next":
        return outputs[:, :1]
    if layout.task != "binary":
        return outputs
    others = 1 - outputs
    others = np.where(is_float32(outputs), others.astype(np.float32), others)
    return np.stack((others, outputs)).T


def csv_line(names: Iterable[str]) -> str:
    """Return a line of CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(names)
    return text.getvalue()


def csv_rows(table: Mapping[str, Sequence[str]]) -> str:
    """Return the rows of a table as CSV, without a header."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(zip(*table.values(), strict=True))
    return text.getvalue()


def json_rows(table: Mapping[str, Sequence[str]], layout: Layout, before: Sequence[str] | None = None) -> str:
    """Return a table of predictions as JSON Lines; ``before`` has members of each row's object to put first.

    A row is ``{"prediction": ..., "probabilities": {class: ...}}``; where there are several targets, ``prediction``
    is a mapping too. Labels that are numbers are written as numbers.
    """
    template = _json_template(layout)
    cells = [_json_cells(name, table[name], layout) for name in layout.header]
    rows = [template % row for row in zip(*cells, strict=True)]
    if before is None:
        return "".join(f"{{{row}}}\n" for row in rows)
    return "".join(f"{{{', '.join((*filter(None, [first]), row))}}}\n" for first, row in zip(before, rows, strict=True))


def _json_template(layout: Layout) -> str:
    if layout.task == "unlabelled":
        return ", ".join(_member(name) for name in layout.header)
    names = [name.removeprefix("prediction_") for name in layout.predictions]
    prediction = '"prediction": %s' if names == ["prediction"] else f'"prediction": {_mapping(names)}'
    if layout.task == "regression":
        return prediction
    return f'{prediction}, "probabilities": {_mapping(layout.classes)}'


def json_members(cells: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return for each row its cells as members of a JSON object, without those that are missing (None)."""
    names = [json.dumps(name, ensure_ascii=False) for name in cells]
    return [
        ", ".join(
            f"{name}: {json.dumps(cell, ensure_ascii=False)}"
            for name, cell in zip(names, row, strict=True)
            if cell is not None
        )
        for row in zip(*cells.values(), strict=True)
    ]


def _member(name: str) -> str:
    return json.dumps(name, ensure_ascii=False).replace("%", "%%") + ": %s"


def _mapping(names: Sequence[str]) -> str:
    return f"{{{', '.join(map(_member, names))}}}"


def _json_cells(name: str, cells: Sequence[str], layout: Layout) -> Sequence[str]:
    words = next((column.words for column in layout.columns if column.name == name and column.words), None)
    if words is not None:
        literals = _json_labels(words)
        return [literals[cell] for cell in cells]
    if name == "prediction" and layout.task != "regression":
        literals = _json_labels(layout.classes)
        return [literals[cell] for cell in cells]
    return ["null" if cell in ("nan", "inf", "-inf") else cell for cell in cells]


def _json_labels(classes: Sequence[str]) -> dict[str, str]:
    if all(_is_number(label) for label in classes):
        return {label: label for label in classes}
    return {label: json.dumps(label, ensure_ascii=False) for label in classes}


def _is_number(label: str) -> bool:
    """Tell whether a label is what JSON itself would write for a number, so that 007 and 1e3 stay text."""
    try:
        value = json.loads(label)
        return type(value) in (int, float) and json.dumps(value, allow_nan=False) == label
    except (ValueError, RecursionError):
        return False
