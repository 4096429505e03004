"""Pictures in lines and columns, each pixel as it is, with what is written below them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnkit.figures.canvas import DOTS_PER_INCH, EDGE, INK, TITLE_BAND, new_figure, plain, png, short

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

DOTS = 150
"""About how many dots a picture's longer side has: larger ones are averaged, small ones have larger pixels."""
HEADING, TEXT, LETTER = 0.22, 0.15, 0.07
"""Inches: of the columns' names, of a line of text, of a letter's width."""


@dataclass(frozen=True)
class Tile:
    """A picture of values from 0 to 1 [h, w, channels], and the lines of text below it."""

    values: "NDArray[np.floating]"
    lines: tuple[str, ...] = ()


def picture_grid(tiles: Sequence[Sequence[Tile | None]], columns: Sequence[str], title: str) -> bytes:
    """Draw lines of pictures under the columns' names, which may be none; returns PNG. None leaves its place empty.

    One channel is grey, three are red, green and blue, four have how opaque they are; of others the mean is grey.
    """
    pixels = [[None if tile is None else scaled(shown(tile.values)) for tile in line] for line in tiles]
    sizes = [image.shape[:2] for line in pixels for image in line if image is not None]
    high, wide = (max(size[axis] for size in sizes) / DOTS_PER_INCH for axis in (0, 1))
    lines = max((len(tile.lines) for line in tiles for tile in line if tile is not None), default=0)
    step_x, step_y = wide + EDGE, high + TEXT * lines + EDGE
    top = TITLE_BAND + HEADING * bool(columns)
    width = max(EDGE + step_x * max(map(len, tiles)), 4.0)
    height = top + step_y * len(tiles)
    figure = new_figure(width, height, short(title, round(width / LETTER / 1.4)))
    for number, name in enumerate(columns):
        _write(figure, name, EDGE + step_x * number, height - top + 0.06, 9)
    for row, (images, line) in enumerate(zip(pixels, tiles, strict=True)):
        for column, (image, tile) in enumerate(zip(images, line, strict=True)):
            left, bottom = EDGE + step_x * column, height - top - high - step_y * row
            if image is not None and tile is not None:
                figure.figimage(image, round(left * DOTS_PER_INCH), round(bottom * DOTS_PER_INCH), origin="upper")
                for number, text in enumerate(tile.lines):
                    _write(figure, short(text, int(wide / LETTER)), left, bottom - TEXT * (number + 1) + 0.03, 7)
    return png(figure)


def _write(figure: "Figure", text: str, left: float, bottom: float, size: int) -> None:
    """Write text at so many inches from the lower left corner."""
    width, height = figure.get_size_inches()
    figure.text(left / width, bottom / height, plain(text), fontsize=size, color=INK, parse_math=False)


def shown(values: "NDArray[np.floating]") -> "NDArray[np.uint8]":
    """Return values from 0 to 1 [h, w, channels] as colours [h, w, 3]; what is beyond is cut off."""
    import numpy as np

    channels = values.shape[2]
    if channels not in (1, 3, 4):
        values = values.mean(2, keepdims=True)
    if channels == 4:
        values = values[..., :3] * values[..., 3:] + 1 - values[..., 3:]
    whole = np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)
    return np.broadcast_to(whole, (*whole.shape[:2], 3))


def scaled(image: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """Return an image [h, w, 3] in about the size in which it is drawn."""
    import numpy as np

    side = max(image.shape[:2])
    if side <= DOTS:
        times = round(DOTS / side)
        return image.repeat(times, 0).repeat(times, 1)
    step = -(-side // DOTS)
    height, width = (max(1, size // step) for size in image.shape[:2])
    cut = image[: height * step, : width * step]
    blocks = cut.reshape(height, cut.shape[0] // height, width, cut.shape[1] // width, 3)
    means: NDArray[np.uint8] = np.round(blocks.mean((1, 3))).astype(np.uint8)
    return means
