import io
import pickle
import sys
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from nnkit.data.prepare import prepare, read
from nnkit.data.sources import SOURCES
from nnkit.data.spec import Data
from nnkit.errors import DataError, ResourceError


def source(**options: Any) -> Any:
    return SOURCES.decode(options, context={"base": Path()})


def test_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1, "b": "x"}\n\n{"b": null, "c": true}\n')
    raw = read(source(type="jsonl", path=str(path)))
    assert raw.cells == {"a": [1, None], "b": ["x", None], "c": [None, True]}
    assert raw.lines == [1, 3]
    path.write_text('{"a": "\\ud83d\\ude00"}\n{"a": "\\ud83d"}\n')
    with pytest.raises(DataError, match=r":2: not JSON .*surrogates not allowed"):
        read(source(type="jsonl", path=str(path)))
    path.write_text('{"a": 1}\n{"a": 1, "a": 2}\n[3]\n{"a": ' + "[" * 100_000 + "\n")
    with pytest.raises(DataError) as caught:
        read(source(type="jsonl", path=str(path)))
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:2", f"{path}:3", f"{path}:4"]


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"n": [1, None, 3], "t": ["a", "b", None], "f": [True, False, True]}), path)
    raw = read(source(type="parquet", path=str(path)))
    assert raw.cells == {"n": [1, None, 3], "t": ["a", "b", None], "f": [True, False, True]}
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="not a Parquet file"):
        read(source(type="parquet", path=str(path)))
    parquet.write_table(pa.table([[1], [2]], names=["a", "a"]), path)
    with pytest.raises(DataError, match=r"not a Parquet file that can be read .*exists 2 times"):
        read(source(type="parquet", path=str(path)))


def test_parquet_decimals_and_dates(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table(
        {"n": [Decimal("1.50"), None], "d": [date(2024, 1, 2), None], "w": pa.array(["a", "a"]).dictionary_encode()}
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    raw = read(source(type="parquet", path=str(tmp_path / "t.parquet")))
    assert raw.cells == {"n": [1.5, None], "d": ["2024-01-02", None], "w": ["a", "a"]}


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(ResourceError, match=r"pip install 'nnkit\[parquet\]'"):
        read(source(type="parquet", path=str(tmp_path / "t.parquet")))


def test_npz_columns_and_arrays(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    images = np.arange(24, dtype=np.int16).reshape(4, 2, 3)
    np.savez(path, images=images, y=np.array([0, 1, 0, 1]), name=np.array(["a", "b", "c", "d"]))
    raw = read(source(type="npz", path=str(path)))
    assert raw.cells["name"] == ["a", "b", "c", "d"]
    spec = {"source": {"type": "npz", "path": str(path), "arrays": ["images", "y"]}, "target": "y"}
    result = prepare(Data.model_validate(spec, context={"base": Path()}), lambda count: "binary", 0)
    assert result.pipeline.input_shapes == {"input": (2, 3)}
    assert np.array_equal(result.train.inputs["input"], images)


class Mine:
    def __reduce__(self) -> Any:
        return (print, ("this must never run",))


def test_npz_with_pickled_objects_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, x=np.array([Mine()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="not a numpy archive of plain arrays"):
        read(source(type="npz", path=str(path)))
    path.write_bytes(pickle.dumps(Mine()))
    with pytest.raises(DataError, match="not a numpy archive"):
        read(source(type="npz", path=str(path)))
    assert "never run" not in capsys.readouterr().out


def test_npz_archives_that_lie_or_hold_other_things(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
    members = {
        "a.txt": b"hello",
        "a.npy": b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(80),
    }
    for name, content in members.items():
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)
        with pytest.raises(DataError, match="not a numpy archive of plain arrays"):
            read(source(type="npz", path=str(path)))
    np.savez(path, a=np.zeros(3))
    with pytest.raises(DataError, match="there is no b in it"):
        read(source(type="npz", path=str(path), arrays=["b"]))
    np.savez(path)
    with pytest.raises(DataError, match="it is empty"):
        read(source(type="npz", path=str(path)))


def test_npz_flags_in_arrays_are_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", seen=np.eye(2, dtype=bool), y=np.array([True, False]))
    raw = read(source(type="npz", path=str(tmp_path / "t.npz")))
    assert raw.cells["seen"].tolist() == [[1, 0], [0, 1]]
    assert raw.cells["seen"].dtype != np.uint8
    assert raw.cells["y"] == [True, False]


def test_npz_arrays_must_have_as_many_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, x=np.zeros(3), y=np.zeros(4))
    with pytest.raises(DataError, match="different numbers of rows: x 3, y 4"):
        read(source(type="npz", path=str(path)))
    np.savez(path, x=np.float64(1.0))
    with pytest.raises(DataError, match="x have no rows"):
        read(source(type="npz", path=str(path)))


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("iris", 150, 5),
        ("wine", 178, 14),
        ("breast_cancer", 569, 31),
        ("digits", 1797, 65),
        ("diabetes", 442, 11),
        ("linnerud", 20, 6),
    ],
)
def test_scikit_learns_sets(name: str, rows: int, columns: int) -> None:
    raw = read(source(type="sklearn", name=name))
    assert (len(raw), len(raw.cells)) == (rows, columns)


def test_a_source_that_does_not_stream_says_so() -> None:
    with pytest.raises(DataError, match="a sklearn source cannot be read from a stream"):
        source(type="sklearn", name="iris").chunks_of(io.BytesIO(b""), "-")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"header": False}, "without a header, `columns` must name the columns"),
        ({"encoding": "utf-9"}, "expected the name of an encoding"),
        ({"encoding": "base64"}, "expected the name of an encoding"),
        ({"encoding": "a\0b"}, "expected the name of an encoding"),
        ({"delimiter": "\n"}, "delimiter cannot be"),
        ({"delimiter": '"'}, "delimiter and quote are both"),
        ({"thousands": "."}, "decimal and thousands are both"),
        ({"decimal": "e"}, "decimal cannot be 'e'"),
        ({"columns": ["a", "a"]}, "names a column twice"),
    ],
)
def test_csv_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        source(type="csv", path="t.csv", **options)
