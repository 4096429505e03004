"""What is fitted says of points what scikit-learn says."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import load_iris, make_blobs, make_moons
from sklearn.metrics import silhouette_samples
from sklearn.mixture import GaussianMixture

from nnkit.frames import clusters
from nnkit.frames.clusters import Covariance, FitError

IRIS: NDArray[np.float64] = load_iris().data
BLOBS: NDArray[np.float64] = make_blobs(300, centers=4, cluster_std=0.6, random_state=3)[0]


def test_centres_are_those_of_scikit_learn() -> None:
    fit = clusters.fit_centres(IRIS, 3, "k-means++", 300, 1e-4, seed=5)
    peer = KMeans(3, n_init=1, random_state=5).fit(IRIS)
    assert fit.loss == pytest.approx(peer.inertia_ / len(IRIS))
    order = np.lexsort(peer.cluster_centers_.T[::-1])
    np.testing.assert_allclose(fit.state["centres"], peer.cluster_centers_[order])
    found, own, other = clusters.nearest_two(IRIS, fit.state["centres"])
    assert (order[found] == peer.predict(IRIS)).all()
    every = np.sort(peer.transform(IRIS), axis=1)
    np.testing.assert_allclose(own, every[:, 0])
    np.testing.assert_allclose(other, every[:, 1])


def test_one_centre_has_no_other_beside_it() -> None:
    found, own, other = clusters.nearest_two(np.array([[3.0, 4.0]]), np.zeros((1, 2)))
    assert (found.tolist(), own.tolist(), other.tolist()) == ([0], [5.0], [np.inf])


def test_too_few_different_rows_for_so_many_clusters() -> None:
    points = np.repeat(np.arange(3.0)[:, None], 10, axis=0)
    with pytest.raises(FitError, match="4 clusters of 3 different rows: choose at most 3 clusters"):
        clusters.fit_centres(points, 4, "k-means++", 10, 1e-4, seed=0)


@pytest.mark.parametrize(
    ("covariance", "word"), [("full", "full"), ("tied", "tied"), ("diagonal", "diag"), ("spherical", "spherical")]
)
def test_mixtures_are_those_of_scikit_learn(covariance: Covariance, word: str) -> None:
    fit = clusters.fit_mixture(IRIS, 3, covariance, 1e-6, 100, 1e-3, seed=1)
    peer = GaussianMixture(3, covariance_type=word, random_state=1).fit(IRIS)
    joint = clusters.mixture_log_densities(IRIS, fit.state, covariance)
    np.testing.assert_allclose(clusters.log_sum(joint), peer.score_samples(IRIS), rtol=1e-9)
    order = np.lexsort(peer.means_.T[::-1])
    shares = np.exp(joint - clusters.log_sum(joint)[:, None])
    np.testing.assert_allclose(shares, peer.predict_proba(IRIS)[:, order], atol=1e-12)
    assert fit.loss == pytest.approx(-peer.score(IRIS))
    assert fit.passes == peer.n_iter_


def test_a_mixture_that_breaks_down_says_so() -> None:
    points = np.repeat(np.eye(3), 20, axis=0)
    with pytest.raises(FitError, match="a component has come to lie on too few rows"):
        clusters.fit_mixture(points, 3, "full", 0.0, 100, 1e-3, seed=0)


def test_an_unlikely_point_still_has_a_log_density() -> None:
    fit = clusters.fit_mixture(BLOBS, 4, "full", 1e-6, 100, 1e-3, seed=0)
    joint = clusters.mixture_log_densities(np.full((1, 2), 1e6), fit.state, "full")
    assert np.isfinite(clusters.log_sum(joint)).all()


def _moons() -> NDArray[np.float64]:
    draw = np.random.default_rng(4)
    return np.concatenate([make_moons(400, noise=0.06, random_state=2)[0], draw.uniform(-2, 3, (60, 2))])


@pytest.mark.parametrize("selection", ["eom", "leaf"])
@pytest.mark.parametrize(("smallest", "neighbours"), [(15, 15), (25, 5), (8, 3)])
@pytest.mark.parametrize("points", [_moons(), BLOBS, IRIS], ids=["moons", "blobs", "iris"])
def test_rows_that_were_fitted_get_the_clusters_of_scikit_learn(
    points: NDArray[np.float64], smallest: int, neighbours: int, selection: str
) -> None:
    peer = HDBSCAN(
        min_cluster_size=smallest, min_samples=neighbours, cluster_selection_method=selection, copy=True
    ).fit(points)
    state, count = clusters.fit_dense(points, smallest, neighbours, selection, 0.0)
    found, _ = clusters.join_dense(points, state, neighbours)
    assert count == peer.labels_.max() + 1
    assert (found == state["clusters"]).all()
    pairs = {(ours, theirs) for ours, theirs in zip(found.tolist(), peer.labels_.tolist(), strict=True)}
    assert len(pairs) == len(set(found.tolist())) == len(set(peer.labels_.tolist()))
    assert all((ours == -1) == (theirs == -1) for ours, theirs in pairs)


def test_fresh_points_join_the_moon_that_they_lie_on_and_far_ones_none() -> None:
    points = _moons()
    state, count = clusters.fit_dense(points, 20, 10, "eom", 0.0)
    assert count == 2
    fresh, moon = make_moons(200, noise=0.03, random_state=9)
    found, distances = clusters.join_dense(fresh, state, 10)
    known = found >= 0
    assert known.mean() > 0.9
    assert len({(a, b) for a, b in zip(found[known].tolist(), moon[known].tolist(), strict=True)}) == 2
    far, how_far = clusters.join_dense(np.array([[50.0, 50.0]]), state, 10)
    assert far.tolist() == [-1]
    assert how_far[0] > 60 > distances.max()


def test_without_clusters_all_is_noise() -> None:
    draw = np.random.default_rng(0)
    state, count = clusters.fit_dense(draw.normal(size=(12, 2)), 10, 10, "eom", 0.0)
    assert count == 0
    found, distances = clusters.join_dense(np.zeros((2, 2)), state, 10)
    assert found.tolist() == [-1, -1]
    assert np.isinf(distances).all()


def test_longest_step_is_that_of_a_minimum_spanning_tree() -> None:
    from scipy.sparse.csgraph import minimum_spanning_tree

    points = BLOBS[:80]
    cores = clusters.core_distances(points, points, 4)
    every = np.maximum(clusters.distances(points, points), np.maximum(cores[:, None], cores))
    np.fill_diagonal(every, 0)
    assert clusters.longest_step(points, cores) == pytest.approx(minimum_spanning_tree(every).data.max())


def test_parts_of_points_join_as_all_do(monkeypatch: pytest.MonkeyPatch) -> None:
    state, _ = clusters.fit_dense(BLOBS, 20, 5, "eom", 0.0)
    whole = clusters.join_dense(BLOBS, state, 5)
    monkeypatch.setattr(clusters, "BLOCK_VALUES", 7 * len(BLOBS))
    again, (one, two) = clusters.fit_dense(BLOBS, 20, 5, "eom", 0.0)[0], clusters.join_dense(BLOBS, state, 5)
    assert (again["cores"] == state["cores"]).all()
    assert (one == whole[0]).all()
    assert (two == whole[1]).all()


def test_silhouette_leaves_noise_out_and_needs_two_clusters() -> None:
    labels: Any = np.where(IRIS[:, 2] < 2.5, 0, 1)
    labels[:10] = -1
    kept = labels >= 0
    assert clusters.silhouette(IRIS, labels, 0) == pytest.approx(silhouette_samples(IRIS[kept], labels[kept]).mean())
    assert clusters.silhouette(IRIS, np.zeros(150, np.int64), 0) is None
    assert clusters.silhouette(IRIS, np.full(150, -1), 0) is None


def test_silhouette_of_many_rows_is_of_some_of_them() -> None:
    points, labels = make_blobs(5000, centers=3, cluster_std=0.5, random_state=0)
    some = clusters.silhouette(points, labels, 0)
    assert some == clusters.silhouette(points, labels, 0)
    assert some == pytest.approx(silhouette_samples(points[:2500], labels[:2500]).mean(), abs=0.02)
