"""Drawing a token: greedy, by temperature, from the likeliest k or the nucleus; never the unknown."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from nnkit.engine.sampling import Sampling

SCORES = np.array([9.0, *np.log([0.5, 0.2, 0.2, 0.1])])


def drawn(sampling: Sampling, count: int = 4000, scores: NDArray[np.float64] = SCORES) -> dict[int, float]:
    draw = np.random.default_rng(0)
    counts = Counter(sampling.draw(scores, draw) for _ in range(count))
    return {number: counts[number] / count for number in sorted(counts)}


def test_tokens_come_as_often_as_the_softmax_says_and_the_unknown_never() -> None:
    assert drawn(Sampling()) == pytest.approx({1: 0.5, 2: 0.2, 3: 0.2, 4: 0.1}, abs=0.03)


def test_temperature_sharpens_and_flattens() -> None:
    squares = np.array([0.25, 0.04, 0.04, 0.01]) / 0.34
    assert drawn(Sampling(0.5)) == pytest.approx(dict(enumerate(squares, 1)), abs=0.03)
    assert drawn(Sampling(1e6)) == pytest.approx(dict.fromkeys((1, 2, 3, 4), 0.25), abs=0.03)


@pytest.mark.parametrize("temperature", [0, 1e-12, 1e-300])
def test_no_temperature_takes_the_likeliest_the_first_of_equals(temperature: float) -> None:
    assert drawn(Sampling(temperature), 50) == {1: 1.0}
    assert drawn(Sampling(0), 50, np.array([9.0, 1.0, 2.0, 2.0])) == {2: 1.0}


def test_top_k_keeps_so_many() -> None:
    assert set(drawn(Sampling(top_k=1), 50)) == {1}
    assert drawn(Sampling(top_k=2)) == pytest.approx({1: 5 / 7, 2: 2 / 7}, abs=0.03)
    assert set(drawn(Sampling(top_k=99))) == {1, 2, 3, 4}


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    assert set(drawn(Sampling(top_p=1e-9), 50)) == {1}
    assert set(drawn(Sampling(top_p=0.49), 50)) == {1}
    assert drawn(Sampling(top_p=0.6)) == pytest.approx({1: 5 / 7, 2: 2 / 7}, abs=0.03)
    assert set(drawn(Sampling(top_p=0.91))) == {1, 2, 3, 4}
    assert set(drawn(Sampling(top_k=3, top_p=1.0))) == {1, 2, 3}
