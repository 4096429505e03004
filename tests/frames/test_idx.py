import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkit.errors import DataError
from nnkit.frames.idx import read_idx
from tests.data.helpers import idx


def test_bytes_come_back_packed_or_not(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 4), dtype=np.uint8)
    for axes in (pixels, pixels.reshape(5, 2, 3, 2), pixels[:0]):
        (tmp_path / "a").write_bytes(idx(axes))
        (tmp_path / "b").write_bytes(gzip.compress(idx(axes)))
        for name in ("a", "b"):
            found = read_idx(tmp_path / name, (3, 4), "pictures")
            assert found.dtype == np.uint8
            assert np.array_equal(found, axes)


def header(kind: int, *axes: int) -> bytes:
    return bytes((0, 0, kind, len(axes))) + struct.pack(f">{len(axes)}I", *axes)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\x89PNG\r\n\x1a\n", "not an IDX file"),
        (b"\0\0\x07\x03" + bytes(20), "not an IDX file"),
        (header(8, 1, 2, 2)[:9], "ends within its header"),
        (header(8, 2, 2, 2) + bytes(7), r"2 x 2 x 2 pictures, which are 8 bytes, and only 7 follow; the file is cut"),
        (header(8, 2, 2, 2) + bytes(9), "2 x 2 x 2 pictures, which are 8 bytes, and more follow; the file is damaged"),
        (header(0x0D, 2, 2, 2) + bytes(32), "values of the type float32; expected bytes"),
        (header(0x0B, 2, 2, 2) + bytes(16), "values of the type int16; expected bytes"),
        (header(8, 3) + bytes(3), "has 1 axes; expected 3 or 4, as files of pictures have"),
        (header(8, 3, 0, 2), "3 x 0 x 2: the pictures have no size"),
        (header(8, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(50), "more than the 17179869184 bytes that are read"),
    ],
)
def test_files_that_are_not_as_they_say(tmp_path: Path, data: bytes, message: str) -> None:
    for name, content in (("a", data), ("b", gzip.compress(data))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message) as caught:
            read_idx(tmp_path / name, (3, 4), "pictures")
        assert str(tmp_path / name) in str(caught.value)


def test_a_header_that_lies_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(gzip.compress(header(8, 15, 2**15, 2**15) + bytes(10_000)))
    tracemalloc.start()
    with pytest.raises(DataError, match="only 10000 follow"):
        read_idx(tmp_path / "a", (3, 4), "pictures")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_gzip_that_is_cut_short(tmp_path: Path) -> None:
    data = gzip.compress(idx(np.zeros((3, 4, 4), dtype=np.uint8)))
    for cut in (12, len(data) - 9, len(data) - 1):
        (tmp_path / "a").write_bytes(data[:cut])
        with pytest.raises(DataError, match="cut short or damaged"):
            read_idx(tmp_path / "a", (3,), "pictures")


WHOLE = idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@given(
    data=st.one_of(
        st.binary(max_size=60),
        st.builds(
            lambda a, b, c: WHOLE[:a] + b + WHOLE[a + c :], st.integers(0, 40), st.binary(max_size=8), st.integers(0, 9)
        ),
    ),
    packed=st.booleans(),
)
def test_whatever_the_bytes_are(tmp_path_factory: pytest.TempPathFactory, data: bytes, packed: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "whatever.idx"
    path.write_bytes(gzip.compress(data) if packed else data)
    try:
        found = read_idx(path, (3, 4), "pictures")
    except DataError:
        return
    assert idx(found) == data
