"""Frames of samples, and filters on the mel scale, where frequencies are as far apart as people hear; plain Python."""

import math
from dataclasses import dataclass

LINEAR = 200 / 3
"""Hertz of a mel on Slaney's scale below 1,000 Hz, where it is linear."""
BREAK = 1000.0
STEP = math.log(6.4) / 27
"""Logarithm of the ratio of frequencies a mel apart above 1,000 Hz."""


def to_mel(hertz: float, slaney: bool) -> float:
    """Return a frequency on Slaney's scale (Auditory Toolbox, 1998) or on HTK's, 2595 log10(1 + f / 700)."""
    if not slaney:
        return 2595 * math.log10(1 + hertz / 700)
    return hertz / LINEAR if hertz < BREAK else BREAK / LINEAR + math.log(hertz / BREAK) / STEP


def to_hertz(mel: float, slaney: bool) -> float:
    """Return the frequency of a place on the scale."""
    if not slaney:
        return 700 * (10 ** (mel / 2595) - 1)
    return mel * LINEAR if mel < BREAK / LINEAR else BREAK * math.exp(STEP * (mel - BREAK / LINEAR))


def mel_filters(rate: int, fft: int, count: int, low: float, high: float, slaney: bool) -> list[list[float]]:
    """Return triangles over the frequencies of a spectrum [fft // 2 + 1], of which ``count`` stand from low to high.

    On Slaney's scale the area of each is 1 (in hertz), on HTK's its height: the defaults of librosa and of torchaudio.
    """
    first, last = to_mel(low, slaney), to_mel(high, slaney)
    corners = [to_hertz(first + (last - first) * place / (count + 1), slaney) for place in range(count + 2)]
    places = [rate * place / fft for place in range(fft // 2 + 1)]
    filters = []
    for left, middle, right in zip(corners, corners[1:], corners[2:], strict=False):
        height = 2 / (right - left) if slaney else 1.0
        rises = [min((place - left) / (middle - left), (right - place) / (right - middle)) for place in places]
        filters.append([height * max(0.0, rise) for rise in rises])
    return filters


@dataclass(frozen=True)
class Frames:
    """How samples are cut: frames of ``frame`` samples, in ``fft`` of which they stand in the middle, ``hop`` apart.

    Frames that are ``centred`` stand around the samples 0, hop, 2 hop, ..., with zeros around the ends of the row.
    """

    fft: int
    frame: int
    hop: int
    centred: bool

    @property
    def around(self) -> int:
        """Zeros before the first sample and behind the last."""
        return self.fft // 2 if self.centred else 0

    def count(self, samples: int) -> int:
        """Return how many frames there are of so many samples; none of none."""
        return max(0, (samples + 2 * self.around - self.fft) // self.hop + 1) if samples else 0
