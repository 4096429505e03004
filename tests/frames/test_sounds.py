import builtins
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnkit.engine.ragged import Ragged
from nnkit.errors import ResourceError
from nnkit.frames.albums import UnreadableError
from nnkit.frames.sounds import Ear, hear, looks_like_sound, no_samples
from tests.frames.heard import RATE, encoded, floats, stereo, tone, unreadable

EAR = Ear(RATE)
BAD = unreadable()


@pytest.mark.parametrize("form", ["WAV", "WAVEX", "FLAC", "AIFF"])
def test_samples_are_those_of_the_file(form: str) -> None:
    data = encoded(tone(), form=form)
    assert looks_like_sound(data[:16])
    found = hear(data, EAR)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, tone(), atol=1 / 2**15)


def test_ogg_comes_close_to_what_was_written() -> None:
    data = encoded(tone(), form="OGG")
    assert looks_like_sound(data[:16])
    found = hear(data, EAR)
    assert np.abs(found - tone()).max() < 0.05


def test_whole_numbers_and_floats_are_taken_as_they_are() -> None:
    eight = hear(encoded([0.0, 0.5, -0.5], subtype="PCM_U8"), EAR)
    np.testing.assert_allclose(eight, [0, 0.5, -0.5], atol=1 / 128)
    assert hear(floats([0.25, 3.5, -7.0]), EAR).tolist() == [0.25, 3.5, -7.0]


def test_channels_become_their_mean_or_the_first_is_taken() -> None:
    data = floats(np.stack([[0.5, -0.25, 0.0], [0.25, 0.25, 1.0], [0.0, 0.0, 0.5]], axis=1))
    np.testing.assert_allclose(hear(data, EAR), [0.25, 0.0, 0.5], atol=1e-7)
    np.testing.assert_allclose(hear(data, Ear(RATE, "first")), [0.5, -0.25, 0.0], atol=1e-7)


@pytest.mark.parametrize("rate", [44_100, 48_000, 16_000, 11_025, 6_000])
def test_another_rate_gives_the_samples_of_the_same_tone(rate: int) -> None:
    found = hear(stereo(tone(rate=rate), rate), EAR)
    assert len(found) == len(tone())
    np.testing.assert_allclose(found, tone(), atol=1e-4)


def test_what_the_lower_rate_cannot_hold_is_taken_out() -> None:
    both = tone(rate=44_100) + tone(6_000, rate=44_100)  # 6,000 Hz would come back as 2,000 Hz.
    np.testing.assert_allclose(hear(floats(both, 44_100), EAR), tone(), atol=1e-4)


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_says_why(name: str) -> None:
    data, reason = BAD[name]
    with pytest.raises(UnreadableError, match=f"^{reason}"):
        hear(data, EAR)


def test_a_wav_out_of_a_pipe_goes_to_its_end() -> None:
    data = bytearray(encoded(tone()))
    data[4:8] = data[40:44] = b"\xff" * 4
    np.testing.assert_allclose(hear(bytes(data), EAR), tone(), atol=1 / 2**15)


def test_the_longest_clip_is_counted_while_it_is_read() -> None:
    assert len(hear(encoded(tone(seconds=0.5)), Ear(RATE, seconds=0.5))) == RATE // 2
    with pytest.raises(UnreadableError, match=re.escape("is longer than 0.49 seconds")):
        hear(encoded(tone(seconds=0.5)), Ear(RATE, seconds=0.49))


WHOLE = [encoded(tone()[:600], form=form) for form in ("WAV", "FLAC", "OGG", "AIFF")]


@settings(max_examples=300, deadline=None)
@given(data=st.sampled_from(WHOLE), changes=st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255)), max_size=5))
def test_bytes_that_were_changed_are_samples_or_a_reason(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place] = value
    try:
        found = hear(bytes(damaged), EAR)
    except UnreadableError:
        return
    assert len(found)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("lacking", ["soundfile", "soxr"])
def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    real = builtins.__import__

    def absent(name: str, *arguments: Any, **options: Any) -> Any:
        if name == lacking:
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ResourceError, match=r"needs soundfile and soxr; run: pip install 'nnkit\[audio\]'"):
        hear(encoded(tone()), EAR)


def test_clips_are_put_together() -> None:
    first, second = (Ragged.of([np.full((n, 1), n, np.float32) for n in lengths]) for lengths in ([2, 3], [1, 4]))
    together = Ragged.joined([first, no_samples(), second[np.array([1, 0])], no_samples(1)])
    assert [together.row(number).ravel().tolist() for number in range(5)] == [
        [2, 2],
        [3, 3, 3],
        [4, 4, 4, 4],
        [1],
        [],
    ]
