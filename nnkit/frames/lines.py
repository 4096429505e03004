"""Files and streams as lines of text: opened, unpacked, cut into blocks at line ends, decoded."""

import bz2
import codecs
import gzip
import io
import select
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from nnkit.errors import DataError
from nnkit.files import NOT_PLAIN, open_bytes

LINE_LIMIT = 16 * 2**20
BLOCK_BYTES = 2**20
"""Bytes that are read at once, if as many are there."""
BATCH_LINES = 8192

DAMAGED = (OSError, EOFError, zlib.error)
"""What reading and unpacking raise."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BYTEWISE = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252"})
"""Encodings in which a byte of ASCII is nothing else, so that text can be cut at line ends before it is decoded."""

Block: TypeAlias = bytes | Sequence[str | DataError]
"""Whole lines: as bytes, or decoded, with an error in the place of one that could not be."""


def open_plain(path: Path) -> io.BufferedReader:
    """Open a plain file for reading; raises ``DataError`` for what is missing, a folder, a pipe or a device."""
    try:
        return open_bytes(path)
    except IsADirectoryError as error:
        raise DataError(f"{path}: a folder; give a file in it") from error
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        if isinstance(error, FileNotFoundError):
            reason = "not found"
        elif error.strerror == NOT_PLAIN:
            reason = f"{NOT_PLAIN}; to read from a pipe, use - and redirect it"
        raise DataError(f"{path}: {reason}") from error


@contextmanager
def reading(place: str) -> Iterator[None]:
    """Turn what goes wrong while bytes are read or unpacked into a ``DataError`` that begins with ``place``."""
    try:
        yield
    except DAMAGED as error:
        raise _damaged(place, error) from error


def _damaged(place: str, error: BaseException) -> DataError:
    return DataError(f"{place}: cannot be read on: {error}; the file is cut short or damaged")


RATIO, SMALL = 200, 2**26
"""Unpacked bytes for each packed one that are read of a file, from so many unpacked bytes on."""


class _Packed:
    """A packed file that counts what is read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.count += len(data)
        return data


class _Unpacking(io.RawIOBase):
    """What comes out of a packed file; raises ``DataError`` where it swells as only files made for it do."""

    def __init__(self, source: gzip.GzipFile | bz2.BZ2File, packed: _Packed, name: str) -> None:
        self._source = source
        self._packed = packed
        self._name = name
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        data = self._source.read1(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        if self._count > SMALL and self._count > RATIO * self._packed.count:
            raise DataError(
                f"{self._name}: {self._packed.count:,} packed bytes have become {self._count:,} so far, more than "
                f"{RATIO} times as many, as in a file that is made to fill memories; if it is right, unpack it first"
            )
        return len(data)


class _Unpacked(io.BufferedReader):
    """A file that is unpacked while it is read."""


def unpacked(file: BinaryIO, name: str = "standard input", wary: bool = True) -> BinaryIO:
    """Return ``file``, unpacked where it begins as gzip or bzip2 files do; raises ``DataError``.

    Reading goes on while what comes out is not beyond all measure; who is not ``wary`` sees to that by other means.
    """
    if isinstance(file, gzip.GzipFile | bz2.BZ2File | _Unpacked):
        return file
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, file))
    with reading(name):
        start = buffered.peek(3)[:3]
    packed = _Packed(buffered)
    if start[:2] == b"\x1f\x8b":
        source: gzip.GzipFile | bz2.BZ2File = gzip.GzipFile(fileobj=cast(BinaryIO, packed), mode="rb")
    elif start == b"BZh":
        source = bz2.BZ2File(cast(BinaryIO, packed))
    else:
        return buffered
    return _Unpacked(_Unpacking(source, packed, name)) if wary else cast(BinaryIO, source)


class Lines(Iterator[str]):
    """The lines of a text with their line breaks; ``number`` of them were taken so far.

    They are read in blocks of whole lines, and none is read before it is asked for, so that lines which come slowly
    can be used as they come. Raises ``DataError`` with the line of what is not text.
    """

    def __init__(self, file: BinaryIO, encoding: str, name: str) -> None:
        self.number = 0
        self._name = name
        self._encoding = encoding
        self._block: bytes | None = None
        self._lines: deque[str | DataError] = deque()
        start = file if hasattr(file, "peek") else cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, file)))
        self._blocks = self._read(start)

    @property
    def is_between_blocks(self) -> bool:
        """Whether all lines of the blocks read so far were taken."""
        return not self._lines and self._block is None

    def __next__(self) -> str:
        while not self._lines:
            self._next_block()
            if self._block is not None:
                self._lines.extend(self._decoded(self._block))
                self._block = None
        line = self._lines.popleft()
        if isinstance(line, DataError):
            raise line
        self.number += 1
        line = line.removeprefix(BOM) if self.number == 1 else line
        if "\0" in line:
            raise self._error(f"a NUL byte: this is not text, or not in {self._encoding}", self.number)
        if len(line) >= LINE_LIMIT:
            raise self._error(f"a line of more than {LINE_LIMIT} characters; this is no table", self.number)
        return line

    def look(self) -> bytes | None:
        """Return the lines that wait, or else those of the next block, as UTF-8, without taking them.

        They are empty at the end, and None where they are not all text.
        """
        try:
            self._next_block()
        except StopIteration:
            return b""
        try:
            text = (
                self._block.decode(self._encoding) if self._block is not None else "".join(cast(list[str], self._lines))
            )
            return (text.removeprefix(BOM) if self.number == 0 else text).encode()
        except (UnicodeError, TypeError):
            return None

    def skip(self, count: int) -> None:
        """Take the lines that ``look`` returned, which are ``count``."""
        self._block = None
        self._lines.clear()
        self.number += count

    def _next_block(self) -> None:
        """Read a block where no line waits; raises ``StopIteration`` at the end."""
        if self.is_between_blocks:
            block = next(self._blocks)
            if isinstance(block, bytes):
                self._block = block
            else:
                self._lines.extend(block)

    def _read(self, file: BinaryIO) -> Iterator[Block]:
        with reading(f"{self._name}:1"):
            start = cast(io.BufferedReader, file).peek(2)[:2]
        if start in _UTF16 and not codecs.lookup(self._encoding).name.startswith(("utf-16", "utf-32")):
            raise self._error("UTF-16 text; set the source's encoding: utf-16")
        if codecs.lookup(self._encoding).name in _BYTEWISE:
            return (yield from self._cut(file))
        return (yield from self._batches(file))

    def _cut(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield the bytes in blocks of whole lines, what is there at once in one."""
        rest, wanted = b"", BLOCK_BYTES
        while True:
            data, fault = _available(file, wanted)
            rest += data
            if not data:
                break
            cut = _last_end(rest)
            if cut:
                yield rest[:cut]
                rest = rest[cut:]
            elif len(rest) > 4 * LINE_LIMIT:  # A character has at most four bytes.
                raise self._error(f"a line of more than {LINE_LIMIT} characters; this is no table")
            wanted = max(BLOCK_BYTES, len(rest))
        if fault is not None:
            raise _damaged(f"{self._name}:{self.number + 1}", fault) from fault
        if rest:
            yield rest

    def _batches(self, file: BinaryIO) -> Iterator[list[str | DataError]]:
        """Yield decoded lines, many at once."""
        wrapper = io.TextIOWrapper(file, encoding=self._encoding, newline="")
        batch: list[str | DataError] = []
        try:
            while line := wrapper.readline(LINE_LIMIT):
                batch.append(line)
                if len(batch) == BATCH_LINES:
                    yield batch
                    batch = []
        except UnicodeDecodeError as error:
            batch.append(self._undecodable(error, len(batch) + _line_ends(error.object[: error.start])))
        except UnicodeError as error:
            reason = f"not {self._encoding} text ({error}); set the source's encoding"
            batch.append(self._error(reason, self.number + len(batch) + 1))
        except DAMAGED as error:
            batch.append(_damaged(f"{self._name}:{self.number + len(batch) + 1}", error))
        finally:
            with suppress(ValueError):  # The file may be closed by whoever opened it.
                wrapper.detach()
        if batch:
            yield batch

    def _decoded(self, block: bytes) -> Sequence[str | DataError]:
        try:
            return _split(block.decode(self._encoding))
        except UnicodeDecodeError as error:
            end = max(block.rfind(mark, 0, error.start) for mark in (b"\n", b"\r")) + 1
            lines = _split(block[:end].decode(self._encoding))
            return [*lines, self._undecodable(error, len(lines))]

    def _undecodable(self, error: UnicodeDecodeError, before: int) -> DataError:
        byte = error.object[error.start]
        reason = (
            f"the byte 0x{byte:02x} is not {self._encoding} text; set the source's encoding, such as latin-1 or cp1252"
        )
        return self._error(reason, self.number + before + 1)

    def _error(self, reason: str, line: int = 1) -> DataError:
        return DataError(f"{self._name}:{line}: {reason}")


BOM = "\ufeff"


def _available(file: BinaryIO, wanted: int) -> tuple[bytes, BaseException | None]:
    """Return about as many bytes as are wanted, fewer where they are not there yet; none at the end, or at a fault."""
    parts: list[bytes] = []
    size = 0
    try:
        while size < wanted and (not parts or _is_ready(file)):
            part = cast(io.BufferedReader, file).read1(wanted - size)
            if not part:
                break
            parts.append(part)
            size += len(part)
    except DAMAGED as error:
        return b"".join(parts), None if parts else error  # What came before it comes first; the next read fails again.
    return b"".join(parts), None


def _is_ready(file: BinaryIO) -> bool:
    """Tell whether reading gives something at once; where nobody knows, no."""
    if isinstance(file, gzip.GzipFile | bz2.BZ2File | _Unpacked):
        return True
    try:
        return bool(select.select([file], [], [], 0)[0])
    except (OSError, ValueError):
        return False


def _last_end(data: bytes) -> int:
    """Return where the last whole line ends, 0 where there is none; a final carriage return may be half a line end."""
    return data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1


def _line_ends(data: bytes) -> int:
    return data.count(b"\n") or data.count(b"\r")


def _split(text: str) -> list[str]:
    return io.StringIO(text, newline="").readlines()
