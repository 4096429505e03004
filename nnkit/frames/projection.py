"""Two dimensions of many: where points lie in a picture."""

from math import prod
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Method: TypeAlias = Literal["pca", "tsne"]

MOST_POINTS = 2000
"""Of more rows so many are drawn: more dots can't be told apart, and t-SNE takes its time."""
PERPLEXITY = 30.0


def some_rows(rows: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the numbers of at most ``MOST_POINTS`` of so many rows, always the same, in order."""
    if rows <= MOST_POINTS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, MOST_POINTS, replace=False))


def project(points: NDArray[Any], method: Method, seed: int = 0) -> Floats:
    """Return points [n, d] in two dimensions [n, 2], the same for the same points and seed."""
    flat = points.reshape(len(points), prod(points.shape[1:])).astype(np.float64)
    if method == "tsne" and len(flat) > 3:
        return _tsne(flat, seed)
    return principal(flat)


def principal(points: Floats) -> Floats:
    """Return points along the two directions in which they differ most (Pearson, 1901).

    The largest part of a direction is positive, so that no chance turns the picture round; where points have one
    dimension the other is 0.
    """
    centred = points - points.mean(axis=0) if len(points) else points
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    chosen = directions[:2]
    signs = np.sign(chosen[np.arange(len(chosen)), np.abs(chosen).argmax(axis=1)]) if chosen.size else np.ones(0)
    placed = centred @ (chosen * signs[:, None]).T
    return np.pad(placed, ((0, 0), (0, 2 - placed.shape[1])))


def _tsne(points: Floats, seed: int) -> Floats:
    """Return t-SNE (van der Maaten and Hinton, 2008) by scikit-learn, begun from the principal directions."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    begin = principal(points)
    scale = begin[:, 0].std() or 1.0
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    model = TSNE(2, perplexity=perplexity, init=begin / scale * 1e-4, random_state=seed, n_jobs=1)
    with threadpool_limits(limits=1):
        placed: Floats = model.fit_transform(points).astype(np.float64)
    return placed
