"""Archives: the files in a tar or zip archive, read one after the other, never written to disk, and never trusted.

This is the only module that knows tarfile and zipfile. Whoever reads an archive does it by ``members``.
"""

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, BinaryIO, cast

from nnkit.errors import DataError
from nnkit.frames.lines import reading, unpacked
from nnkit.signs import one_line

TAR_NAMES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2")
"""What the names of tar archives end with, in small letters; most are known by their content."""
BLOCK = 512
TAR_MARK, TAR_MARK_AT = b"ustar", 257
ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
HEADER_BYTES = 2**20
"""The largest extended header of tar that is read."""
DIRECTORY_BYTES = 2**26
"""The largest directory of a zip archive that is read."""
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1
LONGEST_NAME = 4096
SHOWN = 200
READ_BYTES = 2**20


@dataclass(frozen=True)
class Limits:
    """What an archive may hold at most; ``ratio``, of unpacked to packed bytes, counts from ``small`` bytes on."""

    members: int = 1_000_000
    member_bytes: int = 2**28
    total_bytes: int = 2**36
    ratio: int = 200
    small: int = 2**26


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name, with ``/`` between folders, its number from 1, and what it holds."""

    name: str
    number: int
    data: bytes


class _RefusedError(Exception):
    """Something in an archive is not taken; the message is the end of a sentence that begins with the archive."""


def members(file: BinaryIO, title: str, limits: Limits = Limits()) -> Iterator[Member]:
    """Yield the files of an open archive in its order, each read whole into memory, and no folders.

    Raises ``DataError`` with the archive and the member for: names that are absolute, have ``..`` or come twice; links,
    devices and everything else that is no plain file; encryption; what is damaged or cut short; more than ``limits``.
    A zip archive must be seekable, a tar archive need not.
    """
    meter = _Meter(file, limits)
    packed = io.BufferedReader(meter)
    try:
        is_zip = packed.peek(4)[:4] in ZIP_MARKS
        found = _zipped(file, meter) if is_zip else _tarred(cast(BinaryIO, packed), meter)
        yield from _checked(found, meter)
    except _RefusedError as error:
        raise DataError(f"{title}: {error}") from None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, LookupError) as error:
        raise DataError(f"{title}: cannot be read on: {error}; the archive is cut short or damaged") from error
    except (RecursionError, NotImplementedError, OverflowError) as error:
        raise DataError(f"{title}: is not an archive as programs write them ({error}); make it again") from error


def is_archive(file: BinaryIO, name: str) -> bool:
    """Tell whether an open file, which can peek, is an archive, by its name or how it begins; raises ``DataError``."""
    if name.lower().endswith((*TAR_NAMES, ".zip")):
        return True
    with reading(name):
        start: bytes = file.peek(BLOCK)[:BLOCK] if hasattr(file, "peek") else b""
    return start[:4] in ZIP_MARKS or start[TAR_MARK_AT:].startswith(TAR_MARK)


@dataclass(frozen=True)
class _Found:
    """A member that has not been read yet; a folder has no source."""

    name: str
    fault: str = ""
    size: int = 0
    source: "_Forward | zipfile.ZipExtFile | None" = None


class _Meter(io.RawIOBase):
    """A packed file that counts what is read of it, and what comes out where that is unpacked."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file = file
        self.limits = limits
        self.packed = 0
        self.unpacked = 0
        self.member = "its first header"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self.packed += len(data)
        return len(data)

    def take_whole(self) -> None:
        """Count the whole file as read, whatever part of it is read how often."""
        self.packed = self._file.seek(0, io.SEEK_END)

    def add(self, count: int) -> None:
        """Count bytes that came out; raises where they have become too many."""
        self.unpacked += count
        limits = self.limits
        if self.unpacked > limits.total_bytes:
            raise _RefusedError(f"{self.member}: up to here it holds more than {limits.total_bytes:,} bytes, the most")
        if self.unpacked > limits.small and self.unpacked > limits.ratio * self.packed:
            raise _RefusedError(
                f"{self.member}: up to here {self.packed:,} bytes have become {self.unpacked:,}, more than "
                f"{limits.ratio} times as many, as in an archive that is made to fill memories and disks"
            )


def _checked(found: Iterator[_Found], meter: _Meter) -> Iterator[Member]:
    names: set[bytes] = set()
    limits = meter.limits
    for number, member in enumerate(found, 1):
        shown = meter.member = _shown(member.name)
        if number > limits.members:
            raise _RefusedError(f"{shown}: is one of more than {limits.members:,} members, the most that are read")
        if reason := member.fault or _unsafe(member.name):
            raise _RefusedError(f"{shown}: {reason}")
        if member.source is None:
            continue
        name = "/".join(part for part in member.name.split("/") if part not in ("", "."))
        if not name:
            raise _RefusedError(f"member {number:,}: has no name")
        mark = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()  # Names can be long.
        if mark in names:
            raise _RefusedError(f"{shown}: comes twice, and nothing says which one is meant")
        names.add(mark)
        yield Member(name, number, _content(member, shown, meter))


def _content(member: _Found, shown: str, meter: _Meter) -> bytes:
    """Return what a member holds; its header has said how much, and is not believed."""
    assert member.source is not None  # noqa: S101 - the caller looked
    if member.size > meter.limits.member_bytes:
        raise _RefusedError(f"{shown}: has {member.size:,} bytes, and at most {meter.limits.member_bytes:,} are read")
    parts: list[bytes] = []
    left = member.size
    while left > 0:
        part = member.source.read(min(left, READ_BYTES))
        if not part:
            raise _RefusedError(f"{shown}: is cut short after {member.size - left:,} of {member.size:,} bytes")
        if isinstance(member.source, zipfile.ZipExtFile):
            meter.add(len(part))
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _unsafe(name: str) -> str:
    """Return why a name is not taken: it would lead out of a folder, or is no name."""
    parts = name.replace("\\", "/").split("/")
    if (not parts[0] and len(parts) > 1) or parts[0][1:2] == ":":
        return "an absolute path, which no archive should have"
    if ".." in parts:
        return "a path with .., which leads out of its folder"
    if "\0" in name:
        return "a name with a NUL byte"
    return f"a name of more than {LONGEST_NAME:,} characters" if len(name) > LONGEST_NAME else ""


def _shown(name: str) -> str:
    """Return a name as a message can have it: with nothing that a terminal would obey, and not endless."""
    text = one_line(name.encode("utf-8", "backslashreplace").decode())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


class _Forward(io.RawIOBase):
    """Unpacked bytes that are read once from start to end: steps back and headers beyond all measure are refused."""

    def __init__(self, file: BinaryIO, meter: _Meter) -> None:
        self._file = file
        self._meter = meter
        self._place = 0
        self.last = b""
        """What was read last."""

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEADER_BYTES:
            raise _RefusedError(f"after {self._meter.member}: a header of more than {HEADER_BYTES:,} bytes")
        parts: list[bytes] = []
        left = size
        while left and (part := self._file.read(left)):
            parts.append(part)
            left -= len(part)
        self.last = b"".join(parts)
        self._place += len(self.last)
        self._meter.add(len(self.last))
        return self.last

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or place < self._place:
            raise _RefusedError(f"after {self._meter.member}: a header that points back")
        while self._place < place and self.read(min(place - self._place, READ_BYTES)):
            pass
        return self._place


TAR_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
}


def _tarred(packed: BinaryIO, meter: _Meter) -> Iterator[_Found]:
    forward = _Forward(unpacked(packed, wary=False), meter)
    with tarfile.TarFile(fileobj=forward, mode="r", errors="surrogateescape") as archive:
        while (info := archive.next()) is not None:
            cast(Any, archive).members.clear()  # It would keep what it has read.
            yield _of_tar(info, forward)
    if forward.last != bytes(BLOCK):
        what = "a damaged header" if forward.last else "no mark of the end"
        raise _RefusedError(f"after {meter.member}: {what}; the archive is cut short or damaged")
    while forward.read(READ_BYTES):  # What packs it has a sum of all at its end.
        pass


def _of_tar(info: tarfile.TarInfo, forward: _Forward) -> _Found:
    fault = TAR_KINDS.get(info.type, "")
    if not fault and info.issparse():
        fault = "a sparse file"
    if not fault and not (info.isreg() or info.isdir()):
        fault = f"a member of the unknown kind {info.type!r}"
    if fault or info.isdir():
        return _Found(info.name, f"{fault}; only plain files and folders are read" if fault else "")
    forward.seek(info.offset_data)
    return _Found(info.name, "", info.size, forward)


class _Bounded:
    """A seekable file of which nobody reads very much at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.seekable, self.close = file.seekable, lambda: None

    def read(self, size: int = -1) -> bytes:
        if size > DIRECTORY_BYTES:
            raise _RefusedError(f"has a directory of more than {DIRECTORY_BYTES:,} bytes, the most that is read")
        return self._file.read(size)


def _zipped(file: BinaryIO, meter: _Meter) -> Iterator[_Found]:
    if not file.seekable():
        raise _RefusedError("a zip archive is read from its end; give a file, or a tar archive")
    meter.take_whole()
    with zipfile.ZipFile(cast(BinaryIO, _Bounded(file))) as archive:
        for info in archive.infolist():
            fault = _fault_of_zip(info)
            if fault or info.is_dir():
                yield _Found(info.filename, fault)
                continue
            with archive.open(info) as source:
                yield _Found(info.filename, "", info.file_size, cast(zipfile.ZipExtFile, source))


def _fault_of_zip(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "no plain file"
        return f"{kind}; only plain files and folders are read"
    if info.flag_bits & ENCRYPTED:
        return "is encrypted; make the archive again without a password"
    if info.compress_type not in ZIP_METHODS:
        return f"is packed by the method {info.compress_type}; make the archive again with deflate, as zip does"
    return ""
