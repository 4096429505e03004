import io

import numpy as np
import pytest
from PIL import Image

from nnkit.frames.mosaics import GAP, as_pixels, mosaic, png


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_is_read_back_as_it_was(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    with Image.open(io.BytesIO(png(pixels))) as image:
        assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_values_become_bytes_and_what_is_beyond_is_cut_off() -> None:
    values = np.array([-0.5, 0.0, 0.5, 1.0, 1.5, np.nan]).reshape(1, 2, 3, 1)
    assert as_pixels(values).ravel().tolist() == [0, 0, 128, 255, 255, 0]
    assert as_pixels(np.array([[[[0.2, 0.6]]]])).ravel().tolist() == [102]


def test_pictures_stand_in_a_square_each_where_its_number_says() -> None:
    pictures = np.random.default_rng(0).integers(0, 200, (5, 64, 50, 3), dtype=np.uint8)
    whole = mosaic(pictures)
    assert whole.shape == (2 * 66 + GAP, 3 * 52 + GAP, 3)
    for number, picture in enumerate(pictures):
        top, left = GAP + number // 3 * 66, GAP + number % 3 * 52
        assert np.array_equal(whole[top : top + 64, left : left + 50], picture)
    assert (whole[GAP + 66 :, GAP + 2 * 52 :] == 255).all()
    assert (whole[:GAP] == 255).all()


def test_small_pictures_are_drawn_larger() -> None:
    pictures = np.random.default_rng(0).integers(0, 200, (2, 8, 8, 1), dtype=np.uint8)
    whole = mosaic(pictures, across=1)
    assert whole.shape == (2 * 66 + GAP, 66 + GAP, 1)
    assert np.array_equal(whole[GAP : GAP + 64 : 8, GAP : GAP + 64 : 8], pictures[0])


def test_a_grid_that_would_be_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="70000 pictures of 1 x 1 are too many for one grid"):
        mosaic(np.zeros((70_000, 1, 1, 1), dtype=np.uint8))
