"""Runs of unlabelled data: what they hold, say and refuse, with an autoencoder as the example."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.cli import run
from nnkit.commands.train import train
from nnkit.config.document import dump_yaml
from tests.commands.changes import change
from tests.commands.test_interrupt import kill_and_resume

COLUMNS = ["a", "b", "c"]


def table(path: Path, labels: bool = True) -> Path:
    """Write 80 rows that lie near a plane, labelled by their side of another one, of which some have no label."""
    draw = np.random.default_rng(2)
    a, b = draw.normal(size=(2, 80))
    c = a - b + 0.1 * draw.normal(size=80)
    sides = np.where(a > 0, "right", "left").astype(object)
    sides[::9] = ""
    rows = [COLUMNS + ["side"] * labels]
    numbers = zip(a, b, c, strict=True)
    rows += [[f"{value:.4f}" for value in each] + [sides[i]] * labels for i, each in enumerate(numbers)]
    path.write_text("\n".join(map(",".join, rows)) + "\n")
    return path


def spec(folder: Path, **changes: Any) -> Path:
    """Write a spec; ``a__b=c`` changes a.b."""
    value: dict[str, Any] = {
        "name": "small",
        "seed": 4,
        "data": {
            "source": {"type": "csv", "path": str(table(folder / "plane.csv"))},
            "target": "side",
            "split": {"test": 0.25, "validation": 0.15},
        },
        "model": {
            "type": "autoencoder",
            "encoder": [
                {"type": "dense", "units": 8, "activation": "tanh"},
                {"type": "dropout", "rate": 0.1},
                dense(2),
            ],
            "decoder": [dense(3)],
        },
        "training": {"procedure": "reconstruction", "epochs": 5, "batch_size": 8},
    }
    change(value, changes)
    (folder / "spec.yaml").write_text(dump_yaml(value))
    return folder / "spec.yaml"


def dense(units: int) -> dict[str, Any]:
    return {"type": "dense", "units": units}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plane")
    return train(spec(folder), out=folder / "runs")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_predictions_have_the_labels_and_errors_of_the_test_rows(plane: Path) -> None:
    given = rows_of((plane.parents[2] / "plane.csv").read_text())
    predictions = rows_of((plane / "predictions.csv").read_text())
    assert list(predictions[0]) == ["row", "label", "error", *(f"reconstruction_{name}" for name in COLUMNS)]
    assert len(predictions) == 20
    for row in predictions:
        known = given[int(row["row"])]
        assert row["label"] == known["side"]
        wrong = [float(row[f"reconstruction_{name}"]) - float(known[name]) for name in COLUMNS]
        assert float(row["error"]) == pytest.approx(np.mean(np.square(wrong)), rel=1e-4)
    assert "" in {row["label"] for row in predictions}
    metrics = json.loads((plane / "metrics.json").read_text())
    assert list(metrics) == ["train", "validation", "test"]
    assert metrics["test"] == {"error": pytest.approx(np.mean([float(row["error"]) for row in predictions]), rel=1e-6)}


def test_history_has_the_objective(plane: Path) -> None:
    lines = [json.loads(line) for line in (plane / "history.jsonl").read_text().splitlines()]
    assert len(lines) == 5
    assert lines[-1]["train_loss"] < lines[0]["train_loss"]
    metrics = json.loads((plane / "metrics.json").read_text())
    assert lines[-1]["validation_loss"] == pytest.approx(metrics["validation"]["error"], rel=1e-5)
    assert set(lines[0]["gradient_norms"]) == {"encoder/dense_1", "encoder/dense_2", "decoder/dense_1"}


def test_commands_take_rows_without_labels(plane: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "fresh.csv", labels=False)
    assert run(["predict", str(plane), str(path)]) == 0
    printed = rows_of(capsys.readouterr().out)
    assert len(printed) == 80
    assert run(["predict", str(plane), str(path), "--format", "jsonl"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert {name: float(value) for name, value in printed[0].items()} == first
    assert run(["evaluate", str(plane), str(path), "--json", "--fail-under", "error=100"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["test"]["error"] == pytest.approx(np.mean([float(row["error"]) for row in printed]), rel=1e-6)
    assert run(["evaluate", str(plane), "--fail-under", "error=1e-9"]) == 8
    assert "expected at most 1e-09" in capsys.readouterr().err
    assert run(["evaluate", str(plane), "--fail-under", "accuracy=0.5"]) == 2
    assert "Those of this run: error" in capsys.readouterr().err


def test_a_label_that_training_never_saw_is_refused(
    plane: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text("a,b,c,side\n1,2,3,top\n")
    assert run(["evaluate", str(plane), str(tmp_path / "new.csv")]) == 4
    assert "the target side is 'top'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data__target": ["side", "a"]}, "takes one column of labels at most, found 2"),
        ({"training__metrics": ["accuracy"]}, "metrics compare with targets, and reconstruction reports error"),
        ({"model__decoder": [dense(4)]}, "model.decoder[0]: the last layer, dense_1, gives 4; a row of the data is 3"),
        ({"training__procedure": {"type": "supervised", "loss": "mean_squared_error"}}, "supervised trains network"),
        ({"data__inputs": {"x": ["a"], "y": ["b", "c"]}}, "autoencoder takes one input, found x, y"),
        ({"data__target": None, "data__drop": ["side"], "data__split": {"stratify": True}}, "found none"),
        ({"training__callbacks": [{"type": "early_stopping", "monitor": "validation_f1"}]}, "It has: train_loss"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], words: str
) -> None:
    assert run(["check", str(spec(tmp_path, **changes))]) == 3
    assert words in capsys.readouterr().err


def test_supervised_says_that_it_needs_a_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    supervised = {"type": "supervised", "loss": "mean_squared_error"}
    layers = {"type": "network", "layers": [dense(1)]}
    path = spec(tmp_path, data__target=None, data__drop=["side"], model=layers, training__procedure=supervised)
    assert run(["check", str(path)]) == 3
    assert "data.target: is missing: name the column to predict" in capsys.readouterr().err


def test_killed_runs_end_byte_equal_when_resumed(tmp_path: Path) -> None:
    path = spec(tmp_path, training__epochs=400, training__callbacks=[{"type": "checkpoint", "every_seconds": 0.02}])
    kill_and_resume(tmp_path, path, kills=2, seed=5)
