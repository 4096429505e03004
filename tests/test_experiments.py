"""Every shipped experiment: fits the schema that it names, passes ``check``, and trains to a whole run folder."""

import csv
import json
import math
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from nnkit.cli import run
from nnkit.config.document import load_document
from nnkit.spec import load, ready

FOLDER = Path(__file__).resolve().parent.parent / "experiments"
EXPERIMENTS = sorted(FOLDER.glob("*.yaml"))
ALWAYS = {
    *("spec.yaml", "resolved.yaml", "manifest.json", "pipeline.json", "weights.safetensors", "history.jsonl"),
    *("metrics.json", "history.png", "gradients.png", "predictions.csv", "checkpoints", "README.md"),
}
NO_CONFUSION = {"multi_label", "diabetes_regression"}
BY_HAND = {
    "forward_two_layers": [364],
    "forward_relu": [-3],
    "forward_tanh": [2 * math.tanh(3) - math.tanh(9)],  # 0.9901095
    "forward_relu_output": [0, 12],
}

each_experiment = pytest.mark.parametrize("spec", EXPERIMENTS, ids=lambda path: path.stem)


def train(spec: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Train for two epochs and return the run's folder."""
    assert run(["train", str(spec), "--set", "training.epochs=2", "--out", str(out)]) == 0, capsys.readouterr().err
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
def test_checks(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(spec)]) == 0, capsys.readouterr().err


@each_experiment
def test_trains_to_a_whole_run_folder(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = train(spec, tmp_path, capsys)
    confusion = {"confusion_matrix.csv", "confusion_matrix.png"}
    classifies = spec.stem not in NO_CONFUSION | set(BY_HAND)
    assert ALWAYS | (confusion if classifies else set()) <= {path.name for path in folder.iterdir()}
    assert len((folder / "history.jsonl").read_text().splitlines()) == 2
    metrics = json.loads((folder / "metrics.json").read_text())
    assert ("test" in metrics) == (spec.stem not in BY_HAND)
    expected = [metric.key for metric in load(spec).experiment.training.metrics]
    assert all(list(values) == expected for values in metrics.values())


@pytest.mark.parametrize(("name", "numbers"), BY_HAND.items())
def test_forward_propagation_gives_the_numbers_done_by_hand(
    name: str, numbers: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(FOLDER / f"{name}.yaml", tmp_path, capsys)
    assert run(["predict", str(folder)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [float(row["prediction"]) for row in rows] == pytest.approx(numbers, rel=1e-7)


def finished(name: str, out: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[float, str, str]:
    """Train as the spec says; return the accuracy on the test rows, what was said, and the model card."""
    code = run(["train", str(FOLDER / f"{name}.yaml"), "--out", str(out), *more])
    output, said = capsys.readouterr()
    assert code == 0, said
    folder = Path(output.strip())
    metrics = json.loads((folder / "metrics.json").read_text())
    return metrics.get("test", {}).get("accuracy", math.nan), said, (folder / "README.md").read_text()


def test_the_vanishing_gradient_is_seen_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy, said, card = finished("vanishing_gradient", tmp_path, capsys)
    assert accuracy < 0.2
    [line] = [line for line in said.splitlines() if "gradient" in line]
    assert line.startswith(
        "after epoch 3: gradients vanish: those of hidden/1/dense_1 to hidden/20/dense_1 (20 layers)"
    )
    assert "## Warnings\n\nGradients vanish: those of hidden/1/dense_1 to" in card


def test_the_vanishing_gradient_is_not_spoken_of_quietly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, said, card = finished("vanishing_gradient", tmp_path, capsys, "--quiet")
    assert said == ""
    assert "Gradients vanish" in card


def test_a_net_as_deep_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy, said, card = finished("vanishing_gradient_solved", tmp_path, capsys)
    assert accuracy > 0.9
    assert "radients" not in said + card


def weighted_layers(name: str) -> int:
    layers = ready(load(FOLDER / f"{name}.yaml")).plan.rows()
    return sum(row.type == "dense" for row in layers)


def test_both_are_of_thirty_layers_and_the_deepest_of_a_thousand() -> None:
    assert weighted_layers("vanishing_gradient") == weighted_layers("vanishing_gradient_solved") == 30
    assert weighted_layers("deep_1000") == 1000


def test_a_thousand_layers_learn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy, said, card = finished("deep_1000", tmp_path, capsys, "--set", "training.epochs=3")
    assert accuracy > 0.75
    assert "radients" not in said + card


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_a_thousand_layers_learn_well(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: str) -> None:
    accuracy, said, card = finished("deep_1000", tmp_path, capsys, "--seed", seed)
    assert accuracy >= 0.95
    assert "radients" not in said + card


HEALTHY = ["bank_churn", "bank_churn_tuned", "diabetes_regression", "digits_mlp", "iris", "multi_label"]


@pytest.mark.parametrize("name", [*HEALTHY, "residual_network", "wide_and_deep"])
def test_nets_that_learn_are_not_warned_of(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, said, card = finished(name, tmp_path, capsys)
    assert "radients" not in said + card
