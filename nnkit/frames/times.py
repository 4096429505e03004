"""Times: what a column of dates sorts by."""

import warnings
from collections.abc import Sequence
from typing import Any

import pandas as pd

from nnkit.errors import DataError

_WAYS: tuple[dict[str, Any], ...] = ({"format": "ISO8601"}, {"dayfirst": False}, {"dayfirst": True})


def times(texts: Sequence[str], name: str) -> list[int]:
    """Return texts as points in time: numbers that sort as they do.

    All are read in one way: ISO 8601, or else as the first of them is written, where 1/2/2024 is in January unless a
    later row rules it out. Raises ``DataError`` beginning with ``name`` where no way reads all.
    """
    for way in _WAYS:
        # pandas only warns where it goes on to read each row in a way of its own.
        with warnings.catch_warnings(record=True) as doubts:
            warnings.simplefilter("always")
            try:
                points = pd.to_datetime(pd.Series(texts, dtype=object), utc=True, **way).astype("int64")
            except (ValueError, TypeError, OverflowError):
                continue
        if not doubts:
            return list(points.tolist())
    strange = ", ".join(repr(text) for text in texts[:3])
    raise DataError(f"{name} is neither numbers nor dates that are all written in one way ({strange}, ...)")
