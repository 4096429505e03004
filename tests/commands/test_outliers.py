"""Outliers from the command line: a threshold that training rows set, and what labels say of it."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from nnkit.cli import run as command
from nnkit.commands.check import check
from nnkit.commands.evaluate import evaluate
from nnkit.commands.predict import predict
from nnkit.commands.train import train
from nnkit.errors import RunError, SpecError
from nnkit.runs.folder import RunFolder
from nnkit.tensors import read_tensors, write_tensors
from tests.commands.groups import write

RATE = 0.05
MODELS: dict[str, dict[str, Any]] = {
    "k_means": {"type": "k_means", "clusters": 3},
    "gaussian_mixture": {"type": "gaussian_mixture", "components": 3},
    "hdbscan": {"type": "hdbscan", "min_cluster_size": 10},
    "autoencoder": {
        "type": "autoencoder",
        "encoder": [{"type": "dense", "units": 1}],
        "decoder": [{"type": "dense", "units": 2}],
    },
}
each_model = pytest.mark.parametrize("name", MODELS)


def spec(folder: Path, name: str, rate: float = RATE, label: str | None = None, **changes: Any) -> Path:
    procedure: dict[str, Any] = {"type": "reconstruction" if name == "autoencoder" else "cluster"}
    procedure["outliers"] = {"rate": rate} | ({"label": label} if label else {})
    wanted: dict[str, Any] = {"data__target": "odd", "data__drop": ["group"], "training__procedure": procedure}
    if name == "autoencoder":
        wanted["training__epochs"] = 5
    return write(folder, MODELS[name], name, rows=400, outliers=30, **(wanted | changes))


def table(run: Path, data: Path | None = None, **options: Any) -> list[dict[str, str]]:
    text = io.StringIO()
    predict(run, data, text, **options)
    return list(csv.DictReader(io.StringIO(text.getvalue())))


@each_model
def test_no_more_training_rows_than_the_rate_are_outliers(tmp_path: Path, name: str) -> None:
    run = train(spec(tmp_path, name, data__split={}), out=tmp_path)
    rows = table(run)
    flagged = [row["outlier"] for row in rows].count("yes")
    assert flagged == int(RATE * 400)
    scores = {kind: [float(row["score"]) for row in rows if row["outlier"] == kind] for kind in ("yes", "no")}
    assert min(scores["yes"]) > max(scores["no"])
    threshold = float(read_tensors(run / "weights.safetensors")[0]["threshold"][0])
    assert max(scores["no"]) == pytest.approx(threshold)


@each_model
def test_what_is_reported_is_what_scikit_learn_says_of_the_predictions(tmp_path: Path, name: str) -> None:
    run = train(spec(tmp_path, name), out=tmp_path)
    rows = list(csv.DictReader(io.StringIO((run / "predictions.csv").read_text())))
    truth = np.array([row["label"] == "yes" for row in rows])
    scores, flags = np.array([float(row["score"]) for row in rows]), np.array([row["outlier"] == "yes" for row in rows])
    expected = {
        "outliers": flags.mean(),
        "roc_auc": roc_auc_score(truth, scores),
        "average_precision": average_precision_score(truth, scores),
        "precision": precision_score(truth, flags),
        "recall": recall_score(truth, flags),
        "f1": f1_score(truth, flags),
    }
    values = json.loads((run / "metrics.json").read_text())["test"]
    assert {key: values[key] for key in expected} == pytest.approx(expected)
    assert evaluate(run).values == values
    assert not {"adjusted_rand", "accuracy"} & set(values)


@pytest.mark.parametrize("name", ["k_means", "gaussian_mixture", "hdbscan"])
def test_rows_far_away_are_found(tmp_path: Path, name: str) -> None:
    values = evaluate(train(spec(tmp_path, name), out=tmp_path)).values
    assert values["roc_auc"] is not None
    assert values["roc_auc"] > 0.95


@each_model
def test_labels_change_nothing_of_what_is_learned(tmp_path: Path, name: str) -> None:
    runs = []
    bare: dict[str, Any] = {"data__target": None, "data__drop": ["group", "odd"]}
    changes: dict[str, Any]
    for folder, changes in (("a", {}), ("b", bare)):
        (tmp_path / folder).mkdir()
        runs.append(train(spec(tmp_path / folder, name, **changes), out=tmp_path / folder))
    assert (runs[0] / "weights.safetensors").read_bytes() == (runs[1] / "weights.safetensors").read_bytes()
    assert "roc_auc" not in json.loads((runs[1] / "metrics.json").read_text())["test"]


@each_model
def test_fresh_rows_are_judged_alike_in_chunks_of_any_size(tmp_path: Path, name: str) -> None:
    run = train(spec(tmp_path, name), out=tmp_path)
    (tmp_path / "fresh.csv").write_text((tmp_path / "rows.csv").read_text() + "1e6,-1e6,ash,yes\n")
    whole = table(run, tmp_path / "fresh.csv")
    assert whole == table(run, tmp_path / "fresh.csv", chunk_rows=13)
    assert whole[-1]["outlier"] == "yes"
    assert evaluate(run, tmp_path / "fresh.csv").values["roc_auc"] is not None


def test_another_label_may_be_that_of_outliers(tmp_path: Path) -> None:
    usual = train(spec(tmp_path, "k_means"), out=tmp_path)
    turned = train(spec(tmp_path, "k_means", label="no"), out=tmp_path)
    first, second = (json.loads((run / "metrics.json").read_text())["test"] for run in (usual, turned))
    assert first["roc_auc"] == pytest.approx(1 - second["roc_auc"])


def test_one_of_three_labels(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"data__target": "group", "data__drop": ["odd"]}
    run = train(spec(tmp_path, "gaussian_mixture", label="birch", **changes), out=tmp_path)
    assert 0 < json.loads((run / "metrics.json").read_text())["test"]["roc_auc"] < 1


@pytest.mark.parametrize(
    ("rate", "label", "changes", "message"),
    [
        (0.001, None, {}, "0.001 of 280 training rows is less than one row: expected 0.00357 or more"),
        (RATE, "maybe", {}, "no row has the label 'maybe'. There are: no, yes"),
        (RATE, "yse", {}, "no row has the label 'yse'; did you mean 'yes'? There are: no, yes"),
        (
            RATE,
            None,
            {"data__target": "group", "data__drop": ["odd"]},
            "is missing: 3 labels (ash, birch, cedar); say which is that of outliers",
        ),
        (
            RATE,
            "yes",
            {"data__target": None, "data__drop": ["group", "odd"]},
            "there are no labels: name their column by data.target",
        ),
    ],
)
def test_mistakes(tmp_path: Path, rate: float, label: str | None, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        check(spec(tmp_path, "k_means", rate, label, **changes))
    assert any(message in problem.message for problem in caught.value.problems), caught.value


@pytest.mark.parametrize("rate", [0, -0.1, 0.7, "often"])
def test_a_rate_out_of_bounds(tmp_path: Path, rate: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["check", str(spec(tmp_path, "k_means", rate))]) == 3
    assert "training.procedure.outliers.rate" in capsys.readouterr().err


def test_a_gate_on_what_is_found(tmp_path: Path) -> None:
    run = train(spec(tmp_path, "k_means"), out=tmp_path)
    assert evaluate(run, fail_under=["roc_auc=0.9", "inertia=1e9"]).failed == []
    assert len(evaluate(run, fail_under=["roc_auc=1.1"]).failed) == 1


def test_a_run_without_its_threshold_is_refused(tmp_path: Path) -> None:
    run = train(spec(tmp_path, "k_means"), out=tmp_path)
    arrays, _ = read_tensors(run / "weights.safetensors")
    del arrays["threshold"]
    write_tensors(run / "weights.safetensors", arrays, {})
    folder = RunFolder.open(run)
    folder.seal(folder.manifest, "finished")
    with pytest.raises(RunError, match="has no threshold of outliers; copy the run folder again"):
        table(run)


def test_folds(tmp_path: Path) -> None:
    run = train(spec(tmp_path, "k_means", data__split={"folds": 3}), out=tmp_path)
    assert json.loads((run / "metrics.json").read_text())["mean"]["test"]["roc_auc"] > 0.9
