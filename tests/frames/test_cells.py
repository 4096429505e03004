"""What is read and written in bulk is what the row-by-row code reads and writes, whatever the bytes are."""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnkit.data.sources.csv import Csv
from nnkit.errors import DataError
from nnkit.frames import cells, lines
from nnkit.frames.cells import Piece, Text, Words
from nnkit.frames.kinds import Kind, Spelling, infer, typed
from nnkit.frames.table import Raw, join
from nnkit.frames.written import texts, written

pytestmark = pytest.mark.skipif(not cells.is_compiled(), reason="nnkit's compiled part was not built")


@contextmanager
def row_by_row() -> Iterator[None]:
    with patch.object(cells, "compiled", None):
        yield


def outcome(read: Callable[[], Any]) -> Any:
    """Return what a function returns, or the message of the mistake that it finds."""
    try:
        return read()
    except DataError as error:
        return str(error)


def rows_of(data: bytes, options: dict[str, Any], chunk_rows: int) -> tuple[list[Any], str]:
    """Return the rows and bad rows in the order of their lines, and the mistake that ended them."""
    source = Csv.model_validate({"path": "t.csv", **options}, context={"base": Path()})
    found: list[Any] = []
    try:
        for part in source.chunks_of(io.BytesIO(data), "t.csv", chunk_rows):
            table = list(zip(*map(list, part.cells.values()), strict=True))
            found += sorted([*zip(part.lines, table, strict=True), *((b.line, b.reason, b.text) for b in part.bad)])
    except DataError as error:
        return found, str(error)
    return found, ""


CELL = st.one_of(
    st.sampled_from(["", "1", "-2.5e3", "NA", " 7 ", "true", "ä", "x y", "1_0", "\u2028", "'"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=4),
    st.sampled_from(['"a,b"', '"say ""hi"""', '"two\nlines"', '""', '"a"b', 'a"b', '"', '"open', "\r", "\0", '"a";']),
)
PLAIN_CELL = st.sampled_from(["", "1", "2.5", "Bern", "Genève", '"a,b"', '"say ""hi"""', '""'])


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Draw text that is nearly a table: most rows have three cells, most cells are plain."""
    cell = st.one_of(PLAIN_CELL, PLAIN_CELL, CELL) if draw(st.booleans()) else PLAIN_CELL
    row = st.lists(cell, min_size=3, max_size=3) if draw(st.booleans()) else st.lists(cell, max_size=4)
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    body = draw(st.lists(row.map(",".join), max_size=12))
    text = "a,b,c" + end + end.join(body) + draw(st.sampled_from(["", end]))
    data = draw(st.sampled_from(["", "\ufeff"])).encode() + text.encode()
    place = draw(st.integers(0, len(data)))
    return data[:place] + b"\xff" + data[place:] if draw(st.integers(0, 9)) == 9 else data


@settings(max_examples=500, deadline=None)
@given(
    data=tables(),
    chunk_rows=st.sampled_from([1, 3, 8192]),
    block=st.sampled_from([1, 7, 30, 2**20]),
    options=st.sampled_from(
        [
            {},
            {"quoting": False},
            {"quote": "'"},
            {"encoding": "latin-1"},
            {"encoding": "ascii"},
            {"encoding": "utf-16"},
            {"delimiter": ";"},
            {"header": False, "columns": ["x", "y", "z"]},
        ]
    ),
)
def test_bulk_and_row_by_row_read_the_same(data: bytes, chunk_rows: int, block: int, options: dict[str, Any]) -> None:
    with row_by_row():
        expected = rows_of(data, options, 8192)
    with patch.object(lines, "BLOCK_BYTES", block):
        found = rows_of(data, options, chunk_rows)
    assert found == expected


def test_plain_tables_do_go_through_the_compiled_part() -> None:
    """Without this, the test above could compare a thing with itself."""
    raw = table(b'a,b\n1,"x, y"\n"2",\xc3\xa4\n')
    assert all(isinstance(column, Text) for column in raw.cells.values())
    assert raw.cells == {"a": ["1", "2"], "b": ["x, y", "ä"]}
    assert list(raw.lines) == [2, 3]


def table(data: bytes) -> Raw:
    return join(Csv(path=Path("t.csv")).chunks_of(io.BytesIO(data), "t.csv"))


def bulk(column: list[str], pieces: int = 1) -> Text:
    """Return cells as the compiled part holds them, cut into pieces."""
    bounds = np.linspace(0, len(column), pieces + 1).astype(int).tolist()
    return Text([piece(column[low:high]) for low, high in pairwise(bounds)])


def piece(column: list[str]) -> Piece:
    encoded = [cell.encode() for cell in column]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return Piece(b"".join(encoded), ends[:-1].copy(), ends[1:].copy())


NUMBER = st.one_of(
    st.floats().map(repr),
    st.floats(width=32).map(lambda value: str(np.float32(value))),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.integers().map(str),
    st.from_regex(r"\A[ \t]?[+-]?[0-9]{0,25}[.,]?[0-9]{0,25}([eE][+-]?[0-9]{0,4})?[ \t]?\Z"),
    st.sampled_from(
        ["", " ", "NA", "nan", "inf", "-99", "-99.0", "01", "1,000", "1,0", "1.000,5", "0x1p3", "true", "1_0"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
)
SPELLINGS = [
    Spelling(),
    Spelling(missing=frozenset({"-99", "x"})),
    Spelling(decimal=","),
    Spelling(thousands=","),
    Spelling(decimal=",", thousands="."),
]


@settings(max_examples=500, deadline=None)
@given(
    column=st.one_of(
        st.lists(NUMBER, max_size=12),
        st.lists(st.sampled_from(["true", "FALSE", "", "1", "-99"]), max_size=6),
        st.lists(st.sampled_from(["1", "2.5", "-99", "", "1e3"]), max_size=6),
    ),
    kind=st.sampled_from(["number", "category", "code", "boolean", "array"]),
    spelling=st.sampled_from(SPELLINGS),
    pieces=st.integers(1, 3),
)
def test_cells_in_bulk_mean_what_they_mean_one_by_one(
    column: list[str], kind: Kind, spelling: Spelling, pieces: int
) -> None:
    assert infer(bulk(column, pieces), spelling) == infer(column, spelling)
    found, expected = typed(bulk(column, pieces), kind, spelling), typed(column, kind, spelling)
    assert found.bad == expected.bad
    assert list(found.bad) == list(expected.bad)
    if isinstance(expected.values, Words):
        assert found.values.tolist() == expected.values.tolist()
    else:
        assert found.values.tobytes() == expected.values.tobytes() or same_numbers(found.values, expected.values)


def same_numbers(found: Any, expected: Any) -> bool:
    """Tell whether numbers are equal, -0.0 apart from 0.0, and NaN in the same places."""
    return bool(np.array_equal(found, expected, equal_nan=True) and (np.signbit(found) == np.signbit(expected)).all())


@given(st.lists(CELL, min_size=1, max_size=9), st.integers(1, 3))
def test_a_column_in_bulk_is_a_sequence_of_its_cells(column: list[str], pieces: int) -> None:
    text = bulk(column, pieces)
    assert text.tolist() == list(text) == column
    assert [text[row] for row in range(len(text))] == column
    assert text[1:3].tolist() == column[1:3]
    assert text.words().tolist() == column
    rows = np.arange(0, len(column), 2)
    assert text.take(rows).tolist() == column[::2]


def test_many_words() -> None:
    column = [f"{number:x}" * (number % 5) for number in range(5000)]
    assert bulk(column).words().tolist() == column


def test_words() -> None:
    words = Words.of(["b", None, "a", "b"])
    assert (words.words, words.codes.tolist()) == (["b", "a"], [0, -1, 1, 0])
    assert words.filled("a").tolist() == ["b", "a", "a", "b"]
    assert words.filled("c").tolist() == ["b", "c", "a", "b"]
    assert words[1:3].used() == ["a"]
    assert words.mapped(["x", "x"]).words == ["x"]
    assert words.mapped([None, "x"]).tolist() == [None, None, "x", None]


@settings(max_examples=1000)
@given(
    st.one_of(
        st.floats(),
        st.floats(width=32),
        st.floats(1e-5, 1e-3),
        st.floats(1e14, 1e18),
        st.integers(-(10**17), 10**17).map(float),
        st.sampled_from([1e-4, 1e16, 9999999999999998.0, 0.00010000000474974513, 9.999999747378752e-05, 5e-324]),
    )
)
def test_a_number_is_written_as_python_writes_it(value: float) -> None:
    column = np.array([value])
    found = written([column], ["", "\n"])
    assert found == texts(column)[0] + "\n"
    with np.errstate(over="ignore"):
        if np.float32(value) != value:
            assert found == f"{value!r}\n"


@pytest.mark.parametrize("seed", range(5))
def test_thousands_of_float32_numbers_have_the_digits_that_numpy_finds(seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2**32, 5000, dtype=np.uint32)
    with np.errstate(invalid="ignore"):  # Some of the NaN are signalling ones.
        column = bits.view(np.float32).astype(np.float64)
    assert written([column], ["", "\n"]).splitlines() == texts(column)


@given(st.lists(st.tuples(st.floats(width=32), st.integers(0, 2)), max_size=5))
def test_tables_are_written_the_same_without_the_compiled_part(rows: list[tuple[float, int]]) -> None:
    numbers = np.array([number for number, _ in rows])
    words = Words(np.array([code for _, code in rows], dtype=np.int32), ["ä", "", "100 %"])
    found = written([words, numbers, words], ["<", ": %s", "", ">\n"])
    with row_by_row():
        assert written([words, numbers, words], ["<", ": %s", "", ">\n"]) == found


def test_the_compiled_part_refuses_what_would_lead_outside_of_its_buffers() -> None:
    short = np.zeros(1, dtype=np.int32)
    two = np.array([0, 1], dtype=np.int32)
    for starts, ends in ((two, short), (two, two - 1), (two - 1, two), (two, two + 100)):
        with pytest.raises(ValueError, match="cells: "):
            cells.compiled.texts(b"abc", starts, ends)
        with pytest.raises(ValueError, match="cells: "):
            cells.compiled.codes(b"abc", starts, ends, np.zeros(2, dtype=np.int32))
        with pytest.raises(ValueError, match="cells: "):
            cells.compiled.numbers(b"abc", starts, ends, ord("."), False, np.zeros(2), np.zeros(2, dtype=np.int32))
    with pytest.raises(ValueError, match="cells: "):
        cells.compiled.numbers(b"12", two, two + 1, ord("."), False, np.zeros(1), np.zeros(2, dtype=np.int32))
    with pytest.raises(ValueError, match="split: "):
        cells.compiled.split(b"1,2\n", ord(","), -1, 2, two, short)
    assert cells.compiled.split(b"1,2\n1,2\n", ord(","), -1, 2, two.copy(), two.copy()) == -1
    with pytest.raises(ValueError, match="a code without a label"):
        cells.compiled.lines(2, [b"", b""], [(two, [b"x"])])
    with pytest.raises(ValueError, match="do not fit together"):
        cells.compiled.lines(3, [b"", b""], [(np.zeros(2), [])])
    with pytest.raises(ValueError, match="a piece around each cell"):
        cells.compiled.lines(2, [b""], [(np.zeros(2), [])])


def test_a_float_is_the_nearest_one_also_with_many_digits() -> None:
    column = ["9007199254740993", "0.1234567890123456789", "1e-400", "2.4703282292062328e-324", "1e22", "1e23", "-0"]
    column += ["17976931348623157e292", "1" * 200 + "e-200", "0." + "0" * 60 + "1"]
    values = typed(bulk(column), "number", Spelling()).values
    assert values.tolist() == [float(cell) for cell in column]
    assert math.copysign(1, values[6]) == -1
