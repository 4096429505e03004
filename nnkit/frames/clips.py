"""Clips: audio files as rows of samples, decoded on all cores, and what became of each file."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnkit.engine.ragged import Ragged
from nnkit.errors import DataError, ResourceError
from nnkit.frames.albums import Entry, UnreadableError, content, together
from nnkit.frames.galleries import on_all_cores
from nnkit.frames.picture_cache import memory_limit
from nnkit.frames.sounds import Ear, Samples, hear, libraries, no_samples
from nnkit.frames.table import BadRow, Raw, listing, pick

PART = 64
"""Clips that a stream has in memory at once."""


@dataclass(frozen=True)
class Heard:
    """What became of a file: the SHA-256 of its content and its samples, or why it has none."""

    digest: str
    samples: Samples | None = None
    reason: str = ""


@dataclass(frozen=True)
class Hearing:
    """How audio files become rows of a source, whose ``title`` and ``way_out`` are for messages.

    With ``skip`` files that cannot be read are left out, and it is said which.
    """

    title: str
    ear: Ear
    skip: bool
    way_out: str

    def parts(self, entries: Sequence[Entry], rest: Raw) -> Iterator[Raw]:
        """Yield some clips of a stream at a time with their other cells, those that cannot be read as bad rows."""
        for start in range(0, max(len(entries), 1), PART):
            some = entries[start : start + PART]
            cells = pick(rest, np.arange(start, start + len(some)))
            yield self._raw(some, replace(cells, bad=rest.bad if start == 0 else []), self._heard(some))

    def whole(self, entries: Sequence[Entry], rest: Raw) -> Raw:
        """Return all clips with their other cells.

        Raises ``DataError`` where files cannot be read and are not to be skipped, ``ResourceError`` where the clips
        take more memory than they may.
        """
        heard, taken, limit = [], 0, memory_limit()
        for start in range(0, len(entries), PART):
            heard += (some := self._heard(entries[start : start + PART]))
            taken += sum(clip.samples.nbytes for clip in some if clip.samples is not None)
            if taken > limit:
                raise ResourceError(
                    f"{self.title}: the first {len(heard):,} of {len(entries):,} clips take {taken / 2**20:,.1f} MiB, "
                    f"more than the {limit / 2**20:,.1f} MiB of memory that they may; use fewer, or set a lower "
                    "sample_rate in the source"
                )
        raw = self._raw(entries, rest, heard)
        bad, notes = [row for row in raw.bad if row not in rest.bad], list(rest.notes)
        if bad and (not self.skip or len(bad) == len(entries)):
            found = [f"{self.title}: {len(bad)} of {len(entries)} clips cannot be read:", *listing(bad, self.title)]
            raise DataError("\n".join([*found, self.way_out]))
        if bad:
            notes.append(f"{self.title}: clips that cannot be read and are skipped: {len(bad)} of {len(entries)}")
            notes += listing(bad, self.title)
        digest = together(entries, [clip.digest for clip in heard])
        return replace(raw, bad=rest.bad, hashes={self.title: digest}, notes=notes)

    def _heard(self, entries: Sequence[Entry]) -> list[Heard]:
        libraries()

        def one(entry: Entry) -> Heard:
            digest = ""
            try:
                data = content(entry)
                digest = hashlib.sha256(data).hexdigest()
                return Heard(digest, hear(data, self.ear)[:, None])
            except UnreadableError as error:
                return Heard(digest, reason=str(error))

        return on_all_cores(one, entries)

    def _raw(self, entries: Sequence[Entry], rest: Raw, heard: Sequence[Heard]) -> Raw:
        pairs = list(zip(entries, heard, strict=True))
        bad = [
            BadRow(entry.line, clip.reason, entry.name, entry.place, self.skip)
            for entry, clip in pairs
            if clip.samples is None
        ]
        good = [place for place, clip in enumerate(heard) if clip.samples is not None]
        clips = [clip.samples for clip in heard if clip.samples is not None]
        chosen = pick(rest, np.array(good, np.int64)) if bad else rest
        cells = {"file": [entries[place].name for place in good], **chosen.cells}
        cells["audio"] = Ragged.of(clips) if clips else no_samples()
        return replace(chosen, cells=cells, bad=[*rest.bad, *bad])
