"""Word vectors in the usual text formats, read line by line, of which only those of known words are kept."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnkit.errors import DataError
from nnkit.files import sha256_file
from nnkit.frames.lines import Lines, open_plain, unpacked


@dataclass(frozen=True)
class Vectors:
    """The vectors [n, length] of the words that were found, by the words' numbers, and the SHA-256 of their file."""

    numbers: NDArray[np.int64]
    values: NDArray[np.float32]
    digest: str


def read_vectors(path: Path, index: Mapping[str, int], length: int) -> Vectors:
    """Return the vectors of the words of ``index``; the file may be packed by gzip or bzip2.

    A line is a word and its ``length`` numbers, parted by blanks, as GloVe writes them; before them may be a line with
    the number of words and of numbers, as word2vec and fastText write it. Raises ``DataError`` with the line for
    vectors of another length, for what are no finite numbers, and for a word of ``index`` that comes twice; and for a
    file that has not all the words that it speaks of.
    """
    numbers, values, seen = list[int](), list[NDArray[np.float32]](), dict[str, int]()
    promised, count = None, 0
    with open_plain(path) as file:
        lines = Lines(unpacked(file, str(path)), "utf-8", str(path))
        for line in lines:
            place = f"{path}:{lines.number}"
            text = line.rstrip("\r\n ").replace("\t", " ")
            if lines.number == 1 and (header := _header(text, length, place)) is not None:
                promised = header
                continue
            word, cells = _parted(text, length, place)
            count += 1
            if word not in index:
                continue
            if word in seen:
                raise DataError(f"{place}: {word!r:.100} has a vector in line {seen[word]} already; take one out")
            seen[word] = lines.number
            numbers.append(index[word])
            values.append(_numbers(cells.split(" "), place))
    if promised is not None and promised != count:
        raise DataError(f"{path}: its first line speaks of {promised:,} words, and it has {count:,}; is it cut short?")
    if not count:
        raise DataError(f"{path}: has no vectors; expected a line for each word: the word and {length} numbers")
    found = np.stack(values) if values else np.empty((0, length), np.float32)
    return Vectors(np.array(numbers, np.int64), found, sha256_file(path))


def _header(text: str, length: int, place: str) -> int | None:
    """Return the number of words where a first line says it; raises ``DataError`` for vectors of another length."""
    cells = text.split()
    if len(cells) != 2 or length == 1 or not all(cell.isascii() and cell.isdigit() for cell in cells):
        return None
    if int(cells[1]) != length:
        raise DataError(f"{place}: vectors of {cells[1]} numbers, and the layer's output_dim is {length}")
    return int(cells[0])


def _parted(text: str, length: int, place: str) -> tuple[str, str]:
    """Return the word and its numbers, which are so many; a word may have blanks inside."""
    if text.count(" ") == length:
        word, _, rest = text.partition(" ")
        return word, rest
    word, *cells = text.rsplit(" ", length)
    if len(cells) < length:
        raise DataError(
            f"{place}: {len(cells)} numbers after the word, and the layer's output_dim is {length}"
            + ("; the file is cut short or damaged" if cells else "; expected a word and its numbers")
        )
    if " " in word:
        more = word.split()[1:]
        if more and all(map(_is_number, more)):
            raise DataError(
                f"{place}: {len(more) + length} numbers after the word, and the layer's output_dim is {length}"
            )
    return word, " ".join(cells)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(cells: list[str], place: str) -> NDArray[np.float32]:
    for cell in cells:
        if not _is_number(cell) or not math.isfinite(float(cell)):
            raise DataError(f"{place}: {cell!r:.50} is no finite number")
    with np.errstate(over="ignore"):
        values = np.array(cells, dtype=np.float64).astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{place}: a number that is too large for float32")
    return values
