import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from nnkit.data.prepare import prepare, read
from nnkit.data.sources import SOURCES
from nnkit.data.spec import Data
from nnkit.errors import DataError


def source(**options: Any) -> Any:
    return SOURCES.decode(options, context={"base": Path()})


def test_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1, "b": "x"}\n\n{"b": null, "c": true}\n')
    raw = read(source(type="jsonl", path=str(path)))
    assert raw.cells == {"a": [1, None], "b": ["x", None], "c": [None, True]}
    assert raw.lines == [1, 3]
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


def test_npz_columns_and_arrays(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    images = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
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
        ({"columns": ["a", "a"]}, "names a column twice"),
    ],
)
def test_csv_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        source(type="csv", path="t.csv", **options)
