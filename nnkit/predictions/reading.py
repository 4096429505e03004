"""Reading predictions.csv back."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from nnkit.errors import RunError
from nnkit.predictions.layout import CLASSES, Layout, OutputColumn, Table
from nnkit.predictions.rows import Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Truth: TypeAlias = NDArray[np.generic]


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
