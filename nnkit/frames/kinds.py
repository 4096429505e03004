"""Kinds of columns: what raw cells are, and their typed values."""

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.ragged import Ragged
from nnkit.frames.cells import Text, Words
from nnkit.frames.lists import Lists
from nnkit.frames.pictures import Pictures
from nnkit.frames.sounds import no_samples
from nnkit.frames.table import Cells
from nnkit.frames.trees import Trees, no_trees

Kind: TypeAlias = Literal["number", "category", "code", "boolean", "array", "image", "audio", "tree", "list"]
"""A code is a category written as a number, so that 1, 1.0 and JSON's 1 are one category; an image is an array of bytes
[height, width, channels], which a network sees as numbers from 0 to 1; audio is samples x channels; a list is one of
texts."""

ARRAYS = ("array", "image")
"""The kinds whose cells have axes."""

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
    def is_plain(self) -> bool:
        """Whether numbers are written as Python writes them."""
        return self.decimal == "." and not self.thousands

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

    values: Any
    bad: dict[int, str]
    """What is wrong with the cells that are not of the kind, by row."""


def infer(cells: Cells, spelling: Spelling) -> Kind:
    """Return the kind that all cells of a column have.

    Numbers with leading zeros are words, since they would lose them; a column that is empty throughout is numbers.
    """
    if isinstance(cells, Trees):
        return "tree"
    if isinstance(cells, Ragged):
        return "audio"
    if isinstance(cells, Lists):
        return "list"
    if is_picture(cells):
        return "image"
    if isinstance(cells, np.ndarray):
        return "array" if cells.ndim > 1 else "number"
    if isinstance(cells, Text):
        return _infer_text(cells, spelling)
    present = [cell for cell in cells if not _is_missing(cell, spelling.missing_numbers)]
    if present and all(_flag(cell) is not None for cell in present):
        return "boolean"
    return "number" if _all_numbers(present, spelling) else "category"


def is_single(cells: Cells) -> bool:
    """Tell whether each raw cell is one value."""
    return not isinstance(cells, Trees | Lists) and getattr(cells, "ndim", 1) == 1


def is_picture(cells: Cells) -> bool:
    """Tell whether raw cells are pictures: bytes [n, height, width, channels]."""
    return isinstance(cells, Pictures) or (
        isinstance(cells, np.ndarray) and cells.ndim == 4 and cells.dtype == np.uint8
    )


def is_whole(cells: Cells) -> bool:
    """Tell whether raw cells are pictures or sounds, which nobody wants to read as text."""
    return isinstance(cells, Ragged) or is_picture(cells)


def _infer_text(cells: Text, spelling: Spelling) -> Kind:
    """Return the kind by the distinct cells that are not plainly numbers, and by whether some are."""
    values, odd = _plain_numbers(cells, spelling, refuse_zeros=True)
    kind = infer(cells.take(odd).words().words, spelling)
    return "category" if kind == "boolean" and np.isfinite(np.delete(values, odd)).any() else kind


def _plain_numbers(
    cells: Text, spelling: Spelling, refuse_zeros: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what ``Text.numbers`` does, and look closer at numbers that may stand for a missing one."""
    values, odd = cells.numbers(spelling.decimal, refuse_zeros)
    numeric = [value for word in spelling.missing or () if not math.isnan(value := _number(word, spelling))]
    if numeric:
        odd = np.union1d(odd, np.flatnonzero(np.isin(values, numeric)))
    return values, odd


def _is_missing(cell: object, words: Collection[str]) -> bool:
    if isinstance(cell, str):
        return cell in words or cell.strip() in words
    return cell is None or (isinstance(cell, float) and math.isnan(cell)) or as_text(cell) in words


def _all_numbers(cells: Sequence[Any], spelling: Spelling) -> bool:
    if spelling.is_plain and _all_text(cells):
        return _floats(cells) is not None and not _LEADING_ZERO.search("\n".join(cells))
    return all(_is_number(cell, spelling) for cell in cells)


_LEADING_ZERO = re.compile(r"^\s*[+-]?0\d", re.MULTILINE)


def _is_number(cell: object, spelling: Spelling) -> bool:
    if isinstance(cell, str):
        return not _LEADING_ZERO.match(cell) and not math.isnan(_number(cell, spelling))
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _number(cell: str, spelling: Spelling) -> float:
    """Return the finite number that a cell writes, or NaN."""
    text = cell.strip()
    if spelling.thousands and spelling.thousands in text:
        if not _grouped(spelling.thousands, spelling.decimal).fullmatch(text):
            return math.nan
        text = text.replace(spelling.thousands, "")
    if spelling.decimal != ".":
        text = text.replace(".", "x").replace(spelling.decimal, ".")
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


@cache
def _grouped(thousands: str, decimal: str) -> re.Pattern[str]:
    """Return what a number with marks between thousands looks like: 1,008.64 or India's 1,00,000, but not 1,7."""
    mark, point = re.escape(thousands), re.escape(decimal)
    return re.compile(rf"[+-]?\d{{1,3}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}(?:{point}\d*)?")


def typed(cells: Cells, kind: Kind, spelling: Spelling) -> Typed:
    """Return the values of raw cells as ``kind``; an array [n, ...] must be asked for as one, pictures as an image."""
    if isinstance(cells, Pictures | Ragged | Trees | Lists):
        return Typed(cells, {})
    if isinstance(cells, np.ndarray):
        return _from_array(cells, kind, spelling)
    if isinstance(cells, Text):
        return _numbers_of_text(cells, spelling) if kind == "number" else _by_word(cells.words(), kind, spelling)
    return _KINDS[kind](cells, spelling)


def _numbers_of_text(cells: Text, spelling: Spelling) -> Typed:
    values, odd = _plain_numbers(cells, spelling, refuse_zeros=False)
    if not len(odd):
        return Typed(values, {})
    closer = _by_word(cells.take(odd).words(), "number", spelling)
    values[odd] = closer.values
    return Typed(values, {int(odd[row]): reason for row, reason in closer.bad.items()})


def _by_word(cells: Words, kind: Kind, spelling: Spelling) -> Typed:
    """Return the values of cells of text, each distinct one looked at once."""
    distinct = _KINDS[kind](cells.words, spelling)
    texts = isinstance(distinct.values, Words)
    values = cells.mapped(distinct.values.tolist()) if texts else distinct.values[cells.codes]
    if not distinct.bad:
        return Typed(values, {})
    rows = np.flatnonzero(np.isin(cells.codes, list(distinct.bad))).tolist()
    return Typed(values, {row: distinct.bad[int(cells.codes[row])] for row in rows})


def _from_array(cells: NDArray[Any], kind: Kind, spelling: Spelling) -> Typed:
    if kind == "array":
        return Typed(cells.astype(np.float32), {})
    if kind == "image":
        return Typed(Pictures(cells), {})
    if kind != "number":
        return _KINDS[kind](cells.tolist(), spelling)
    values = cells.astype(np.float64)
    infinite = np.flatnonzero(np.isinf(values)).tolist()
    return Typed(values, {row: f"{values[row]} is not a finite number" for row in infinite})


def _numbers(cells: Sequence[Any], spelling: Spelling) -> Typed:
    words = spelling.missing or ()
    if spelling.is_plain and not any(_is_missing(cell, words) for cell in cells if words):
        values = _floats(cells)
        if values is not None:
            return Typed(values, {})
    return _numbers_one_by_one(cells, spelling)


def _floats(cells: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return what float() makes of cells; None where it refuses one, or takes what is no finite number here."""
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except (ValueError, TypeError, OverflowError):
        return None
    return values if np.isfinite(values).all() and not _suspicious(cells) else None


def _suspicious(cells: Sequence[Any]) -> bool:
    """Tell whether float() may have taken what is no number here: 1_000, or JSON's true."""
    if _all_text(cells):
        return "_" in "".join(cells)
    kinds = set(map(type, cells))
    return not kinds <= {int, float, str} or any("_" in cell for cell in cells if isinstance(cell, str))


def _all_text(cells: Sequence[Any]) -> bool:
    return set(map(type, cells)) <= {str}


def _numbers_one_by_one(cells: Sequence[Any], spelling: Spelling) -> Typed:
    values, bad = np.full(len(cells), np.nan), {}
    missing = spelling.missing_numbers
    for row, cell in enumerate(cells):
        if _is_missing(cell, missing):
            continue
        values[row] = _one_number(cell, spelling)
        if math.isnan(values[row]):
            bad[row] = f"{_shown(cell)} is not a number"
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


def _shown(cell: object) -> str:
    return f"{cell!r:.60}"


def _flag(cell: object) -> bool | None:
    """Return what a word for true or false means; None for anything else."""
    if isinstance(cell, str):
        return True if cell in TRUE else False if cell in FALSE else None
    return cell if isinstance(cell, bool) else None


def _booleans(cells: Sequence[Any], spelling: Spelling) -> Typed:
    values, bad = np.full(len(cells), np.nan), {}
    numbers = {0.0: False, 1.0: True}
    for row, cell in enumerate(cells):
        if _is_missing(cell, spelling.missing_numbers):
            continue
        flag = _flag(cell)
        flag = numbers.get(_one_number(cell, spelling)) if flag is None else flag
        if flag is None:
            bad[row] = f"{_shown(cell)} is neither true nor false"
        else:
            values[row] = flag
    return Typed(values, bad)


def _texts(cells: Sequence[Any], spelling: Spelling) -> Typed:
    missing = spelling.missing_text
    if _all_text(cells):
        return Typed(Words.of([None if cell in missing else cell for cell in cells]), {})
    bad: dict[int, str] = {}
    texts: list[str | None] = []
    for row, cell in enumerate(cells):
        text = as_text(cell)
        if text is None and not _is_missing(cell, missing):
            bad[row] = f"{_shown(cell)} is neither text nor a number"
        texts.append(None if text is None or text in missing else text)
    return Typed(Words.of(texts), bad)


def _codes(cells: Sequence[Any], spelling: Spelling) -> Typed:
    texts = _texts(cells, spelling)
    words = [label(_number(word, spelling)) if _is_number(word, spelling) else word for word in texts.values.words]
    return Typed(texts.values.mapped(words), texts.bad)


def _no_arrays(cells: Sequence[Any], spelling: Spelling) -> Typed:
    return Typed(np.full(len(cells), np.nan), {row: f"{_shown(cell)} is no array" for row, cell in enumerate(cells)})


def _no_audio(cells: Sequence[Any], spelling: Spelling) -> Typed:
    return Typed(no_samples(len(cells)), {row: f"{_shown(cell)} is no sound" for row, cell in enumerate(cells)})


def _no_trees(cells: Sequence[Any], spelling: Spelling) -> Typed:
    return Typed(no_trees(len(cells)), {row: f"{_shown(cell)} is no tree" for row, cell in enumerate(cells)})


def _lists(cells: Sequence[Any], spelling: Spelling) -> Typed:
    """Take a text for a list of the words that blanks part."""
    bad = {row: f"{_shown(cell)} is no list of texts" for row, cell in enumerate(cells) if not isinstance(cell, str)}
    return Typed(Lists.of([cell.split() if isinstance(cell, str) else [] for cell in cells]), bad)


_KINDS: dict[Kind, Callable[[Sequence[Any], Spelling], Typed]] = {
    "number": _numbers,
    "boolean": _booleans,
    "category": _texts,
    "code": _codes,
    "array": _no_arrays,
    "image": _no_arrays,
    "audio": _no_audio,
    "tree": _no_trees,
    "list": _lists,
}


def as_text(cell: object) -> str | None:
    """Return a JSON value as the text of a category; None for what has none."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int):
        return str(cell)
    return label(cell) if isinstance(cell, float) and math.isfinite(cell) else None


def as_labels(cells: Cells) -> Words:
    """Return raw cells as the text of categories; 1 and 1.0 are both ``1``, also where text writes them."""
    words = cells.words() if isinstance(cells, Text) else Words.of([as_text(cell) for cell in _plain(cells)])
    return words.mapped([_as_label(word) for word in words.words])


def _plain(cells: Cells) -> Sequence[Any]:
    plain: Sequence[Any] = cells.tolist() if isinstance(cells, np.ndarray) else cells
    return plain


def _as_label(word: str) -> str:
    number = _number(word, Spelling())
    return word.strip() if math.isnan(number) or _LEADING_ZERO.match(word) else label(number)


def label(value: float) -> str:
    """Write a number as a class or category: 1 and 1.0 are both ``1``."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**63 else repr(float(value))


def in_order(labels: Collection[str]) -> list[str]:
    """Sort labels: by value where all are numbers, else as text."""
    numbers = {name: _number(name, Spelling()) for name in labels}
    if any(math.isnan(number) for number in numbers.values()):
        return sorted(labels)
    return sorted(labels, key=lambda name: (numbers[name], name))
