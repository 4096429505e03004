"""Pixels that do not fit in memory: written once to a file, which is then mapped by whoever needs them again."""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnkit.errors import ResourceError
from nnkit.files import TEMPORARY, atomic_write, disk_errors, make_folder
from nnkit.memory import available_memory

SHARE = 0.25
"""The part of the memory that is available which the pictures of a source may take."""
STALE_SECONDS = 3600
"""A half-written file that nobody has written to for so long was left by a process that was killed."""


def memory_limit() -> int:
    """Return how many bytes of pixels are kept in memory."""
    return int(SHARE * available_memory())


def cache_folder() -> Path:
    """Return where pixels are kept: NNKIT_CACHE, or nnkit in the user's folder for caches."""
    if given := os.environ.get("NNKIT_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nnkit"


def open_cached(
    key: Sequence[str], shape: tuple[int, ...], write: Callable[[BufferedWriter], Mapping[int, str]]
) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Return pixels mapped from the file that ``key`` and ``shape`` name, and by row why some are missing.

    Where there is none, ``write`` writes the pixels and returns the reasons; if it raises, nothing is kept. The file is
    written under a temporary name and renamed when it is whole: of two processes that make it at the same time the last
    one's stays, and they are equal. Raises ``ResourceError``.
    """
    name = hashlib.sha256("\n".join([*map(str, shape), *key]).encode()).hexdigest()[:40]
    path = cache_folder() / f"pictures-{name}.npy"
    found = _found(path, shape)
    if found is None:
        make_folder(path.parent)
        _remove_stale(path.parent)
        with _new_file(path) as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            atomic_write(_reasons(path), json.dumps(write(file)))
        found = _found(path, shape)
    if found is None:
        raise ResourceError(f"{path}: was changed while it was made; start again")
    return found


def _found(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], dict[int, str]] | None:
    """Return what a file of the cache holds, None where there is none that is whole."""
    try:
        store = np.load(path, mmap_mode="r", allow_pickle=False)
        reasons = {int(row): str(reason) for row, reason in json.loads(_reasons(path).read_bytes()).items()}
    except (OSError, ValueError, AttributeError, EOFError):
        return None
    return (store, reasons) if store.shape == shape and store.dtype == np.uint8 else None


def _reasons(path: Path) -> Path:
    return path.with_suffix(".json")


@contextmanager
def _new_file(path: Path) -> Iterator[BufferedWriter]:
    """Give a file that becomes ``path`` when the block ends well, and else is removed; raises ``ResourceError``."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    with disk_errors(path):
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def _remove_stale(folder: Path) -> None:
    """Remove what processes that were killed have left half-written."""
    for path in folder.glob(f".pictures-*{TEMPORARY}"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
