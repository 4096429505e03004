"""Features of sound, compared with librosa's numbers and with a loop in numpy; masks; rates."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from nnkit.layers.base import LAYERS, ShapeError
from nnkit.models.base import MODELS
from nnkit.nn.sequence import Padded, SequenceModule
from tests.layers.tools import build
from tests.models.tools import filled, plan, problems

RATE, SAMPLES = 8000, 1500
OPTIONS: dict[str, Any] = {
    "sample_rate": RATE,
    "fft_length": 256,
    "frame_length": 200,
    "hop_length": 80,
    "n_mels": 20,
    "f_min": 50,
    "f_max": 3800,
}
PLACES = np.arange(SAMPLES)
SOUND = (
    0.5 * np.sin(2 * np.pi * 440 * PLACES / RATE)
    + 0.25 * np.sin(2 * np.pi * 1900 * PLACES / RATE + 0.3)
    + 0.1 * np.cos(PLACES * PLACES * 0.001)
)
# numpy.log(librosa.feature.melspectrogram(y=SOUND, sr=8000, n_fft=256, hop_length=80, win_length=200, n_mels=20,
# fmin=50, fmax=3800, htk=scale == "htk", norm="slaney" or None) + 1e-6)[::7, [0, 9, 18]], of librosa 0.11.0.
LIBROSA = {
    "slaney": [
        [-1.556515, -10.789035, -4.658559],
        [-6.273896, -13.435116, -6.506061],
        [-0.807489, -0.090865, -0.054617],
    ],
    "htk": [[3.128304, -8.489696, -0.620086], [-0.027038, -7.804477, -1.034336], [4.381292, 5.053404, 5.103472]],
}
# scipy.fft.dct(10 / log(10) * that of all bands, axis=0, norm="ortho")[:13:4, [0, 9, 18]]: what librosa calls MFCC.
CEPSTRA = {
    "slaney": [
        [-84.8303, -167.0418, -91.2357],
        [-30.0883, -57.8575, -22.6102],
        [-1.8605, -8.5899, 3.3143],
        [2.4449, 0.7053, 11.2290],
    ],
    "htk": [
        [19.7910, -90.3352, 10.9773],
        [-36.9099, -99.1323, -34.3609],
        [4.8538, 15.2421, 19.5746],
        [-0.4597, -7.6816, 4.9232],
    ],
}


def features(kind: str, samples: Any = SOUND, dtype: torch.dtype = torch.float64, **options: Any) -> NDArray[Any]:
    module = build({"type": kind, **OPTIONS, **options}, (None, 1)).to(dtype)
    found: NDArray[Any] = module(torch.tensor(np.asarray(samples)[None, :, None], dtype=dtype))[0].numpy()
    return found


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_log_mel_is_librosas(scale: str) -> None:
    found = features("log_mel_spectrogram", mel_scale=scale)
    assert found.shape == (19, 20)
    np.testing.assert_allclose(found.T[::7, [0, 9, 18]], LIBROSA[scale], atol=2e-5)
    np.testing.assert_allclose(features("log_mel_spectrogram", dtype=torch.float32, mel_scale=scale), found, atol=1e-3)


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_mfcc_are_librosas(scale: str) -> None:
    found = 10 / math.log(10) * features("mfcc", mel_scale=scale)
    assert found.shape == (19, 13)
    np.testing.assert_allclose(found.T[::4, [0, 9, 18]], CEPSTRA[scale], atol=2e-3)


def by_loops(samples: NDArray[Any], fft: int, frame: int, hop: int, center: bool, bands: int) -> NDArray[Any]:
    """Return the log-mel features by loops over frames, frequencies and bands, on HTK's scale from 0 to RATE / 2."""
    around = np.zeros(fft // 2 if center else 0)
    padded, window, before = np.concatenate([around, samples, around]), np.zeros(fft), (fft - frame) // 2
    window[before : before + frame] = [math.sin(math.pi * k / frame) ** 2 for k in range(frame)]
    mels = np.linspace(0, 2595 * math.log10(1 + RATE / 2 / 700), bands + 2)
    corners = 700 * (10 ** (mels / 2595) - 1)
    rows = []
    for start in range(0, len(padded) - fft + 1, hop):
        piece = padded[start : start + fft] * window
        power = np.zeros(bands)
        for number in range(fft // 2 + 1):
            wave = np.exp(-2j * math.pi * number * np.arange(fft) / fft)
            strength, hertz = abs((piece * wave).sum()) ** 2, number * RATE / fft
            for band, (left, middle, right) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
                if left < hertz < right:
                    near = (hertz - left) / (middle - left) if hertz <= middle else (right - hertz) / (right - middle)
                    power[band] += strength * near
        rows.append(np.log(power + 1e-3))
    return np.array(rows).reshape(-1, bands)


@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 150),
    fft=st.sampled_from([32, 33, 40]),
    frame=st.integers(5, 32),
    hop=st.integers(1, 50),
    center=st.booleans(),
    seed=st.integers(0, 9),
)
def test_log_mel_is_that_of_loops(length: int, fft: int, frame: int, hop: int, center: bool, seed: int) -> None:
    samples = np.random.default_rng(seed).normal(size=length)
    options: dict[str, Any] = {"n_mels": 4, "mel_scale": "htk", "floor": 1e-3, "f_min": 0, "f_max": None}
    options |= {"fft_length": fft, "frame_length": frame, "hop_length": hop, "center": center}
    expected = by_loops(samples, fft, frame, hop, center, 4)
    found = features("log_mel_spectrogram", samples, **options)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    layer = LAYERS.decode({"type": "log_mel_spectrogram", **OPTIONS, **options})
    assert layer.out_shape((length, 1)) == expected.shape
    assert layer.out_shape((None, 1)) == (None, 4)


KINDS: list[dict[str, Any]] = [
    {"type": "log_mel_spectrogram"},
    {"type": "log_mel_spectrogram", "normalize": True},
    {"type": "log_mel_spectrogram", "center": False},
    {"type": "mfcc", "normalize": True},
]


@pytest.mark.parametrize("options", KINDS, ids=str)
@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 900), min_size=1, max_size=4),
    more=st.integers(0, 300),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_padding_changes_nothing(options: dict[str, Any], lengths: list[int], more: int, dtype: torch.dtype) -> None:
    module, close = build({**OPTIONS, **options}, (None, 1)).to(dtype), 1e-4 if dtype == torch.float32 else 1e-9
    assert isinstance(module, SequenceModule)
    rows = [torch.randn(1, length, 1, dtype=dtype) for length in lengths]
    x = torch.full((len(rows), max(lengths) + more, 1), 5.0, dtype=dtype)
    for number, row in enumerate(rows):
        x[number, : row.shape[1]] = row[0]
    ends = [torch.tensor(lengths)]
    together, after = module(x, lengths=ends), module.out_lengths(ends)
    assert after is not None
    assert bool(torch.isfinite(together).all())
    for number, row in enumerate(rows):
        alone = module(row)[0]
        assert int(after[number]) == len(alone)
        torch.testing.assert_close(together[number, : len(alone)], alone, atol=close, rtol=close)


def test_rows_are_transformed_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from nnkit.nn import sound

    module, x = build({"type": "log_mel_spectrogram", **OPTIONS}, (None, 1)), torch.randn(7, 600, 1)
    whole = module(x)
    monkeypatch.setattr(sound, "AT_ONCE", 3 * 8 * 256)
    torch.testing.assert_close(module(x), whole, atol=1e-6, rtol=1e-6)


def test_normalized_features_have_mean_0_and_variance_1_over_each_rows_own_frames() -> None:
    x = torch.randn(2, 1600, 1)
    x[0] *= 30
    module = build({"type": "log_mel_spectrogram", **OPTIONS, "normalize": True}, (None, 1))
    found = module(x, lengths=[torch.tensor([800, 1600])])
    for row, count in zip(found, (11, 21), strict=True):
        torch.testing.assert_close(row[:count].mean(0), torch.zeros(20), atol=1e-5, rtol=0)
        torch.testing.assert_close(row[:count].var(0, unbiased=False), torch.ones(20), atol=0.02, rtol=0)


def test_half_precision_around_it_does_not_reach_the_features() -> None:
    module, x = build({"type": "mfcc", **OPTIONS}, (None, 1)), torch.randn(2, 600, 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(module(x), build({"type": "mfcc", **OPTIONS}, (None, 1))(x))


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({}, (None, 2), r"needs samples x 1, as the source audio gives them, got \? x 2; put it first"),
        ({}, (500,), "needs samples x 1, .*, got 500; .* by a reshape to "),
        ({"sample_rate": None}, (None, 1), "needs sample_rate here: the data does not say"),
        ({"frame_length": 300}, (None, 1), "has frames of 300 samples, more than fft_length: 256"),
        ({"f_max": 4001}, (None, 1), "has bands from f_min 50 to f_max 4001; expected .* at most half of the 8000"),
        ({"f_min": 3900}, (None, 1), "has bands from f_min 3900 to f_max 3800; expected f_min below f_max"),
        ({"n_mels": 200}, (None, 1), "has bands without a frequency in them, such as number .* of n_mels: 200; set"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], shape: Any, message: str) -> None:
    for kind in ("log_mel_spectrogram", "mfcc"):
        with pytest.raises(ShapeError, match=f"^{kind} {message}"):
            LAYERS.decode({"type": kind, **OPTIONS, **options}).out_shape(shape)


def test_more_coefficients_than_bands_are_refused() -> None:
    with pytest.raises(ValidationError, match="n_mfcc: expected at most n_mels, which is 10, found 13"):
        LAYERS.decode({"type": "mfcc", "n_mels": 10})


def test_the_rate_is_the_sources_and_another_one_is_refused() -> None:
    def network(**options: Any) -> Any:
        layers = [{"type": "log_mel_spectrogram", **options}, "sequence_pool", {"type": "dense", "units": 2}]
        return MODELS.decode({"type": "network", "layers": layers})

    told = network().plan({"input": (None, 1)}, None, RATE).nodes[0].layer
    assert told == LAYERS.decode({"type": "log_mel_spectrogram", "sample_rate": RATE})
    with pytest.raises(
        ShapeError, match="is made for 16000 samples a second, and the source gives 8000; set sample_rate"
    ):
        LAYERS.decode({"type": "mfcc", "sample_rate": 16000}).at_rate(RATE)
    with pytest.raises(Exception, match="is made for 16000 samples a second"):
        network(sample_rate=16_000).plan({"input": (None, 1)}, None, RATE)
    [line] = problems("log_mel_spectrogram", "sequence_pool", input=(None, 1))
    assert "needs sample_rate here" in line


def test_a_sound_is_taken_for_longer_than_a_text() -> None:
    layers = ["log_mel_spectrogram", {"type": "max_pool", "pool_size": 2}, "sequence_pool"]
    network = MODELS.decode({"type": "network", "layers": layers}).plan({"input": (None, 1)}, None, RATE)
    assert [node.steps for node in network.nodes] == [400, 200, 200]
    assert network.memory(1) == 4 * 2 * (32_000 + 400 * 40 + 200 * 40 + 40)
    assert network.block_rows == 256


def test_a_picture_of_features_gets_its_axis_of_channels_as_the_message_says() -> None:
    features = {"type": "log_mel_spectrogram", **OPTIONS}
    conv = {"type": "conv2d", "filters": 2, "kernel_size": 3}
    [line] = problems(features, conv, "global_max_pool", input=(None, 1))
    way_out = {"type": "time_distributed", "layer": {"type": "reshape", "shape": [20, 1]}}
    assert "{type: time_distributed, layer: {type: reshape, shape: [20, 1]}}" in line
    network = filled(plan(features, way_out, conv, "max_pool", "global_max_pool", input=(None, 1))).eval()
    x, ends = torch.randn(3, 900, 1), [900, 30, 700]
    together = network({"input": Padded(x, torch.tensor(ends))})
    for number, end in enumerate(ends):
        alone = network({"input": x[number : number + 1, :end]})
        torch.testing.assert_close(together[number : number + 1], alone, atol=1e-5, rtol=1e-5)


def masked(x: Tensor, ends: list[int] | None = None, **options: Any) -> Tensor:
    module = build({"type": "spec_augment", "frequency_width": 2, **options}, (None, *x.shape[2:])).train()
    hidden: Tensor = module(x, lengths=[] if ends is None else [torch.tensor(ends)])
    return hidden


def test_bands_and_stretches_get_the_rows_mean() -> None:
    x = torch.randn(200, 30, 8)
    found = masked(x, frequency_masks=1, time_masks=1, time_length=5, time_share=1.0)
    changed, means = found != x, x.mean((1, 2))
    torch.testing.assert_close(found[changed], means[:, None, None].expand_as(x)[changed])
    bands, stretches = changed.all(1).sum(1), changed.all(2).sum(1)
    assert set(bands.tolist()) == {0, 1, 2}
    assert set(stretches.tolist()) == {0, 1, 2, 3, 4, 5}
    assert torch.equal(changed, changed.all(1)[:, None] | changed.all(2)[:, :, None])
    starts = changed.all(2).int().diff(dim=1, prepend=torch.zeros(200, 1, dtype=torch.int)).clamp(min=0)
    assert int(starts.sum(1).max()) == 1, "a stretch is in one piece"
    assert changed.all(2)[:, 0].any()
    assert changed.all(2)[:, -1].any()


def test_stretches_are_a_share_of_the_rows_own_steps_and_padding_is_no_part_of_the_mean() -> None:
    x, ends = torch.randn(300, 40, 8), [10, 40, 0] * 100
    x[::3, 10:] = 1e6
    found = masked(x, ends, frequency_masks=0, time_masks=1, time_length=20, time_share=0.3)
    hidden = (found != x).all(2)
    assert int(hidden[::3].sum(1).max()) == 3
    assert int(hidden[1::3].sum(1).max()) == 12
    assert not hidden[::3, 10:].any()
    assert not hidden[2::3].any()
    assert float(found[::3, :10].abs().max()) < 10


def test_nothing_is_hidden_outside_of_training_and_more_axes_go_along() -> None:
    module = build({"type": "spec_augment", "frequency_width": 2}, (None, 8, 3))
    x = torch.randn(4, 9, 8, 3)
    assert torch.equal(module.eval()(x), x)
    changed = masked(x, time_share=1.0) != x
    assert changed.any()
    assert torch.equal(changed.any(3), changed.all(3))
    assert masked(torch.randn(2, 0, 8)).shape == (2, 0, 8)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({}, (8,), "needs steps x features, got 8"),
        ({}, (4, None), r"needs steps x features, got 4 x \?"),
        ({"frequency_width": 9}, (None, 8), "up to frequency_width: 9 features, and there are 8; make it smaller"),
    ],
)
def test_masks_that_cannot_be_are_refused(options: dict[str, Any], shape: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        LAYERS.decode({"type": "spec_augment", **options}).out_shape(shape)


def test_masks_that_hide_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="are both 0, so nothing is hidden; leave spec_augment out"):
        LAYERS.decode({"type": "spec_augment", "frequency_masks": 0, "time_masks": 0})
