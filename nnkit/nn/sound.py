"""Modules that make features of samples, and disturb them in training."""

import math

import torch
from torch import Tensor

from nnkit.nn.mel import Frames, mel_filters
from nnkit.nn.random import RandomModule
from nnkit.nn.sequence import Lengths, SequenceModule, beside, first, inside, together, zeroed

AT_ONCE = 2**22
"""Values of frames that are transformed at once."""
TINY = 1e-3
"""Added to the variance where features are normalized."""


class LogMel(SequenceModule):
    """Logarithms of the power in mel bands: [n, samples, 1] -> [n, frames, bands].

    log(power + floor) of a periodic Hann window's spectrum. With ``coefficients`` their DCT-II (orthonormal), of which
    so many are kept: mel-frequency cepstral coefficients (Davis and Mermelstein, 1980). With ``normalize`` each feature
    of a row has mean 0 and variance 1 over the row's own frames.
    """

    window: Tensor
    filters: Tensor
    cosines: Tensor | None

    def __init__(
        self,
        frames: Frames,
        rate: int,
        bands: int,
        low: float,
        high: float,
        slaney: bool,
        floor: float,
        normalize: bool,
        coefficients: int | None = None,
    ) -> None:
        super().__init__()
        self.frames, self.floor, self.normalize = frames, floor, normalize
        before = (frames.fft - frames.frame) // 2
        window = torch.zeros(frames.fft)
        window[before : before + frames.frame] = torch.hann_window(frames.frame)
        filters = torch.tensor(mel_filters(rate, frames.fft, bands, low, high, slaney)).T.contiguous()
        # They follow from the options, so they are no weights of the model.
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("cosines", dct(bands, coefficients) if coefficients else None, persistent=False)

    def out_lengths(self, lengths: Lengths) -> Tensor | None:
        """Return how many frames lie in each row."""
        ends = first(lengths)
        if ends is None:
            return None
        frames = self.frames
        counts = ((ends + 2 * frames.around - frames.fft) // frames.hop + 1).clamp(min=0)
        return counts.masked_fill(ends == 0, 0)

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute the features."""
        samples, ends = zeroed(x, first(lengths)).squeeze(2), self.out_lengths(lengths)
        count = self.frames.count(samples.shape[1])
        if not count or not len(x):
            return x.new_zeros(len(x), count, (self.filters if self.cosines is None else self.cosines).shape[1])
        samples = torch.nn.functional.pad(samples, (self.frames.around, self.frames.around))
        rows = max(1, AT_ONCE // (count * self.frames.fft))
        with torch.autocast(x.device.type, enabled=False):
            y = torch.cat([self._features(part) for part in torch.split(samples, rows)])
            return _normalized(y, ends) if self.normalize else y

    def _features(self, samples: Tensor) -> Tensor:
        frames = samples.unfold(1, self.frames.fft, self.frames.hop) * self.window
        spectrum = torch.view_as_real(torch.fft.rfft(frames)).square().sum(-1)
        features = (spectrum @ self.filters + self.floor).log()
        return features if self.cosines is None else features @ self.cosines


def dct(size: int, kept: int) -> Tensor:
    """Return the orthonormal DCT-II as a matrix [size, kept]."""
    places, numbers = torch.arange(size, dtype=torch.float64)[:, None] + 0.5, torch.arange(kept, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * places * numbers) * math.sqrt(2 / size)
    matrix[:, 0] /= math.sqrt(2)
    return matrix.float()


def _normalized(x: Tensor, ends: Tensor | None) -> Tensor:
    centred = x - together(x, ends, "mean")[:, None]
    return centred / (together(centred.square(), ends, "mean")[:, None] + TINY).sqrt()


class SpecAugment(RandomModule, SequenceModule):
    """Hides bands of features and stretches of steps in training: [n, steps, features, ...] (Park and others, 2019).

    A band has 0 to ``width`` features, a stretch 0 to ``length`` steps and at most the ``share`` of the row's own; what
    is hidden gets the mean of the row.
    """

    def __init__(self, bands: int, width: int, stretches: int, length: int, share: float) -> None:
        super().__init__()
        self.bands, self.width = bands, width
        self.stretches, self.length, self.share = stretches, length, share

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Hide in training."""
        return self._hidden(x, first(lengths)) if self.training and x.shape[1] else x

    def _hidden(self, x: Tensor, ends: Tensor | None) -> Tensor:
        drawn = torch.split(self.draws.uniform(self.name, x, 2 * (self.bands + self.stretches)).float(), 2, 1)
        steps = x.new_full((len(x),), x.shape[1], dtype=torch.float32) if ends is None else ends.float()
        longest = (steps * self.share).floor().clamp(max=self.length)
        features = torch.full_like(steps, x.shape[2])
        hidden = torch.zeros(x.shape[:3], dtype=torch.bool, device=x.device)
        for pair in drawn[: self.bands]:
            hidden |= _between(pair, features.clamp(max=self.width), features, x.shape[2])[:, None, :]
        for pair in drawn[self.bands :]:
            hidden |= _between(pair, longest, steps, x.shape[1])[:, :, None]
        mean = together(x, ends, "mean").flatten(1).mean(1)
        return torch.where(beside(hidden, x), mean.view(-1, *(1,) * (x.dim() - 1)), x)


def _between(drawn: Tensor, widest: Tensor, size: Tensor, places: int) -> Tensor:
    """Return [n, places], true in a stretch of 0 to ``widest`` [n] of the first ``size`` [n], by two draws [n, 2]."""
    width = (drawn[:, 0] * (widest + 1)).floor()
    start = (drawn[:, 1] * (size - width + 1)).floor()
    return inside((start + width).long(), places) & ~inside(start.long(), places)
