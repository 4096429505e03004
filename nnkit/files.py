"""Files: replaced whole or not at all, hashed, appended to; what the system refuses becomes a ``ResourceError``."""

import errno
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from nnkit.errors import ResourceError, RunError
from nnkit.memory import available_memory

TEMPORARY = ".tmp"
"""What the names of half-written files end with; they also begin with a dot."""

NOT_PLAIN = "not a plain file"
TEXT_SHARE = 1 / 32
"""The part of the available memory that a file of JSON may have: read, it takes up to some 25 times as much."""

_WAYS_OUT = {
    errno.ENOSPC: "the disk is full; free some space, or write to another disk",
    errno.EDQUOT: "the disk quota is used up; free some space, or write to another disk",
    errno.EACCES: "no permission to write there; change the folder's permissions, or write to another folder",
    errno.EPERM: "no permission to write there; change the folder's permissions, or write to another folder",
    errno.EROFS: "the disk can only be read; write to another folder",
    errno.ENOENT: "the folder is not there; make it first, or write to another folder",
    errno.ENOTDIR: "a part of the path is a file and not a folder; write to another folder",
    errno.EISDIR: "there is a folder of that name; write to another name",
    errno.EEXIST: "there is a file of that name; write to another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.EFBIG: "the file would be larger than the system allows; raise the limit (ulimit -f)",
}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn any ``OSError`` of writing ``path`` into a ``ResourceError`` that names it and the way out."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        way_out = _WAYS_OUT.get(error.errno or 0, reason)
        raise ResourceError(f"{path}: cannot be written: {way_out}") from error


def atomic_write(path: Path, data: bytes | str, durable: bool = True) -> None:
    """Replace ``path`` by ``data`` (text as UTF-8) so that it holds the old content or the new, whole, at any moment.

    The data goes to a temporary name in the same folder, to the disk, and is then renamed. On a failure the old
    file is untouched, the temporary one is removed, and a ``ResourceError`` says why. What is not ``durable`` does not
    wait for the disk: it may be lost with the machine's power, for what can be made again.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    with disk_errors(path):
        try:
            now = durable and _waiting.get() is None
            _write_new(temporary, data.encode() if isinstance(data, str) else data, now)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        if durable:
            waiting = _waiting.get()
            if waiting is None:
                _sync(path.parent)
            else:
                waiting.add(path)


_waiting: ContextVar[set[Path] | None] = ContextVar("_waiting", default=None)


@contextmanager
def synced_together() -> Iterator[None]:
    """Bring what ``atomic_write`` writes in the block to the disk at its end, in half the time of one by one.

    Each file is still replaced in one rename, which a kill cannot tear; but a power cut within the block can lose
    files of it, so what says that they are whole is written after the block. Raises ``ResourceError``.
    """
    written: set[Path] = set()
    token = _waiting.set(written)
    try:
        yield
    finally:
        _waiting.reset(token)
    for path in (*sorted(written), *sorted({path.parent for path in written})):
        with disk_errors(path):
            _sync(path)


def sync_all() -> None:
    """Bring everything that was written to the disk, in one go for many files; only POSIX systems have that."""
    if hasattr(os, "sync"):
        os.sync()


def _write_new(path: Path, data: bytes, synced: bool) -> None:
    with path.open("xb") as file:
        file.write(data)
        if synced:
            file.flush()
            os.fsync(file.fileno())


def _sync(path: Path) -> None:
    """Bring a file or the renames in a folder to the disk; only POSIX systems can open a folder for that."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Some network file systems have no such call; the file itself is safe.
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what ``atomic_write`` left half-written in ``folder`` when its process was killed."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with disk_errors(path):
            path.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make ``path`` with all its parents; raises ``ResourceError``."""
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def open_bytes(path: Path) -> BufferedReader:
    """Open a plain file for reading; raises ``OSError``, also for a folder, a device or a pipe that would never end."""
    file = open(path, "rb", opener=_open_now)  # noqa: SIM115 - the caller closes it
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):
        file.close()
        raise OSError(errno.EINVAL, NOT_PLAIN)
    return file


def _open_now(name: str, flags: int) -> int:
    """Open without waiting for somebody at the other end, as a named pipe would."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def read_plain(path: Path, most: int) -> bytes:
    """Return a plain file's content; raises ``OSError`` as ``open_bytes``, and for more than ``most`` bytes."""
    with open_bytes(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, and at most {most:,} are read")
        return file.read(size)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a plain file in hexadecimal; raises ``OSError``: the caller knows whose file it is."""
    with open_bytes(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def strange_files(folder: Path) -> Iterator[Path]:
    """Yield all that is below a folder and neither a folder nor a plain file: links, pipes, devices, sockets."""
    waiting = [os.fspath(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)


class AppendOnly:
    """A file that lines are added to; it is opened with the first and closed with this object."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None

    def write(self, line: str) -> None:
        """Add ``line`` and a line break to the end, at once; raises ``ResourceError``."""
        with disk_errors(self._path):
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
            left = memoryview(f"{line}\n".encode())
            while left:  # A disk that is nearly full takes a part, and then none.
                left = left[self._file.write(left) :]

    def sync(self) -> None:
        """Bring the lines so far to the disk; raises ``ResourceError``."""
        if self._file is not None:
            with disk_errors(self._path):
                os.fsync(self._file.fileno())

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()


def keep_lines(path: Path, count: int) -> None:
    """Cut ``path`` to its first ``count`` lines, in place; a missing file or fewer lines are left as they are."""
    with disk_errors(path):
        if not path.exists():
            return
        with path.open("r+b") as file:
            for _ in range(count):
                file.readline()
            file.truncate(file.tell())


def most_text() -> int:
    """Return how many bytes of JSON are read at once."""
    return int(TEXT_SHARE * available_memory())


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read a JSON Lines file, but for a last line that a killed process cut short.

    Raises ``RunError`` where the file cannot be read or another line is not a JSON object.
    """
    try:
        lines = read_plain(path, most_text()).split(b"\n")[:-1]
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    return [_record(path, number, line) for number, line in enumerate(lines, 1)]


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}:{number}: not a line of JSON; the file was changed after the run") from error
    if not isinstance(record, dict):
        raise RunError(f"{path}:{number}: expected a JSON object; the file was changed after the run")
    return record
