"""Diffusion models from the command line: what they hold, draw, say and refuse."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.cli import run
from nnkit.commands.train import train
from tests.commands.drawn import CENTRES, dense, diffusion_model, drawing_spec
from tests.commands.test_interrupt import kill_and_resume


def spec_of(folder: Path, conditional: bool = False, **changes: Any) -> Path:
    return drawing_spec(folder, diffusion_model(conditional), {"type": "denoising", "sample_steps": 20}, **changes)


def drawn(text: str) -> Any:
    return np.array([[float(row["x"]), float(row["y"])] for row in csv.DictReader(io.StringIO(text))])


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a conditional run that has learned the two groups of points."""
    folder = tmp_path_factory.mktemp("learned")
    procedure = {"type": "denoising", "sample_steps": 20, "optimizer": {"type": "adam", "lr": 5e-3}, "ema": 0.99}
    return train(spec_of(folder, True, training__epochs=150, training__procedure=procedure), out=folder / "runs")


@pytest.mark.parametrize("steps", ["10", "40"])
def test_samples_lie_where_the_points_of_their_label_do(
    learned: Path, steps: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for side, centre in CENTRES.items():
        assert run(["generate", str(learned), "-n", "300", "--label", side, "--steps", steps]) == 0
        rows = drawn(capsys.readouterr().out)
        np.testing.assert_allclose(rows.mean(0), centre, atol=0.2)
        assert (rows.std(0) < 0.3).all()


def test_errors_of_rows_that_are_far_away_are_larger(learned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions = list(csv.DictReader(io.StringIO((learned / "predictions.csv").read_text())))
    assert list(predictions[0]) == ["row", "label", "error"]
    mean = np.mean([float(row["error"]) for row in predictions])
    metrics = json.loads((learned / "metrics.json").read_text())
    assert metrics["test"] == {"error": pytest.approx(mean, rel=1e-6)}
    (learned.parents[2] / "far.csv").write_text("x,y\n9,9\n")
    assert run(["predict", str(learned), str(learned.parents[2] / "far.csv")]) == 0
    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert float(row["error"]) > 5 * mean


def test_a_trace_is_of_a_row_alone(learned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trace", str(learned)]) == 2
    assert "reads time and label beside a row of data" in capsys.readouterr().err


def test_too_many_steps_are_refused(learned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", str(learned), "--steps", "41"]) == 2
    assert "--steps 41: expected 1 to 40, the steps of the model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model__layers": [dense(2)]}, "model.layers: nothing reads input.time; name it in a layer's inputs"),
        (
            {"model__layers": [{"type": "concatenate", "inputs": ["input", "input.time"]}, dense(5)]},
            "the last layer, dense_1, gives 5; a row of the data is 2",
        ),
        (
            {
                "model__layers": [
                    {"type": "concatenate", "inputs": ["input", "input.time"]},
                    dense(2, activation="sigmoid"),
                ]
            },
            "the last layer, dense_1, ends in sigmoid, and noise is any number; leave it out",
        ),
        ({"model__conditional": True}, "nothing reads input.label; name it in a layer's inputs, or leave"),
        ({"model__data_range": [1, 0]}, "expected the smaller of two different values first, found [1.0, 0.0]"),
        ({"model__steps": 10}, "the model has 10 steps, and samples take 20 of them; set fewer"),
        ({"training__procedure": "adversarial"}, "adversarial trains gan; model.type is diffusion"),
        ({"training__compile": True}, "training.compile: denoising has no compiled form"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], words: str
) -> None:
    assert run(["check", str(spec_of(tmp_path, **changes))]) == 3
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model__data_range": [-1, 1]}, "model.data_range is -1 to 1, and the data lies from -"),
        ({"data__transforms": [], "data__source__path": "large.csv"}, "scale the data by standard_scale, or set model"),
    ],
)
def test_data_of_another_size_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], words: str
) -> None:
    rows = [f"{100 * number},{-number},left" for number in range(60)]
    (tmp_path / "large.csv").write_text("\n".join(["x,y,side", *rows]) + "\n")
    assert run(["check", str(spec_of(tmp_path, **changes))]) == 0
    said = capsys.readouterr()
    assert words in said.out + said.err


def test_killed_runs_end_byte_equal_when_resumed(tmp_path: Path) -> None:
    callbacks = [{"type": "checkpoint", "every_seconds": 0.02}]
    spec = spec_of(tmp_path, training__epochs=150, training__callbacks=callbacks)
    kill_and_resume(tmp_path, spec, kills=2, seed=5)
