"""Agreement of clusters with labels, and of flags with outliers, is what scikit-learn says it is."""

import math

import numpy as np
import pytest
from sklearn import metrics as peer

from nnkit.metrics.agreement import adjusted_rand, agreement, contingency, detection, matched


@pytest.mark.parametrize("seed", range(5))
def test_agreement_is_that_of_scikit_learn(seed: int) -> None:
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 4, 200)
    clusters = np.where(draw.random(200) < 0.6, truth, draw.integers(-1, 6, 200))
    found = agreement(truth, clusters)
    assert found["adjusted_rand"] == pytest.approx(peer.adjusted_rand_score(truth, clusters))
    assert found["normalized_mutual_information"] == pytest.approx(peer.normalized_mutual_info_score(truth, clusters))


def test_names_of_clusters_do_not_matter() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2])
    assert agreement(truth, np.array([2, 2, -1, -1, 0, 0])) == pytest.approx(dict.fromkeys(agreement(truth, truth), 1))


def test_accuracy_is_that_of_the_best_matching_of_all() -> None:
    from itertools import permutations

    draw = np.random.default_rng(1)
    truth, clusters = draw.integers(0, 4, 50), draw.integers(0, 4, 50)
    best = max((np.array(order)[clusters] == truth).mean() for order in permutations(range(4)))
    assert matched(contingency(truth, clusters)) == pytest.approx(best)
    # By hand: two clusters of one class, of which only the larger one counts.
    assert matched(np.array([[3, 2], [0, 0]])) == pytest.approx(0.6)


@pytest.mark.parametrize(("rows", "expected"), [(0, 1.0), (1, 1.0), (5, 1.0)])
def test_one_part_of_all_rows_agrees_with_one_class(rows: int, expected: float) -> None:
    same = np.zeros(rows, np.int64)
    assert adjusted_rand(contingency(same, same)) == expected


def test_detection_is_that_of_scikit_learn() -> None:
    draw = np.random.default_rng(3)
    outlier = (draw.random(300) < 0.1).astype(np.int64)
    scores = draw.normal(size=300).round(1) + outlier
    flagged = (scores > 1).astype(np.int64)
    expected = {
        "roc_auc": peer.roc_auc_score(outlier, scores),
        "average_precision": peer.average_precision_score(outlier, scores),
        "precision": peer.precision_score(outlier, flagged),
        "recall": peer.recall_score(outlier, flagged),
        "f1": peer.f1_score(outlier, flagged),
    }
    assert detection(outlier, scores, flagged) == pytest.approx(expected)


def test_what_rows_of_one_kind_leave_undefined() -> None:
    none = np.zeros(4, np.int64)
    found = detection(none, np.arange(4.0), none)
    assert all(map(math.isnan, found.values()))


def test_a_score_that_is_no_number_is_the_highest() -> None:
    found = detection(np.array([0, 1]), np.array([5.0, np.nan]), np.array([0, 1]))
    assert found["roc_auc"] == 1
