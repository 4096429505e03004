"""The arithmetic of transforms on one column of numbers, NaN where a value is missing."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnkit.frames.cells import Words

Floats = NDArray[np.floating[Any]]


def standard(values: Floats) -> tuple[float, float]:
    """Return mean and standard deviation (n in the denominator, as in scikit-learn); 1 for a constant column."""
    mean, deviation = float(np.nanmean(values, dtype=np.float64)), float(np.nanstd(values, dtype=np.float64))
    return mean, 1.0 if _is_rounding(deviation, mean, values.size) else deviation


def _is_rounding(deviation: float, mean: float, count: int) -> bool:
    """Tell whether equal values could have this deviation, from rounding alone (the bound of scikit-learn)."""
    epsilon = float(np.finfo(np.float64).eps)
    return deviation**2 <= count * epsilon * deviation**2 + (count * mean * epsilon) ** 2


def min_max(values: Floats) -> tuple[float, float]:
    """Return minimum and range; a range of 1 for a constant column."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return low, high - low if high > low else 1.0


def robust(values: Floats, low: float, high: float) -> tuple[float, float]:
    """Return the median and the distance between two percentiles; 1 where they are the same."""
    bottom, top = np.nanpercentile(values, [low, high])
    return float(np.nanmedian(values)), float(top - bottom) if top > bottom else 1.0


def codes(texts: Words, categories: Sequence[str]) -> NDArray[np.int64]:
    """Return the place of each text in ``categories``; -1 for one that is not there, -2 for a missing one."""
    index = {category: number for number, category in enumerate(categories)}
    return np.array([*(index.get(word, -1) for word in texts.words), -2], dtype=np.int64)[texts.codes]


def bucket(text: str, buckets: int) -> int:
    """Return the bucket of a text by BLAKE2b, the same in every process and on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") % buckets
