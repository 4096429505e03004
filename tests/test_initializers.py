from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from nnkit.initializers import INITIALIZERS
from nnkit.seeds import generator

FAN_IN, FAN_OUT = 400, 300
TRUNCATED_VARIANCE = 1 - 2 * 2 * 0.05399096651318806 / 0.9544997361036416
"""Of a standard normal variable between -2 and 2: 1 - 2 a pdf(a) / (cdf(a) - cdf(-a)) with a = 2."""


def draw(options: Any, shape: tuple[int, ...] = (FAN_IN, FAN_OUT)) -> NDArray[np.float64]:
    return INITIALIZERS.decode(options).sample(shape, FAN_IN, FAN_OUT, generator(0, str(options))).astype(np.float64)


VARIANCES: list[tuple[Any, float]] = [
    ("glorot_uniform", 2 / (FAN_IN + FAN_OUT)),
    ("glorot_normal", 2 / (FAN_IN + FAN_OUT)),
    ("he_uniform", 2 / FAN_IN),
    ("he_normal", 2 / FAN_IN),
    ("lecun_uniform", 1 / FAN_IN),
    ("lecun_normal", 1 / FAN_IN),
    ("variance_scaling", 1 / FAN_IN),
    ({"type": "variance_scaling", "scale": 3.0, "mode": "fan_out", "distribution": "normal"}, 3 / FAN_OUT),
    ({"type": "variance_scaling", "mode": "fan_avg", "distribution": "uniform"}, 2 / (FAN_IN + FAN_OUT)),
    ("uniform", 0.1**2 / 12),
    ("normal", 0.05**2),
    ("truncated_normal", 0.05**2 * TRUNCATED_VARIANCE),
    ("orthogonal", 1 / FAN_IN),
]


@pytest.mark.parametrize(("options", "variance"), VARIANCES, ids=str)
def test_the_variance_is_that_of_keras_formulas(options: Any, variance: float) -> None:
    values = draw(options)
    assert values.mean() == pytest.approx(0, abs=5 * np.sqrt(variance / values.size))
    assert values.var() == pytest.approx(variance, rel=0.02)


LIMITS = {
    "glorot_uniform": np.sqrt(6 / (FAN_IN + FAN_OUT)),
    "he_uniform": np.sqrt(6 / FAN_IN),
    "lecun_uniform": np.sqrt(3 / FAN_IN),
    "uniform": 0.05,
    "truncated_normal": 0.1,
    "he_normal": 2 * np.sqrt(2 / FAN_IN) / np.sqrt(TRUNCATED_VARIANCE),
}


@pytest.mark.parametrize("name", LIMITS)
def test_the_largest_value_is_near_the_limit_and_never_beyond(name: str) -> None:
    largest = np.abs(draw(name)).max()
    assert 0.99 * LIMITS[name] < largest <= LIMITS[name] * (1 + 1e-6)


def test_means_and_bounds_that_are_set() -> None:
    assert draw({"type": "normal", "mean": 3.0}).mean() == pytest.approx(3, abs=1e-3)
    assert draw({"type": "truncated_normal", "mean": 3.0}).mean() == pytest.approx(3, abs=1e-3)
    values = draw({"type": "uniform", "minval": 1.0, "maxval": 3.0})
    assert 1 <= values.min() < 1.01
    assert 2.99 < values.max() <= 3


def test_constants() -> None:
    assert draw("zeros", (2, 3)).tolist() == [[0] * 3] * 2
    assert draw("ones", (2,)).tolist() == [1, 1]
    assert draw({"type": "constant", "value": 0.5}, ()).tolist() == 0.5


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 4), (5,)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape: tuple[int, ...]) -> None:
    q = draw("orthogonal", shape).reshape(-1, shape[-1])
    product = q.T @ q if q.shape[0] > q.shape[1] else q @ q.T
    np.testing.assert_allclose(product, np.eye(min(q.shape)), atol=1e-6)


def test_identity() -> None:
    assert np.array_equal(draw({"type": "identity", "gain": 2.0}, (3, 3)), 2 * np.eye(3))
    assert draw("identity", (2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="expected minval to be the smaller"):
        INITIALIZERS.decode({"type": "uniform", "minval": 1.0})
