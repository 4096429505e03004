"""Sounds: the bytes of an audio file as samples of one channel at the rate that a network takes."""

import io
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.ragged import Ragged
from nnkit.errors import ResourceError
from nnkit.frames.albums import UnreadableError

Mix: TypeAlias = Literal["mean", "first"]
Samples: TypeAlias = NDArray[np.float32]

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "AIFF")
"""What is read; libsndfile's other formats are rare, or its decoders talk to the terminal."""
SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".aif", ".aiff"})
"""What the names of audio files end with, in small letters; inside a folder nobody looks at them."""
RATES = range(1_000, 400_001)
"""Samples a second of files that are read."""
CHANNELS = 64
LOUDEST = 2.0**31
"""The largest sample; files of floats may have whole numbers of 32 bits in them."""
BLOCK = 65_536
"""Samples of each channel that are decoded at once."""
UNKNOWN = 0xFFFFFFFF
"""The size that a WAV says that was written into a pipe."""


@dataclass(frozen=True)
class Ear:
    """What sounds are brought to: samples a second, how channels become one, and how many seconds a clip may have."""

    rate: int
    mix: Mix = "mean"
    seconds: float = 30.0


def no_samples(rows: int = 0) -> Ragged:
    """Return clips [0 x 1] without samples."""
    return Ragged(np.empty((0, 1), np.float32), np.zeros(rows, np.int64), np.zeros(rows, np.int64))


def looks_like_sound(start: bytes) -> bool:
    """Tell whether a file begins as audio files do, by marks that no text begins with."""
    chunks = (b"RIFF", b"WAVE"), (b"FORM", b"AIFF"), (b"FORM", b"AIFC")
    return start[:4] in (b"fLaC", b"OggS") or (start[:4], start[8:12]) in chunks


def libraries() -> tuple[Any, Any]:
    """Return soundfile and soxr; raises ``ResourceError`` where they are not installed."""
    try:
        import soundfile
        import soxr
    except (ImportError, OSError) as error:  # OSError: the wheel for this machine has no libsndfile in it.
        raise ResourceError("an audio source needs soundfile and soxr; run: pip install 'nnkit[audio]'") from error
    return soundfile, soxr


def hear(data: bytes, ear: Ear) -> Samples:
    """Return the samples [n] of an audio file, from -1 to 1 unless the file has floats; raises ``UnreadableError``.

    Channels become one, then the rate is changed by a windowed sinc (soxr's HQ: flat to 0.91 of the lower rate's half,
    aliases below 1e-6). What is cut short is refused where the file says how long it should be.
    """
    soundfile, soxr = libraries()
    if not data:
        raise UnreadableError("is empty")
    if missing := _cut(data):
        raise UnreadableError(missing)
    try:
        with soundfile.SoundFile(_Bytes(data)) as file:
            _check(file, ear)
            rate, samples = file.samplerate, _mixed(file, ear)
    except UnreadableError:
        raise
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, OverflowError) as error:
        raise UnreadableError(_unknown(data, error)) from error
    if not np.isfinite(samples).all():
        raise UnreadableError("has samples that are no finite numbers")
    if len(samples) and np.abs(samples).max() > LOUDEST:
        raise UnreadableError(f"has samples beyond {LOUDEST:.0f}, which are no sound")
    if rate != ear.rate:
        samples = np.asarray(soxr.resample(samples, rate, ear.rate, quality="HQ"), np.float32)
    if not len(samples):
        raise UnreadableError("has no samples")
    return samples


class _Bytes(io.BytesIO):
    """Bytes in which a decoder may look for a place that is not there, without a traceback on the terminal."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place, or stay."""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return -1


def _check(file: Any, ear: Ear) -> None:
    if file.format not in FORMATS:
        raise UnreadableError(f"is of the format {file.format}, which is not read; those are: {', '.join(FORMATS)}")
    if file.samplerate not in RATES:
        raise UnreadableError(
            f"says {file.samplerate:,} samples a second, and {RATES.start:,} to {RATES.stop - 1:,} are read"
        )
    if file.channels > CHANNELS:
        raise UnreadableError(f"says {file.channels} channels, and at most {CHANNELS} are read")


def _mixed(file: Any, ear: Ear) -> Samples:
    """Return one channel of an open file; it is counted while it is read, since a header may say anything."""
    most, read, parts = int(ear.seconds * file.samplerate), 0, []
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
        read += len(block)
        if read > most:
            raise UnreadableError(
                f"is longer than {ear.seconds:g} seconds; set max_seconds in the source, or cut it into parts"
            )
        parts.append(block[:, 0].copy() if ear.mix == "first" else block.mean(axis=1))
    if file.frames > read:
        raise UnreadableError(f"is cut short: it should have {file.frames:,} samples, and {read:,} can be read")
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _cut(data: bytes) -> str | None:
    """Return what is missing of a file that says where it ends, where libsndfile would read what is there."""
    if data[:4] == b"OggS":
        last = data.rfind(b"OggS")
        return None if data[last + 5 : last + 6] >= b"\4" else "is cut short: its last page is not marked as the last"
    if data[:4] not in (b"RIFF", b"FORM"):
        return None
    order: Literal["little", "big"] = "little" if data[:4] == b"RIFF" else "big"
    wanted, place = (b"data", b"SSND"), 12
    while place + 8 <= len(data):
        size, start = int.from_bytes(data[place + 4 : place + 8], order), place + 8
        if data[place : place + 4] in wanted:
            there = len(data) - start
            if there >= size or size == UNKNOWN:
                return None
            return f"is cut short: its header says {size:,} bytes of samples, and {there:,} are there"
        place = start + size + size % 2
    return None


def _unknown(data: bytes, error: Exception) -> str:
    if looks_like_sound(data):
        return f"is damaged: {getattr(error, 'error_string', '') or error}".rstrip(".")
    return f"is no sound of a format that is read ({', '.join(FORMATS)})"
