"""Every shipped experiment: fits the schema that it names, passes ``check``, and trains to a whole run folder."""

import csv
import json
import math
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from nnkit.cli import run
from nnkit.config.document import load_document
from nnkit.spec import load

FOLDER = Path(__file__).resolve().parent.parent / "experiments"
EXPERIMENTS = sorted(FOLDER.glob("*.yaml"))
ALWAYS = {
    *("spec.yaml", "resolved.yaml", "manifest.json", "pipeline.json", "weights.safetensors", "history.jsonl"),
    *("metrics.json", "history.png", "gradients.png", "predictions.csv", "checkpoints", "README.md"),
}
FORECASTS = {"airline_forecast", "electricity_forecast", "seasonal_forecast"}
NO_CONFUSION = {"multi_label", "diabetes_regression"} | FORECASTS
BY_HAND = {
    "forward_two_layers": [364],
    "forward_relu": [-3],
    "forward_tanh": [2 * math.tanh(3) - math.tanh(9)],  # 0.9901095
    "forward_relu_output": [0, 12],
}

TRACED_ONLY = {"computational_graph"}
"""Experiments without weights: there is nothing to train."""

PUBLIC = {
    "mnist_cnn": {
        "data.source.images": "mnist/train-images-idx3-ubyte.gz",
        "data.source.labels": "mnist/train-labels-idx1-ubyte.gz",
        "data.split.test.images": "mnist/t5k-even-images-idx3-ubyte.gz",
        "data.split.test.labels": "mnist/t5k-even-labels-idx1-ubyte.gz",
    },
    "fashion_cnn": {
        "data.source.images": "fashion_mnist/train10k-images-idx3-ubyte.gz",
        "data.source.labels": "fashion_mnist/train10k-labels-idx1-ubyte.gz",
        "data.split.test.images": "fashion_mnist/t2k-images-idx3-ubyte.gz",
        "data.split.test.labels": "fashion_mnist/t2k-labels-idx1-ubyte.gz",
    },
    "airline_forecast": {"data.source.path": "time_series/airline-passengers.csv"},
    "electricity_forecast": {"data.source.path": "ett/ETTh1.csv"},
    "cats_dogs": {"data.source.path": "cats_dogs/train", "data.split.test.path": "cats_dogs/test"},
}
"""Where the experiments on public data find it in the developers' folder."""
SMALL = {"mnist_cnn": ["data.split.train=500"], "fashion_cnn": ["data.split.train=500"]}
"""What makes the training of an experiment short enough for a test."""

each_experiment = pytest.mark.parametrize("spec", EXPERIMENTS, ids=lambda path: path.stem)


def settings(spec: Path, request: pytest.FixtureRequest) -> list[str]:
    """Return the options that show an experiment its data; skips where that is not there."""
    if spec.stem not in PUBLIC:
        return []
    folder: Path = request.getfixturevalue("shared_data")
    return [part for key, path in PUBLIC[spec.stem].items() for part in ("--set", f"{key}={folder / path}")]


def train(spec: Path, out: Path, capsys: pytest.CaptureFixture[str], *options: str) -> Path:
    """Train for two epochs and return the run's folder."""
    small = [part for setting in SMALL.get(spec.stem, []) for part in ("--set", setting)]
    arguments = ["train", str(spec), "--set", "training.epochs=2", "--out", str(out), *small, *options]
    assert run(arguments) == 0, capsys.readouterr().err
    return Path(capsys.readouterr().out.strip())


def test_there_are_experiments() -> None:
    assert {"bank_churn", "bank_churn_tuned", *BY_HAND} <= {path.stem for path in EXPERIMENTS}


@each_experiment
def test_fits_the_schema_that_its_first_line_names(spec: Path) -> None:
    marker, _, schema = spec.read_text().partition("\n")[0].partition("$schema=")
    assert marker == "# yaml-language-server: "
    validator = Draft202012Validator(json.loads((FOLDER / schema).read_text()))
    assert [error.message for error in validator.iter_errors(load_document(spec).tree)] == []


@each_experiment
def test_tells_what_it_teaches(spec: Path) -> None:
    lines = spec.read_text().splitlines()
    assert sum(line.lstrip().startswith("#") for line in lines) >= 3


@each_experiment
def test_checks(spec: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(spec), *settings(spec, request)]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("spec", [path for path in EXPERIMENTS if path.stem not in TRACED_ONLY], ids=lambda p: p.stem)
def test_trains_to_a_whole_run_folder(
    spec: Path, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(spec, tmp_path, capsys, *settings(spec, request))
    confusion = {"confusion_matrix.csv", "confusion_matrix.png"}
    classifies = spec.stem not in NO_CONFUSION | set(BY_HAND)
    assert ALWAYS | (confusion if classifies else set()) <= {path.name for path in folder.iterdir()}
    assert len((folder / "history.jsonl").read_text().splitlines()) == 2
    metrics = json.loads((folder / "metrics.json").read_text())
    assert ("test" in metrics) == (spec.stem not in BY_HAND)
    expected = [metric.key for metric in load(spec).experiment.training.metrics]
    assert all(list(values)[: len(expected)] == expected for values in metrics.values())
    beside = {name for values in metrics.values() for name in list(values)[len(expected) :]}
    assert ({name.partition("_")[0] for name in beside} == {"naive", "seasonal"}) == (spec.stem in FORECASTS)
    assert (folder / "forecast.png").exists() == (spec.stem in FORECASTS)


@pytest.mark.parametrize(("name", "numbers"), BY_HAND.items())
def test_forward_propagation_gives_the_numbers_done_by_hand(
    name: str, numbers: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(FOLDER / f"{name}.yaml", tmp_path, capsys)
    assert run(["predict", str(folder)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [float(row["prediction"]) for row in rows] == pytest.approx(numbers, rel=1e-7)


@pytest.mark.parametrize("name", sorted(TRACED_ONLY))
def test_what_has_no_weights_is_traced_and_says_so(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = FOLDER / f"{name}.yaml"
    assert run(["train", str(spec), "--out", str(tmp_path)]) == 3
    assert f"no layer has weights; see what it computes: nnkit trace {spec}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert run(["check", str(spec)]) == 0
    assert "0: there is nothing to train; nnkit trace shows" in capsys.readouterr().out


def test_the_computational_graph_has_the_numbers_done_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trace", str(FOLDER / "computational_graph.yaml")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    last = {line[0]: line[-2:] for line in lines[1:6]}
    assert last == {
        "input.x": ["1", "-3"],
        "input.y": ["3", "-3"],
        "input.z": ["-3", "4"],
        "p": ["4", "-3"],
        "g": ["-12", "1"],
    }
