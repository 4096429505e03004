"""Galleries: picture files as rows, decoded on all cores, and what became of each file."""

import hashlib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedWriter
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nnkit.engine.threads import usable_cores
from nnkit.errors import DataError
from nnkit.frames.albums import Entry, UnreadableError, content, together
from nnkit.frames.decoding import Look, decode
from nnkit.frames.picture_cache import cache_folder, memory_limit, open_cached
from nnkit.frames.pictures import Pictures
from nnkit.frames.table import BadRow, Raw, listing, pick

Item = TypeVar("Item")
Result = TypeVar("Result")
Size: TypeAlias = tuple[int, int, int]
"""Height, width, channels."""

BLOCK_BYTES = 64 * 2**20
"""Pixels that are decoded before they go on to a file."""


@dataclass(frozen=True)
class Outcome:
    """What became of a file: the SHA-256 of its content, and why it is not among the pictures, if it is not."""

    digest: str
    reason: str = ""
    other_size: tuple[int, ...] = ()
    """Height and width of a picture that is not of the size of the others."""

    @property
    def is_good(self) -> bool:
        """Whether the file is among the pictures."""
        return not (self.reason or self.other_size)


def fill(entries: Sequence[Entry], look: Look, store: NDArray[np.uint8]) -> list[Outcome]:
    """Decode files into the rows of ``store`` [n, height, width, channels]; rows of those that cannot be become 0."""

    def one(place: int) -> Outcome:
        digest = ""
        store[place] = 0
        try:
            data = content(entries[place])
            digest = hashlib.sha256(data).hexdigest()
            pixels = decode(data, look)
        except UnreadableError as error:
            return Outcome(digest, str(error))
        if pixels.shape != store.shape[1:]:
            return Outcome(digest, other_size=pixels.shape[:2])
        store[place] = pixels
        return Outcome(digest)

    with quiet():
        return on_all_cores(one, range(len(entries)))


def first_shape(entries: Sequence[Entry], look: Look) -> Size:
    """Return the shape of the pictures: the one that is wanted, that of the first that can be read, or of a pixel."""
    if look.size is not None:
        return (*look.size, look.channels)
    with quiet():
        for entry in entries:
            try:
                height, width, channels = decode(content(entry), look).shape
            except UnreadableError:
                continue
            return height, width, channels
    return 1, 1, look.channels


@contextmanager
def quiet() -> Iterator[None]:
    """Make an error of Pillow's warning about decompression bombs, and keep its other ones from people's eyes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def on_all_cores(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return what ``work`` makes of each item, in order; reading, hashing and decoding let other threads run."""
    threads = min(usable_cores(), len(items))
    if threads < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


def digest_of(entry: Entry) -> str:
    """Return the SHA-256 of a file's content; empty where it cannot be read."""
    try:
        return hashlib.sha256(content(entry)).hexdigest()
    except UnreadableError:
        return ""


@dataclass(frozen=True)
class Reading:
    """How picture files become rows of a source, whose ``title`` and ``way_out`` are for messages.

    With ``skip`` files that cannot be read are left out, and it is said which.
    """

    title: str
    look: Look
    skip: bool
    way_out: str

    def part(self, entries: Sequence[Entry], rest: Raw, shape: Size) -> Raw:
        """Return some pictures of a stream with their other cells; one of another shape is a bad row."""
        store = np.empty((len(entries), *shape), dtype=np.uint8)
        return self._raw(entries, rest, store, fill(entries, self.look, store))

    def whole(self, entries: Sequence[Entry], rest: Raw) -> Raw:
        """Return all pictures with their other cells, in memory where they fit and else in a file of the cache.

        Raises ``DataError`` where files cannot be read and are not to be skipped, and where the pictures have different
        sizes; ``ResourceError`` where the cache cannot be written.
        """
        shape, notes = first_shape(entries, self.look), []
        size, limit = len(entries) * math.prod(shape), memory_limit()
        if size <= limit:
            store = np.empty((len(entries), *shape), dtype=np.uint8)
            outcomes = fill(entries, self.look, store)
            self._check(entries, outcomes)
        else:
            store, outcomes = self._cached(entries, shape)
            notes.append(
                f"{self.title}: the pictures take {size / 2**20:,.1f} MiB, more than the {limit / 2**20:,.1f} MiB of "
                f"memory that they may; they are used from a file in {cache_folder()}, which may be deleted afterwards"
            )
        raw = self._raw(entries, rest, store, outcomes)
        if skipped := [bad for bad in raw.bad if bad.skip]:
            notes.append(
                f"{self.title}: pictures that cannot be read and are skipped: {len(skipped)} of {len(entries)}"
            )
            notes += listing(skipped, self.title)
        digest = together(entries, [outcome.digest for outcome in outcomes])
        return replace(raw, bad=[bad for bad in raw.bad if not bad.skip], hashes={self.title: digest}, notes=notes)

    def _cached(self, entries: Sequence[Entry], shape: Size) -> tuple[NDArray[np.uint8], list[Outcome]]:
        digests = on_all_cores(digest_of, entries)

        def write(file: BufferedWriter) -> dict[int, str]:
            outcomes: list[Outcome] = []
            for block, store in _blocks(entries, shape):
                outcomes += fill(block, self.look, store)
                file.write(store.data)
            if [outcome.digest for outcome in outcomes] != digests:
                raise DataError(f"{self.title}: files changed while they were read; start again")
            self._check(entries, outcomes)
            return {place: outcome.reason for place, outcome in enumerate(outcomes) if outcome.reason}

        key = [self.look.version, *digests]
        store, reasons = open_cached(key, (len(entries), *shape), write)
        outcomes = [Outcome(digest, reasons.get(place, "")) for place, digest in enumerate(digests)]
        self._check(entries, outcomes)
        return store, outcomes

    def _raw(self, entries: Sequence[Entry], rest: Raw, store: NDArray[np.uint8], outcomes: Sequence[Outcome]) -> Raw:
        good = np.array([place for place, outcome in enumerate(outcomes) if outcome.is_good], dtype=np.int64)
        bad = self._bad(entries, outcomes, store.shape[1:3])
        chosen = pick(rest, good) if bad else rest
        cells = {"file": [entries[place].name for place in good.tolist()], **chosen.cells}
        cells["image"] = Pictures(store, good if bad else None)
        return replace(chosen, cells=cells, bad=[*rest.bad, *bad])

    def _bad(self, entries: Sequence[Entry], outcomes: Sequence[Outcome], size: tuple[int, ...]) -> list[BadRow]:
        found = []
        for entry, outcome in zip(entries, outcomes, strict=True):
            reason = outcome.reason
            if outcome.other_size:
                reason = f"is {_shown(outcome.other_size)} pixels, and {_shown(size)} are expected"
            if reason:
                found.append(BadRow(entry.line, reason, entry.name, entry.place, self.skip))
        return found

    def _check(self, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> None:
        """Raise ``DataError`` with everything that stands against the pictures."""
        found: list[str] = []
        pairs = list(zip(entries, outcomes, strict=True))
        bad = self._bad(entries, [Outcome("", outcome.reason) for outcome in outcomes], ())
        if bad and (not self.skip or len(bad) == len(entries)):
            found = [f"{self.title}: {len(bad)} of {len(entries)} pictures cannot be read:", *listing(bad, self.title)]
            found += [self.way_out]
        others = [(entry.name, _shown(outcome.other_size)) for entry, outcome in pairs if outcome.other_size]
        if others:
            first = next(entry.name for entry, outcome in pairs if outcome.is_good)
            found.append(
                f"{self.title}: the pictures have different sizes: {others[0][0]} has {others[0][1]} pixels (height x "
                f"width), and {len(others)} of {len(entries)} are not as {first}; set size in the source, such as "
                "size: [64, 64], and how they come to it, such as resize: crop"
            )
        if found:
            raise DataError("\n".join(found))


def _blocks(entries: Sequence[Entry], shape: Size) -> Iterator[tuple[Sequence[Entry], NDArray[np.uint8]]]:
    """Yield entries in parts, each with room for its pixels, which is used again."""
    rows = max(1, BLOCK_BYTES // math.prod(shape))
    store = np.empty((min(rows, len(entries)), *shape), dtype=np.uint8)
    for start in range(0, len(entries), rows):
        part = entries[start : start + rows]
        yield part, store[: len(part)]


def _shown(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))
