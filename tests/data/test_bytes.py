"""Whatever bytes come in, what comes out is rows or a ``DataError``."""

import bz2
import contextlib
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkit.data.pipeline import Pipeline
from nnkit.data.sources import SOURCES
from nnkit.errors import DataError
from tests.data.helpers import ONE_HOT, people, prepared

CSV = b'land,junk,income,height,age\nDE,"x\n""y""",1e3,170.5,30\r\nNA,,NA,1_0,?\n\xef\xbb\xbf,\xc3\xa4\n'
JSON = b'{"age": 30, "income": NaN, "land": "DE", "height": 1e999}\n{"land": [{"a": "\\ud800"}], "age": true}\n'


def archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, age=np.arange(3), income=np.array([1, np.inf, 2]), height=np.zeros((3, 2)), land=np.array(["a"] * 3))
    return file.getvalue()


@st.composite
def spoilt(draw: st.DrawFn, contents: bytes) -> bytes:
    """Cut, fill and overwrite some of ``contents``."""
    data = bytearray(contents)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


STREAMS = [CSV, JSON, gzip.compress(CSV, mtime=0), bz2.compress(JSON), CSV.decode().encode("utf-16")]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    path = people(tmp_path_factory.mktemp("data") / "p.csv")
    return prepared(path, target="left", transforms=[ONE_HOT, "standard_scale"]).pipeline


@given(st.one_of(st.binary(max_size=200), *map(spoilt, STREAMS)), st.sampled_from([None, "csv", "jsonl"]))
def test_streams(pipeline: Pipeline, data: bytes, format_name: str | None) -> None:
    with contextlib.suppress(DataError):
        for chunk in pipeline.stream(io.BytesIO(data), format=format_name, chunk_rows=2):
            assert np.isfinite(chunk.dataset.inputs["input"]).all()
            assert all(len(cells) == len(chunk.dataset) for cells in chunk.raw.values())


@given(data=st.one_of(st.binary(max_size=200), spoilt(archive())))
def test_archives(tmp_path_factory: pytest.TempPathFactory, pipeline: Pipeline, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "spoilt.npz"
    path.write_bytes(data)
    with contextlib.suppress(DataError):
        list(pipeline.stream(path))


@given(data=st.one_of(st.binary(max_size=200), *map(spoilt, STREAMS)))
def test_other_encodings(data: bytes) -> None:
    options: dict[str, Any] = {"type": "csv", "path": "-"}
    for encoding in ("utf-16", "utf-16-le", "cp949", "utf-7"):
        source = SOURCES.decode({**options, "encoding": encoding}, context={"base": Path()})
        with contextlib.suppress(DataError):
            list(source.chunks_of(io.BytesIO(data), "-"))
