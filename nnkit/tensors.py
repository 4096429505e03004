"""Tensor files: safetensors with a header that is checked before anything is made of it. Nothing in them can run."""

import json
import os
from collections import Counter
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.errors import ResourceError, RunError
from nnkit.files import atomic_write, open_bytes
from nnkit.memory import available_memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays: TypeAlias = dict[str, NDArray[np.generic]]

HEADER_LIMIT = 64 * 2**20
"""Bytes that the header of a file may have; it is read before anything else is known of the file."""

COPIES = 2
"""How often the weights are in memory while they are read: as bytes, and as arrays."""

DTYPES = frozenset({"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"})
"""The element types that numpy has too."""

_METADATA = "__metadata__"
_LENGTH_BYTES = 8
_ALIGNMENT = 8


def write_tensors(
    path: Path, arrays: "Mapping[str, NDArray[Any]]", metadata: Mapping[str, str], durable: bool = True
) -> None:
    """Write ``arrays`` and ``metadata`` as safetensors, replacing ``path`` in one rename; raises ``ResourceError``.

    The same arrays and metadata give the same bytes, in whatever order they come. ``durable`` is ``atomic_write``'s.
    """
    import numpy as np
    from safetensors.numpy import save

    # asarray keeps an array without axes as it is, which ascontiguousarray would not.
    data = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
    atomic_write(path, _with_metadata(data, metadata), durable)


def _with_metadata(data: bytes, metadata: Mapping[str, str]) -> bytes:
    """Put ``metadata`` into the header in sorted order; the library itself would write it in a random one."""
    if not metadata:
        return data
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    header = {_METADATA: dict(sorted(metadata.items())), **json.loads(data[_LENGTH_BYTES:end])}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return b"".join((len(text).to_bytes(_LENGTH_BYTES, "little"), text, memoryview(data)[end:]))


def read_tensors(path: Path) -> "tuple[Arrays, dict[str, str]]":
    """Read a safetensors file; returns its arrays and its metadata.

    Raises ``RunError`` naming the file, what is wrong with it and the way out, whatever bytes it holds, and
    ``ResourceError`` where it does not fit in memory.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data, header = _read(path)
    metadata = _metadata(path, header.pop(_METADATA, {}))
    for name, entry in header.items():
        _check_dtype(path, name, entry)
    try:
        arrays = load(data)
    except (SafetensorError, ValueError) as error:
        raise _damaged(path, f"it is cut short or its parts do not fit together ({error})") from error
    return {name: array if array.flags.writeable else array.copy() for name, array in arrays.items()}, metadata


def _read(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return a file's bytes and its header, which is right before the rest is read."""
    try:
        with open_bytes(path) as file:
            size = os.fstat(file.fileno()).st_size
            header = _header(path, file, size)
            if size * COPIES > available_memory():
                raise ResourceError(
                    f"{path}: {size:,} bytes of weights do not fit in the memory that is left; close other programs"
                )
            file.seek(0)
            return file.read(size), header
    except OSError as error:
        raise RunError(f"{path}: the weights cannot be read: {error.strerror}; copy the run folder again") from error


def _header(path: Path, file: BufferedReader, size: int) -> dict[str, Any]:
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if size < _LENGTH_BYTES or length > size - _LENGTH_BYTES:
        raise _damaged(path, f"its {size} bytes are fewer than its header says, or it is not safetensors")
    if length > HEADER_LIMIT:
        raise _damaged(path, f"its header has {length} bytes, more than the {HEADER_LIMIT} that are read")
    try:
        header = json.loads(file.read(length), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its header is not right ({error})") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a JSON object")
    return header


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        [(double, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the name {double!r} comes twice")
    return result


def _metadata(path: Path, metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged(path, "its metadata is not a mapping of text")
    return metadata


def _check_dtype(path: Path, name: str, entry: object) -> None:
    dtype = entry.get("dtype") if isinstance(entry, dict) else None
    if not isinstance(dtype, str) or dtype not in DTYPES:
        known = ", ".join(sorted(DTYPES))
        raise _damaged(path, f"{name!r} has the element type {dtype!r}, expected one of {known}")


def _damaged(path: Path, reason: str) -> RunError:
    return RunError(f"{path}: not a whole file of weights: {reason}; copy it again, or train the run again")
