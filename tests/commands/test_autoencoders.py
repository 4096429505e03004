"""Runs of autoencoders of every kind: what they hold, give back, encode, draw and refuse."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnkit.cli import run
from nnkit.commands.train import train
from nnkit.config.document import dump_yaml
from tests.commands.changes import change
from tests.commands.pictures import archive
from tests.commands.test_interrupt import kill_and_resume

LANDS = ["DE", "FR", "NA"]
BERNOULLI = {"type": "variational", "size": 2, "likelihood": "bernoulli"}
QUANTISED = {"type": "vector_quantised", "codes": 6}


def dense(units: int, activation: str = "linear") -> dict[str, Any]:
    return {"type": "dense", "units": units, "activation": activation}


def table(path: Path) -> Path:
    """Write 90 rows of two numbers and a category that hang together."""
    draw = np.random.default_rng(1)
    place = draw.integers(3, size=90)
    age = 20 + 20 * place + draw.normal(size=90)
    lines = [f"{age[k]:.2f},{3 * age[k] + draw.normal():.2f},{LANDS[place[k]]}" for k in range(90)]
    path.write_text("\n".join(["age,income,land", *lines]) + "\n")
    return path


def spec(folder: Path, **changes: Any) -> Path:
    """Write a spec on the table; ``a__b=c`` changes a.b."""
    value: dict[str, Any] = {
        "name": "small",
        "seed": 4,
        "data": {
            "source": {"type": "csv", "path": str(table(folder / "people.csv"))},
            "split": {"test": 0.2, "validation": 0.2},
            "transforms": [{"type": "one_hot", "columns": ["land"]}, "min_max_scale"],
        },
        "model": {"type": "autoencoder", "encoder": [dense(12, "tanh"), dense(3)]},
        "training": {
            "procedure": {"type": "reconstruction", "optimizer": {"type": "adam", "lr": 0.02}},
            "epochs": 30,
            "batch_size": 8,
        },
    }
    change(value, changes)
    (folder / "spec.yaml").write_text(dump_yaml(value))
    return folder / "spec.yaml"


def picture_spec(folder: Path, **changes: Any) -> Path:
    source = {"type": "npz", "path": str(archive_in(folder)), "arrays": ["image", "side"]}
    data = {"source": source, "target": "side", "split": {"test": 0.2}}
    layers = ["flatten", dense(12, "relu"), dense(3)]
    return spec(folder, data=data, model={"type": "autoencoder", "encoder": layers}, training__epochs=3, **changes)


def archive_in(folder: Path) -> Path:
    if not (folder / "p.npz").exists():
        archive(folder / "p.npz")
        stored = dict(np.load(folder / "p.npz"))
        np.savez(folder / "p.npz", **stored | {"image": np.rint(255 * stored["image"]).astype(np.uint8)})
    return folder / "p.npz"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def metrics(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text())


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    assert run(arguments) == code
    result = capsys.readouterr()
    return result.err if code else result.out


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    return train(spec(folder), out=folder / "runs")


@pytest.fixture(scope="module")
def variational(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("variational")
    code = {**BERNOULLI, "likelihood": {"type": "gaussian", "stddev": 0.1}, "importance": 5}
    return train(spec(folder, model__code=code), out=folder / "runs")


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantised")
    return train(spec(folder, model__code=QUANTISED), out=folder / "runs")


def test_rows_come_back_in_the_units_and_words_of_the_data(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = plain.parents[2] / "people.csv"
    given, back = rows_of(data.read_text()), rows_of(printed(["predict", str(plain), str(data)], capsys))
    assert list(back[0]) == ["error", "reconstruction_age", "reconstruction_income", "reconstruction_land"]
    right = np.mean([old["land"] == new["reconstruction_land"] for old, new in zip(given, back, strict=True)])
    assert right > 0.9
    for name, spread in (("age", 20), ("income", 60)):
        wrong = [float(old[name]) - float(new[f"reconstruction_{name}"]) for old, new in zip(given, back, strict=True)]
        assert np.sqrt(np.mean(np.square(wrong))) < spread / 4
    for size in ("1", "7"):
        assert rows_of(printed(["predict", str(plain), str(data), "--chunk-rows", size], capsys)) == back
    assert metrics(plain)["test"].keys() == {"error"}


def test_codes_of_a_plain_autoencoder(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(plain.parents[2] / "people.csv")
    codes = rows_of(printed(["encode", str(plain), data], capsys))
    assert (len(codes), list(codes[0])) == (90, ["code_0", "code_1", "code_2"])
    assert rows_of(printed(["encode", str(plain), data, "--chunk-rows", "7"], capsys)) == codes
    said = printed(["generate", str(plain)], capsys, 2)
    assert "an autoencoder with a plain code draws nothing" in said


def test_a_variational_history_has_the_bound_in_nats_and_its_parts(variational: Path) -> None:
    lines = history(variational)
    for split in ("train", "validation"):
        for line in lines:
            parts = line[f"{split}_reconstruction"] + line[f"{split}_kl"]
            assert -line[f"{split}_bound"] == pytest.approx(parts, rel=1e-5)
            assert line[f"{split}_loss"] == pytest.approx(parts, rel=1e-5)
        assert lines[-1][f"{split}_bound"] > lines[0][f"{split}_bound"] + 0.2
    found = metrics(variational)
    assert found["test"].keys() == {"error", "bound", "log_likelihood"}
    assert found["validation"]["bound"] == pytest.approx(lines[-1]["validation_bound"], abs=1)
    for values in found.values():
        assert values["bound"] < values["log_likelihood"] < values["bound"] + 5


def test_a_variational_rows_bound_is_the_same_however_rows_are_cut(
    variational: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(variational.parents[2] / "people.csv")
    whole = printed(["predict", str(variational), data], capsys)
    assert printed(["predict", str(variational), data, "--chunk-rows", "11"], capsys) == whole
    assert list(rows_of(whole)[0])[:4] == ["error", "bound", "log_likelihood", "reconstruction_age"]
    report = json.loads(printed(["evaluate", str(variational), data, "--json", "--fail-under", "bound=-100"], capsys))
    assert report["test"]["bound"] == pytest.approx(np.mean([float(row["bound"]) for row in rows_of(whole)]), rel=1e-5)
    assert "bound is" in printed(["evaluate", str(variational), "--fail-under", "bound=1000"], capsys, 8)


def test_drawn_rows_are_like_those_of_the_data(variational: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(printed(["generate", str(variational), "-n", "300", "--seed", "2"], capsys))
    assert list(rows[0]) == ["age", "income", "land"]
    ages = {land: [float(row["age"]) for row in rows if row["land"] == land] for land in LANDS}
    assert {land for land, found in ages.items() if len(found) > 15} == set(LANDS)
    assert np.mean(ages["DE"]) < np.mean(ages["FR"]) < np.mean(ages["NA"])
    again = rows_of(printed(["generate", str(variational), "-n", "5", "--seed", "2"], capsys))
    assert again == rows[:5]
    assert rows_of(printed(["generate", str(variational), "-n", "5", "--seed", "3"], capsys)) != again
    said = printed(["generate", str(variational), "--label", "DE"], capsys, 2)
    assert "--label DE: the autoencoder has learned without labels" in said
    assert "draws in one step" in printed(["generate", str(variational), "--steps", "3"], capsys, 2)


def test_codes_of_a_quantised_autoencoder_are_numbers_of_vectors(
    quantised: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(quantised.parents[2] / "people.csv")
    codes = rows_of(printed(["encode", str(quantised), data, "--keep"], capsys))
    used = {row["code_0"] for row in codes}
    assert list(codes[0]) == ["age", "income", "land", "code_0"]
    assert used <= set(map(str, range(6)))
    assert len(used) >= 3
    lands = {code: {row["land"] for row in codes if row["code_0"] == code} for code in used}
    assert all(len(found) == 1 for found in lands.values())
    line = json.loads(printed(["encode", str(quantised), data, "--format", "jsonl"], capsys).splitlines()[0])
    assert type(line["code_0"]) is int
    assert {"train_commitment", "validation_reconstruction"} <= history(quantised)[0].keys()
    assert "draws nothing" in printed(["generate", str(quantised)], capsys, 2)


def test_a_codebook_learned_by_gradients(tmp_path: Path) -> None:
    made = train(
        spec(tmp_path, model__code={**QUANTISED, "update": "gradient"}, training__epochs=5), out=tmp_path / "r"
    )
    assert history(made)[-1]["train_loss"] < history(made)[0]["train_loss"]


def test_pictures_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = train(picture_spec(tmp_path, model__code=BERNOULLI), out=tmp_path / "runs")
    for name in ("reconstructions.png", "samples.png", "history.png"):
        with Image.open(made / name) as image:
            assert min(image.size) > 100
    header, *lines = (made / "predictions.csv").read_text().splitlines()
    assert header == "row,label,error,bound"
    assert len(lines) == 24
    grid = tmp_path / "grid.png"
    assert printed(["generate", str(made), "-n", "6", "--out", str(grid)], capsys) == f"{grid}\n"
    with Image.open(grid) as image:
        assert image.size == (3 * (60 + 2) + 2, 2 * (48 + 2) + 2)


def test_plain_pictures_have_no_samples(tmp_path: Path) -> None:
    made = train(picture_spec(tmp_path), out=tmp_path / "runs")
    assert (made / "reconstructions.png").exists()
    assert not (made / "samples.png").exists()
    assert (made / "predictions.csv").read_text().startswith("row,label,error\n")


def test_sequences_go_through_a_code(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    steps = np.sin(np.arange(8)[None, :, None] * draw.uniform(0.3, 1, (60, 1, 1)) + draw.uniform(0, 6, (60, 1, 1)))
    np.savez(tmp_path / "s.npz", wave=steps.astype(np.float32))
    data = {"source": {"type": "npz", "path": str(tmp_path / "s.npz")}, "split": {"test": 0.2}}
    model = {"type": "autoencoder", "encoder": [{"type": "lstm", "units": 16}, dense(3)]}
    made = train(spec(tmp_path, data=data, model=model, training__epochs=60), out=tmp_path / "runs")
    assert metrics(made)["test"]["error"] < 0.5 * float(steps.var())
    header = (made / "predictions.csv").read_text().splitlines()[0].split(",")
    assert header == ["row", "error", *(f"reconstruction_wave_{number}" for number in range(8))]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model__code": BERNOULLI, "training__procedure__loss": "mean_squared_error"},
            "training.procedure.loss: a variational code has a likelihood (bernoulli) for a loss; leave out loss",
        ),
        (
            {"model__code": BERNOULLI, "model__output_activation": "tanh"},
            "the likelihood bernoulli needs a decoder that ends in sigmoid, and dense_3 in tanh; set output_activation",
        ),
        (
            {"model__code": BERNOULLI, "model__decoder": [dense(5)]},
            "model.decoder[0]: the likelihood bernoulli needs a decoder that ends in sigmoid, and dense_1 in linear",
        ),
        (
            {"training__procedure__loss": "binary_cross_entropy"},
            "the loss binary_cross_entropy needs a decoder that ends in sigmoid",
        ),
        (
            {"training__procedure__loss": "categorical_cross_entropy"},
            "categorical_cross_entropy does not compare rows of numbers; choose such as mean_squared_error",
        ),
        (
            {"training__procedure__noise": dense(3)},
            "expected a layer that only disturbs, such as noise or input_dropout",
        ),
        (
            {"training__procedure__noise": {"type": "spatial_dropout", "rate": 0.1}},
            "training.procedure.noise: spatial_dropout needs",
        ),
        (
            {"training__procedure__penalty": {"type": "kl", "weight": 1}},
            "training.procedure.penalty: kl needs a plain code that ends in sigmoid, found plain that ends in linear",
        ),
        (
            {
                "training__procedure__penalty": {"type": "contractive", "weight": 1},
                "model__encoder": [dense(3), "batch_norm"],
            },
            "model.encoder[1]: contractive needs rows that do not depend on each other, as they do by batch_norm_1",
        ),
        (
            {
                "model__code": BERNOULLI,
                "data__transforms": [{"type": "one_hot", "columns": ["land"]}, "standard_scale"],
            },
            "model.code.likelihood: the likelihood bernoulli takes numbers from 0 to 1, and age goes from -1.",
        ),
        (
            {
                "training__procedure__loss": "binary_cross_entropy",
                "model__output_activation": "sigmoid",
                "data__transforms": [{"type": "one_hot", "columns": ["land"]}],
            },
            "training.procedure.loss: the loss binary_cross_entropy takes numbers from 0 to 1, and age goes from ",
        ),
        (
            {"model__encoder": [{"type": "reshape", "shape": [5, 1]}, {"type": "lstm", "units": 2, "stateful": True}]},
            "model.encoder[1]: encoder/lstm_1 goes on where the batch before ended",
        ),
        (
            {"model": {"type": "network", "layers": [dense(5)]}},
            "training.procedure: reconstruction trains autoencoder; model.type is network: choose a pair that fits",
        ),
        (
            {"training__callbacks": [{"type": "early_stopping", "monitor": "validation_bound"}]},
            "the history has no 'validation_bound'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    assert message in printed(["check", str(spec(tmp_path, **changes))], capsys, 3).replace("\n", " ")


def test_the_bound_can_be_watched_and_larger_is_better(tmp_path: Path) -> None:
    callbacks = [{"type": "early_stopping", "monitor": "validation_bound", "patience": 3}]
    code = {**BERNOULLI, "likelihood": {"type": "gaussian", "stddev": 0.3}}
    path = spec(tmp_path, model__code=code, training__epochs=12, training__callbacks=callbacks)
    assert len(history(train(path, out=tmp_path / "runs"))) > 6


def test_a_trace_is_of_one_network(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(["trace", str(plain)], capsys, 2)
    assert "has several networks (encoder, decoder), and a row is traced through one" in said


@pytest.mark.parametrize(
    ("code", "curve"),
    [
        ("plain", [0.2359452, 0.07280425, 0.03504162, 0.01087883]),
        (BERNOULLI, [3.554321, 3.37331, 3.303604, 3.278647]),
        (QUANTISED, [0.3149849, 0.241086, 0.1641954, 0.1877118]),
    ],
)
def test_the_losses_of_the_first_epochs_stay_what_they_were(tmp_path: Path, code: Any, curve: list[float]) -> None:
    path = spec(tmp_path, model__code=code, training__epochs=4, training__precision="float64")
    losses = [line["train_loss"] for line in history(train(path, out=tmp_path / "runs"))]
    assert losses == pytest.approx(curve, rel=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"model__code": BERNOULLI, "training__procedure__noise": {"type": "input_dropout", "rate": 0.2}},
        {"model__code": QUANTISED, "model__tied": True},
    ],
)
def test_killed_runs_end_byte_equal_when_resumed(tmp_path: Path, changes: dict[str, Any]) -> None:
    often = [{"type": "checkpoint", "every_seconds": 0.02}]
    kill_and_resume(
        tmp_path, spec(tmp_path, training__epochs=150, training__callbacks=often, **changes), kills=2, seed=5
    )
