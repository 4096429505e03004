"""Word vectors: read from the usual formats, only those of known words, every fault with its line."""

import gzip
import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from nnkit.errors import DataError
from nnkit.frames.vectors import Vectors, read_vectors

INDEX = {"the": 1, "cat": 2, "new york": 3, "3": 4, "unseen": 5}
LINES = ["the 0.5 -1 2e-3", "dog 1 2 3", "cat 4 5 6", "new york 7 8 9", ". . . 1 1 1", "3 -0.25 0 0"]
EXPECTED = {1: [0.5, -1, 2e-3], 2: [4, 5, 6], 3: [7, 8, 9], 4: [-0.25, 0, 0]}


def write(folder: Path, data: str | bytes) -> Path:
    path = folder / "v.txt"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def rows(found: Vectors) -> dict[int, list[float]]:
    return {int(number): values.tolist() for number, values in zip(found.numbers, found.values, strict=True)}


@pytest.mark.parametrize(
    "data",
    [
        "\n".join(LINES) + "\n",
        "\n".join(LINES),
        "\r\n".join(LINES) + "\r\n",
        "6 3\n" + "\n".join(f"{line} " for line in LINES) + "\n",
        gzip.compress(("\n".join(LINES) + "\n").encode()),
        "\ufeff" + "\n".join(LINES),
        "\n".join(LINES[:3] + LINES[4:]).replace(" ", "\t") + "\nnew york\t7\t8\t9\n",
    ],
    ids=["glove", "no last line end", "crlf", "word2vec", "gzip", "bom", "tabs"],
)
def test_formats(data: str | bytes, tmp_path: Path) -> None:
    path = write(tmp_path, data)
    found = read_vectors(path, INDEX, 3)
    assert rows(found) == {number: np.array(row, np.float32).tolist() for number, row in EXPECTED.items()}
    assert found.values.dtype == np.float32
    assert found.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_of_one_number_a_first_line_is_no_header(tmp_path: Path) -> None:
    assert rows(read_vectors(write(tmp_path, "3 1\ncat 2\n"), INDEX, 1)) == {4: [1.0], 2: [2.0]}


def test_none_of_the_words_may_be_there(tmp_path: Path) -> None:
    found = read_vectors(write(tmp_path, "dog 1 2\n"), INDEX, 2)
    assert found.values.shape == (0, 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "v.txt: has no vectors; expected a line for each word: the word and 3 numbers"),
        ("2 3\n", "v.txt: its first line speaks of 2 words, and it has 0; is it cut short"),
        ("2 4\ncat 1 2 3 4\n", "v.txt:1: vectors of 4 numbers, and the layer's output_dim is 3"),
        ("the 1 2 3\ncat 1 2\n", "v.txt:2: 2 numbers after the word, and the layer's output_dim is 3; the file is cut"),
        ("dog 1 2 3\ndog 1 2 3 4\n", "v.txt:2: 4 numbers after the word, and the layer's output_dim is 3"),
        ("dog 1 2 3\n\n", "v.txt:2: 0 numbers after the word"),
        ("dog 1 2 3\ncat 1 x 3\n", "v.txt:2: 'x' is no finite number"),
        ("cat 1 nan 3\n", "v.txt:1: 'nan' is no finite number"),
        ("cat 1 2 1e999\n", "v.txt:1: '1e999' is no finite number"),
        ("cat 1 2 1e60\n", "v.txt:1: a number that is too large for float32"),
        ("cat 1 2 3\ndog 1 2 3\ncat 4 5 6\n", "v.txt:3: 'cat' has a vector in line 1 already"),
        ("3 3\ncat 1 2 3\ndog 1 2 3\n", "v.txt: its first line speaks of 3 words, and it has 2; is it cut short"),
        (b"cat 1 2 3\nna\xefve 1 2 3\n", "v.txt:2: the byte 0xef is not utf-8 text"),
        (gzip.compress(b"dog 1 2 3\n" * 1000)[:-9], ": cannot be read on: "),
    ],
)
def test_faults_are_told_by_line(data: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_vectors(write(tmp_path, data), INDEX, 3)
    assert message in str(caught.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: not found"):
        read_vectors(tmp_path / "nowhere", INDEX, 3)
    with pytest.raises(DataError, match="a folder; give a file in it"):
        read_vectors(tmp_path, INDEX, 3)


def test_a_large_file_of_other_words_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    with path.open("w") as file:
        file.writelines(f"word{number}{' 0.12345' * 100}\n" for number in range(22_000))
        file.write(f"cat{' 1' * 100}\n")
    assert path.stat().st_size > 2**24
    tracemalloc.start()
    found = read_vectors(path, INDEX, 100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.numbers.tolist() == [2]
    assert peak < 12 * 2**20
