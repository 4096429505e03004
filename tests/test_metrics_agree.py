"""Every metric against scikit-learn on random rows: ties, weights of 0, missing classes, one class, one row."""

import math
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from nnkit.metrics import METRICS, compute_all, predicted
from nnkit.metrics.ranking import area, mean_precision, precision_recall_curve, roc_curve
from nnkit.tasks import Task, of_steps

SEEDS = range(60)
NAN = float("nan")


def draw_rows(task: Task, seed: int) -> tuple[Any, Any, Any]:
    """Truth, outputs and weights (None in a third of the cases): few rows or many, coarse outputs, lopsided classes."""
    draw = np.random.default_rng(seed)
    count, classes = int(draw.choice([1, 2, 5, 40, 300])), int(draw.choice([2, 3, 7, 40]))
    digits = int(draw.choice([1, 2, 16]))
    weights = [None, draw.uniform(0, 3, count), draw.integers(1, 4, count).astype(float)][seed % 3]
    if weights is not None and count > 1:
        weights[0] = 0.0
    if task == "binary":
        return (
            (draw.random(count) < draw.choice([0, 0.1, 0.5, 1])).astype(int),
            draw.random(count).round(digits),
            weights,
        )
    if task in ("multiclass", "tagging"):
        scores = (draw.random((count, classes)) + 0.01).round(digits) + 0.01
        return draw.integers(0, draw.integers(1, classes + 1), count), scores / scores.sum(1, keepdims=True), weights
    if task == "multilabel":
        shares = draw.choice([0, 0.05, 0.5, 1], classes)
        return (
            (draw.random((count, classes)) < shares).astype(int),
            draw.random((count, classes)).round(digits),
            weights,
        )
    if task == "next":
        truth, likeliest = draw.integers(0, classes, (2, count))
        return truth, np.stack([np.log(draw.random(count) + 1e-9).round(digits), likeliest], 1), weights
    targets = draw.normal(5, 2, (count, classes)).round(digits)
    return targets, targets + draw.normal(size=targets.shape).round(digits), weights


Oracle = Callable[[Any, Any, Any, Task], float]


def decision(function: Any, **options: Any) -> Oracle:
    return lambda y, p, w, task: function(y, predicted(p, task), sample_weight=w, **options)


def per_class(function: Any, average: str | None) -> Oracle:
    def expected(truth: Any, outputs: Any, weights: Any, task: Task) -> float:
        decided = predicted(outputs, task)
        options: dict[str, Any] = {"average": average or "macro", "zero_division": 0.0}
        if task == "binary" and average is None:
            options = {"average": "binary", "zero_division": NAN}
        if task == "multilabel":
            options["labels"] = np.flatnonzero((truth | decided).any(axis=0))
        if task == "multilabel" and not len(options["labels"]):
            return NAN
        return float(function(truth, decided, sample_weight=weights, **options))

    return expected


def columns(truth: Any, outputs: Any, task: Task) -> list[tuple[Any, Any]]:
    if task == "binary":
        return [(truth, outputs)]
    hot = np.eye(outputs.shape[1], dtype=int)[truth] if task == "multiclass" else truth
    return list(zip(hot.T, outputs.T, strict=True))


def specificity(truth: Any, outputs: Any, weights: Any, task: Task) -> float:
    decided = predicted(outputs, task)
    hot = np.eye(outputs.shape[1], dtype=int)[decided] if task == "multiclass" else decided
    pairs = [(y, p) for y, p in columns(truth, hot, task) if not y.all()]
    values = [sk.recall_score(y, p, pos_label=0, sample_weight=weights) for y, p in pairs]
    return float(np.mean(values)) if values else NAN


def ranking(function: Any) -> Oracle:
    def expected(truth: Any, outputs: Any, weights: Any, task: Task) -> float:
        pairs = [(y, p) for y, p in columns(truth, outputs, task) if y.min() != y.max()]
        return float(np.mean([function(y, p, sample_weight=weights) for y, p in pairs])) if pairs else NAN

    return expected


def log_loss(truth: Any, outputs: Any, weights: Any, task: Task) -> float:
    if task == "next":
        return float(-np.average(outputs[:, 0], weights=weights))
    if task == "multiclass":
        return float(sk.log_loss(truth, outputs, labels=range(outputs.shape[1]), sample_weight=weights))
    pairs = columns(truth, outputs, task)
    return float(np.mean([sk.log_loss(y, p, labels=[0, 1], sample_weight=weights) for y, p in pairs]))


def brier(truth: Any, outputs: Any, weights: Any, task: Task) -> float:
    scores = [np.average((p - y) ** 2, weights=weights) for y, p in columns(truth, outputs, task)]
    return float(np.sum(scores) if task == "multiclass" else np.mean(scores))


def mcc(truth: Any, outputs: Any, weights: Any, task: Task) -> float:
    value = decision(sk.matthews_corrcoef)(truth, outputs, weights, task)
    return value if len(np.unique(truth)) > 1 else NAN


def kappa(weighting: str | None) -> Oracle:
    def expected(truth: Any, outputs: Any, weights: Any, task: Task) -> float:
        labels, decided = range(2 if task == "binary" else outputs.shape[1]), predicted(outputs, task)
        if len({*truth.tolist(), *decided.tolist()}) == 1:
            return NAN
        return float(sk.cohen_kappa_score(truth, decided, labels=labels, weights=weighting, sample_weight=weights))

    return expected


def number(function: Any, varies: bool = False, nonzero: bool = False) -> Oracle:
    def expected(truth: Any, outputs: Any, weights: Any, task: Task) -> float:
        if (varies and not (truth != truth[0]).any(axis=0).all()) or (nonzero and not truth.all()):
            return NAN
        return float(function(truth, outputs, sample_weight=weights))

    return expected


ORACLES: dict[str, Oracle] = {
    "accuracy": decision(sk.accuracy_score),
    "balanced_accuracy": lambda y, p, w, t: sk.recall_score(
        y, predicted(p, t), labels=np.unique(y), average="macro", zero_division=0.0, sample_weight=w
    ),
    "specificity": specificity,
    "hamming_loss": decision(sk.hamming_loss),
    "mcc": mcc,
    "cohen_kappa": kappa(None),
    "roc_auc": ranking(sk.roc_auc_score),
    "pr_auc": ranking(sk.average_precision_score),
    "log_loss": log_loss,
    "perplexity": lambda y, p, w, t: math.exp(-np.average(p[:, 0], weights=w)),
    "bits_per_character": lambda y, p, w, t: -np.average(p[:, 0] / math.log(2), weights=w),
    "brier": brier,
    "mae": number(sk.mean_absolute_error),
    "mse": number(sk.mean_squared_error),
    "rmse": number(sk.root_mean_squared_error),
    "mape": number(sk.mean_absolute_percentage_error, nonzero=True),
    "r2": number(sk.r2_score, varies=True),
    "explained_variance": number(sk.explained_variance_score, varies=True),
    "precision": per_class(sk.precision_score, None),
    "recall": per_class(sk.recall_score, None),
    "f1": per_class(sk.f1_score, None),
}
CASES: list[tuple[dict[str, Any], Oracle]] = [({"type": name}, oracle) for name, oracle in ORACLES.items()]
CASES += [
    ({"type": name, "average": average}, per_class(function, average))
    for name, function in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score))
    for average in ("macro", "micro", "weighted")
]
CASES += [({"type": "cohen_kappa", "weighting": weighting}, kappa(weighting)) for weighting in ("linear", "quadratic")]


@pytest.mark.parametrize(
    ("spec", "oracle"), CASES, ids=lambda case: "-".join(case.values()) if type(case) is dict else ""
)
def test_a_metric_is_scikit_learns(spec: dict[str, Any], oracle: Oracle) -> None:
    metric = METRICS.decode(spec)
    defined = 0
    for task in metric.tasks:
        for seed in SEEDS:
            truth, outputs, weights = draw_rows(task, seed)
            counted = slice(None) if weights is None else weights > 0
            given = None if weights is None else weights[counted]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # scikit-learn warns of what is undefined.
                expected = oracle(truth[counted], outputs[counted], given, of_steps(task))
            value = metric.compute(truth, outputs, task, weights)
            assert value == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True), (task, seed)
            defined += math.isfinite(value)
    assert defined > len(SEEDS) / 2


def test_metrics_computed_together_are_what_they_are_alone() -> None:
    for task in ("binary", "multiclass", "multilabel", "regression", "next", "tagging"):
        metrics = [METRICS.decode(name) for name, kind in METRICS.entries.items() if task in kind.tasks]
        truth, outputs, weights = draw_rows(task, 31)
        together = compute_all(metrics, truth, outputs, task, weights)
        alone = {metric.key: metric.compute(truth, outputs, task, weights) for metric in metrics}
        assert together == pytest.approx(alone, rel=0, abs=0, nan_ok=True)
        assert set(compute_all(metrics, truth[:0], outputs[:0], task)) == set(together)


@pytest.mark.parametrize("seed", SEEDS)
def test_curves_are_scikit_learns(seed: int) -> None:
    truth, outputs, weights = draw_rows("binary", seed)
    if weights is not None:
        weights = weights + 0.1
    if truth.min() == truth.max():
        return
    x, y = roc_curve(truth, outputs, weights)
    expected_x, expected_y, _ = sk.roc_curve(truth, outputs, sample_weight=weights, drop_intermediate=False)
    np.testing.assert_allclose(x, expected_x, atol=1e-12)
    np.testing.assert_allclose(y, expected_y, atol=1e-12)
    assert area(x, y) == pytest.approx(sk.roc_auc_score(truth, outputs, sample_weight=weights), abs=1e-12)
    recalls, precisions = precision_recall_curve(truth, outputs, weights)
    expected_p, expected_r, _ = sk.precision_recall_curve(truth, outputs, sample_weight=weights)
    np.testing.assert_allclose(recalls, expected_r[-2::-1], atol=1e-12)
    np.testing.assert_allclose(precisions, expected_p[-2::-1], atol=1e-12)
    expected_mean = sk.average_precision_score(truth, outputs, sample_weight=weights)
    assert mean_precision(recalls, precisions) == pytest.approx(expected_mean, abs=1e-12)


def test_no_metric_loads_scikit_learn() -> None:
    code = (
        "import sys\nfrom tests.test_metrics_agree import draw_rows\nfrom nnkit.metrics import METRICS\n"
        "for name in [name for name in sys.modules if name.partition('.')[0] in ('sklearn', 'pandas', 'scipy')]:\n"
        "    sys.modules[name] = None\n"
        "for name, kind in METRICS.entries.items():\n"
        "    for task in kind.tasks:\n        METRICS.decode(name).compute(*draw_rows(task, 31)[:2], task)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
