"""Audio files made for tests, good ones and bad ones."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 8000


def tone(hertz: float = 440.0, seconds: float = 0.5, rate: int = RATE, loud: float = 0.5) -> NDArray[np.float64]:
    """Return a sine that begins and ends softly."""
    places = np.arange(round(seconds * rate)) / rate
    swell = np.sin(np.pi * places / seconds) ** 2
    tone: NDArray[np.float64] = loud * swell * np.sin(2 * np.pi * hertz * places)
    return tone


def encoded(samples: Any, rate: int = RATE, form: str = "WAV", **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.asarray(samples), rate, format=form, **options)
    return file.getvalue()


def floats(samples: Any, rate: int = RATE) -> bytes:
    return encoded(samples, rate, subtype="FLOAT")


def stereo(samples: NDArray[np.float64], rate: int, apart: float = 0.2) -> bytes:
    """Return a clip of two channels whose mean is ``samples``."""
    return floats(np.stack([samples * (1 + apart), samples * (1 - apart)], axis=1), rate)


def unreadable() -> dict[str, tuple[bytes, str]]:
    """Return files that are no clips by name, each with what is said of it."""
    whole, flac, ogg = encoded(tone()), encoded(tone(), form="FLAC"), encoded(tone(), form="OGG")
    huge = bytearray(whole)
    huge[40:44] = (2**31 - 2).to_bytes(4, "little")
    loud = floats(np.full(100, 1e30))
    return {
        "cut.wav": (whole[:1000], "is cut short: its header says 8,000 bytes of samples, and 956 are there"),
        "huge.wav": (bytes(huge), "is cut short: its header says 2,147,483,646 bytes of samples, and 8,000 are"),
        "cut.aiff": (encoded(tone(), form="AIFF")[:-3], "is cut short: its header says"),
        "cut.flac": (flac[: len(flac) // 2], "is damaged: "),
        "cut.ogg": (ogg[: len(ogg) // 2], "is cut short: its last page is not marked as the last"),
        "header.wav": (whole[:20], "is damaged: "),
        "empty.wav": (b"", "is empty"),
        "text.wav": (b"a text", r"is no sound of a format that is read \(WAV, WAVEX, FLAC, OGG, AIFF\)"),
        "au.wav": (encoded(tone(), form="AU"), "is of the format AU, which is not read; those are: WAV, "),
        "none.wav": (encoded(tone()[:0]), "has no samples"),
        "nan.wav": (floats([0.1, np.nan, 0.2]), "has samples that are no finite numbers"),
        "infinite.wav": (floats([0.1, -np.inf, 0.2]), "has samples that are no finite numbers"),
        "loud.wav": (loud, "has samples beyond 2147483648, which are no sound"),
        "slow.wav": (encoded(tone(), 100), "says 100 samples a second, and 1,000 to 400,000 are read"),
        "many.wav": (encoded(np.zeros((10, 100))), "says 100 channels, and at most 64 are read"),
        "long.wav": (encoded(np.zeros(RATE * 31)), "is longer than 30 seconds; set max_seconds in the source"),
    }


def folder(path: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path
