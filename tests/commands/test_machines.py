"""Boltzmann machines and belief nets as users meet them: trained, judged, encoded, drawn from, and refused."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from nnkit.cli import run
from nnkit.commands.train import resume, train
from nnkit.errors import InterruptError, SpecError, UsageError
from nnkit.inference import Predictor
from nnkit.runs.folder import RunFolder
from nnkit.spec import load, ready
from tests.commands.machines import DBN, RBM, machine_spec
from tests.commands.pictures import SIZE
from tests.commands.test_interrupt import Terminating, history, same


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machines")


@pytest.fixture(scope="module")
def rbm(folder: Path) -> Path:
    return train(machine_spec(folder, RBM), out=folder / "rbm")


@pytest.fixture(scope="module")
def dbn(folder: Path) -> Path:
    return train(machine_spec(folder, DBN), out=folder / "dbn")


def rows(run_folder: Path) -> list[dict[str, str]]:
    with (run_folder / "predictions.csv").open() as file:
        return list(csv.DictReader(file))


def pixels(folder: Path, run_folder: Path) -> Any:
    """Return the test rows of a run, binary [n, 80]."""
    whole = np.load(folder / "p.npz")["image"]
    chosen = whole[[int(row["row"]) for row in rows(run_folder)]]
    return (chosen.reshape(len(chosen), -1) >= 0.5).astype(np.float64)


def test_an_rbm_says_of_each_row_what_its_weights_say(folder: Path, rbm: Path) -> None:
    weights = {name: array.astype(np.float64) for name, array in load_file(rbm / "weights.safetensors").items()}
    v = pixels(folder, rbm)
    x = v @ weights["rbm.kernel"] + weights["rbm.hidden_bias"]
    free = -v @ weights["rbm.visible_bias"] - np.logaddexp(0, x).sum(1)
    back = 1 / (1 + np.exp(-(1 / (1 + np.exp(-x)) @ weights["rbm.kernel"].T + weights["rbm.visible_bias"])))
    told = {name: np.array([float(row[name]) for row in rows(rbm)]) for name in ("error", "free_energy")}
    assert told["error"] == pytest.approx(((v - back) ** 2).mean(1), rel=1e-4)
    assert told["free_energy"] == pytest.approx(free, rel=1e-4)
    likely = np.array([float(row["log_likelihood"]) for row in rows(rbm)])
    assert likely == pytest.approx(-free - weights["rbm.log_partition"], rel=1e-4)
    metrics = json.loads((rbm / "metrics.json").read_text())
    assert set(metrics) == {"train", "validation", "test"}
    assert metrics["test"] == pytest.approx(
        {"error": told["error"].mean(), "free_energy": told["free_energy"].mean(), "log_likelihood": likely.mean()}
    )


def test_the_estimate_is_that_of_a_sum_over_all_hidden_states(rbm: Path) -> None:
    weights = {name: array.astype(np.float64) for name, array in load_file(rbm / "weights.safetensors").items()}
    h = np.array(list(np.ndindex(*(2,) * 7)), np.float64)
    logs = h @ weights["rbm.hidden_bias"]
    logs += np.logaddexp(0, h @ weights["rbm.kernel"].T + weights["rbm.visible_bias"]).sum(1)
    exact = logs.max() + np.log(np.exp(logs - logs.max()).sum())
    assert weights["rbm.log_partition"] == pytest.approx(exact, rel=0.01)
    last = history(rbm)[-1]
    assert (last["phase"], last["log_partition"]) == ("partition", pytest.approx(exact, rel=0.01))


def test_the_history_and_the_pictures_of_an_rbm(rbm: Path) -> None:
    first, *_, partition = history(rbm)
    assert len(history(rbm)) == 5
    splits = ("train", "validation")
    names = {f"{split}_{name}" for split in splits for name in ("error", "free_energy", "pseudo_likelihood")}
    assert names | {"free_energy_gap", "lr", "gradient_norm"} <= set(first)
    assert {f"{split}_log_likelihood" for split in splits} <= set(partition)
    assert {"filters.png", "samples.png", "history.png"} <= {path.name for path in rbm.iterdir()}


def test_evaluate_and_its_gate(folder: Path, rbm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(rbm), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["test"].keys() == {"error", "free_energy", "log_likelihood"}
    assert run(["evaluate", str(rbm), "--fail-under", "log_likelihood=-1"]) == 8
    assert run(["evaluate", str(rbm), "--fail-under", "error=1"]) == 0


def test_predict_gives_what_the_run_holds(rbm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", str(rbm)]) == 0
    told = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert list(told[0]) == ["error", "free_energy", "log_likelihood"]


def test_encode_and_generate_write_codes_and_samples(
    tmp_path: Path, rbm: Path, dbn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, units in ((rbm, 7), (dbn, 6)):
        assert run(["encode", str(folder)]) == 0
        codes = list(csv.DictReader(capsys.readouterr().out.splitlines()))
        assert list(codes[0]) == [f"hidden_{number}" for number in range(units)]
        assert all(0 <= float(value) <= 1 for row in codes for value in row.values())
        out = tmp_path / f"{units}.png"
        assert run(["generate", str(folder), "-n", "9", "--steps", "10", "--out", str(out)]) == 0
        assert out.read_bytes().startswith(b"\x89PNG")
        capsys.readouterr()


def test_codes_are_the_chances_of_hidden_units(folder: Path, rbm: Path) -> None:
    forward, names = Predictor(RunFolder.open(rbm)).encoder()
    data = ready(load(folder / "spec.yaml", [f"model={json.dumps(RBM['model'])}", *_training(RBM)])).prepared.test
    assert data is not None
    weights = load_file(rbm / "weights.safetensors")
    x = pixels(folder, rbm) @ weights["rbm.kernel"] + weights["rbm.hidden_bias"]
    codes = forward.outputs(data, 0)
    assert [column.name for column in names] == [f"hidden_{number}" for number in range(7)]
    assert codes == pytest.approx(1 / (1 + np.exp(-x)), rel=1e-4)


def _training(base: dict[str, Any]) -> list[str]:
    return [f"training={json.dumps(base['training'])}"]


@pytest.mark.parametrize("name", ["rbm", "dbn"])
def test_samples_follow_from_the_seed(name: str, request: pytest.FixtureRequest) -> None:
    sampler = Predictor(RunFolder.open(request.getfixturevalue(name))).sampler()
    one, again, other = (sampler.sample(5, seed, None, 20)["input"] for seed in (1, 1, 2))
    assert one.shape == (5, *SIZE)
    assert one.dtype == np.float32
    assert 0 <= one.min() < one.max() <= 1
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    with pytest.raises(UsageError, match="--label 3: a Boltzmann machine knows no labels; leave it out"):
        sampler.sample(5, 1, "3", None)


def test_a_dbn_has_a_phase_for_each_layer_and_predicts_classes(dbn: Path) -> None:
    phases = [record["phase"] for record in history(dbn)]
    assert phases == ["layer_1"] * 3 + ["layer_2"] * 3 + ["fine_tune"] * 3
    assert "train_error" in history(dbn)[0]
    assert "validation_accuracy" in history(dbn)[-1]
    assert {"confusion_matrix.csv", "confusion_matrix.png"} <= {path.name for path in dbn.iterdir()}
    assert json.loads((dbn / "metrics.json").read_text())["test"]["accuracy"] > 0.5


def test_fine_tuning_leaves_the_way_down_as_it_is(dbn: Path) -> None:
    weights = load_file(dbn / "weights.safetensors")
    for layer in ("layer_1", "layer_2"):
        assert not np.array_equal(weights[f"{layer}.kernel"], weights[f"{layer}.down_kernel"])
        assert np.corrcoef(weights[f"{layer}.kernel"].ravel(), weights[f"{layer}.down_kernel"].ravel())[0, 1] > 0.7


def test_codes_of_a_dbn_are_its_top_layer(folder: Path, dbn: Path) -> None:
    forward, names = Predictor(RunFolder.open(dbn)).encoder()
    data = ready(load(machine_spec(folder, DBN))).prepared.test
    assert data is not None
    weights = load_file(dbn / "weights.safetensors")
    x = data.inputs["input"].reshape(len(data), -1)
    for layer in ("layer_1", "layer_2"):
        x = 1 / (1 + np.exp(-(x @ weights[f"{layer}.kernel"] + weights[f"{layer}.bias"])))
    assert forward.outputs(data, 0) == pytest.approx(x, rel=1e-4)
    assert len(names) == 6


def changed(folder: Path, base: dict[str, Any], **options: Any) -> Path:
    """Write a spec with other options of the procedure."""
    procedure = base["training"]["procedure"] | options
    return machine_spec(folder, base, training__procedure={k: v for k, v in procedure.items() if v is not None})


def test_without_pretraining_only_labels_teach(tmp_path: Path) -> None:
    folder = train(changed(tmp_path, DBN, pretrain_epochs=0, rbm=None), out=tmp_path / "runs")
    assert {record["phase"] for record in history(folder)} == {"fine_tune"}
    with pytest.raises(UsageError, match="a net without pretraining cannot draw rows: pretrain_epochs was 0"):
        Predictor(RunFolder.open(folder)).sampler()


def test_layers_may_be_autoencoders(tmp_path: Path) -> None:
    spec = changed(tmp_path, DBN, rbm=None, autoencoder={"corruption": 0.2}, pretrain_epochs=8)
    folder = train(spec, out=tmp_path / "runs")
    told = history(folder)
    for layer in ("layer_1", "layer_2"):
        losses = [record["train_loss"] for record in told if record["phase"] == layer]
        assert losses[-1] < losses[0]
        norms = [record["gradient_norms"] for record in told if record["phase"] == layer]
        assert all(set(each) == {layer} for each in norms)
    with pytest.raises(UsageError, match="trained as autoencoders cannot draw rows; train them as rbm"):
        Predictor(RunFolder.open(folder)).sampler()


def test_other_kinds_of_units_and_a_head_of_ones_own(tmp_path: Path) -> None:
    layers = [{"units": 9, "hidden": "rectified"}, {"units": 6}]
    head = [{"type": "dense", "units": 4, "activation": "relu"}, {"type": "dense", "units": 1, "activation": "sigmoid"}]
    model = {"type": "dbn", "layers": layers, "visible": "gaussian", "head": head}
    procedure = DBN["training"]["procedure"] | {"rbm": {"lr": 0.001}}
    spec = machine_spec(tmp_path, DBN, model=model, training__procedure=procedure)
    folder = train(spec, out=tmp_path / "runs")
    assert "train_pseudo_likelihood" not in history(folder)[0]
    assert "train_pseudo_likelihood" not in history(folder)[3]  # It sees rectified units.
    assert np.isfinite(Predictor(RunFolder.open(folder)).sampler().sample(3, 0, None, 10)["input"]).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"training__procedure": RBM["training"]["procedure"] | {"partition": None}},
        {"model": {"type": "rbm", "units": 5, "hidden": "rectified"}},
    ],
    ids=["partition", "rectified"],
)
def test_machines_without_an_estimate_tell_no_likelihood(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = train(machine_spec(tmp_path, RBM, **changes), out=tmp_path / "runs")
    assert {record["phase"] for record in history(folder)} == {"contrastive_divergence"}
    assert list(rows(folder)[0])[-2:] == ["error", "free_energy"]


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_an_interrupted_rbm_goes_on_bit_for_bit(tmp_path: Path, rbm: Path, epochs: int) -> None:
    _goes_on(tmp_path, machine_spec(tmp_path, RBM), rbm, epochs)


@pytest.mark.parametrize("epochs", [2, 4, 5, 7])
def test_an_interrupted_dbn_goes_on_bit_for_bit(tmp_path: Path, dbn: Path, epochs: int) -> None:
    """After 4 and 5 epochs it is in the middle of its second layer."""
    _goes_on(tmp_path, machine_spec(tmp_path, DBN), dbn, epochs)


def test_an_interrupted_stack_of_autoencoders_goes_on_bit_for_bit(tmp_path: Path) -> None:
    spec = changed(tmp_path, DBN, rbm=None, autoencoder={"corruption": 0.2})
    _goes_on(tmp_path, spec, train(spec, out=tmp_path / "whole"), 4)


def _goes_on(tmp_path: Path, spec: Path, whole: Path, epochs: int) -> None:
    with pytest.raises(InterruptError, match="go on with: nnkit train --resume"):
        train(spec, out=tmp_path / "runs", listener=Terminating(epochs))
    [interrupted] = (tmp_path / "runs" / "small").iterdir()
    assert len(history(interrupted)) < len(history(whole))
    assert resume(interrupted) == interrupted
    assert same(interrupted, whole)


def refused(spec: Path) -> str:
    with pytest.raises(SpecError) as caught:
        train(spec, out=spec.parent / "runs")
    assert not (spec.parent / "runs").exists()
    return str(caught.value)


def test_values_that_visible_units_cannot_have(tmp_path: Path) -> None:
    source = tmp_path / "p.npz"
    draw = np.random.default_rng(0)
    image = draw.normal(size=(60, *SIZE)).astype(np.float32)
    image[:50, 0, 0, 0] = 7.5
    np.savez(source, image=image, side=np.where(np.arange(60) % 2, "top", "bottom"))
    said = refused(machine_spec(tmp_path, RBM, model={"type": "rbm", "units": 5}))
    assert "model.visible: bernoulli units take values from 0 to 1, and the training rows have -" in said
    assert "to 7.5, as in image: scale them by min_max_scale, or set visible: gaussian" in said
    assert "model.visible: bernoulli units take values from 0 to 1" in refused(machine_spec(tmp_path, DBN))
    train(machine_spec(tmp_path, RBM), out=tmp_path / "binarised")
    gaussian = {"type": "rbm", "units": 5, "visible": "gaussian"}
    train(machine_spec(tmp_path, RBM, model=gaussian), out=tmp_path / "gaussian")


def test_a_share_that_leaves_a_class_without_labels(tmp_path: Path) -> None:
    said = refused(changed(tmp_path, DBN, labelled=0.01))
    assert "training.procedure.labelled: 0.01 of the " in said
    assert "training rows of the class " in said
    assert "is no row; expected at least 0.0" in said
    assert "so that each class has a labelled row" in said


MISFITS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "pair": (RBM, {"model": DBN["model"]}, "contrastive_divergence trains rbm; model.type is dbn"),
    "pair_of_a_network": (DBN, {"model": RBM["model"]}, "greedy trains dbn; model.type is rbm"),
    "metrics": (RBM, {"training__metrics": ["accuracy"]}, "reports error, free_energy, log_likelihood; leave it out"),
    "clip": (RBM, {"training__clip_norm": 1.0}, "clip_norm: contrastive_divergence has no gradients, so that"),
    "accumulate": (DBN, {"training__accumulate": 2}, "accumulate: the layers' machines have no gradients, so that"),
    "precision": (RBM, {"training__precision": "bfloat16"}, "so that precision: bfloat16 does nothing"),
    "augment": (RBM, {"data__augment": ["flip"]}, "contrastive_divergence takes rows as they are; leave it out"),
    "weight": (
        RBM,
        {
            "data__source": {"type": "npz", "path": "p.npz"},
            "data__weight": "amount",
        },
        "contrastive_divergence takes all rows alike; leave it out",
    ),
    "augment_dbn": (DBN, {"data__augment": ["flip"]}, "layers are pretrained on rows as they are; leave it out"),
    "binarise": (
        RBM,
        {"model": {"type": "rbm", "units": 3, "visible": "gaussian", "binarise": 0.5}},
        "makes values 0 or 1, and gaussian visible units are for other numbers",
    ),
    "both": (
        DBN,
        {"training__procedure": DBN["training"]["procedure"] | {"autoencoder": {}}},
        "layers are trained either as rbm or as autoencoder; leave out one of both",
    ),
    "head": (
        DBN,
        {"model": DBN["model"] | {"head": [{"type": "dense", "units": 3}]}},
        "model.head[0]: the last layer, dense_1, gives 3; binary_cross_entropy needs 1",
    ),
    "shape": (
        DBN,
        {"model": DBN["model"] | {"head": ["max_pool"]}},
        "model.head[0]: max_pool_1 reads dropout_2",
    ),
    "monitor": (
        RBM,
        {"training__callbacks": [{"type": "early_stopping", "monitor": "validation_loss"}]},
        "the history has no 'validation_loss'",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_told(tmp_path: Path, name: str) -> None:
    base, changes, expected = MISFITS[name]
    assert expected in refused(machine_spec(tmp_path, base, **changes))


def test_several_inputs_and_words_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,text\n" + "0.5,1,some words\n" * 30)
    changes: dict[str, Any] = {
        "data__source": {"type": "csv", "path": str(tmp_path / "t.csv")},
        "data__target": None,
        "data__split": {"test": 0.2},
        "data__augment": [],
    }
    inputs = {"one": ["a"], "two": ["b"]}
    said = refused(machine_spec(tmp_path, RBM, **changes, data__drop=["text"], data__inputs=inputs))
    assert "model.type: rbm takes one input, found one, two: leave data.inputs out" in said
    words = [{"type": "words", "columns": ["text"]}]
    said = refused(machine_spec(tmp_path, RBM, **changes, data__drop=["a", "b"], data__transforms=words))
    assert "model.type: rbm takes numbers or pictures, as many for each row, and the data gives tokens" in said


def test_early_stopping_follows_a_value_that_rises(tmp_path: Path) -> None:
    callbacks = [{"type": "early_stopping", "monitor": "train_pseudo_likelihood", "patience": 3}]
    spec = machine_spec(tmp_path, RBM, training__callbacks=callbacks, training__epochs=12)
    told = history(train(spec, out=tmp_path / "runs"))[:-1]
    values = [record["train_pseudo_likelihood"] for record in told]
    assert values[-1] > values[0]
    assert len(values) > 4


def test_early_stopping_of_a_dbn_looks_at_fine_tuning_alone(tmp_path: Path) -> None:
    callbacks = [{"type": "early_stopping", "monitor": "train_accuracy", "patience": 0}]
    spec = machine_spec(tmp_path, DBN, training__callbacks=callbacks, training__epochs=40)
    phases = [record["phase"] for record in history(train(spec, out=tmp_path / "runs"))]
    assert phases.count("layer_1") == phases.count("layer_2") == 3
    assert 1 < phases.count("fine_tune") < 40
