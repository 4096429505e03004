"""Kinds of columns: what raw cells are, and their typed values."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnkit.frames.table import Cells

Kind: TypeAlias = Literal["number", "category", "boolean", "array"]

MISSING_NUMBERS = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"})
"""Words for a missing number where the source doesn't say; in text only "" is missing: NA may be Namibia."""
MISSING_TEXT = frozenset({""})
TRUE, FALSE = frozenset({"true", "True", "TRUE"}), frozenset({"false", "False", "FALSE"})


@dataclass(frozen=True)
class Spelling:
    """How numbers and missing cells are written in a source."""

    missing: frozenset[str] | None = None
    decimal: str = "."
    thousands: str | None = None

    @property
    def missing_numbers(self) -> frozenset[str]:
        """Words for a missing number."""
        return MISSING_NUMBERS if self.missing is None else self.missing | {""}

    @property
    def missing_text(self) -> frozenset[str]:
        """Words for a missing text."""
        return MISSING_TEXT if self.missing is None else self.missing | {""}


@dataclass(frozen=True)
class Typed:
    """The values of a column (as in ``nnkit.frames.table.Column``) and the numbers of the rows that have none."""

    values: NDArray[Any]
    bad: dict[int, str]
    """What is wrong with the cells that are not of the kind, by row."""


def infer(cells: Cells, spelling: Spelling) -> Kind:
    """Return the kind that all cells of a column have.

    Numbers with leading zeros are words, since they would lose them; a column that is empty throughout is numbers.
    """
    if isinstance(cells, np.ndarray):
        return "array" if cells.ndim > 1 else "number"
    present = [cell for cell in cells if cell is not None and cell not in spelling.missing_numbers]
    if present and all(cell is True or cell is False or cell in TRUE or cell in FALSE for cell in present):
        return "boolean"
    return "number" if all(_is_number(cell, spelling) for cell in present) else "category"


def _is_number(cell: object, spelling: Spelling) -> bool:
    if isinstance(cell, bool) or not isinstance(cell, str):
        return isinstance(cell, int | float) and not isinstance(cell, bool)
    bare = cell.strip().lstrip("+-")
    if len(bare) > 1 and bare[0] == "0" and bare[1].isdigit():
        return False
    return not math.isnan(_number(cell, spelling))


def _number(cell: str, spelling: Spelling) -> float:
    """Return the finite number that a cell writes, or NaN."""
    text = cell.strip()
    if spelling.thousands:
        text = text.replace(spelling.thousands, "")
    if spelling.decimal != ".":
        text = text.replace(".", "x").replace(spelling.decimal, ".")
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def typed(cells: Cells, kind: Kind, spelling: Spelling) -> Typed:
    """Return the values of raw cells as ``kind``."""
    if isinstance(cells, np.ndarray):
        return _from_array(cells, kind)
    convert: dict[str, Callable[[Sequence[Any], Spelling], Typed]] = {
        "number": _numbers,
        "boolean": _booleans,
        "category": _texts,
    }
    return convert[kind](cells, spelling)


def _from_array(cells: NDArray[Any], kind: Kind) -> Typed:
    if kind == "category":
        return Typed(np.array([label(float(value)) for value in cells], dtype=object), {})
    values = cells.astype(np.float64 if kind != "array" else np.float32)
    return Typed(values, {})


def _numbers(cells: Sequence[Any], spelling: Spelling) -> Typed:
    own = spelling.missing is not None and any(cell in spelling.missing for cell in cells if isinstance(cell, str))
    if spelling.decimal == "." and not spelling.thousands and not own:
        try:
            values = np.fromiter(map(float, cells), np.float64, len(cells))
        except (ValueError, TypeError, OverflowError):
            return _numbers_one_by_one(cells, spelling)
        if np.isfinite(values).all() and not _suspicious(cells):
            return Typed(values, {})
    return _numbers_one_by_one(cells, spelling)


def _suspicious(cells: Sequence[Any]) -> bool:
    """Tell whether float() may have taken what is no number here: 1_000, or JSON's true."""
    if all(type(cell) is str for cell in cells):
        return "_" in "".join(cells)
    return any(isinstance(cell, bool) or (isinstance(cell, str) and "_" in cell) for cell in cells)


def _numbers_one_by_one(cells: Sequence[Any], spelling: Spelling) -> Typed:
    values, bad = np.full(len(cells), np.nan), {}
    for row, cell in enumerate(cells):
        if cell is None or (isinstance(cell, str) and cell.strip() in spelling.missing_numbers):
            continue
        values[row] = _one_number(cell, spelling)
        if math.isnan(values[row]):
            bad[row] = f"{cell!r:.60} is not a number"
    return Typed(values, bad)


def _one_number(cell: object, spelling: Spelling) -> float:
    if isinstance(cell, str):
        return _number(cell, spelling)
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        try:
            return float(cell) if math.isfinite(cell) else math.nan
        except OverflowError:
            return math.nan
    return math.nan


def _booleans(cells: Sequence[Any], spelling: Spelling) -> Typed:
    values, bad = np.full(len(cells), np.nan), {}
    for row, cell in enumerate(cells):
        if cell is None or (isinstance(cell, str) and cell in spelling.missing_numbers):
            continue
        if cell is True or cell in TRUE or cell in ("1", 1):
            values[row] = 1.0
        elif cell is False or cell in FALSE or cell in ("0", 0):
            values[row] = 0.0
        else:
            bad[row] = f"{cell!r:.60} is neither true nor false"
    return Typed(values, bad)


def _texts(cells: Sequence[Any], spelling: Spelling) -> Typed:
    missing = spelling.missing_text
    bad: dict[int, str] = {}
    if all(type(cell) is str for cell in cells):
        return Typed(_objects([None if cell in missing else cell for cell in cells]), bad)
    texts: list[str | None] = []
    for row, cell in enumerate(cells):
        text = as_text(cell)
        if text is None and cell is not None:
            bad[row] = f"{cell!r:.60} is neither text nor a number"
        texts.append(None if text is None or text in missing else text)
    return Typed(_objects(texts), bad)


def _objects(values: Sequence[str | None]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def as_text(cell: object) -> str | None:
    """Return a JSON value as the text of a category; None for what has none."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float) and math.isfinite(cell):
        return label(cell)
    return None


def label(value: float) -> str:
    """Write a number as a class or category: 1 and 1.0 are both ``1``."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**63 else repr(float(value))


def in_order(labels: Collection[str]) -> list[str]:
    """Sort labels: by value where all are numbers, else as text."""
    try:
        numbers = {name: float(name) for name in labels}
    except ValueError:
        return sorted(labels)
    return sorted(labels, key=lambda name: (numbers[name], name))
