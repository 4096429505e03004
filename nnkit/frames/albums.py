"""Albums: the picture files of a folder, found in order and read."""

import errno
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnkit.errors import DataError
from nnkit.files import read_plain

FILE_LIMIT = 2**30
"""The largest file that is read; one of more bytes than this is no picture of so few pixels as are taken."""
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"}
)
"""What the names of picture files end with, in small letters; inside a folder nobody looks at them."""

LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
"""What operating systems leave in folders, in small letters; hidden files are passed over, too."""


class UnreadableError(Exception):
    """A file is none that can be read; the message is the end of a sentence that begins with its name."""


@dataclass(frozen=True)
class Entry:
    """A file: its name in the folder or the list, its line from 1, and how messages begin that are about it."""

    path: Path
    name: str
    line: int
    place: str
    label: str | None = None
    """The class that its folder names."""
    fault: str = ""
    """Why it cannot be read, where that is known before it is opened."""
    data: bytes | None = None
    """What it holds, where it is no file."""


def listed(folder: Path) -> list[Entry]:
    """Return the files of a folder in the order of their names, those of a folder of classes with their class.

    In a folder with folders each is a class, and all files below it are of that class. Links are followed. Hidden files
    and what operating systems leave behind are passed over; everything else has to be a picture: files beside the
    folders of classes have a fault, so does a class without files. Raises ``DataError``.
    """
    faults = files_below(folder)
    with os.scandir(folder) as found:
        classes = {entry.name for entry in found if is_folder(entry) and not is_litter(entry.name)}
    used = {name.split("/")[0] for name in faults}
    faults |= dict.fromkeys(classes - used, "is the folder of a class, and there is no file in it")
    if classes:
        beside = [name for name in faults if "/" not in name and name not in classes]
        faults |= dict.fromkeys(beside, "lies beside the folders of the classes, so it has no class")
    names = sorted(faults, key=lambda name: name.split("/"))
    return [
        Entry(
            path=folder / name,
            name=shown(name),
            line=line,
            place=shown(str(folder / name)),
            label=shown(name.split("/")[0]) if classes else None,
            fault=faults[name],
        )
        for line, name in enumerate(names, 1)
    ]


def is_litter(name: str) -> bool:
    """Tell whether a file, or a folder above it, is hidden or one of those that nobody put there on purpose."""
    return any(part.startswith(".") or part.lower() in LITTER for part in name.split("/"))


def files_below(folder: Path) -> dict[str, str]:
    """Return the fault of each file below a folder by its name, empty where it has none; raises ``DataError``."""
    try:
        os.listdir(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from error
    return dict(_files(folder))


def _inside(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, but for what nobody put there on purpose."""
    with os.scandir(folder) as found:
        return [entry for entry in found if not is_litter(entry.name)]


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each file below ``folder``, and its fault, which is empty where it has none."""
    waiting: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while waiting:
        name, above = waiting.pop()
        try:
            here, entries = os.stat(folder / name), _inside(folder / name)
        except OSError as error:
            yield name, f"cannot be read: {error.strerror}"
            continue
        place = (here.st_dev, here.st_ino)
        if place in above:
            yield name, "is a link to a folder that it lies in"
            continue
        for entry in entries:
            inner = f"{name}/{entry.name}" if name else entry.name
            if is_folder(entry):
                waiting.append((inner, above | {place}))
            else:
                yield inner, ""


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Tell whether an entry is a folder; a link that leads back to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def shown(name: str) -> str:
    """Return a file's name as text that can be written, whatever bytes it has."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def content(entry: Entry, limit: int = FILE_LIMIT) -> bytes:
    """Return what an entry's file holds; raises ``UnreadableError``, also for one of more than ``limit`` bytes."""
    if entry.fault:
        raise UnreadableError(entry.fault)
    if entry.data is not None:
        return entry.data
    try:
        return read_plain(entry.path, limit)
    except (OSError, ValueError) as error:
        number, reason = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)
        raise UnreadableError("not found" if number == errno.ENOENT else f"cannot be read: {reason}") from error


def together(entries: Sequence[Entry], digests: Sequence[str]) -> str:
    """Return one SHA-256 over the names and the contents of files."""
    every = hashlib.sha256()
    for entry, digest in zip(entries, digests, strict=True):
        every.update(f"{digest or 'unreadable':64} {entry.name}\n".encode())
    return every.hexdigest()


def looks_like_picture(start: bytes) -> bool:
    """Tell whether a file begins as pictures do, by marks that no text begins with."""
    marks = (b"\x89PNG", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
    return start.startswith(marks) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
