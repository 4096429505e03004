"""Numpy archives as arrays, read through the guard of all archives and never with pickled objects."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnkit.errors import DataError
from nnkit.frames.archives import ZIP_MARKS, Limits, Member, members
from nnkit.frames.lines import open_plain
from nnkit.memory import available_memory
from nnkit.signs import one_line

SUFFIX = ".npy"
SIZE_LIMIT = 16 * 2**30
COPIES = 2
"""How often an array is in memory while it is read: as bytes, and as an array."""
READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class _NotPlainError(Exception):
    """What an archive holds is no plain array; the message says why."""


def read_arrays(path: Path, names: Sequence[str] | None) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a numpy archive by name, or some of them.

    Raises ``DataError`` for what is no archive of plain arrays, also for Python objects, and for more than fits in half
    of the memory.
    """
    most = min(SIZE_LIMIT, available_memory() // COPIES)
    limits = Limits(member_bytes=most, total_bytes=most)
    with open_plain(path) as file:
        try:
            if file.peek(4)[:4] not in ZIP_MARKS:
                raise _NotPlainError("np.savez writes one")
            arrays = {}
            for member in members(file, str(path), limits):
                name = member.name.removesuffix(SUFFIX)
                if names is None or name in names:
                    arrays[name] = _array(member)
        except _NotPlainError as error:
            raise DataError(f"{path}: not a numpy archive of plain arrays ({one_line(str(error))})") from error
    missing = [name for name in names or () if name not in arrays]
    if missing or not arrays:
        reason = f"there is no {', '.join(missing)} in it" if missing else "it is empty"
        raise DataError(f"{path}: not a numpy archive of plain arrays as they are wanted: {reason}")
    return arrays


def _array(member: Member) -> NDArray[np.generic]:
    """Return a member's array; the sizes that its header tells are compared with what is there."""
    file = io.BytesIO(member.data)
    try:
        shape, turned, dtype = READERS[np.lib.format.read_magic(file)](file)
        if dtype.hasobject or dtype.kind == "V":
            raise ValueError(f"Python objects or records, {dtype}")
        values = np.frombuffer(member.data, dtype, offset=file.tell())
        return values.reshape(shape, order="F" if turned else "C").copy()
    except Exception as error:  # numpy raises anything over a header that is none.
        raise _NotPlainError(f"{member.name}: {one_line(str(error))}") from error
