"""``nnkit evaluate RUN --classifier RUN``: what a classifier says of drawn rows, against sums done by numpy."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.cli import run
from nnkit.commands.train import train
from nnkit.inference import Predictor
from nnkit.runs.folder import RunFolder
from tests.commands.drawn import dense, drawing_spec, gan_model


def classifier(layers: list[Any], head: str = "softmax") -> dict[str, Any]:
    units = 2 if head == "softmax" else 1
    return {"type": "network", "layers": [*layers, dense(units, activation=head)]}


SUPERVISED = {"type": "supervised", "loss": "categorical_cross_entropy", "optimizer": {"type": "adam", "lr": 0.05}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return runs of a gan and of classifiers; the second scales the same columns in another way."""
    folder = tmp_path_factory.mktemp("quality")

    def made(name: str, model: dict[str, Any], procedure: Any, **changes: Any) -> Path:
        (folder / name).mkdir()
        return train(drawing_spec(folder / name, model, procedure, **changes), out=folder / name / "runs")

    hidden = [dense(5, activation="tanh")]
    binary = {**SUPERVISED, "loss": "binary_cross_entropy"}
    return {
        "gan": made("gan", gan_model(), "adversarial", training__epochs=30),
        "judge": made("judge", classifier(hidden), SUPERVISED, training__epochs=30),
        "scaled": made("scaled", classifier([]), SUPERVISED, data__transforms=["min_max_scale"], data__split={}),
        "binary": made("binary", classifier(hidden, "sigmoid"), binary, training__epochs=30),
        "narrow": made("narrow", classifier(hidden), SUPERVISED, data__drop=["y"]),
    }


def report(runs: dict[str, Path], judge: str, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert run(["evaluate", str(runs["gan"]), "--classifier", str(runs[judge]), "--json", *more]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def drawn_units(runs: dict[str, Path], count: int) -> Any:
    """Return samples in the data's own units, by the states of standard_scale."""
    [rows] = Predictor(RunFolder.open(runs["gan"])).sampler().sample(count, 0, None, None).values()
    states = json.loads((runs["gan"] / "pipeline.json").read_text())["transforms"][0]["states"]
    return np.stack([rows[:, k] * states[name]["scale"] + states[name]["shift"] for k, name in enumerate("xy")], 1)


def scaled(units: Any, run_path: Path) -> Any:
    states = json.loads((run_path / "pipeline.json").read_text())["transforms"][0]["states"]
    return np.stack([(units[:, k] - states[name]["shift"]) / states[name]["scale"] for k, name in enumerate("xy")], 1)


def weights(run_path: Path) -> dict[str, Any]:
    from nnkit.tensors import read_tensors

    return dict(read_tensors(run_path / "weights.safetensors")[0])


def softmax(values: Any) -> Any:
    powers = np.exp(values - values.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def expected(hidden: Any, own: dict[str, Any], last: str) -> dict[str, float]:
    chances = softmax(hidden @ own[f"{last}.kernel"] + own[f"{last}.bias"])
    shares = np.bincount(chances.argmax(1), minlength=2) / len(chances)
    entropy = -sum(share * math.log(share) for share in shares if share)
    return {"confidence": chances.max(1).mean(), "label_entropy": entropy, "least_share": shares.min()}


def distance(a: Any, b: Any) -> float:
    from scipy.linalg import sqrtm

    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.asarray(sqrtm(cov_a @ cov_b)).real
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a + cov_b - 2 * root))


def real_units(runs: dict[str, Path]) -> Any:
    lines = (runs["gan"].parents[2] / "points.csv").read_text().splitlines()[1:]
    return np.array([[float(cell) for cell in line.split(",")[:2]] for line in lines])


def test_values_are_those_of_numpy(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    own = weights(runs["judge"])

    def hidden(units: Any) -> Any:
        return np.tanh(scaled(units, runs["judge"]) @ own["dense_1.kernel"] + own["dense_1.bias"])

    samples, real = hidden(drawn_units(runs, 200)), hidden(real_units(runs))
    found = report(runs, "judge", capsys, "-n", "200")
    values = expected(samples, own, "dense_2")
    assert found["samples"]["count"] == 200
    for name, value in values.items():
        assert found["samples"][name] == pytest.approx(value, rel=1e-4)
    assert found["samples"]["frechet_distance"] == pytest.approx(distance(samples, real), rel=1e-3)
    assert found["real"]["count"] == 120
    assert found["real"]["confidence"] == pytest.approx(expected(real, own, "dense_2")["confidence"], rel=1e-4)
    assert sum(found["samples"]["shares"].values()) == pytest.approx(1)


def test_a_classifier_of_one_layer_that_scales_otherwise_judges_too(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    own, path = weights(runs["scaled"]), runs["scaled"]
    samples, real = scaled(drawn_units(runs, 100), path), scaled(real_units(runs), path)
    found = report(runs, "scaled", capsys, "-n", "100")["samples"]
    assert found["confidence"] == pytest.approx(expected(samples, own, "dense_1")["confidence"], rel=1e-4)
    assert found["frechet_distance"] == pytest.approx(distance(samples, real), rel=1e-3)


def test_a_classifier_of_two_classes_judges_too(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = report(runs, "binary", capsys)["samples"]
    assert list(found["shares"]) == ["left", "right"]
    assert 0.5 <= found["confidence"] <= 1


def test_the_table_has_samples_beside_real_rows(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(runs["gan"]), "--classifier", str(runs["judge"]), "-n", "50"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["metric", "50", "samples", "120", "real", "rows"]
    assert [line[0] for line in lines[1:5]] == ["confidence", "label_entropy", "least_share", "frechet_distance"]
    assert [line[0] for line in lines if line and line[0] in ("left", "right")] == ["left", "right"]


def test_other_real_rows_are_compared(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "far.csv").write_text("x,y\n" + "".join(f"{50 + k % 3},{k % 5}\n" for k in range(40)))
    far = report(runs, "scaled", capsys, str(tmp_path / "far.csv"))
    assert far["real"]["count"] == 40
    assert far["samples"]["frechet_distance"] > 50 * report(runs, "scaled", capsys)["samples"]["frechet_distance"]


def test_few_rows_for_the_features_are_told(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    notes = report(runs, "judge", capsys, "-n", "4")["notes"]
    assert "4 rows are few for the 5 features of the classifier" in notes[0]


def test_gates_hold_or_end_with_their_code(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(runs["gan"]), "--classifier", str(runs["judge"]), "--fail-under"]
    assert run([*arguments, "confidence=0.5"]) == 0
    assert run([*arguments, "frechet_distance=0"]) == 8
    assert "frechet_distance is" in capsys.readouterr().err
    assert run([*arguments, "accuracy=0.5"]) == 2
    assert "Those of this run: confidence, label_entropy, least_share, frechet_distance" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("judged", "judge", "words"),
    [
        ("gan", "gan", "expected a run that learned classes of rows, found one that is unlabelled"),
        ("judge", "judge", "nothing that supervised trains draws rows"),
    ],
)
def test_runs_that_do_not_fit_are_refused(
    runs: dict[str, Path], judged: str, judge: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", str(runs[judged]), "--classifier", str(runs[judge])]) == 2
    assert words in capsys.readouterr().err


def test_columns_that_the_model_does_not_make_are_refused(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = drawing_spec(tmp_path, gan_model(), "adversarial", data__drop=["y"], training__epochs=1)
    text = spec.read_text().replace("units: 2", "units: 1")
    spec.write_text(text)
    narrow = train(spec, out=tmp_path / "runs")
    assert run(["evaluate", str(narrow), "--classifier", str(runs["judge"])]) == 2
    assert "it reads the columns y, and the model makes x" in capsys.readouterr().err
    assert run(["evaluate", str(runs["gan"]), "--classifier", str(runs["narrow"]), "-n", "20"]) == 0


def test_options_of_the_classifier_alone_are_refused_without_one(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", str(runs["gan"]), "-n", "5"]) == 2
    assert "there is no --classifier; leave out -n" in capsys.readouterr().err
    assert run(["evaluate", str(runs["gan"]), "--classifier", str(runs["judge"]), "-n", "1"]) == 2
    assert "-n 1: expected 2 or more" in capsys.readouterr().err


def test_real_rows_that_are_gone_are_told(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = drawing_spec(tmp_path, gan_model(), "adversarial", training__epochs=1)
    folder = train(spec, out=tmp_path / "runs")
    (tmp_path / "points.csv").unlink()
    assert run(["evaluate", str(folder), "--classifier", str(runs["judge"]), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["samples"]["frechet_distance"] is None
    assert "frechet_distance needs real rows" in found["notes"][0]
    assert "real" not in found
