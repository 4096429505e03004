"""Every shipped experiment: fits the schema that it names, passes ``check``, and trains to a whole run folder."""

import csv
import json
import math
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from nnkit.cli import run
from nnkit.commands.train import train as train_command
from nnkit.config.document import load_document
from nnkit.spec import load, ready

FOLDER = Path(__file__).resolve().parent.parent / "experiments"
EXPERIMENTS = sorted(FOLDER.glob("*.yaml"))
ALWAYS = {
    *("spec.yaml", "resolved.yaml", "manifest.json", "pipeline.json", "weights.safetensors", "history.jsonl"),
    *("metrics.json", "history.png", "gradients.png", "predictions.csv", "checkpoints", "README.md"),
}
FORECASTS = {"airline_forecast", "electricity_forecast", "seasonal_forecast"}
MAKERS = {"digits_gan", "digits_diffusion", "mnist_gan", "mnist_diffusion"}
"""Experiments whose models make rows."""
AUTOENCODERS = {"digits_autoencoder", "digits_vae", "mnist_autoencoder", "mnist_vae"}
"""Experiments whose models give rows back; the variational ones also make rows."""
MACHINES = {"digits_rbm", "mnist_rbm"}
NETS = {"digits_dbn", "mnist_dbn"}
"""Experiments whose layers are pretrained, one phase each, before the epochs of the net."""
NO_CONFUSION = (
    AUTOENCODERS
    | MACHINES
    | {"multi_label", "diabetes_regression", "character_model", "shakespeare_lstm"}
    | FORECASTS
    | MAKERS
)
BY_HAND = {
    "forward_two_layers": [364],
    "forward_relu": [-3],
    "forward_tanh": [2 * math.tanh(3) - math.tanh(9)],  # 0.9901095
    "forward_relu_output": [0, 12],
}

TRACED_ONLY = {"computational_graph"}
"""Experiments without weights: there is nothing to train."""
AT_ONCE = {
    "customer_clusters": {"inertia": -65.6},
    "iris_clusters": {"accuracy": 0.96},
    "mammography_outliers": {"roc_auc": 0.87, "average_precision": 0.15},
}
"""Experiments that fit groups in one epoch, and what they reach at least; below 0: at most."""

MNIST = {
    "data.source.images": "mnist/train-images-idx3-ubyte.gz",
    "data.source.labels": "mnist/train-labels-idx1-ubyte.gz",
    "data.split.test.images": "mnist/t5k-even-images-idx3-ubyte.gz",
    "data.split.test.labels": "mnist/t5k-even-labels-idx1-ubyte.gz",
}
PUBLIC = {
    **{
        name: {
            "data.source.images": "mnist/train-images-idx3-ubyte.gz",
            "data.source.labels": "mnist/train-labels-idx1-ubyte.gz",
        }
        for name in ("mnist_gan", "mnist_diffusion")
    },
    "mnist_cnn": MNIST,
    "mnist_rbm": MNIST,
    "mnist_dbn": MNIST,
    "mnist_autoencoder": MNIST,
    "mnist_vae": MNIST,
    "fashion_cnn": {
        "data.source.images": "fashion_mnist/train10k-images-idx3-ubyte.gz",
        "data.source.labels": "fashion_mnist/train10k-labels-idx1-ubyte.gz",
        "data.split.test.images": "fashion_mnist/t2k-images-idx3-ubyte.gz",
        "data.split.test.labels": "fashion_mnist/t2k-labels-idx1-ubyte.gz",
    },
    "shakespeare_lstm": {"data.source.path": "tinyshakespeare/input.txt"},
    "airline_forecast": {"data.source.path": "time_series/airline-passengers.csv"},
    "electricity_forecast": {"data.source.path": "ett/ETTh1.csv"},
    "sentiment_trees": {"data.source.path": "sst/train.txt", "data.split.test.path": "sst/dev.txt"},
    "named_entities": {
        "data.source.path": "wnut17/wnut17train.conll",
        "data.split.test.path": "wnut17/emerging.dev.conll",
    },
    "sms_spam": {"data.source.path": "sms_spam/SMSSpamCollection"},
    "film_reviews": {"data.source.path": "review_polarity/review_polarity.tar.gz"},
    "news_topics": {"data.source.path": "ag_news/ag_news_7600.csv"},
    "spoken_digits": {"data.source.path": "fsdd/recordings"},
    "customer_clusters": {"data.source.path": "mall_customers/Mall_Customers.csv"},
    "mammography_outliers": {"data.source.path": "mammography/mammography.csv"},
    "cats_dogs": {"data.source.path": "cats_dogs/train", "data.split.test.path": "cats_dogs/test"},
}
"""Where the experiments on public data find it in the developers' folder."""
SMALL = {
    name: ["data.split.train=500"]
    for name in ("mnist_cnn", "fashion_cnn", "sentiment_trees", "named_entities", "mnist_autoencoder", "mnist_vae")
} | {
    **{name: ["data.split.train=200", "data.split.test=0.002"] for name in ("mnist_gan", "mnist_diffusion")},
    "shakespeare_lstm": ["model.layers[1].units=8", "model.layers[3].units=8", "training.batch_size=256"],
}
"""What makes the training of an experiment short enough for a test."""

UPPER = {"transfer_digits": "transfer_digits_base"}
"""Experiments that take layers over from the run of another one, which is trained before."""
UPPER_SETTINGS = ["training.procedure.head_epochs=1"]

each_experiment = pytest.mark.parametrize("spec", EXPERIMENTS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def lower_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a run of each experiment that another one takes layers over from, after two epochs."""
    out = tmp_path_factory.mktemp("lower")
    return {
        name: train_command(FOLDER / f"{name}.yaml", overrides=["training.epochs=2"], out=out)
        for name in set(UPPER.values())
    }


def settings(spec: Path, request: pytest.FixtureRequest) -> list[str]:
    """Return the options that show an experiment its data, or the run below it; skips where that is not there."""
    if spec.stem in UPPER:
        lower = request.getfixturevalue("lower_runs")[UPPER[spec.stem]]
        return [part for setting in (f"model.layers[0].run={lower}", *UPPER_SETTINGS) for part in ("--set", setting)]
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


def test_an_experiment_that_needs_a_run_says_where_it_looked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(FOLDER / "transfer_digits.yaml")]) == 5
    said = capsys.readouterr().err
    assert "transfer_digits.yaml:24: model.layers[0].run: " in said
    assert "runs/transfer-digits-base/RUN: missing; expected a run folder, as nnkit train prints it" in said


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


LEARNING = [path for path in EXPERIMENTS if path.stem not in TRACED_ONLY | AT_ONCE.keys()]


@pytest.mark.parametrize("spec", LEARNING, ids=lambda path: path.stem)
def test_trains_to_a_whole_run_folder(
    spec: Path, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(spec, tmp_path, capsys, *settings(spec, request))
    confusion = {"confusion_matrix.csv", "confusion_matrix.png"}
    classifies = spec.stem not in NO_CONFUSION | set(BY_HAND)
    assert ALWAYS | (confusion if classifies else set()) <= {path.name for path in folder.iterdir()}
    phases = [json.loads(line)["phase"] for line in (folder / "history.jsonl").read_text().splitlines()]
    if spec.stem in MACHINES | NETS:
        assert phases.count(phases[0 if spec.stem in MACHINES else -1]) == 2 < len(phases)
    else:
        assert len(phases) == 2
    metrics = json.loads((folder / "metrics.json").read_text())
    assert ("test" in metrics) == (spec.stem not in BY_HAND)
    expected = [metric.key for metric in load(spec).experiment.training.metrics]
    assert all(list(values)[: len(expected)] == expected for values in metrics.values())
    beside = {name for values in metrics.values() for name in list(values)[len(expected) :]}
    assert ({name.partition("_")[0] for name in beside} == {"naive", "seasonal"}) == (spec.stem in FORECASTS)
    assert (folder / "forecast.png").exists() == (spec.stem in FORECASTS)
    assert (folder / "samples.png").exists() == (spec.stem in MAKERS | MACHINES | {"digits_vae", "mnist_vae"})
    assert (folder / "reconstructions.png").exists() == (spec.stem in AUTOENCODERS)


@pytest.mark.parametrize("name", sorted(AT_ONCE))
def test_fits_groups_at_once_to_a_whole_run_folder(
    name: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = FOLDER / f"{name}.yaml"
    folder = train(spec, tmp_path, capsys, *settings(spec, request), "--set", "training.epochs=100")
    assert ALWAYS - {"gradients.png"} <= {path.name for path in folder.iterdir()}
    assert len((folder / "history.jsonl").read_text().splitlines()) == 1
    last = list(json.loads((folder / "metrics.json").read_text()).values())[-1]
    found = {key: (last[key] if bound > 0 else -last[key]) for key, bound in AT_ONCE[name].items()}
    assert all(found[key] >= bound for key, bound in AT_ONCE[name].items()), last


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
