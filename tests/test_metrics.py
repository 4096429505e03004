"""Metrics against scikit-learn, hand-worked numbers and what leaves them undefined."""

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from nnkit.metrics import METRICS, Metric, compute_all, or_defaults, predicted
from nnkit.tasks import Task

TASKS: tuple[Task, ...] = ("binary", "multiclass", "multilabel", "regression", "tagging")
ROWS = 200


def metric(name: str, **options: object) -> Metric:
    return METRICS.decode({"type": name, **options})


PLAIN = [
    name
    for name, kind in METRICS.entries.items()
    if not kind.of_nodes and not kind.of_entities and metric(name).lacks((), ()) is None
]
"""The metrics that need no more than truth and outputs; others are in test_metrics_forecast and test_entities."""


def rows(task: Task, count: int = ROWS, seed: int = 0) -> tuple[Any, Any, Any]:
    """Truth, outputs and weights of ``count`` rows, in which the outputs say something about the truth."""
    draw = np.random.default_rng(seed)
    weights = draw.uniform(0.5, 2, count)
    noise = draw.normal(size=(count, 4))
    if task == "binary":
        truth = draw.integers(0, 2, count)
        return truth, 1 / (1 + np.exp(-(2 * truth - 1 + 1.5 * noise[:, 0]))), weights
    if task in ("multiclass", "tagging"):
        truth = draw.integers(0, 4, count)
        scores = np.exp(np.eye(4)[truth] * 1.5 + noise)
        return truth, (scores / scores.sum(1, keepdims=True)).astype(np.float32).astype(np.float64), weights
    if task == "multilabel":
        truth = draw.integers(0, 2, (count, 4))
        return truth, 1 / (1 + np.exp(-(2 * truth - 1 + 1.5 * noise))), weights
    if task == "next":
        truth = draw.integers(0, 4, count)
        likeliest = np.where(noise[:, 0] > 0, truth, 3 - truth)
        return truth, np.stack([-np.abs(noise[:, 1]), likeliest], 1), weights
    numbers = draw.normal(5, 2, (count, 3))
    return numbers, numbers + noise[:, :3], weights


def against_sklearn(name: str, expected: Any, task: Task, **options: object) -> None:
    truth, outputs, weights = rows(task)
    for given in (None, weights):
        value = metric(name, **options).compute(truth, outputs, task, given)
        assert value == pytest.approx(expected(truth, outputs, given), abs=1e-12)


DECISIONS = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
    "mcc": sk.matthews_corrcoef,
    "cohen_kappa": lambda y, p, sample_weight: sk.cohen_kappa_score(y, p, sample_weight=sample_weight),
    "specificity": lambda y, p, sample_weight: sk.recall_score(y, p, pos_label=0, sample_weight=sample_weight),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions_of_two_classes_are_scikit_learns(name: str) -> None:
    against_sklearn(name, lambda y, p, w: DECISIONS[name](y, (p > 0.5).astype(int), sample_weight=w), "binary")


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "mcc", "cohen_kappa"])
def test_decisions_of_several_classes_are_scikit_learns(name: str) -> None:
    against_sklearn(name, lambda y, p, w: DECISIONS[name](y, p.argmax(1), sample_weight=w), "multiclass")


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_averages_are_scikit_learns(name: str, average: str, task: Task) -> None:
    def expected(truth: Any, outputs: Any, weights: Any) -> float:
        return float(DECISIONS[name](truth, predicted(outputs, task), average=average, sample_weight=weights))

    against_sklearn(name, expected, task, average=average)
    if average == "macro" and task != "binary":
        against_sklearn(name, expected, task)


@pytest.mark.parametrize("weighting", ["linear", "quadratic"])
def test_weighted_kappa_is_scikit_learns(weighting: str) -> None:
    def expected(truth: Any, outputs: Any, weights: Any) -> float:
        return float(sk.cohen_kappa_score(truth, outputs.argmax(1), weights=weighting, sample_weight=weights))

    against_sklearn("cohen_kappa", expected, "multiclass", weighting=weighting)


def test_kappa_counts_distances_over_classes_that_do_not_occur() -> None:
    """Classes 0, 1 and 3 of four: the distance from 1 to 3 is two, not one."""
    outputs = np.eye(4)[[0, 1, 1, 3]]
    value = metric("cohen_kappa", weighting="linear").compute(np.array([0, 1, 3, 3]), outputs, "multiclass")
    # Observed 2/4; by chance: the distances of 0, 1, 3 and 3 to each of the predictions 0, 1, 1 and 3, over 16 pairs.
    assert value == pytest.approx(1 - (2 / 4) / ((5 + 3 + 2 * 7) / 16))


def test_multilabel_accuracy_counts_rows_where_all_is_right() -> None:
    truth, outputs = np.array([[1, 0], [1, 1], [0, 0], [0, 1]]), np.array([[0.9, 0.1], [0.9, 0.2], [0.1, 0.1], [1, 0]])
    assert metric("accuracy").compute(truth, outputs, "multilabel") == 0.5
    assert metric("hamming_loss").compute(truth, outputs, "multilabel") == 3 / 8


def test_specificity_by_hand() -> None:
    truth, outputs = np.array([0, 0, 1, 2]), np.eye(3)[[0, 1, 1, 1]]
    # Class 0: 2 of 2 others not predicted 0; class 1: 1 of 3; class 2: 3 of 3.
    assert metric("specificity").compute(truth, outputs, "multiclass") == pytest.approx((1 + 1 / 3 + 1) / 3)


@pytest.mark.parametrize("name", ["roc_auc", "pr_auc"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_rankings_are_scikit_learns(name: str, task: Task) -> None:
    function = {"roc_auc": sk.roc_auc_score, "pr_auc": sk.average_precision_score}[name]

    def expected(truth: Any, outputs: Any, weights: Any) -> float:
        hot = np.eye(4)[truth] if task in ("multiclass", "tagging") else truth
        return float(function(hot, outputs, average="macro", sample_weight=weights))

    against_sklearn(name, expected, task)


def test_roc_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    truth, outputs, _ = rows("binary", 60)
    pairs = [(p, q) for p in outputs[truth == 1] for q in outputs[truth == 0]]
    share = sum((p > q) + (p == q) / 2 for p, q in pairs) / len(pairs)
    assert metric("roc_auc").compute(truth, outputs, "binary") == pytest.approx(share)


def test_roc_auc_leaves_out_a_class_that_does_not_occur() -> None:
    truth, outputs, _ = rows("multiclass")
    kept = truth != 3
    truth, outputs = truth[kept], outputs[kept]
    expected = np.mean([sk.roc_auc_score(truth == c, outputs[:, c]) for c in range(3)])
    assert metric("roc_auc").compute(truth, outputs, "multiclass") == pytest.approx(expected)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_log_loss_is_scikit_learns(task: Task) -> None:
    def expected(truth: Any, outputs: Any, weights: Any) -> float:
        whole = outputs / outputs.sum(1, keepdims=True) if task == "multiclass" else outputs
        return float(sk.log_loss(truth, whole, sample_weight=weights))

    against_sklearn("log_loss", expected, task)


def test_log_loss_and_brier_of_labels_are_means_over_the_labels() -> None:
    truth, outputs, weights = rows("multilabel")
    for name, function in (("log_loss", sk.log_loss), ("brier", sk.brier_score_loss)):
        expected = np.mean([function(truth[:, k], outputs[:, k], sample_weight=weights) for k in range(4)])
        assert metric(name).compute(truth, outputs, "multilabel", weights) == pytest.approx(expected)


def test_log_loss_when_a_class_is_missing_from_the_rows() -> None:
    value = metric("log_loss").compute(np.array([0, 1]), np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]), "multiclass")
    assert value == pytest.approx(math.log(2))


def test_brier_by_hand() -> None:
    assert metric("brier").compute(np.array([1, 0]), np.array([0.8, 0.4]), "binary") == pytest.approx((0.04 + 0.16) / 2)
    outputs = np.array([[0.5, 0.3, 0.2]])
    assert metric("brier").compute(np.array([0]), outputs, "multiclass") == pytest.approx(0.25 + 0.09 + 0.04)


def test_top_k_accuracy() -> None:
    against_sklearn(
        "top_k_accuracy", lambda y, p, w: sk.top_k_accuracy_score(y, p, k=2, sample_weight=w), "multiclass", k=2
    )
    truth, outputs, _ = rows("multiclass")
    assert metric("top_k_accuracy", k=1).compute(truth, outputs, "multiclass") == np.mean(outputs.argmax(1) == truth)
    assert metric("top_k_accuracy").compute(truth, outputs, "multiclass") == 1


def test_calibration_error_by_hand() -> None:
    truth, outputs = np.array([0, 1, 1, 1]), np.array([0.1, 0.3, 0.9, 1.0])
    # Two bins: mean 0.2 against 1/2 came true, and 0.95 against 1; each has half the rows.
    assert metric("calibration_error", bins=2).compute(truth, outputs, "binary") == pytest.approx((0.3 + 0.05) / 2)
    weights = np.array([3.0, 1, 2, 2])
    # 3 * 0.1 + 1 * 0.3 = 0.6 against 1; 2 * 0.9 + 2 * 1 = 3.8 against 4; of 8.
    value = metric("calibration_error", bins=2).compute(truth, outputs, "binary", weights)
    assert value == pytest.approx((0.4 + 0.2) / 8)


def test_calibration_error_of_several_classes_looks_at_the_prediction() -> None:
    outputs = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]])
    assert metric("calibration_error").compute(np.array([0, 0]), outputs, "multiclass") == pytest.approx(0.2)


def test_calibration_error_of_labels_is_that_of_all_labels_together() -> None:
    truth, outputs, weights = rows("multilabel")
    expected = metric("calibration_error").compute(truth.ravel(), outputs.ravel(), "binary", weights.repeat(4))
    assert metric("calibration_error").compute(truth, outputs, "multilabel", weights) == pytest.approx(expected)


REGRESSION = {
    "mae": sk.mean_absolute_error,
    "mse": sk.mean_squared_error,
    "rmse": sk.root_mean_squared_error,
    "mape": sk.mean_absolute_percentage_error,
    "r2": sk.r2_score,
    "explained_variance": sk.explained_variance_score,
}


@pytest.mark.parametrize("name", REGRESSION)
def test_regression_is_scikit_learns(name: str) -> None:
    against_sklearn(name, lambda y, p, w: REGRESSION[name](y, p, sample_weight=w), "regression")


def test_regression_by_hand() -> None:
    truth, outputs = np.array([[1.0], [2.0], [4.0]]), np.array([[2.0], [2.0], [1.0]])
    values = {name: metric(name).compute(truth, outputs, "regression") for name in ("mae", "mse", "mape", "max_error")}
    assert values == pytest.approx({"mae": 4 / 3, "mse": 10 / 3, "mape": (1 + 0 + 3 / 4) / 3, "max_error": 3})


@pytest.mark.parametrize("name", PLAIN)
def test_undefined_without_rows_or_with_outputs_that_are_no_numbers(name: str) -> None:
    piece = metric(name)
    for task in piece.tasks:
        truth, outputs, weights = rows(task, 8)
        assert math.isfinite(piece.compute(truth, outputs, task, weights))
        assert math.isnan(piece.compute(truth[:0], outputs[:0], task))
        assert math.isnan(piece.compute(truth, outputs, task, weights * 0))
        outputs[3] = np.nan
        assert math.isnan(piece.compute(truth, outputs, task))


@pytest.mark.parametrize("name", PLAIN)
def test_rows_of_weight_zero_do_not_count(name: str) -> None:
    piece = metric(name)
    for task in piece.tasks:
        truth, outputs, weights = rows(task)
        weights[: ROWS // 2] = 0
        half = slice(ROWS // 2, None)
        expected = piece.compute(truth[half], outputs[half], task, weights[half])
        assert piece.compute(truth, outputs, task, weights) == expected


@pytest.mark.parametrize("name", PLAIN)
def test_one_row_and_one_class_raise_and_warn_of_nothing(name: str) -> None:
    piece = metric(name)
    for task in piece.tasks:
        truth, outputs, _ = rows(task)
        for count in (1, ROWS):
            for constant in (0, 1):
                for certain in (0.0, 1.0):
                    given = np.full_like(outputs[:count], certain)
                    if task in ("multiclass", "tagging"):
                        given = np.tile(np.eye(4)[int(certain)], (count, 1))
                    value = piece.compute(np.full_like(truth[:count], constant), given, task)
                    assert isinstance(value, float)


UNDEFINED = [
    ("precision", "binary", [1, 0], [0.1, 0.2]),
    ("recall", "binary", [0, 0], [0.1, 0.9]),
    ("f1", "binary", [0, 0], [0.1, 0.2]),
    ("specificity", "binary", [1, 1], [0.1, 0.9]),
    ("roc_auc", "binary", [1, 1], [0.1, 0.9]),
    ("pr_auc", "binary", [0, 0], [0.1, 0.9]),
    ("mcc", "binary", [1, 1], [0.1, 0.9]),
    ("cohen_kappa", "binary", [1, 1], [0.8, 0.9]),
    ("f1", "multilabel", [[0, 0]], [[0.1, 0.1]]),
    ("roc_auc", "multilabel", [[0, 1]], [[0.1, 0.1]]),
    ("r2", "regression", [[1.0], [1.0]], [[1.0], [2.0]]),
    ("r2", "regression", [[1.0]], [[1.0]]),
    ("explained_variance", "regression", [[1.0]], [[1.0]]),
    ("mape", "regression", [[0.0], [1.0]], [[1.0], [2.0]]),
]


@pytest.mark.parametrize(("name", "task", "truth", "outputs"), UNDEFINED)
def test_undefined(name: str, task: Task, truth: Any, outputs: Any) -> None:
    assert math.isnan(metric(name).compute(np.array(truth), np.array(outputs), task))


def test_metrics_of_a_text_by_hand() -> None:
    truth, outputs = np.array([3, 1]), np.log([[0.5, 1.0], [0.125, 1.0]])
    outputs[:, 1] = [3, 2]
    values = {name: metric(name).compute(truth, outputs, "next") for name in ("perplexity", "bits_per_character")}
    assert values == pytest.approx({"perplexity": 4, "bits_per_character": 2})
    assert metric("log_loss").compute(truth, outputs, "next") == pytest.approx(2 * math.log(2))
    assert metric("accuracy").compute(truth, outputs, "next") == 0.5
    assert metric("perplexity").compute(truth, outputs * 1000, "next") == math.inf


def test_f1_of_a_model_that_never_says_yes_is_zero() -> None:
    assert metric("f1").compute(np.array([1, 0]), np.array([0.1, 0.2]), "binary") == 0


def test_a_mean_leaves_out_classes_and_labels_that_are_nowhere() -> None:
    outputs = np.eye(3)[[0, 1, 1]]
    assert metric("f1").compute(np.array([0, 1, 1]), outputs, "multiclass") == 1
    labels = np.array([[1, 0, 0], [0, 1, 0]])
    assert metric("f1").compute(labels, labels * 0.9, "multilabel") == 1
    # A label that occurs and is never predicted has precision 0 in the mean.
    assert metric("precision").compute(labels, labels * [0.9, 0.1, 0.1], "multilabel") == 0.5


def test_keys_tell_apart_what_differs_in_options() -> None:
    assert metric("f1").key == "f1"
    assert metric("f1", average="micro").key == "f1_micro"
    assert metric("top_k_accuracy", k=3).key == "top_k_accuracy_3"
    assert metric("cohen_kappa", weighting="quadratic").key == "cohen_kappa_quadratic"


@pytest.mark.parametrize("task", TASKS)
def test_the_usual_metrics_fit_the_task(task: Task) -> None:
    usual = or_defaults([], task)
    assert usual
    assert all(task in piece.tasks for piece in usual)
    assert or_defaults([usual[0]], task) == [usual[0]]


@pytest.mark.parametrize("task", TASKS)
def test_perfect_outputs_are_never_worse_than_others(task: Task) -> None:
    """The goal says which way is better."""
    truth, outputs, _ = rows(task)
    perfect = np.eye(4)[truth] if task in ("multiclass", "tagging") else truth.astype(float)
    for name in PLAIN:
        if task in (kind := METRICS.entries[name]).tasks:
            best, other = metric(name).compute(truth, perfect, task), metric(name).compute(truth, outputs, task)
            assert best >= other if kind.goal == "max" else best <= other


def test_predicted_breaks_ties_for_the_first_class() -> None:
    assert predicted(np.array([0.5, 0.51]), "binary").tolist() == [0, 1]
    assert predicted(np.array([[0.4, 0.4, 0.2]]), "multiclass").tolist() == [0]
    assert predicted(np.array([[0.5, 0.6]]), "multilabel").tolist() == [[0, 1]]


def test_binary_accuracy_leaves_out_the_middle_and_adds_up_sides() -> None:
    outputs = np.array([[0.3, 0.3, 0.0, 0.4, 0.0], [0.0, 0.1, 0.7, 0.0, 0.2], [0.9, 0.1, 0, 0, 0], [0.4, 0, 0, 0, 0.6]])
    truth = np.array([1, 4, 2, 0])  # right, right by 0.2 > 0.1, left out, wrong
    assert metric("binary_accuracy").compute(truth, outputs, "multiclass") == pytest.approx(2 / 3)
    weights = np.array([1.0, 1.0, 9.0, 2.0])
    assert metric("binary_accuracy").compute(truth, outputs, "multiclass", weights) == pytest.approx(2 / 4)
    assert math.isnan(metric("binary_accuracy").compute(truth[2:3], outputs[2:3], "multiclass"))


def test_metrics_of_nodes_are_those_of_the_nodes() -> None:
    truth, outputs, _ = rows("multiclass", 30)
    names = ["accuracy", "node_accuracy", "node_binary_accuracy"]
    roots = slice(0, 4)
    values = compute_all(list(map(metric, names)), truth[roots], outputs[roots], "multiclass", nodes=(truth, outputs))
    assert values["accuracy"] == np.mean(outputs[roots].argmax(1) == truth[roots])
    assert values["node_accuracy"] == np.mean(outputs.argmax(1) == truth)
    assert values["node_binary_accuracy"] == metric("binary_accuracy").compute(truth, outputs, "multiclass")
    assert math.isnan(metric("node_accuracy").compute(truth, outputs, "multiclass"))
