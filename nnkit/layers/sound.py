"""Layers that make features of sound, and one that disturbs them in training."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from nnkit.layers.base import LAYERS, Example, Layer, OneInput, ShapeError, one
from nnkit.nn.mel import Frames, mel_filters
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch

SMALL = {"sample_rate": 1000, "frame_length": 16, "hop_length": 4, "n_mels": 4}
LONGEST = 1_000_000


class MelLayer(Layer):
    """A layer that makes features of the power in mel bands: `samples x 1` becomes `frames x features`."""

    sample_rate: int | None = Field(
        default=None, ge=1_000, le=400_000, description="Samples a second; default: those of the source `audio`."
    )
    frame_length: int | None = Field(
        default=None, ge=2, le=LONGEST, description="Samples of a frame, under a Hann window; default: 25 ms of them."
    )
    hop_length: int | None = Field(
        default=None, ge=1, le=LONGEST, description="Samples from a frame to the next; default: 10 ms of them."
    )
    fft_length: int | None = Field(
        default=None,
        ge=2,
        le=LONGEST,
        description="Values of a transform, in the middle of which the frame stands; default: the next power of two.",
    )
    n_mels: int = Field(default=40, ge=1, le=1024, description="Number of mel bands.")
    f_min: float = Field(default=0.0, ge=0, description="Frequency in hertz where the lowest band begins.")
    f_max: float | None = Field(
        default=None, gt=0, description="Frequency where the highest band ends; default: half of the sample rate."
    )
    mel_scale: Literal["slaney", "htk"] = Field(
        default="slaney",
        description="`slaney` is librosa's default, with bands of one area; `htk` is torchaudio's, of one height.",
    )
    center: bool = Field(
        default=True,
        description="Frames stand around the samples 0, hop, 2 hop, ... with zeros around the ends, as librosa's and "
        "torch's do; false: only where they fit.",
    )
    floor: float = Field(default=1e-6, gt=0, description="Added to the power before the logarithm.")
    normalize: bool = Field(
        default=False, description="Bring each feature to mean 0 and variance 1 over the frames of a clip."
    )

    def at_rate(self, rate: int) -> Layer:
        """Return the layer for samples of this rate; raises ``ShapeError`` where it is made for another."""
        if self.sample_rate not in (None, rate):
            raise ShapeError(
                f"{self.type_name} is made for {self.sample_rate} samples a second, and the source gives {rate}; "
                f"set sample_rate: {self.sample_rate} in the source, or leave it out here"
            )
        return self.model_copy(update={"sample_rate": rate})

    def usual_steps(self, steps: int) -> int:
        """Return how many frames there are of so many samples."""
        return max(1, steps // self._hop)

    @property
    def features(self) -> int:
        """How many features a frame has."""
        return self.n_mels

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return frames and features; raises ``ShapeError`` for other shapes, rates, and bands that are too narrow."""
        shape = one(self, inputs)
        if len(shape) != 2 or shape[1] != 1:
            raise ShapeError(
                f"{self.type_name} needs samples x 1, as the source audio gives them, got {show(shape)}; "
                "put it first, or give rows of one length their axis by a reshape to [samples, 1]"
            )
        self._check()
        return None if shape[0] is None else self.frames.count(shape[0]), self.features

    def _check(self) -> None:
        name = self.type_name
        if self.sample_rate is None:
            raise ShapeError(f"{name} needs sample_rate here: the data does not say how many samples make a second")
        if self._frame > self._fft:
            raise ShapeError(f"{name} has frames of {self._frame} samples, more than fft_length: {self._fft}")
        if self._high > self.sample_rate / 2 or self.f_min >= self._high:
            raise ShapeError(
                f"{name} has bands from f_min {self.f_min:g} to f_max {self._high:g}; expected f_min below f_max, and "
                f"that at most half of the {self.sample_rate} samples a second"
            )
        empty = [number for number, band in enumerate(self._filters(), 1) if not any(band)]
        if empty:
            raise ShapeError(
                f"{name} has bands without a frequency in them, such as number {empty[0]} of n_mels: {self.n_mels}; "
                f"set fewer, or a larger fft_length than {self._fft}"
            )

    def _filters(self) -> list[list[float]]:
        return mel_filters(
            self.sample_rate or 0, self._fft, self.n_mels, self.f_min, self._high, self.mel_scale == "slaney"
        )

    @property
    def _frame(self) -> int:
        return self.frame_length or max(2, (self.sample_rate or 0) // 40)

    @property
    def _hop(self) -> int:
        return self.hop_length or max(1, (self.sample_rate or 0) // 100)

    @property
    def _fft(self) -> int:
        return self.fft_length or 1 << (self._frame - 1).bit_length()

    @property
    def _high(self) -> float:
        return self.f_max or (self.sample_rate or 0) / 2

    @property
    def frames(self) -> Frames:
        """How samples are cut."""
        return Frames(self._fft, self._frame, self._hop, self.center)

    def built(self, coefficients: int | None = None) -> "torch.nn.Module":
        """Return the module, which keeps so many coefficients or the bands themselves."""
        from nnkit.nn import sound

        return sound.LogMel(
            self.frames,
            self.sample_rate or 0,
            self.n_mels,
            self.f_min,
            self._high,
            self.mel_scale == "slaney",
            self.floor,
            self.normalize,
            coefficients,
        )


@LAYERS.register("log_mel_spectrogram")
class LogMelSpectrogram(MelLayer):
    """Makes of samples the logarithm of the power in mel bands, frame by frame.

    Input `samples x 1`, output `frames x n_mels`: log(power + floor), where the power is that of the frame's spectrum
    (the squares of a Fourier transform) in triangular bands. Nothing is learned, and rows end where they end.
    """

    example = Example(SMALL, ((60, 1),))

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        return self.built()


@LAYERS.register("mfcc")
class Mfcc(MelLayer):
    """Makes of samples mel-frequency cepstral coefficients, frame by frame (Davis and Mermelstein, 1980).

    Input `samples x 1`, output `frames x n_mfcc`: the first coefficients of the orthonormal DCT-II of what
    `log_mel_spectrogram` gives. librosa's and torchaudio's, from decibels, are 10 / log(10) times as large.
    """

    example = Example({**SMALL, "n_mfcc": 3}, ((60, 1),))

    n_mfcc: int = Field(default=13, ge=1, description="Number of coefficients, at most `n_mels`.")

    @model_validator(mode="after")
    def _no_more_than_bands(self) -> Self:
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc: expected at most n_mels, which is {self.n_mels}, found {self.n_mfcc}")
        return self

    @property
    def features(self) -> int:
        """How many coefficients are kept."""
        return self.n_mfcc

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        return self.built(self.n_mfcc)


@LAYERS.register("spec_augment")
class SpecAugment(OneInput):
    """Hides bands of features and stretches of steps in training: SpecAugment's masks (Park and others, 2019).

    Input `steps x features`, also with more axes behind them. Each mask is drawn anew for each row: a band of 0 to
    `frequency_width` features, a stretch of 0 to `time_length` steps and of at most `time_share` of the row's own. What
    is hidden gets the row's mean, so that it says nothing.
    """

    example = Example({"frequency_width": 3, "time_length": 2}, ((9, 6),), others=(((None, 4),), ((5, 4, 2),)))

    frequency_masks: int = Field(default=2, ge=0, le=100, description="Number of bands that are hidden.")
    frequency_width: int = Field(default=8, ge=1, description="Features of the widest band.")
    time_masks: int = Field(default=2, ge=0, le=100, description="Number of stretches of steps that are hidden.")
    time_length: int = Field(default=25, ge=1, description="Steps of the longest stretch.")
    time_share: float = Field(default=0.2, gt=0, le=1, description="A stretch's largest share of a row's steps.")

    @model_validator(mode="after")
    def _hides_something(self) -> Self:
        if not self.frequency_masks and not self.time_masks:
            raise ValueError("frequency_masks and time_masks are both 0, so nothing is hidden; leave spec_augment out")
        return self

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape; raises ``ShapeError`` where it has no steps of features."""
        shape = one(self, inputs)
        if len(shape) < 2 or None in shape[1:]:
            raise ShapeError(f"spec_augment needs steps x features, got {show(shape)}")
        if self.frequency_masks and self.frequency_width > (shape[1] or 0):
            raise ShapeError(
                f"spec_augment hides bands of up to frequency_width: {self.frequency_width} features, and there are "
                f"{shape[1]}; make it smaller"
            )
        return shape

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import sound

        bands, stretches = self.frequency_masks, self.time_masks
        return sound.SpecAugment(bands, self.frequency_width, stretches, self.time_length, self.time_share)
