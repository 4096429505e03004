import bz2
import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnkit.data.prepare import read
from nnkit.data.sources.csv import Csv
from nnkit.errors import DataError
from nnkit.frames.kinds import Spelling, typed
from nnkit.frames.lines import unpacked
from nnkit.frames.table import Raw, join
from nnkit.frames.text import Dialect, read_text


def table(data: bytes, chunk_rows: int = 8192, **options: Any) -> Raw:
    source = Csv.model_validate({"path": "t.csv", **options}, context={"base": Path()})
    return join(source.chunks_of(io.BytesIO(data), "t.csv", chunk_rows))


def mistake(data: bytes, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        table(data, **options)
    return str(caught.value)


def test_cells_stay_as_they_are_with_the_line_that_each_row_begins_in() -> None:
    raw = table(b'a,b\n 1 ,NA\n\n"x\ny","say ""hi"""\n')
    assert raw.cells == {"a": [" 1 ", "x\ny"], "b": ["NA", 'say "hi"']}
    assert raw.lines == [2, 4]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_newlines_and_packing_make_no_difference(newline: bytes, pack: type[bytes]) -> None:
    raw = table(pack(newline.join([b"a,b", b"1,2", b"3,4"])))
    assert raw.cells == {"a": ["1", "3"], "b": ["2", "4"]}


def test_encodings() -> None:
    assert table("\ufeffä,b\n1,ö\n".encode()).cells == {"ä": ["1"], "b": ["ö"]}
    assert table("ä,b\n1,ö\n".encode("utf-16"), encoding="utf-16").cells == {"ä": ["1"], "b": ["ö"]}
    assert table("ä\nö\n".encode("latin-1"), encoding="latin-1").cells == {"ä": ["ö"]}
    assert table("\ufeffä\n1\n".encode("utf-16-le"), encoding="utf-16-le").cells == {"ä": ["1"]}


def test_names_may_be_numbers_that_count_the_columns() -> None:
    assert list(table(b"0,1,2\n5,6,7\n").cells) == ["0", "1", "2"]
    assert list(table(b"1,2\n5,6\n").cells) == ["1", "2"]
    assert table(b"3,4\n5,6\n", columns=["a", "b"]).cells == {"a": ["5"], "b": ["6"]}
    assert table(b"a;b\n5;6\n", columns=["a"]).cells == {"a": ["5;6"]}


def test_quoting_can_be_switched_off() -> None:
    data = b'ham\tsay "hi\nspam\t"win" now\n'
    raw = table(data, delimiter="\t", quoting=False, header=False, columns=["label", "text"])
    assert raw.cells == {"label": ["ham", "spam"], "text": ['say "hi', '"win" now']}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "t.csv: empty; expected a line with the names of the columns"),
        (b"a,b\n1,2\n3\x00,4\n", "t.csv:3: a NUL byte"),
        (b"a,b\n1,2\n\xff,4\n", "t.csv:3: the byte 0xff is not utf-8 text; set the source's encoding"),
        ("a,b\n1,2\n".encode("utf-16"), "t.csv:1: UTF-16 text; set the source's encoding: utf-16"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "t.csv:3: a quote opened in this row is never closed"),
        (b'a,b\n1,2\n3,"4"5\n', "t.csv:3: ',' expected after '\"'"),
        (b"a,b,a\n1,2,3\n", "t.csv:1: two columns are called 'a'"),
        (b"a;b\n1;2\n", "t.csv:1: one column, 'a;b'; set the source's delimiter: \";\""),
        (b"a,b\r1,2\r\xff,4\r", "t.csv:3: the byte 0xff"),
        (b"1.5,2,0\n3,4,1\n", "t.csv:1: numbers and no names of columns: name them in `columns`"),
        (b'a,b\n1,2\n"3' + b"x" * 1_100_000 + b"\n", "t.csv:3: a cell of more than 1048576 characters"),
        (gzip.compress(b"a,b\n1,2\n")[:11], "t.csv:1: cannot be read on"),
        (b"BZh91AY&SY and no more of it", "t.csv:1: cannot be read on: Invalid data stream"),
        (gzip.compress(b"a,b\n" + os.urandom(9000).hex().encode())[:-2000], "cut short or damaged"),
    ],
)
def test_what_is_no_table_is_told_with_its_line(data: bytes, message: str) -> None:
    assert message in mistake(data)


def test_ragged_rows_are_told_apart_from_the_others() -> None:
    raw = table(b"a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert raw.cells == {"a": ["1", "7"], "b": ["2", "8"]}
    assert [(bad.line, bad.reason, bad.text) for bad in raw.bad] == [
        (3, "1 cells, and the header has 2", "3"),
        (4, "3 cells, and the header has 2", "4,5,6"),
    ]


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path / "no.csv", "not found"),
        (tmp_path, "a folder; give a file in it"),
        (tmp_path / "pipe", "pipe"),
    ):
        with pytest.raises(DataError, match=message):
            read(Csv(path=path))
    with pytest.raises(DataError, match="not a plain file"):
        read(Csv(path=Path("/dev/zero")))


def test_a_header_alone_has_no_rows_to_train_on(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="has no rows, only the names"):
        read(Csv(path=tmp_path / "h.csv"))


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELL, CELL.filter(bool)), min_size=1, max_size=20), st.integers(1, 7))
def test_what_pythons_csv_writes_is_read_back_whatever_the_chunks(rows: list[tuple[str, str]], chunk: int) -> None:
    import csv

    text = io.StringIO(newline="")
    csv.writer(text).writerows([("a", "b"), *rows])
    raw = table(text.getvalue().encode(), chunk)
    assert list(zip(raw.cells["a"], raw.cells["b"], strict=True)) == rows


def test_every_file_of_the_robustness_set_is_a_table_or_a_clear_error(shared_data: Path) -> None:
    root = shared_data / "csv_robustness"
    outcomes = {}
    for path in sorted(root.rglob("*")):
        if path.is_dir() or path.suffix in (".json", ".md") or path.name == "COPYING":
            continue
        try:
            outcomes[path.name] = f"{len(read(Csv(path=path)))} rows"
        except DataError as error:
            outcomes[path.name] = "error" if str(error).startswith(str(path)) else str(error)
    assert len(outcomes) > 35
    errors = {name for name, outcome in outcomes.items() if outcome == "error"}
    assert errors == {
        "bad.csv",
        "bad_skip_lines.csv",
        "california_housing_bytes_repr_first200.csv",
        "california_housing_cp949_header.csv",
        "churn_git_conflict_marks.csv",
        "dummy.tsv",
        "empty.csv",
        "no_header_row.csv",
        "null_byte.csv",
        "test_empty_columns.csv",
        "test_empty_columns_long_row.csv",
        "test_empty_columns_short_row.csv",
        "test_extra_header.csv",
        "test_latin1.csv",
        "test_utf16_little.csv",
    }


@pytest.mark.parametrize(
    ("name", "options", "cells"),
    [
        ("dummy.csv.gz", {}, {"a": ["1"], "b": ["2"], "c": ["3"]}),
        ("dummy.csv.bz2", {}, {"a": ["1"], "b": ["2"], "c": ["3"]}),
        ("dummy.tsv", {"delimiter": "\t"}, {"a": ["1"], "b": ["2"], "c": ["3"]}),
        ("mac_newlines.csv", {}, {"a": ["1", "Once upon\ra time"], "b": ["2", "5"], "c": ["3", "6"]}),
        ("test_latin1.csv", {"encoding": "latin-1"}, {"a": ["1", "4"], "b": ["2", "5"], "c": ["3", "©"]}),
        ("test_utf16_little.csv", {"encoding": "utf-16"}, {"a": ["1", "4"], "b": ["2", "5"], "c": ["3", "ʤ"]}),
        ("test_utf8_bom.csv", {}, {"foo": ["1", "4"], "bar": ["2", "5"], "baz": ["3", "ʤ"]}),
        ("no_header_row.csv", {"header": False, "columns": ["x", "y", "z"]}, {"x": ["1"], "y": ["2"], "z": ["3"]}),
    ],
)
def test_odd_files_are_read_right_where_the_source_says_how(
    shared_data: Path, name: str, options: dict[str, Any], cells: dict[str, list[str]]
) -> None:
    path = shared_data / "csv_robustness" / "csvkit" / name
    assert read(Csv.model_validate({"path": str(path), **options}, context={"base": Path()})).cells == cells


def test_odd_copies_of_known_files(shared_data: Path) -> None:
    folder = shared_data / "csv_robustness" / "real"
    korean = Csv.model_validate({"path": str(folder / "california_housing_cp949_header.csv"), "encoding": "cp949"})
    assert next(iter(read(korean).cells)) == "경도"
    padded = read(Csv(path=folder / "churn_padded_with_blanks.csv"))
    assert list(padded.cells)[3] == " CreditScore"
    scores = typed(padded.cells[" CreditScore"], "number", Spelling())
    assert not scores.bad
    assert 300 < scores.values.min() < scores.values.max() <= 850
    with pytest.raises(DataError, match=r"conflict_marks\.csv:2: 14 cells, and the header has 1"):
        read(Csv(path=folder / "churn_git_conflict_marks.csv"))


def test_csv_spectrum_gives_its_own_json(shared_data: Path) -> None:
    folder = shared_data / "csv_robustness" / "csv-spectrum"
    pairs = {path.stem: path for path in folder.rglob("*.csv") if path.stem != "location_coordinates"}
    assert len(pairs) == 11
    expected = {path.stem: json.loads(path.read_text()) for path in folder.rglob("*.json")}
    for name, path in pairs.items():
        raw = read(Csv(path=path))
        assert [{key: cells[row] for key, cells in raw.cells.items()} for row in range(len(raw))] == expected[name]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_what_swells_beyond_all_measure_is_not_read_on(pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnkit.frames.lines.SMALL", 2**20)
    bomb = pack(b"a,b\n" + b"1,2\n" * 2**20)
    with pytest.raises(DataError, match=r"t.csv: .* packed bytes have become .* if it is right, unpack it first"):
        list(read_text(io.BytesIO(bomb), Dialect(), "t.csv", 8192))
    with pytest.raises(DataError, match="packed bytes have become"):
        unpacked(io.BytesIO(bomb), "t.csv").read()


def test_what_swells_a_little_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnkit.frames.lines.SMALL", 2**10)
    text = b"a,b\n" + b"".join(b"%d,%d\n" % (number, number % 7) for number in range(100_000))
    assert unpacked(io.BytesIO(gzip.compress(text))).read() == text
