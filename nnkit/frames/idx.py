"""IDX files as arrays of bytes, packed with gzip or not; no header is trusted."""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nnkit.errors import DataError
from nnkit.frames.lines import open_plain, reading, unpacked

TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
"""The types of the format that are not read."""
BYTES = 0x08
BLOCK_BYTES = 2**20
SIZE_LIMIT = 16 * 2**30


def read_idx(path: Path, axes: tuple[int, ...], what: str) -> NDArray[np.uint8]:
    """Return the bytes of an IDX file that has one of the numbers of ``axes``; ``what`` it holds is for messages."""
    with open_plain(path) as file:
        return read_idx_of(file, str(path), axes, what)


def read_idx_of(file: BinaryIO, name: str, axes: tuple[int, ...], what: str) -> NDArray[np.uint8]:
    """Return the bytes of an open IDX file, packed or not.

    The format: two zeros, the type, the number of axes; the length of each axis as four bytes, the highest first; the
    values (LeCun, Cortes, Burges: the MNIST database). No more memory is taken than there are bytes. Raises
    ``DataError``.
    """
    inner = unpacked(file, name)
    with reading(name):
        shape = _shape(inner, name, axes, what)
        size = _size(shape, name, what)
        values = _values(inner, size + 1)
    if len(values) != size:
        short = f"only {len(values)} follow; the file is cut short"
        reason = short if len(values) < size else "more follow; the file is damaged"
        raise DataError(f"{name}: its header says {_shown(shape)} {what}, which are {size} bytes, and {reason}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _shape(file: BinaryIO, name: str, axes: tuple[int, ...], what: str) -> tuple[int, ...]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in {BYTES, *TYPES}:
        raise DataError(f"{name}: not an IDX file: it does not begin as one; expected MNIST's format, packed or not")
    if magic[2] != BYTES:
        raise DataError(f"{name}: holds values of the type {TYPES[magic[2]]}; expected bytes (the type 0x08)")
    if magic[3] not in axes:
        wanted = " or ".join(map(str, axes))
        raise DataError(f"{name}: has {magic[3]} axes; expected {wanted}, as files of {what} have")
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise DataError(f"{name}: ends within its header; the file is cut short")
    return tuple(int.from_bytes(header[at : at + 4], "big") for at in range(0, len(header), 4))


def _size(shape: tuple[int, ...], name: str, what: str) -> int:
    size = math.prod(shape)
    if 0 in shape[1:]:
        raise DataError(f"{name}: its header says {_shown(shape)}: the {what} have no size; the file is damaged")
    if size > SIZE_LIMIT:
        raise DataError(f"{name}: its header says {_shown(shape)}, more than the {SIZE_LIMIT} bytes that are read")
    return size


def _values(file: BinaryIO, most: int) -> bytearray:
    """Return the rest of the file, at most so many bytes; what is not there takes no memory."""
    values = bytearray()
    while len(values) < most and (block := file.read(min(BLOCK_BYTES, most - len(values)))):
        values += block
    return values


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
