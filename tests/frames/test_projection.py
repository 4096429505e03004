"""Points in two dimensions."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from nnkit.frames.projection import MOST_POINTS, project, some_rows

IRIS = load_iris()


def test_principal_directions_are_those_of_scikit_learn() -> None:
    found, peer = project(IRIS.data, "pca"), PCA(2).fit_transform(IRIS.data)
    np.testing.assert_allclose(np.abs(found), np.abs(peer), atol=1e-9)


def test_directions_are_not_turned_round_by_the_order_of_rows() -> None:
    order = np.random.default_rng(0).permutation(len(IRIS.data))
    np.testing.assert_allclose(project(IRIS.data[order], "pca"), project(IRIS.data, "pca")[order], atol=1e-9)


@pytest.mark.parametrize("method", ["pca", "tsne"])
@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (2, 3), (5, 1), (6, 2, 2)])
def test_few_rows_and_dimensions_have_a_place(method: str, shape: tuple[int, ...]) -> None:
    points = np.random.default_rng(0).normal(size=shape)
    placed = project(points, method)  # type: ignore[arg-type]
    assert placed.shape == (shape[0], 2)
    assert np.isfinite(placed).all()


def test_equal_rows_have_one_place() -> None:
    assert not project(np.ones((5, 3)), "pca").any()


def test_tsne_keeps_neighbours_together_and_is_the_same_again() -> None:
    placed = project(IRIS.data, "tsne", seed=1)
    assert (placed == project(IRIS.data, "tsne", seed=1)).all()
    setosa = placed[IRIS.target == 0]
    others = placed[IRIS.target != 0]
    apart = np.linalg.norm(setosa.mean(0) - others.mean(0))
    assert apart > 2 * setosa.std()


def test_of_many_rows_always_the_same_are_drawn() -> None:
    rows = some_rows(10_000)
    assert len(rows) == len(set(rows.tolist())) == MOST_POINTS
    assert (rows == some_rows(10_000)).all()
    assert (np.diff(rows) > 0).all()
    assert some_rows(7).tolist() == list(range(7))
