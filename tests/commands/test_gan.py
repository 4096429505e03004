"""Adversarial nets from the command line: what they hold, draw, say and refuse."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.cli import run
from nnkit.commands.train import train
from tests.commands.drawn import CENTRES, dense, drawing_spec, gan_model, points
from tests.commands.test_interrupt import kill_and_resume

LOSSES = ["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"]
FAST = {"type": "adam", "lr": 0.01, "betas": [0.5, 0.9]}


def game(folder: Path, conditional: bool = False, **changes: Any) -> Path:
    return drawing_spec(folder, gan_model(conditional), "adversarial", **changes)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a conditional run that has learned the two groups of points."""
    folder = tmp_path_factory.mktemp("learned")
    procedure = {"type": "adversarial", "generator_optimizer": FAST, "discriminator_optimizer": FAST, "ema": 0.98}
    spec = game(folder, True, training__epochs=120, training__procedure=procedure)
    return train(spec, out=folder / "runs")


def test_samples_lie_where_the_points_of_their_label_do(learned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side, centre in CENTRES.items():
        assert run(["generate", str(learned), "-n", "300", "--label", side]) == 0
        drawn = np.array([[float(row["x"]), float(row["y"])] for row in rows_of(capsys.readouterr().out)])
        np.testing.assert_allclose(drawn.mean(0), centre, atol=0.3)
        assert (drawn.std(0) < 0.4).all()


def test_samples_of_a_seed_are_the_same_and_of_others_not(learned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for seed in ("1", "1", "2"):
        assert run(["generate", str(learned), "-n", "6", "--seed", seed]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]


def test_a_label_that_is_not_there_and_steps_are_refused(
    learned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", str(learned), "--label", "top"]) == 2
    assert "--label top: there is no such label; those of the model: left, right" in capsys.readouterr().err
    assert run(["generate", str(learned), "--steps", "5"]) == 2
    assert "--steps 5: a gan makes rows at once; leave --steps out" in capsys.readouterr().err
    plain = train(game(tmp_path, training__epochs=1), out=tmp_path / "runs")
    assert run(["generate", str(plain), "--label", "left"]) == 2
    assert "learned rows without their labels; leave --label out" in capsys.readouterr().err


def test_predictions_are_the_chances_that_rows_are_real(learned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions = rows_of((learned / "predictions.csv").read_text())
    assert list(predictions[0]) == ["row", "label", "score"]
    assert all(0 < float(row["score"]) < 1 for row in predictions)
    mean = np.mean([float(row["score"]) for row in predictions])
    metrics = json.loads((learned / "metrics.json").read_text())
    assert metrics["test"] == {"score": pytest.approx(mean, rel=1e-6)}
    far = learned.parents[2] / "far.csv"
    far.write_text("x,y\n9,9\n")
    assert run(["predict", str(learned), str(far)]) == 0
    [row] = rows_of(capsys.readouterr().out)
    assert float(row["score"]) < 0.2


@pytest.mark.parametrize("loss", LOSSES)
def test_history_has_both_losses_and_error_rates(loss: str, tmp_path: Path) -> None:
    procedure = {"type": "adversarial", "loss": loss}
    folder = train(game(tmp_path, training__procedure=procedure), out=tmp_path / "runs")
    last = history(folder)[-1]
    names = {"discriminator_loss", "generator_loss", "real_error", "generated_error", "sample_spread"}
    assert {f"train_{name}" for name in names} <= last.keys()
    assert ("train_gradient_penalty" in last) == (loss == "wasserstein")
    assert 0 <= last["train_real_error"] <= 1
    assert 0 <= last["validation_real_error"] <= 1
    assert {"lr", "discriminator_lr"} <= last.keys()
    assert not (folder / "checkpoints" / "best.safetensors").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"model__generator": [dense(3)]},
            "model.generator[0]: the generator's last layer, dense_1, gives 3; a row of the data is 2",
        ),
        (
            {"model__discriminator": [dense(2)]},
            "model.discriminator[0]: the discriminator's last layer, dense_1, gives 2; it must give one number",
        ),
        (
            {"model__generator": [dense(3, inputs=["nowhere"])], "model__discriminator": [dense(2, inputs=["there"])]},
            "model.discriminator[0].inputs[0]: there is no layer 'there'",
        ),
        (
            {"model__conditional": True},
            "model.generator: nothing reads input.label; name it in a layer's inputs, or leave model.conditional out",
        ),
        (
            {"model__conditional": True, "data__target": None, "data__drop": ["side"]},
            "model.conditional: gan learns rows by their label; name its column in data.target",
        ),
        (
            {"model__discriminator": [dense(1, activation="tanh")]},
            "ends in tanh, and non_saturating bounds no score: end in sigmoid or leave it out",
        ),
        (
            {
                "model__discriminator": [dense(1, activation="sigmoid")],
                "training__procedure": {"type": "adversarial", "loss": "hinge"},
            },
            "ends in sigmoid, and hinge bounds no score: leave it out",
        ),
        (
            {"training__procedure": {"type": "adversarial", "loss": "wasserstein", "label_smoothing": 0.1}},
            "training.procedure.label_smoothing: wasserstein has no target to smooth",
        ),
        ({"training__procedure": "reconstruction"}, "reconstruction trains autoencoder; model.type is gan"),
        ({"training__accumulate": 2}, "training.accumulate: adversarial changes weights after each batch"),
        ({"training__compile": True}, "training.compile: adversarial has no compiled form"),
        ({"training__precision": "bfloat16"}, "training.precision: adversarial trains in float32 or float64"),
        ({"data__inputs": {"a": ["x"], "b": ["y"]}}, "data.inputs: gan takes one input, found a, b"),
        (
            {"training__callbacks": [{"type": "early_stopping", "monitor": "train_loss"}]},
            "It has: train_discriminator_loss, train_generator_loss",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], words: str
) -> None:
    assert run(["check", str(game(tmp_path, **changes))]) == 3
    assert words in capsys.readouterr().err


def test_weighted_rows_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "weighed.csv").write_text("x,y,w\n" + "".join(f"{k},{k},1\n" for k in range(40)))
    source = {"type": "csv", "path": str(tmp_path / "weighed.csv")}
    spec = game(tmp_path, data__source=source, data__target=None, data__weight="w")
    assert run(["check", str(spec)]) == 3
    assert "data.weight: adversarial takes all rows alike; leave it out" in capsys.readouterr().err


def test_a_row_without_label_is_refused_where_it_is_learned_by_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = game(tmp_path, True)
    points(tmp_path / "points.csv", gap=True)
    assert run(["train", str(spec), "--out", str(tmp_path / "runs")]) == 4
    assert "row 7 has no label, and a conditional model learns rows by it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("activation", "transform", "words"),
    [
        ("tanh", "min_max_scale", "gives values from -1 to 1, and the data lies from 0 to 1: half of what it gives"),
        ("sigmoid", "standard_scale", "gives values from 0 to 1, and the data lies from -"),
        ("relu", "standard_scale", "gives values of 0 and more, and the data lies from -"),
    ],
)
def test_a_generator_of_another_range_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], activation: str, transform: str, words: str
) -> None:
    generator = [dense(2, activation=activation)]
    spec = game(tmp_path, model__generator=generator, data__transforms=[transform], data__split={})
    assert run(["check", str(spec)]) == 0
    said = capsys.readouterr()
    assert words in said.out + said.err


def test_a_generator_that_fits_is_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = [dense(2, activation="sigmoid")]
    assert run(["check", str(game(tmp_path, model__generator=generator, data__transforms=["min_max_scale"]))]) == 0
    said = capsys.readouterr()
    assert "the generator ends in" not in said.out + said.err


def test_a_collapse_is_told_while_it_goes_on_and_on_the_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = [dense(2, trainable=False, weights={"kernel": [[0.0, 0.0]] * 4}), dense(2)]
    assert run(["train", str(game(tmp_path, model__generator=nothing)), "--out", str(tmp_path / "runs")]) == 0
    output = capsys.readouterr()
    assert "after epoch 5: the generator has collapsed: its samples are nearly all alike" in output.err
    assert "The generator has collapsed" in (Path(output.out.strip()) / "README.md").read_text()


def test_a_trace_is_of_one_network(learned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trace", str(learned)]) == 2
    assert "has several networks (generator, discriminator), and a row is traced" in capsys.readouterr().err


def test_a_sigmoid_at_the_end_changes_nothing(tmp_path: Path) -> None:
    runs = []
    for activation in ("linear", "sigmoid"):
        judge = [dense(8, activation="tanh"), dense(1, activation=activation)]
        runs.append(train(game(tmp_path, model__discriminator=judge), out=tmp_path / activation))
    first, second = ((folder / "weights.safetensors").read_bytes() for folder in runs)
    assert first == second
    assert (runs[0] / "predictions.csv").read_bytes() == (runs[1] / "predictions.csv").read_bytes()


def test_pictures_are_drawn_while_training_goes_on(tmp_path: Path) -> None:
    spec = Path(__file__).parents[2] / "experiments" / "digits_gan.yaml"
    folder = train(spec, overrides=["training.epochs=4", "training.procedure.sample_every=2"], out=tmp_path)
    names = sorted(path.name for path in (folder / "samples").iterdir())
    assert names == ["epoch_0002.png", "epoch_0004.png"]
    assert (folder / "samples.png").read_bytes() != (folder / "samples" / "epoch_0002.png").read_bytes()
    assert "samples/epoch_0002.png" in json.loads((folder / "manifest.json").read_text())["files"]


def test_killed_runs_end_byte_equal_when_resumed(tmp_path: Path) -> None:
    procedure = {"type": "adversarial", "loss": "wasserstein", "discriminator_steps": 2}
    callbacks = [{"type": "checkpoint", "every_seconds": 0.02}]
    spec = game(tmp_path, True, training__epochs=150, training__procedure=procedure, training__callbacks=callbacks)
    kill_and_resume(tmp_path, spec, kills=2, seed=5)
