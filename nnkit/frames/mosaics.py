"""Pictures as PNG: one by one, or many side by side in a grid."""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nnkit.frames.pictures import WHITE, Pixels

GAP = 2
"""Dots between the pictures of a grid."""
DOTS = 64
"""Small pictures are drawn larger, by a whole factor, until their longer side has about so many dots."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
MOST = 2**28
"""Dots that a grid may have."""


def as_pixels(values: NDArray[np.floating]) -> Pixels:
    """Return pictures [n, h, w, channels] of values from 0 to 1 as bytes; what is beyond is cut off.

    One channel is grey, three are red, green and blue, four have how opaque they are; of others the mean is grey.
    """
    if values.shape[-1] not in MODES:
        values = values.mean(-1, keepdims=True)
    pixels: Pixels = np.rint(np.clip(np.nan_to_num(values), 0, 1) * WHITE).astype(np.uint8)
    return pixels


def png(picture: Pixels) -> bytes:
    """Return a picture [h, w, channels] of 1, 3 or 4 channels as PNG."""
    grey = picture.shape[2] == 1
    image = Image.fromarray(picture[:, :, 0] if grey else picture, MODES[picture.shape[2]])
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def mosaic(pictures: Pixels, across: int | None = None) -> Pixels:
    """Return pictures [n, h, w, channels] side by side, row by row, as one [H, W, channels].

    ``across`` is how many stand in a row; None makes a square of them. Between them and around are white dots. Raises
    ``ValueError`` where the whole would be too large.
    """
    count, height, width, channels = pictures.shape
    across = across or math.ceil(math.sqrt(count))
    down = -(-count // across)
    times = max(1, DOTS // max(height, width))
    high, wide = height * times + GAP, width * times + GAP
    if (high * down + GAP) * (wide * across + GAP) > MOST:
        raise ValueError(f"{count} pictures of {height} x {width} are too many for one grid")
    whole = np.full((high * down + GAP, wide * across + GAP, channels), WHITE, dtype=np.uint8)
    for number, picture in enumerate(pictures):
        top, left = GAP + number // across * high, GAP + number % across * wide
        larger = picture.repeat(times, 0).repeat(times, 1)
        whole[top : top + height * times, left : left + width * times] = larger
    return whole
