"""How far apart two clouds of points are, by their means and covariances."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating]


def frechet_distance(a: Floats, b: Floats) -> float:
    """Return the Fréchet distance of two sets of points [n, d] and [m, d], each taken for a normal distribution.

    It is |mean(a) - mean(b)|^2 + trace(A + B - 2 (A B)^(1/2)) of the covariances A and B (Dowson and Landau, 1982; of
    features of pictures: Heusel and others, 2017). Fewer points than dimensions make it larger than it is.
    """
    (mean_a, cov_a), (mean_b, cov_b) = moments(a), moments(b)
    root = _root(cov_a)
    # The eigenvalues of A B are those of A^(1/2) B A^(1/2), which is symmetric.
    values = np.linalg.eigvalsh(root @ cov_b @ root)
    traces = np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(np.maximum(values, 0)).sum()
    return float(np.square(mean_a - mean_b).sum() + max(traces, 0.0))


def moments(points: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean [d] and the covariance [d, d] of points [n, d], of which there are at least two."""
    exact = points.astype(np.float64)
    return exact.mean(0), np.atleast_2d(np.cov(exact, rowvar=False))


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the square root of a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
