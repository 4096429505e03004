import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from nnkit.commands.evaluate import Gate, evaluate, parse_gate
from nnkit.errors import DataError, RunError, UsageError
from tests.commands.conftest import TARGETS, Toys, make_rows, make_spec, train_spec, write_csv

KINDS = sorted(TARGETS)


def stored_rows(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((run / "predictions.csv").read_text(), newline="")))


@pytest.mark.parametrize("kind", KINDS)
def test_the_stored_rows_give_the_stored_metrics(toys: Toys, kind: str) -> None:
    report = evaluate(toys.runs[kind], device="cpu")
    stored = json.loads((toys.runs[kind] / "metrics.json").read_text())
    assert report.split == "test"
    assert report.values == stored["test"]
    assert report.to_json()["test"] == stored["test"]
    assert report.failed == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_as_a_file_give_the_same_metrics(toys: Toys, kind: str, tmp_path: Path) -> None:
    stored = stored_rows(toys.runs[kind])
    data = write_csv(tmp_path / "test.csv", [toys.rows[int(row["row"])] for row in stored])
    shown, known = evaluate(toys.runs[kind], data, device="cpu"), evaluate(toys.runs[kind], device="cpu")
    assert shown.values == pytest.approx(known.values, rel=1e-12)
    if known.evaluation.confusion is not None:
        np.testing.assert_array_equal(shown.evaluation.confusion, known.evaluation.confusion)


def test_scikit_learn_computes_the_same_from_the_file(toys: Toys) -> None:
    rows = stored_rows(toys.runs["binary"])
    truth, predicted = ([row[name] for row in rows] for name in ("truth", "prediction"))
    probability = [float(row["probability_yes"]) for row in rows]
    report = evaluate(toys.runs["binary"])
    assert report.values["accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted))
    assert report.values["f1"] == pytest.approx(sk.f1_score(truth, predicted, pos_label="yes"))
    assert report.values["roc_auc"] == pytest.approx(sk.roc_auc_score([t == "yes" for t in truth], probability))
    np.testing.assert_array_equal(
        report.evaluation.confusion, sk.confusion_matrix(truth, predicted, labels=["no", "yes"])
    )
    assert report.evaluation.confusion is not None
    assert report.evaluation.confusion.sum() == len(rows) == 48


def test_scikit_learn_computes_the_same_regression(toys: Toys) -> None:
    rows = stored_rows(toys.runs["regressions"])
    truth, predicted = (
        [[float(row[f"{name}_{target}"]) for target in ("price", "days")] for row in rows]
        for name in ("truth", "prediction")
    )
    assert evaluate(toys.runs["regressions"]).values["mae"] == pytest.approx(sk.mean_absolute_error(truth, predicted))


def test_a_class_that_the_file_lacks_stays_in_the_matrix(toys: Toys, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "low.csv", [row for row in toys.rows if row["kind"] == "low"])
    confusion = evaluate(toys.runs["multiclass"], data).evaluation.confusion
    assert confusion is not None
    assert confusion.shape == (3, 3)
    assert confusion.sum(1).tolist() == [0, sum(row["kind"] == "low" for row in toys.rows), 0]


@pytest.mark.parametrize(
    ("text", "gate"),
    [("accuracy=0.85", Gate("accuracy", 0.85)), (" f1 = 1e-1", Gate("f1", 0.1)), ("r2=-1", Gate("r2", -1))],
)
def test_gates_are_read(text: str, gate: Gate) -> None:
    assert parse_gate(text) == gate


@pytest.mark.parametrize("text", ["", "accuracy", "accuracy=", "accuracy=high", "=0.5", "accuracy=nan", "a=1=2"])
def test_what_is_no_gate(text: str, toys: Toys) -> None:
    with pytest.raises(UsageError, match="expected METRIC=NUMBER"):
        evaluate(toys.runs["binary"], fail_under=[text])


def test_gates_that_are_not_met_are_all_listed(toys: Toys) -> None:
    gates = ["accuracy=0", "f1=1.01", "roc_auc=1.5"]
    failed = evaluate(toys.runs["binary"], fail_under=gates).failed
    assert [sentence.split()[0] for sentence in failed] == ["f1", "roc_auc"]
    assert "expected at least 1.01" in failed[0]


def test_a_bound_is_met_by_just_that_value(toys: Toys) -> None:
    value = evaluate(toys.runs["binary"]).values["accuracy"]
    assert value is not None
    assert evaluate(toys.runs["binary"], fail_under=[f"accuracy={value!r}"]).failed == []
    above = float(np.nextafter(value, 2))
    assert len(evaluate(toys.runs["binary"], fail_under=[f"accuracy={above!r}"]).failed) == 1


def test_where_smaller_is_better_the_bound_is_the_most(toys: Toys) -> None:
    assert evaluate(toys.runs["regression"], fail_under=["mae=1e9"]).failed == []
    (failed,) = evaluate(toys.runs["regression"], fail_under=["mae=0"]).failed
    assert "expected at most 0" in failed


def test_a_gate_may_name_a_metric_that_the_spec_does_not(toys: Toys) -> None:
    report = evaluate(toys.runs["binary"], fail_under=["precision=2"])
    assert "precision" in report.values
    assert len(report.failed) == 1


def test_a_metric_that_is_undefined_meets_no_bound(toys: Toys, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "yes.csv", [row for row in toys.rows if row["left"] == "yes"])
    report = evaluate(toys.runs["binary"], data, fail_under=["roc_auc=0"])
    assert report.values["roc_auc"] is None
    assert report.failed == ["roc_auc is undefined, expected at least 0"]
    json.dumps(report.to_json(), allow_nan=False)


@pytest.mark.parametrize("gate", ["accurracy=0.5", "mae=1"])
def test_a_metric_that_is_none_of_the_tasks(toys: Toys, gate: str) -> None:
    with pytest.raises(UsageError, match="no such metric") as caught:
        evaluate(toys.runs["binary"], fail_under=[gate])
    assert "accuracy" in str(caught.value)


def test_rows_without_the_target(toys: Toys, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", toys.rows, ["age", "balance", "city"])
    with pytest.raises(DataError, match="left"):
        evaluate(toys.runs["binary"], data)


def test_a_label_that_the_model_does_not_know(toys: Toys, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{**row, "left": "perhaps"} if row["id"] == 7 else row for row in toys.rows]
    with pytest.raises(DataError, match=r"rows\.csv:9: .*perhaps"):
        evaluate(toys.runs["binary"], write_csv(tmp_path / "rows.csv", rows))


def test_no_rows_to_evaluate(toys: Toys, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no rows"):
        evaluate(toys.runs["binary"], write_csv(tmp_path / "none.csv", []))


def test_an_edited_table_of_predictions(toys: Toys, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(toys.runs["binary"], tmp_path / "copy"))
    path = copy / "predictions.csv"
    path.write_text(path.read_text().replace("no,yes", "no,no"))
    with pytest.raises(RunError, match=r"predictions\.csv: cut short or changed"):
        evaluate(copy)


def test_folds_give_mean_and_deviation(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "toy.csv", make_rows(60))
    run = train_spec(tmp_path, make_spec(data, "binary", folds=3))
    report = evaluate(run, fail_under=["accuracy=1.1"])
    each = [evaluate(run / "folds" / str(number)).values["accuracy"] for number in (1, 2, 3)]
    assert report.values["accuracy"] == pytest.approx(np.mean(np.array(each, dtype=float)))
    assert report.deviation is not None
    assert report.deviation["accuracy"] == pytest.approx(np.std(np.array(each, dtype=float), ddof=1))
    assert report.evaluation.confusion is not None
    assert report.evaluation.confusion.sum() == 60
    assert len(report.failed) == 1
    with pytest.raises(RunError, match="has 3 folds"):
        evaluate(run, data)
