"""Evaluations against scikit-learn and counts by hand."""

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from nnkit.evaluation import Evaluation, confusion_csv, evaluate, predicted
from nnkit.metrics import METRICS

ACCURACY = METRICS.decode("accuracy")
F1 = METRICS.decode("f1")


def several_classes(rows: int = 300, classes: int = 4) -> tuple[Any, Any, Any]:
    draw = np.random.default_rng(3)
    truth = draw.integers(0, classes, rows)
    scores = np.exp(np.eye(classes)[truth] + draw.normal(size=(rows, classes)))
    return truth, scores / scores.sum(1, keepdims=True), draw.uniform(0.5, 2, rows)


def test_two_classes_by_hand() -> None:
    truth, outputs = np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.9, 0.8, 0.3])
    evaluation = evaluate(truth, outputs, "binary", ["no", "yes"], [ACCURACY, F1])
    assert evaluation.confusion is not None
    assert evaluation.confusion.tolist() == [[2, 1], [1, 1]]
    assert evaluation.values == {"accuracy": 0.6, "f1": 0.5}
    assert evaluation.per_class == [
        {"class": "no", "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3},
        {"class": "yes", "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2},
    ]


@pytest.mark.parametrize("weighted", [False, True])
def test_several_classes_are_scikit_learns(weighted: bool) -> None:
    truth, outputs, weights = several_classes()
    given = weights if weighted else None
    evaluation = evaluate(truth, outputs, "multiclass", list("abcd"), [ACCURACY], given)
    assert evaluation.confusion is not None
    assert evaluation.confusion.dtype == np.int64
    # The matrix counts rows, whatever they weigh.
    np.testing.assert_array_equal(evaluation.confusion, confusion_matrix(truth, outputs.argmax(1)))
    expected = precision_recall_fscore_support(truth, outputs.argmax(1), sample_weight=given)
    for name, column in zip(("precision", "recall", "f1"), expected, strict=False):
        assert [row[name] for row in evaluation.per_class] == pytest.approx(list(column))
    assert [row["support"] for row in evaluation.per_class] == np.bincount(truth).tolist()
    assert evaluation.values["accuracy"] == ACCURACY.compute(truth, outputs, "multiclass", given)


def test_a_class_that_the_rows_lack_keeps_its_place() -> None:
    outputs = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    evaluation = evaluate(np.array([0, 2]), outputs, "multiclass", ["a", "b", "c"], [])
    assert evaluation.confusion is not None
    assert evaluation.confusion.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    missing = evaluation.per_class[1]
    assert missing == {"class": "b", "precision": None, "recall": None, "f1": None, "support": 0}


def test_labels_each_have_a_row_and_there_is_no_matrix() -> None:
    truth, outputs = np.array([[1, 0], [1, 1], [0, 0]]), np.array([[0.9, 0.8], [0.2, 0.7], [0.1, 0.2]])
    evaluation = evaluate(truth, outputs, "multilabel", ["red", "round"], [ACCURACY])
    assert evaluation.confusion is None
    assert evaluation.per_class == [
        {"label": "red", "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2},
        {"label": "round", "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1},
    ]
    weights = np.array([1.0, 3, 1])
    weighed = evaluate(truth, outputs, "multilabel", ["red", "round"], [ACCURACY], weights)
    expected = precision_recall_fscore_support(truth, outputs > 0.5, sample_weight=weights)
    assert [row["recall"] for row in weighed.per_class] == pytest.approx(list(expected[1]))


def test_regression_has_values_only() -> None:
    evaluation = evaluate(np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]]), "regression", [], [METRICS.decode("mae")])
    assert evaluation == Evaluation("regression", (), {"mae": 0.5}, [], None)


def test_no_rows() -> None:
    evaluation = evaluate(np.empty(0, np.int64), np.empty((0, 2)), "multiclass", ["a", "b"], [ACCURACY])
    assert evaluation.values == {"accuracy": None}
    assert evaluation.confusion is not None
    assert evaluation.confusion.tolist() == [[0, 0], [0, 0]]
    assert [row["support"] for row in evaluation.per_class] == [0, 0]


def test_what_is_undefined_is_null_in_json() -> None:
    evaluation = evaluate(np.array([1, 1]), np.array([0.9, 0.8]), "binary", ["no", "yes"], [METRICS.decode("roc_auc")])
    read = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))
    assert read["values"] == {"roc_auc": None}
    assert read["confusion"] == [[0, 0], [0, 2]]
    assert read["per_class"][0]["recall"] is None
    assert read["classes"] == ["no", "yes"]


def test_the_csv_names_rows_and_columns_whatever_the_labels() -> None:
    labels = ['a "b", c', "ü"]
    evaluation = evaluate(np.array([0, 1, 1]), np.array([0.1, 0.2, 0.9]), "binary", labels, [])
    text = confusion_csv(evaluation)
    assert "\r" not in text
    assert list(csv.reader(io.StringIO(text))) == [["truth", *labels], [labels[0], "1", "0"], [labels[1], "1", "1"]]


def test_no_csv_without_a_matrix() -> None:
    evaluation = evaluate(np.array([[1.0]]), np.array([[1.0]]), "regression", [], [])
    with pytest.raises(TypeError, match="regression evaluation has no confusion matrix"):
        confusion_csv(evaluation)


def test_the_matrix_and_the_predictions_agree() -> None:
    truth, outputs, _ = several_classes()
    evaluation = evaluate(truth, outputs, "multiclass", list("abcd"), [])
    assert evaluation.confusion is not None
    assert np.trace(evaluation.confusion) == (predicted(outputs, "multiclass") == truth).sum()
    assert evaluation.confusion.sum() == len(truth)
