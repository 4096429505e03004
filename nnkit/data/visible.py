"""Which inputs are pictures that somebody can look at."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnkit.data.pipeline import Pipeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHANNELS = (1, 3, 4)
_PLACE = re.compile(r"(.*?)(\d+)[_,x](\d+)")


def picture_shapes(pipeline: Pipeline) -> dict[str, tuple[int, int, int]]:
    """Return height, width and channels of each input that is pictures.

    Those are arrays of such a shape, and columns whose names are the places of pixels, in order: ``pixel_0_0``,
    ``pixel_0_1``, ... as scikit-learn's digits have them.
    """
    found = {}
    for name, shape in pipeline.input_shapes.items():
        if len(shape) == 3 and None not in shape and shape[2] in CHANNELS:
            found[name] = (shape[0] or 0, shape[1] or 0, shape[2] or 0)
        elif len(shape) == 1 and (size := _grid(pipeline.feature_names[name])):
            found[name] = (*size, 1)
    return found


def _grid(names: Sequence[str]) -> tuple[int, int] | None:
    """Return the height and the width of a grid of pixels that columns are named after, row by row."""
    matches = [_PLACE.fullmatch(name) for name in names]
    places = [(match[1], int(match[2]), int(match[3])) for match in matches if match]
    if len(places) < len(names) or len(names) < 4:
        return None
    prefix, first_row, first_column = places[0]
    width = places[-1][2] - first_column + 1
    if width < 2 or len(names) % width:
        return None
    wanted = [(prefix, first_row + k // width, first_column + k % width) for k in range(len(names))]
    return (len(names) // width, width) if places == wanted else None


def shades(values: "NDArray[Any]", shape: tuple[int, int, int]) -> "NDArray[np.floating[Any]]":
    """Return rows of an input as pictures [n, *shape] of values from 0 to 1.

    Where the values lie beyond these, the smallest becomes 0 and the largest 1.
    """
    import numpy as np

    pictures = np.asarray(values, dtype=np.float32).reshape(len(values), *shape)
    low, high = float(pictures.min(initial=0)), float(pictures.max(initial=1))
    return pictures if (low, high) == (0, 1) else (pictures - low) / (high - low)
