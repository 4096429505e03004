"""Write whistles/: short clips in which one of ten whistlers, who are nobody, whistles one of four signals.

Run ``python data/make_whistles.py`` to write the files again, byte for byte. A file's name is its signal, its whistler
and a number, as ``rise_ann_2.wav``: 8 bits, 4,000 samples a second. A signal is a tone that goes up, goes down, goes up
and down again, or trembles; each whistler has a pitch, each clip a length, a loudness and some noise.
"""

import io
import math
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

RATE = 4000
CLIPS = 3
"""Of each signal by each whistler."""
SEED = 3
NAMES = ("ann", "bob", "cho", "dee", "eve", "fay", "gus", "hal", "ivo", "joy")
PITCH = {name: 440 * 2 ** (number / len(NAMES)) for number, name in enumerate(NAMES)}
SIGNALS = ("rise", "fall", "bow", "trill")


def bend(signal: str, part: float) -> float:
    """Return by how much of an octave the tone is above its pitch, when so much of the signal is over."""
    if signal == "trill":
        return 0.5 + 0.35 * math.sin(2 * math.pi * 6 * part)
    return {"rise": part, "fall": 1 - part, "bow": math.sin(math.pi * part)}[signal]


def samples(signal: str, pitch: float, draws: Iterator[float]) -> bytes:
    """Return a clip as bytes from 0 to 255, of which 128 is silence."""
    length, loud, lower = int(RATE * (0.25 + 0.2 * next(draws))), 0.3 + 0.6 * next(draws), 0.9 + 0.2 * next(draws)
    phase, found = 2 * math.pi * next(draws), bytearray()
    for place in range(length):
        part = place / length
        phase += 2 * math.pi * lower * pitch * 2 ** bend(signal, part) / RATE
        swell = min(1.0, 8 * part, 8 * (1 - part))
        found.append(round(128 + 100 * loud * swell * math.sin(phase) + 24 * (next(draws) - 0.5)))
    return bytes(found)


def as_wav(values: bytes) -> bytes:
    """Return a clip as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(1)
        clip.setframerate(RATE)
        clip.writeframes(values)
    return file.getvalue()


def uniform(seed: int) -> Iterator[float]:
    """Draw from 0 to 1, from raw bits, which no numpy release may change."""
    bits = np.random.Philox(seed)
    while True:
        yield from ((int(word) >> 11) * 2.0**-53 for word in bits.random_raw(4096))


def clips(count: int = CLIPS, seed: int = SEED) -> dict[str, bytes]:
    """Return the files by their names."""
    draws = uniform(seed)
    return {
        f"{signal}_{name}_{number}.wav": as_wav(samples(signal, pitch, draws))
        for signal in SIGNALS
        for name, pitch in PITCH.items()
        for number in range(count)
    }


if __name__ == "__main__":
    folder = Path(__file__).with_name("whistles")
    folder.mkdir(exist_ok=True)
    for name, data in clips().items():
        (folder / name).write_bytes(data)
