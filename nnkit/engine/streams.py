"""Streams: one long text read in several places at once, so that each batch goes on where the one before ended."""

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.ragged import Ragged

MOST = 64
LEAST_WINDOWS = 64
"""Streams of an evaluation, and the windows that each of them has at least, as a stream begins without a past."""


def side_by_side(text: Ragged, streams: int, length: int) -> Ragged:
    """Cut the windows of a text anew: row ``k * streams + i`` is the window ``k`` of the ``i``-th of so many streams.

    Each stream is one stretch of the text; the last may be shorter, and its last windows then shorter or empty.
    """
    first = int(text.ends[0] - text.lengths[0])
    total = int(text.lengths.sum())
    each = -(-total // streams)
    begins = np.arange(streams)[None, :] * each + np.arange(0, each, length)[:, None]
    limits = np.minimum((np.arange(streams)[None, :] + 1) * each, total)
    ends = np.minimum(begins + length, limits)
    lengths = np.maximum(ends - begins, 0)
    return Ragged(text.values, lengths.ravel(), (first + ends).ravel())


def places(rows: Ragged, text: Ragged) -> NDArray[np.int64]:
    """Return for each step of ``rows``, which ``side_by_side`` made of ``text``, its place in the text."""
    steps = Ragged(np.arange(len(rows.values)), rows.lengths, rows.ends).flat()
    return steps - int(text.ends[0] - text.lengths[0])


def usual(windows: int, most: int) -> int:
    """Return in how many streams so many windows are evaluated, at most ``most``."""
    return max(1, min(most, MOST, windows // LEAST_WINDOWS))
