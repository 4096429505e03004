import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from nnkit.frames.albums import UnreadableError
from nnkit.frames.decoding import Look, Mode, Resize, decode
from nnkit.frames.galleries import quiet
from tests.frames.drawn import COLOURS, GREYS, bomb, chunk, encoded, frames, photo, png, turned, unreadable

FORMATS = ["PNG", "BMP", "TIFF", "PPM", "GIF", *(["WEBP"] if features.check("webp") else [])]


@pytest.mark.parametrize("form", FORMATS)
def test_pixels_come_back(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    grey = decode(encoded(Image.fromarray(GREYS), form, **options), Look("grey"))
    assert grey.shape == (6, 8, 1)
    if form not in ("WEBP", "GIF"):
        assert np.array_equal(decode(encoded(Image.fromarray(COLOURS), form), Look()), COLOURS)
    if form != "WEBP":  # It has colours only.
        assert np.array_equal(grey[..., 0], GREYS)


def test_grey_is_the_luma_of_colours() -> None:
    wanted = COLOURS @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(decode(png(), Look("grey"))[..., 0], wanted, atol=1)
    assert np.array_equal(decode(png(GREYS), Look()), np.repeat(GREYS[..., None], 3, axis=2))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_greys_of_16_bits_are_scaled(form: str) -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65406, 65407, 65535]], dtype=np.uint16)
    found = decode(encoded(Image.fromarray(values), form), Look("grey"))
    assert found.ravel().tolist() == np.rint(values / 257).astype(int).ravel().tolist()
    assert decode(encoded(Image.fromarray(values), form), Look())[0, -1].tolist() == [255, 255, 255]


def test_big_endian_greys_of_16_bits() -> None:
    tiff = b"MM\0*" + (10).to_bytes(4, "big") + bytes((0xFF, 0xFF))
    tags = [(256, 1), (257, 1), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 2)]
    entries = b"".join(
        tag.to_bytes(2, "big") + b"\0\x03\0\0\0\x01" + value.to_bytes(2, "big") + b"\0\0" for tag, value in tags
    )
    data = tiff + len(tags).to_bytes(2, "big") + entries + bytes(4)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "I;16B"
    assert decode(data, Look("grey")).tolist() == [[[255]]]


def test_colours_of_16_bits_lose_the_lower_ones() -> None:
    assert decode(deep_colours(), Look()).tolist() == [[[0x12, 0x80, 0xFE]]]


def test_inks_become_colours() -> None:
    inks = Image.fromarray(np.full((6, 8, 4), [255, 0, 0, 0], dtype=np.uint8), "CMYK")
    for form in ("JPEG", "TIFF"):
        found = decode(encoded(inks, form), Look())
        np.testing.assert_allclose(found.reshape(-1, 3).mean(axis=0), [0, 255, 255], atol=3)
        assert decode(encoded(inks, form), Look("grey")).shape == (6, 8, 1)


def deep_colours() -> bytes:
    """Return a PNG of one pixel with 16 bits a channel."""
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    row = zlib.compress(b"\0" + bytes([0x12, 0x34, 0x80, 0x00, 0xFE, 0xFF]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b"")


def test_what_would_not_stay_what_it_is_is_refused_where_nobody_says_a_mode() -> None:
    inks = Image.fromarray(np.zeros((6, 8, 4), dtype=np.uint8), "CMYK")
    odd = {
        "has 16 bits a channel": [encoded(Image.fromarray(np.zeros((2, 2), np.uint16))), deep_colours()],
        "is CMYK": [encoded(inks, "JPEG"), encoded(inks, "TIFF")],
        "has a palette": [palette(), palette(transparency=b"\x00\x80")],
    }
    for reason, files in odd.items():
        for data in files:
            with pytest.raises(UnreadableError, match=f"^{reason}; set mode: RGB, RGBA or grey in the source"):
                decode(data, Look(converts=False))
            assert decode(data, Look()).ndim == 3
    for data in (png(), png(GREYS), photo()):
        assert np.array_equal(decode(data, Look(converts=False)), decode(data, Look()))


def palette(**options: Any) -> bytes:
    picture = Image.fromarray(np.array([[0, 1], [1, 0]], dtype=np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    return encoded(picture, **options)


def test_palettes_become_colours_and_alpha_stays_where_it_is_asked_for() -> None:
    first, second = [10, 20, 30], [200, 100, 50]
    for options in ({}, {"transparency": b"\x00\x80"}, {"transparency": 1}):
        assert decode(palette(**options), Look()).tolist() == [[first, second], [second, first]]
    assert decode(palette(transparency=b"\x00\x80"), Look("RGBA")).tolist() == [
        [[*first, 0], [*second, 128]],
        [[*second, 128], [*first, 0]],
    ]
    clear = np.dstack([COLOURS, np.full((6, 8), 7, dtype=np.uint8)])
    assert np.array_equal(decode(png(clear), Look()), COLOURS)
    assert np.array_equal(decode(png(clear), Look("RGBA")), clear)
    assert np.array_equal(decode(png(), Look("RGBA"))[..., 3], np.full((6, 8), 255))


def test_two_colours() -> None:
    bits = GREYS > 127
    assert np.array_equal(decode(encoded(Image.fromarray(bits)), Look("grey"))[..., 0], bits * np.uint8(255))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_as_they_say(orientation: int) -> None:
    stored = np.asarray(Image.open(io.BytesIO(photo())))
    undone = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: stored.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(stored),
    }
    assert np.array_equal(decode(turned(orientation), Look()), undone[orientation])


def test_a_photo_whose_description_is_damaged_is_still_a_photo() -> None:
    data = photo(exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05damaged")
    with quiet():
        assert decode(data, Look()).shape == (40, 60, 3)


@pytest.mark.parametrize(("size", "scale"), [((40, 60), 1), ((20, 20), 0.5), ((10, 45), 0.75), ((80, 80), 2)])
def test_crop_covers_and_cuts_around_the_centre(size: tuple[int, int], scale: float) -> None:
    found = decode(photo(), Look("RGB", size, "crop")).astype(float)
    assert found.shape == (*size, 3)
    right = (np.arange(size[1]) + 0.5 - size[1] / 2) / (60 * scale) + 0.5
    down = (np.arange(size[0]) + 0.5 - size[0] / 2) / (40 * scale) + 0.5
    np.testing.assert_allclose(found[..., 0].mean(axis=0), 255 * right, atol=6)
    np.testing.assert_allclose(found[..., 1].mean(axis=1), 255 * down, atol=6)


def test_stretch_fills() -> None:
    found = decode(photo(), Look("RGB", (30, 20), "stretch")).astype(float)
    np.testing.assert_allclose(found[..., 0].mean(axis=0), 255 * (np.arange(20) + 0.5) / 20, atol=6)
    np.testing.assert_allclose(found[..., 1].mean(axis=1), 255 * (np.arange(30) + 0.5) / 30, atol=6)


@pytest.mark.parametrize(("size", "rows", "columns"), [((60, 60), (10, 50), (0, 60)), ((20, 50), (0, 20), (10, 40))])
def test_pad_frames_in_black(size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]) -> None:
    found = decode(photo(), Look("RGB", size, "pad"))
    inside = np.zeros(size, dtype=bool)
    inside[slice(*rows), slice(*columns)] = True
    assert (found[inside][:, 2] > 60).all()
    assert (found[~inside] == 0).all()
    clear = decode(png(np.full((2, 4, 4), 255)), Look("RGBA", (4, 4), "pad"))
    assert clear[..., 3].tolist() == [[0] * 4, [255] * 4, [255] * 4, [0] * 4]


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_a_picture_as_thin_as_a_line(resize: Resize) -> None:
    for shape in ((1, 3000, 3), (3000, 1, 3), (1, 1, 3)):
        found = decode(png(np.full(shape, 200)), Look("RGB", (8, 8), resize))
        assert found.shape == (8, 8, 3)
        assert found.max() == 200


def test_a_large_photo_made_small_is_the_mean_of_its_parts() -> None:
    data = photo(1600, 2400)
    found = decode(data, Look("RGB", (40, 60), "stretch")).astype(float)
    whole = np.asarray(Image.open(io.BytesIO(data))).reshape(40, 40, 60, 40, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(found, whole, atol=4)


@pytest.mark.parametrize("name", list(unreadable()))
def test_what_cannot_be_read_says_why(name: str) -> None:
    data, reason = unreadable()[name]
    for look in (Look(), Look("grey", (4, 4))):
        with quiet(), pytest.raises(UnreadableError, match=reason):
            decode(data, look)


def test_pillows_own_bound_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 47)
    with pytest.raises(UnreadableError, match="has more than 47 pixels"):
        decode(png(), Look())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert decode(png(), Look()).shape == (6, 8, 3)


def test_text_that_unpacks_to_much_is_not_unpacked() -> None:
    data = png()
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))
    with pytest.raises(UnreadableError, match="is damaged"):
        decode(data[:33] + text + data[33:], Look())


def test_an_animation_of_one_picture_is_a_picture() -> None:
    assert np.array_equal(decode(encoded(Image.fromarray(GREYS), "GIF"), Look("grey"))[..., 0], GREYS)


def test_a_photo_with_a_second_one_for_displays_is_a_photo() -> None:
    data = frames("MPO")
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.is_animated) == ("MPO", True)  # type: ignore[attr-defined]
    assert decode(data, Look()).shape == (6, 8, 3)


SEEDS = [png(), photo(), palette(transparency=b"\0\x80"), frames("GIF"), frames("TIFF"), bomb(9, 9)]
SEEDS += [encoded(Image.fromarray(GREYS), form) for form in FORMATS]


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@given(spoilt(), st.sampled_from(["RGB", "grey", "RGBA"]), st.sampled_from([None, (3, 5)]))
def test_whatever_the_bytes_are(data: bytes, mode: Mode, size: tuple[int, int] | None) -> None:
    look = Look(mode, size)
    with quiet():
        try:
            found = decode(data, look)
        except UnreadableError:
            return
    assert found.dtype == np.uint8
    assert found.shape[2] == look.channels
    assert size is None or found.shape[:2] == size
