"""Predictions as text: what ``predict`` writes, what predictions.csv holds, and how that is read back."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.errors import RunError
from nnkit.evaluation import predicted
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.cells import Words
    from nnkit.frames.written import Written

    Floats: TypeAlias = NDArray[np.float64]
    Truth: TypeAlias = NDArray[np.generic]

FLAGS = ("0", "1")
CLASSES = ("binary", "multiclass", "tagging")
"""Tasks in which there is one class for each row of the outputs."""
LISTED = ("regression", "tagging", "unlabelled")
"""Tasks whose predictions.csv is written cell by cell."""
Table: TypeAlias = dict[str, list[str]]
"""A table as text: a list of as many cells for each column."""


@dataclass(frozen=True)
class OutputColumn:
    """A column of what a model of unlabelled data gives: numbers, or with ``words`` numbers of these."""

    name: str
    words: Sequence[str] | None = None


@dataclass(frozen=True)
class Layout:
    """What predictions are of: the task, the labels in the model's order and the target columns."""

    task: Task
    classes: Sequence[str]
    """The labels, the positive one last of two; the target columns in multilabel; nothing in regression; tokens."""
    targets: Sequence[str]
    quantiles: Sequence[float] = ()
    """Those that outputs give of each target; nothing where each is one number."""
    marks: Sequence[str] = ()
    """What says where each row of a forecast stands: ``series``, ``time``; or a row of tags: ``step``, ``word``."""
    naive: Sequence[str] = ()
    """The naive forecasts that stand beside those of the model."""
    columns: Sequence[OutputColumn] = ()
    """Of unlabelled data what the model gives for each row."""

    @property
    def single(self) -> bool:
        """Whether there is one prediction a row, and not one for each target."""
        return self.task in (*CLASSES, "next") or (self.task == "regression" and len(self.targets) == 1)

    def names(self, what: str) -> list[str]:
        """Return the columns of something that each target has: ``truth``, or ``truth_<target>``."""
        if self.task == "unlabelled":
            return ["label"] if self.targets else []
        return [what] if self.single else [f"{what}_{target}" for target in self.targets]

    @property
    def predictions(self) -> list[str]:
        """The columns of predictions: as ``names`` has them, with quantiles ``prediction_<target>_q10``, ..."""
        names = self.names("prediction")
        return [f"{name}_{quantile}" for name in names for quantile in self.tails] if self.quantiles else names

    @property
    def tails(self) -> list[str]:
        """The quantiles as they end the names of columns: ``q10``."""
        return [f"q{100 * quantile:.6g}" for quantile in self.quantiles]

    @property
    def probabilities(self) -> list[str]:
        """The columns of probabilities: ``probability_<class>`` in the model's order; none in regression.

        Of a language model the log of the probability of what came, ``log_probability``.
        """
        if self.task == "next":
            return ["log_probability"]
        return [] if self.task == "regression" else [f"probability_{name}" for name in self.classes]

    @property
    def members(self) -> list[str]:
        """The members of a prediction in JSON Lines."""
        return self.header if self.task == "unlabelled" else ["prediction", "probabilities"]

    @property
    def header(self) -> list[str]:
        """All columns of a prediction."""
        if self.task == "unlabelled":
            return [column.name for column in self.columns]
        return [*self.predictions, *self.probabilities]


def prediction_table(outputs: "Floats", layout: Layout) -> Table:
    """Return predictions and probabilities of ``outputs`` (an array of ``nnkit.tasks``) as text."""
    from nnkit.frames.written import texts

    return dict(zip(layout.header, map(texts, _columns(outputs, layout)), strict=True))


def csv_predictions(outputs: "Floats", layout: Layout, before: "Sequence[Written]" = ()) -> str:
    """Return what ``csv_rows`` makes of the table of ``outputs``, in bulk; ``before`` are columns to put first."""
    from nnkit.frames.written import written

    columns: list[Written] = [*before, *(_renamed(column, _csv_cell) for column in _columns(outputs, layout))]
    return written(columns, ["", *[","] * (len(columns) - 1), "\n"])


def json_predictions(outputs: "Floats", layout: Layout) -> str:
    """Return what ``json_rows`` makes of the table of ``outputs``, in bulk."""
    import numpy as np

    from nnkit.frames.written import written

    if layout.task == "unlabelled" or not np.isfinite(outputs).all():
        return json_rows(prediction_table(outputs, layout), layout)
    literals = _json_labels(layout.classes) if layout.single else {}
    columns: list[Written] = [
        _renamed(column, lambda label: literals.get(label, label)) for column in _columns(outputs, layout)
    ]
    first, *others = (_json_template(layout) % (("\0",) * len(columns))).split("\0")
    return written(columns, ["{" + first, *others[:-1], others[-1] + "}\n"])


def _columns(outputs: "Floats", layout: Layout) -> "list[Floats | Words]":
    """Return the columns of predictions and probabilities."""
    if layout.task == "unlabelled":
        return [_output_column(values, column) for values, column in zip(outputs.T, layout.columns, strict=True)]
    return [*_target_columns(predicted(outputs, layout.task), layout), *_probabilities(outputs, layout).T]


def _output_column(values: "Floats", column: OutputColumn) -> "Floats | Words":
    from nnkit.frames.cells import Words

    return values if column.words is None else Words(values.astype("int32"), column.words)


def _target_columns(values: "Truth", layout: Layout) -> "list[Floats | Words]":
    """Return a column for each target of class indices, of 0 and 1, or of numbers."""
    from nnkit.frames.cells import Words

    if layout.task in (*CLASSES, "next"):
        return [Words(values.astype("int32"), layout.classes)]
    if layout.task == "unlabelled":
        return [Words(values.astype("int32"), layout.classes).filled("")] if layout.targets else []
    if layout.task == "multilabel":
        return [Words(column.astype("int32"), FLAGS) for column in values.T]
    return list(values.T)


def _renamed(column: "Floats | Words", name: Callable[[str], str]) -> "Floats | Words":
    """Return a column with its words written in another way."""
    from nnkit.frames.cells import Words

    return Words(column.codes, list(map(name, column.words))) if isinstance(column, Words) else column


def _csv_cell(text: str) -> str:
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


@dataclass(frozen=True)
class Predictions:
    """Rows of a split: their numbers in the source (from 0), truth and outputs as in ``nnkit.tasks``, their weights."""

    rows: "NDArray[np.int64]"
    truth: "Truth"
    outputs: "Floats"
    weights: "Floats | None" = None
    nodes: "Predictions | None" = None
    """Of trees, the same for all nodes: children before their parents, tree after tree, each with the tree's row."""
    marks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of forecasts the ``series``, and the ``time`` of the last row that they see, where rows have such.

    Of words with tags the ``step`` in the sentence, whose number is the row's, and the ``word``.
    """
    naive: "Mapping[str, Floats]" = field(default_factory=dict)
    """Of forecasts those of naive methods for the same rows, by name, as the truth is."""

    @property
    def lengths(self) -> "NDArray[np.int64]":
        """How many rows that follow each other have the same number: of words, the lengths of sentences."""
        import numpy as np

        ends = np.flatnonzero(np.append(self.rows[1:] != self.rows[:-1], True)[: len(self.rows)])
        return np.diff(ends, prepend=-1)

    @property
    def of_nodes(self) -> "tuple[Truth, Floats] | None":
        """Truth and outputs of all nodes of trees."""
        return None if self.nodes is None else (self.nodes.truth, self.nodes.outputs)

    def with_nodes(self, nodes: "Predictions | None") -> "Predictions":
        """Return the predictions with those of the nodes of trees."""
        return replace(self, nodes=nodes)

    def by_row(self) -> "Predictions":
        """Return the predictions in the order of their rows; the nodes of a tree stay in theirs."""
        import numpy as np

        order = np.argsort(self.rows, kind="stable")
        weights = None if self.weights is None else self.weights[order]
        nodes = None if self.nodes is None else self.nodes.by_row()
        marks = {name: [texts[place] for place in order] for name, texts in self.marks.items()}
        naive = {name: values[order] for name, values in self.naive.items()}
        return Predictions(self.rows[order], self.truth[order], self.outputs[order], weights, nodes, marks, naive)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Put predictions behind each other."""
    import numpy as np

    weights = [part.weights for part in parts if part.weights is not None]
    nodes = [part.nodes for part in parts if part.nodes is not None]
    return Predictions(
        rows=np.concatenate([part.rows for part in parts]),
        truth=np.concatenate([part.truth for part in parts]),
        outputs=np.concatenate([part.outputs for part in parts]),
        weights=np.concatenate(weights) if weights else None,
        nodes=joined(nodes) if nodes else None,
        marks={name: [text for part in parts for text in part.marks[name]] for name in parts[0].marks},
        naive={name: np.concatenate([part.naive[name] for part in parts]) for name in parts[0].naive},
    )


def predictions_csv(predictions: Predictions, layout: Layout) -> str:
    """Return predictions.csv: row, weight where rows have one, truth, prediction, probabilities.

    Of forecasts the row is the last that each sees; it has series and time, and the naive forecasts at the end.
    """
    from nnkit.frames import cells

    if cells.compiled is None or predictions.weights is not None or layout.task in LISTED:
        table = _predictions_table(predictions, layout)
        return csv_line(table) + csv_rows(table)
    truth = [_renamed(column, _csv_cell) for column in _target_columns(predictions.truth, layout)]
    header = csv_line(["row", *layout.names("truth"), *layout.header])
    return header + csv_predictions(predictions.outputs, layout, [cells.piece(predictions.rows.tolist()), *truth])


def _predictions_table(predictions: Predictions, layout: Layout) -> Table:
    table = {"row": list(map(str, predictions.rows.tolist()))}
    if predictions.weights is not None:
        table["weight"] = list(map(str, predictions.weights.tolist()))
    table |= {name: list(predictions.marks[name]) for name in layout.marks}
    table |= zip(layout.names("truth"), _truth_cells(predictions.truth, layout), strict=True)
    table |= prediction_table(predictions.outputs, layout)
    for name in layout.naive:
        table |= zip(layout.names(name), _truth_cells(predictions.naive[name], layout), strict=True)
    return table


def _truth_cells(truth: "Truth", layout: Layout) -> list[list[str]]:
    from nnkit.frames.written import texts

    if layout.task != "regression":
        return list(map(texts, _target_columns(truth, layout)))
    return [list(map(str, column)) for column in truth.T.tolist()]


def read_predictions(data: bytes, name: str, layout: Layout) -> Predictions:
    """Read predictions.csv; raises ``RunError`` naming the file where it does not have the columns of ``layout``."""
    try:
        header, *rows = csv.reader(io.StringIO(data.decode(), newline=""))
        naive = [column for name in layout.naive for column in layout.names(name)]
        expected = ["row", *layout.marks, *layout.names("truth"), *layout.header, *naive]
        if [column for column in header if column != "weight"] != expected:
            raise ValueError(f"its columns are {', '.join(header)}, expected {', '.join(expected)}")
        cells = zip(*rows, strict=True) if rows else ([] for _ in header)
        return _predictions(dict(zip(header, map(list, cells), strict=True)), layout)
    except (ValueError, KeyError, csv.Error) as error:
        raise RunError(f"{name}: not the predictions of this run ({error}); copy the run folder again") from error


def _predictions(table: Table, layout: Layout) -> Predictions:
    import numpy as np

    weights = np.array(table["weight"], dtype=np.float64) if "weight" in table else None
    return Predictions(
        np.array(table["row"], dtype=np.int64),
        _truth(table, layout),
        _outputs(table, layout),
        weights,
        marks={name: table[name] for name in layout.marks},
        naive={name: _numbers([table[column] for column in layout.names(name)]) for name in layout.naive},
    )


def _numbers(cells: Sequence[Sequence[str]]) -> "Floats":
    import numpy as np

    return np.array(cells, dtype=np.float64).T.copy()


def _truth(table: Mapping[str, Sequence[str]], layout: Layout) -> "Truth":
    import numpy as np

    cells = [table[name] for name in layout.names("truth")]
    if layout.task == "unlabelled":
        known = {"": -1} | {label: number for number, label in enumerate(layout.classes)}
        return np.array([known[label] for label in (cells[0] if cells else [""] * len(table["row"]))], dtype=np.int64)
    if layout.task in (*CLASSES, "next"):
        index = {label: number for number, label in enumerate(layout.classes)}
        return np.array([index[label] for label in cells[0]], dtype=np.int64)
    return np.array(cells, dtype=np.int64 if layout.task == "multilabel" else np.float64).T.copy()


def _outputs(table: Mapping[str, Sequence[str]], layout: Layout) -> "Floats":
    import numpy as np

    if layout.task == "unlabelled":
        return np.array([_output_cells(table[column.name], column) for column in layout.columns]).T.copy()
    names = layout.probabilities[-1:] if layout.task == "binary" else layout.probabilities or layout.predictions
    outputs = np.array(
        [_floats(table[name]) for name in names], dtype=np.float64
    ).T.copy()  # a sum depends on the order
    if layout.task == "next":
        index = {label: number for number, label in enumerate(layout.classes)}
        return np.column_stack([outputs, [index[label] for label in table["prediction"]]])
    return outputs[:, 0] if layout.task == "binary" else outputs


def _output_cells(cells: Sequence[str], column: OutputColumn) -> "Floats":
    import numpy as np

    if column.words is None:
        return _floats(cells)
    index = {word: float(number) for number, word in enumerate(column.words)}
    return np.array([index[cell] for cell in cells], dtype=np.float64)


def _floats(cells: Sequence[str]) -> "Floats":
    """Read a column of numbers; one that has the digits of float32 numbers has exactly those, not what is nearest."""
    import numpy as np

    wide = np.array(list(map(float, cells)))
    with np.errstate(over="ignore"):
        short = wide.astype(np.float32)
    digits = np.array([float(str(number)) for number in short])
    return short.astype(np.float64) if np.array_equal(digits, wide, equal_nan=True) else wide
