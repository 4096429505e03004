"""The Fréchet distance against its closed form and scipy's square root of a matrix."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from nnkit.frames.frechet import frechet_distance


def test_it_is_the_formula_by_scipy_s_square_root() -> None:
    draw = np.random.default_rng(0)
    a = draw.normal(size=(300, 6)) @ draw.normal(size=(6, 6))
    b = draw.normal(size=(200, 6)) @ draw.normal(size=(6, 6)) + draw.normal(size=6)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = sqrtm(cov_a @ cov_b)
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a + cov_b - 2 * root.real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_of_one_dimension_it_is_the_closed_form() -> None:
    draw = np.random.default_rng(1)
    a, b = draw.normal(1, 2, size=(500, 1)), draw.normal(-1, 0.5, size=(400, 1))
    means, deviations = a.mean() - b.mean(), a.std(ddof=1) - b.std(ddof=1)
    assert frechet_distance(a, b) == pytest.approx(means**2 + deviations**2, rel=1e-9)


def test_of_independent_normal_values_it_comes_near_the_true_one() -> None:
    draw = np.random.default_rng(2)
    deviation, shift = np.array([1.0, 2.0, 0.5]), np.array([0.0, 1.0, -2.0])
    a, b = draw.normal(size=(100_000, 3)), draw.normal(size=(100_000, 3)) * deviation + shift
    assert frechet_distance(a, b) == pytest.approx(5 + ((deviation - 1) ** 2).sum(), rel=0.02)


def test_the_same_points_are_no_distance_apart_also_where_they_fill_no_space() -> None:
    points = np.random.default_rng(3).normal(size=(4, 10)).astype(np.float32)
    assert frechet_distance(points, points) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(points, points + np.float32(1)) == pytest.approx(10, rel=1e-4)
