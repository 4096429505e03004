"""Clusters: what fitted centres, mixtures and dense regions say of points, and how they are fitted by scikit-learn.

Points are [n, d]. What is fitted is arrays by name, and what they say of a point follows from them alone.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[np.int64]
State: TypeAlias = Mapping[str, NDArray[Any]]
Covariance: TypeAlias = Literal["full", "tied", "diagonal", "spherical"]

BLOCK_VALUES = 2**22
"""Distances that are in memory at once."""
SLACK = 1e-6
"""Share by which a distance may be above a bound that was kept as a float32."""
SILHOUETTE_ROWS = 2000
"""Rows that a silhouette is computed of: it takes the distance of each to every other."""


class FitError(Exception):
    """Points that cannot be fitted; the message says what there is, what is needed and the way out."""


@dataclass(frozen=True)
class Fit:
    """What was fitted: arrays by name, the value that fitting makes small, and the passes over the points."""

    state: dict[str, NDArray[Any]]
    loss: float
    passes: int


def distances(points: NDArray[Any], centres: NDArray[Any]) -> Floats:
    """Return the distance of each point to each centre [n, k]."""
    from scipy.spatial.distance import cdist

    found: Floats = cdist(points.astype(np.float64), centres.astype(np.float64))
    return found


def nearest_two(points: NDArray[Any], centres: NDArray[Any]) -> tuple[Numbers, Floats, Floats]:
    """Return the nearest centre of each point [n], its distance, and that of the next one: infinite for one centre."""
    every = distances(points, centres)
    nearest = every.argmin(axis=1)
    own = np.take_along_axis(every, nearest[:, None], axis=1)[:, 0]
    np.put_along_axis(every, nearest[:, None], np.inf, axis=1)
    return nearest, own, every.min(axis=1)


def fit_centres(points: NDArray[Any], clusters: int, init: str, passes: int, tolerance: float, seed: int) -> Fit:
    """Fit k-means (Lloyd, 1982) once; the loss is the mean squared distance to the nearest centre.

    State: ``centres`` [k, d], in the order of their first coordinates. Raises ``FitError`` where fewer points differ.
    """
    from sklearn.cluster import KMeans

    different = len(np.unique(points, axis=0))
    if different < clusters:
        raise FitError(f"{clusters} clusters of {different} different rows: choose at most {different} clusters")
    model = KMeans(clusters, init=init, n_init=1, max_iter=passes, tol=tolerance, random_state=seed)
    with _quietly():
        model.fit(points.astype(np.float64))
    centres = model.cluster_centers_[_in_order(model.cluster_centers_)]
    return Fit({"centres": centres}, float(model.inertia_ / len(points)), int(model.n_iter_))


def mixture_log_densities(points: NDArray[Any], state: State, covariance: Covariance) -> Floats:
    """Return the log of weight times density of each component of a Gaussian mixture at each point [n, k].

    State: ``weights`` [k], ``means`` [k, d], and ``precisions``, the lower Cholesky factors L of the inverse
    covariances L L': [k, d, d], of ``tied`` [d, d], of ``diagonal`` [k, d] and of ``spherical`` [k].
    """
    x, means = points.astype(np.float64), state["means"].astype(np.float64)
    factors = state["precisions"].astype(np.float64)
    columns = [
        _log_density(x, mean, factors if covariance == "tied" else factors[number], covariance)
        for number, mean in enumerate(means)
    ]
    return np.stack(columns, axis=1) + np.log(state["weights"].astype(np.float64))


def _log_density(x: Floats, mean: Floats, factor: Floats, covariance: Covariance) -> Floats:
    """Return the log-density of one Gaussian at each point [n]."""
    size = len(mean)
    if covariance in ("full", "tied"):
        scaled, log_determinant = (x - mean) @ factor, float(np.log(np.diagonal(factor)).sum())
    else:
        scaled, log_determinant = (x - mean) * factor, float(np.log(np.broadcast_to(factor, (size,))).sum())
    density: Floats = log_determinant - 0.5 * (size * np.log(2 * np.pi) + np.square(scaled).sum(axis=1))
    return density


def log_sum(values: Floats) -> Floats:
    """Return the log of the sum of the exponentials of each row [n] of values [n, k]."""
    highest = values.max(axis=1, keepdims=True)
    found: Floats = highest[:, 0] + np.log(np.exp(values - highest).sum(axis=1))
    return found


def fit_mixture(
    points: NDArray[Any],
    components: int,
    covariance: Covariance,
    floor: float,
    passes: int,
    tolerance: float,
    seed: int,
) -> Fit:
    """Fit a Gaussian mixture once by expectation maximisation (Dempster and others, 1977), begun by k-means.

    The loss is minus the mean log-likelihood; the state is as ``mixture_log_densities`` takes it, in the order of the
    means' first coordinates. ``floor`` is added to each variance. Raises ``FitError`` where a covariance is no longer
    positive definite.
    """
    from sklearn.mixture import GaussianMixture

    kinds = {"diagonal": "diag"}
    model = GaussianMixture(
        components,
        covariance_type=kinds.get(covariance, covariance),
        reg_covar=floor,
        max_iter=passes,
        tol=tolerance,
        random_state=seed,
    )
    try:
        with _quietly():
            model.fit(points.astype(np.float64))
    except ValueError as error:
        raise FitError(f"a component has come to lie on too few rows: {_first_line(error)}") from None
    order = _in_order(model.means_)
    factors = model.precisions_cholesky_
    state = {
        "weights": model.weights_[order],
        "means": model.means_[order],
        "precisions": factors if covariance == "tied" else factors[order],
    }
    return Fit(state, -float(log_sum(mixture_log_densities(points, state, covariance)).mean()), int(model.n_iter_))


def _first_line(error: Exception) -> str:
    return str(error).partition(".")[0]


def _in_order(centres: Floats) -> Numbers:
    """Return the order of centres by their coordinates, so that the same clusters have the same numbers."""
    return np.lexsort(centres.T[::-1])


class _quietly:  # noqa: N801 - used as a function
    """Fit on one thread, whose sums have one order, and without warnings of passes that were not enough."""

    def __enter__(self) -> None:
        from threadpoolctl import threadpool_limits

        self._limits = threadpool_limits(limits=1)
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *error: object) -> None:
        self._warnings.__exit__(None, None, None)
        self._limits.restore_original_limits()


def core_distances(points: NDArray[Any], rows: NDArray[Any], neighbours: int) -> Floats:
    """Return the distance from each point to the last of so many nearest ``rows``; a point among them is its own."""
    place = min(neighbours, len(rows)) - 1
    parts = [np.partition(distances(part, rows), place, axis=1)[:, place] for part in _parts(points, len(rows))]
    return np.concatenate(parts) if parts else np.empty(0)


def _parts(points: NDArray[Any], width: int) -> Sequence[NDArray[Any]]:
    size = max(1, BLOCK_VALUES // max(width, 1))
    return [points[start : start + size] for start in range(0, len(points), size)]


def fit_dense(
    points: NDArray[Any], smallest: int, neighbours: int, selection: str, epsilon: float
) -> tuple[dict[str, NDArray[Any]], int]:
    """Fit HDBSCAN (Campello and others, 2013), and return the state and how many clusters it found.

    State, a value a row: ``rows`` [n, d]; ``cores``, the core distance; ``clusters``, -1 for noise, numbered from the
    largest; ``reaches``, the longest step that connects the row's cluster, 0 for noise.
    """
    from sklearn.cluster import HDBSCAN

    model = HDBSCAN(
        min_cluster_size=smallest,
        min_samples=neighbours,
        cluster_selection_method=selection,
        cluster_selection_epsilon=epsilon,
        copy=True,
    )
    with _quietly():
        labels = model.fit(points.astype(np.float64)).labels_
    labels = _by_size(labels)
    cores = core_distances(points, points, neighbours)
    reaches = np.zeros(len(points))
    for cluster in range(labels.max() + 1):
        members = labels == cluster
        reaches[members] = longest_step(points[members], cores[members])
    state = {"rows": points, "cores": cores, "clusters": labels, "reaches": reaches}
    return state, int(labels.max() + 1)


def _by_size(labels: Numbers) -> Numbers:
    """Number clusters from the largest to the smallest; noise stays -1."""
    counts = np.bincount(labels[labels >= 0])
    ranks = np.empty(len(counts) + 1, np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    ranks[-1] = -1
    return ranks[labels]


def longest_step(points: NDArray[Any], cores: NDArray[Any]) -> float:
    """Return the longest step of the tree that connects points by the shortest mutual reachability (Prim, 1957)."""
    best = np.full(len(points), np.inf)
    left = np.ones(len(points), dtype=bool)
    at, longest = 0, 0.0
    for _ in range(len(points) - 1):
        left[at] = False
        step = np.maximum(distances(points[at : at + 1], points)[0], np.maximum(cores, cores[at]))
        np.minimum(best, step, out=best)
        at = int(np.where(left, best, np.inf).argmin())
        longest = max(longest, float(best[at]))
    return longest


def join_dense(points: NDArray[Any], state: State, neighbours: int) -> tuple[Numbers, Floats]:
    """Return the cluster of each point, -1 for noise, and its mutual reachability to the nearest row of any cluster.

    That of two points is the largest of their distance and both core distances. A point belongs to the cluster of the
    row that is nearest by it (of several, by distance), as in McInnes and others, 2017; it is noise where that row is,
    or is farther than the longest step that connects its cluster. So rows that were fitted get the clusters that they
    have. Without clusters all distances are infinite.
    """
    joined = [_join(part, state, neighbours) for part in _parts(points, len(state["rows"]))]
    if not joined:
        return np.empty(0, np.int64), np.empty(0)
    return np.concatenate([part[0] for part in joined]), np.concatenate([part[1] for part in joined])


def _join(points: NDArray[Any], state: State, neighbours: int) -> tuple[Numbers, Floats]:
    rows, clusters = state["rows"], state["clusters"].astype(np.int64)
    inside = clusters >= 0
    if not inside.any():
        return np.full(len(points), -1), np.full(len(points), np.inf)
    every = distances(points, rows)
    place = min(neighbours, len(rows)) - 1
    own = np.partition(every, place, axis=1)[:, place]
    reach = np.maximum(np.maximum(every, state["cores"]), own[:, None])
    found = reach[:, inside].min(axis=1)
    nearest = np.where(reach <= reach.min(axis=1, keepdims=True) * (1 + SLACK), every, np.inf).argmin(axis=1)
    near = inside[nearest] & (found <= state["reaches"][nearest] * (1 + SLACK))
    return np.where(near, clusters[nearest], -1), found


def silhouette(points: NDArray[Any], clusters: Numbers, seed: int) -> float | None:
    """Return the mean silhouette (Rousseeuw, 1987) of rows in clusters; None unless there are two clusters.

    Of more than ``SILHOUETTE_ROWS`` rows so many are drawn. Noise, -1, is left out.
    """
    from sklearn.metrics import silhouette_score

    inside = np.flatnonzero(clusters >= 0)
    if len(inside) > SILHOUETTE_ROWS:
        inside = np.sort(np.random.default_rng(seed).choice(inside, SILHOUETTE_ROWS, replace=False))
    different = len(np.unique(clusters[inside]))
    if not 1 < different < len(inside):
        return None
    with _quietly():
        return float(silhouette_score(points[inside].astype(np.float64), clusters[inside]))
