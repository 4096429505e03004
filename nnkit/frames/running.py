"""Running text: one long text read whole, its tokens divided in their order and cut into windows."""

from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.ragged import Ragged
from nnkit.errors import DataError
from nnkit.frames.lines import reading, unpacked

BOM = "\ufeff"
SHOWN = 30


class NotTextError(Exception):
    """Bytes are no text; the message says where and why, ``line`` counts from 1."""

    def __init__(self, line: int, reason: str, is_encoding: bool) -> None:
        super().__init__(reason)
        self.line = line
        self.is_encoding = is_encoding
        """Whether another encoding may read them."""


def plain_text(data: bytes, encoding: str) -> str:
    """Return bytes as text, every line end a line feed; raises ``NotTextError``."""
    try:
        text = data.decode(encoding).removeprefix(BOM)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = data[error.start : error.start + 1].hex()
        reason = f"byte {error.start + 1:,} of the file, 0x{found}, is no {encoding.upper()}"
        raise NotTextError(line, reason, True) from error
    except UnicodeError as error:  # As where UTF-16 is said and no mark says which.
        raise NotTextError(1, f"is no {encoding.upper()}: {error}", True) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise NotTextError(line, f"a NUL byte: this is not text, or not in {encoding.upper()}", False)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_running(file: BinaryIO, name: str) -> str:
    """Return the text of an open file, unpacked, every line end a line feed; raises ``DataError`` with the place."""
    with reading(name):
        data = unpacked(file, name).read()
    try:
        return plain_text(data, "utf-8")
    except NotTextError as error:
        way_out = "; convert the file, as by iconv -f latin1 -t utf-8" if error.is_encoding else ""
        raise DataError(f"{name}:{error.line}: {error}{way_out}") from error


def windows(numbers: NDArray[np.int64], length: int) -> tuple[Ragged, Ragged]:
    """Cut the numbers [total] of a text's tokens into windows of ``length`` steps, the last one of what is left.

    Returns the windows and, for each of their steps, the next token. There must be two tokens at least.
    """
    steps = len(numbers) - 1
    starts = np.arange(0, steps, length, dtype=np.int64)
    ends = np.minimum(starts + length, steps)
    return Ragged(numbers, ends - starts, ends), Ragged(numbers, ends - starts, ends + 1)


def divided(tokens: Sequence[str], validation: int, test: int, train: int | None) -> dict[str, Sequence[str]]:
    """Return the parts of a text: the last ``test`` tokens test, those before validate, and those before train.

    Of the latter only the last ``train`` where that is not None. Parts of no tokens are left out.
    """
    end = len(tokens) - validation - test
    start = 0 if train is None else max(end - train, 0)
    parts = {
        "train": tokens[start:end],
        "validation": tokens[end : end + validation],
        "test": tokens[end + validation :],
    }
    return {name: part for name, part in parts.items() if len(part)}
