"""The predictions of a split, and predictions.csv."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from nnkit.predictions.layout import LISTED, Layout, Table
from nnkit.predictions.text import (
    csv_cell,
    csv_line,
    csv_predictions,
    csv_rows,
    prediction_table,
    renamed,
    target_columns,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Truth: TypeAlias = NDArray[np.generic]


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
    truth = [renamed(column, csv_cell) for column in target_columns(predictions.truth, layout)]
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
        return list(map(texts, target_columns(truth, layout)))
    return [list(map(str, column)) for column in truth.T.tolist()]
