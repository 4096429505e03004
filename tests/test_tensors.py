import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save

from nnkit.errors import ResourceError, RunError
from nnkit.tensors import read_tensors, write_tensors

ARRAYS: dict[str, Any] = {
    "hidden.kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array(3.5),
    "steps": np.array([2**40], dtype=np.int64),
    "mask": np.array([True, False]),
    "half": np.array([0.5, 65504], dtype=np.float16),
    "none": np.zeros((0, 4), dtype=np.float32),
}
METADATA = {"zeta": "1", "alpha": 'ä "quoted" \n', "mid": ""}


def file_of(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(dtype: object = "F32", shape: object = (1,), start: int = 0, end: int = 4) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_tensors(path, ARRAYS, METADATA)
    arrays, metadata = read_tensors(path)
    assert metadata == METADATA
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].flags.writeable
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_the_library_itself_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_tensors(path, ARRAYS, METADATA)
    with safe_open(path, framework="np") as file:
        assert file.metadata() == METADATA
        np.testing.assert_array_equal(file.get_tensor("hidden.kernel"), ARRAYS["hidden.kernel"])


def test_views_and_other_byte_orders_are_written_as_they_look(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    table = np.arange(12.0).reshape(3, 4)
    write_tensors(path, {"turned": table.T, "big": np.arange(3, dtype=">i4"), "step": table[:, ::2]}, {})
    arrays, _ = read_tensors(path)
    np.testing.assert_array_equal(arrays["turned"], table.T)
    np.testing.assert_array_equal(arrays["step"], table[:, ::2])
    np.testing.assert_array_equal(arrays["big"], [0, 1, 2])


def test_the_same_content_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np; from nnkit.tensors import write_tensors\n"
        "names = sorted('abcdefgh', key=hash)\n"
        "write_tensors(Path(sys.argv[1]), {n: np.arange(5.0) for n in names}, {n: n * 3 for n in names})"
    )
    contents = set()
    for seed in range(4):
        path = tmp_path / f"{seed}.safetensors"
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        subprocess.run([sys.executable, "-c", code, path], check=True, env=environment)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_the_order_of_the_mappings_does_not_matter(tmp_path: Path) -> None:
    backwards = dict(reversed(ARRAYS.items())), dict(reversed(METADATA.items()))
    write_tensors(tmp_path / "a", ARRAYS, METADATA)
    write_tensors(tmp_path / "b", *backwards)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "fewer than its header says"),
        (b"\x08\x00", "fewer than its header says"),
        (b"\xff" * 8, "fewer than its header says"),
        (b"PK\x03\x04 a zip file of pickles", "fewer than its header says"),
        (file_of({"a": entry()}), "do not fit together"),
        (file_of({"a": entry()}, b"\0" * 9), "do not fit together"),
        (file_of({"a": entry(), "b": entry(start=2, end=6)}, b"\0" * 6), "do not fit together"),
        (file_of({"a": entry(shape=[2**62, 2**62])}, b"\0" * 4), "do not fit together"),
        (file_of({"a": entry(shape=[-1])}, b"\0" * 4), "do not fit together"),
        (file_of({"a": entry(shape="1")}, b"\0" * 4), "do not fit together"),
        (file_of({"a": entry(dtype="BF16", end=2)}, b"\0" * 2), "element type 'BF16'"),
        (file_of({"a": entry(dtype=["F32"])}, b"\0" * 4), "element type"),
        (file_of({"a": 3}), "element type None"),
        (file_of(b'{"a": {"dtype": "F32"}, "a": 1}'), "the name 'a' comes twice"),
        (file_of(b"[1]"), "not a JSON object"),
        (file_of(b"{"), "header is not right"),
        (file_of(b"[" * 100_000), "header is not right"),
        (file_of(b"\xff\xfe{"), "header is not right"),
        (file_of({"__metadata__": {"a": 1}}), "metadata is not a mapping of text"),
        (file_of({"__metadata__": None}), "metadata is not a mapping of text"),
    ],
)
def test_a_file_that_is_not_right_is_a_run_error(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(RunError, match=words) as caught:
        read_tensors(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "copy it again" in str(caught.value)


def test_a_header_that_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnkit.tensors.HEADER_LIMIT", 10)
    (tmp_path / "w").write_bytes(save({"a": np.zeros(1)}))
    with pytest.raises(RunError, match="more than the 10 that are read"):
        read_tensors(tmp_path / "w")


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    write_tensors(tmp_path / "whole", ARRAYS, METADATA)
    data = (tmp_path / "whole").read_bytes()
    for length in range(len(data)):
        (tmp_path / "cut").write_bytes(data[:length])
        with pytest.raises(RunError):
            read_tensors(tmp_path / "cut")


def test_what_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file"):
        read_tensors(tmp_path / "none")
    with pytest.raises(RunError, match="Is a directory"):
        read_tensors(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RunError, match="not a plain file"):
        read_tensors(tmp_path / "pipe")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_bytes_give_anything_but_arrays_or_a_run_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.safetensors"
    whole = bytearray(save({"a": np.arange(3.0), "b": np.zeros((2, 2), dtype=np.int8)}))
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        arrays, _ = read_tensors(path)
    except RunError:
        return
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


def test_a_header_is_right_before_the_rest_is_read(tmp_path: Path) -> None:
    with (tmp_path / "w").open("wb") as file:
        file.write(b"\x02" + bytes(7) + b"[]")
        file.truncate(2**40)
    with pytest.raises(RunError, match="not a JSON object"):
        read_tensors(tmp_path / "w")


def test_what_does_not_fit_in_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tensors(tmp_path / "w", ARRAYS, METADATA)
    monkeypatch.setattr("nnkit.tensors.available_memory", lambda: 100)
    with pytest.raises(ResourceError, match="do not fit in the memory that is left"):
        read_tensors(tmp_path / "w")
