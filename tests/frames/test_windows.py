"""Windows against a plain loop."""

import math
from typing import Any

import numpy as np
import pytest

from nnkit.frames.windows import (
    Sliding,
    ahead,
    between,
    deviation,
    naive,
    naive_error,
    order_of,
    origins,
    runs,
    seen,
    sliding,
    thinned,
)

CASES = [
    (seed, length, horizon, step) for seed in range(8) for length, horizon, step in ((1, 1, 1), (3, 2, 1), (4, 3, 2))
]


def table(seed: int) -> tuple[Any, Any, Any]:
    """Values [n, 2], times and series of rows in order, with breaks in some series."""
    draw = np.random.default_rng(seed)
    series, times = [], []
    for name in range(draw.integers(1, 4)):
        moments = np.flatnonzero(draw.uniform(size=draw.integers(6, 25)) > 0.1)
        series += [name] * len(moments)
        times += moments.tolist()
    return draw.normal(size=(len(times), 2)), np.array(times), np.array(series, dtype=np.int32)


@pytest.mark.parametrize(("seed", "length", "horizon", "step"), CASES)
def test_windows_are_those_of_a_plain_loop(seed: int, length: int, horizon: int, step: int) -> None:
    values, times, series = table(seed)
    new = np.array([True, *((np.diff(series) != 0) | (np.diff(times) != 1))])
    found = runs(new)
    chosen = thinned(between(times, origins(found, length, horizon), horizon, 2, 15), found, step)
    inputs, targets = seen(values.astype(np.float32), chosen, length), ahead(values, chosen, horizon)
    expected = []
    start = 0
    for end in [*(np.flatnonzero(new)[1:]), len(new)]:
        own = 0
        for first in range(start, end - length - horizon + 1):
            window, future = range(first, first + length), range(first + length, first + length + horizon)
            if times[future[0]] < 2 or times[future[-1]] >= 15:
                continue
            if own % step == 0:
                truth = [values[row, column] for column in (0, 1) for row in future]
                expected.append((values[list(window)].astype(np.float32), truth))
            own += 1
        start = end
    assert len(chosen) == len(expected)
    for got, want, truth, foreseen in (
        zip(inputs, *zip(*expected, strict=True), targets, strict=True) if expected else []
    ):
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(foreseen, truth)


def test_large_windows_are_cut_out_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    values, chosen = np.arange(40, dtype=np.float32).reshape(20, 2), np.array([5, 9, 3])
    held = sliding(values, chosen, 4)
    assert isinstance(held, np.ndarray)
    monkeypatch.setattr("nnkit.frames.windows.HELD", held.nbytes - 1)
    cut = sliding(values, chosen, 4)
    assert isinstance(cut, Sliding)
    assert (cut.shape, len(cut)) == (held.shape, 3)
    for rows in (slice(None), slice(1, 3), np.array([2, 0])):
        np.testing.assert_array_equal(cut[rows], held[rows])


def test_rows_are_ordered_by_series_and_time() -> None:
    order = order_of(np.array([1, 0, 1, 0], dtype=np.int32), np.array([5, 9, 4, 8]))
    assert order.tolist() == [3, 1, 2, 0]


def test_naive_forecasts_by_hand() -> None:
    values = np.array([1.0, 2, 3, 4, 5, 6])[:, None]
    last = np.array([3])
    assert naive(values, last, 3, 1).tolist() == [[4, 4, 4]]
    assert naive(values, last, 5, 2).tolist() == [[3, 4, 3, 4, 3]]
    assert naive(values, last, 2, 4).tolist() == [[1, 2]]
    two = np.hstack([values, 10 * values])
    assert naive(two, last, 2, 2).tolist() == [[3, 4, 30, 40]]


def test_scales_by_hand() -> None:
    values = np.array([1.0, 3, 2, 7, 100, 5, 5, 9])[:, None]
    series = np.array([0, 0, 0, 0, 0, 1, 1, 1], dtype=np.int32)
    found = runs(np.array([True, False, False, False, False, True, False, False]))
    counted = np.array([True] * 4 + [False] + [True] * 3)
    one = naive_error(values, found, counted, series, 1)
    assert one[:, 0].tolist() == [(2 + 1 + 5) / 3, (0 + 4) / 2]
    two = naive_error(values, found, counted, series, 2)
    assert two[:, 0].tolist() == [(1 + 4) / 2, 4]
    assert math.isnan(naive_error(values, found, counted, series, 4)[1, 0])
    spread = deviation(values, counted, series)
    assert spread[:, 0] == pytest.approx([np.std([1, 3, 2, 7]), np.std([5, 5, 9])])
    assert math.isnan(deviation(values, counted & (series == 0), series)[1, 0])
