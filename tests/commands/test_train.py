import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as oracle

from nnkit.commands.evaluate import evaluate
from nnkit.commands.fitting import build_network
from nnkit.commands.train import resume, train
from nnkit.config.document import dump_yaml
from nnkit.engine.order import RowOrder
from nnkit.errors import DivergedError, ResourceError, RunError, SpecError
from nnkit.runs.folder import RunFolder
from nnkit.runs.manifest import new_manifest
from nnkit.spec import load, ready
from nnkit.tensors import read_tensors
from tests.commands.experiments import spec, table, write

FILES = {
    "README.md",
    "calibration.png",
    "checkpoints/best.safetensors",
    "confusion_matrix.csv",
    "confusion_matrix.png",
    "history.jsonl",
    "gradients.png",
    "history.png",
    "metrics.json",
    "pipeline.json",
    "precision_recall.png",
    "predictions.csv",
    "resolved.yaml",
    "roc.png",
    "spec.yaml",
    "weights.safetensors",
}


def run(folder: Path, **changes: Any) -> Path:
    return train(write(folder, **changes), out=folder / "runs")


def metrics(path: Path) -> Any:
    return json.loads((path / "metrics.json").read_text())


def history(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "history.jsonl").read_text().splitlines()]


def predictions(path: Path) -> list[dict[str, str]]:
    with (path / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_is_whole_and_its_numbers_agree_with_scikit_learn(tmp_path: Path) -> None:
    path = run(tmp_path)
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert set(manifest["files"]) >= FILES
    assert path.parent == tmp_path / "runs" / "small"
    rows = predictions(path)
    truth = [row["truth"] for row in rows]
    predicted = [row["prediction"] for row in rows]
    chance = [float(row["probability_yes"]) for row in rows]
    test = metrics(path)["test"]
    assert test["accuracy"] == oracle.accuracy_score(truth, predicted)
    assert test["f1"] == oracle.f1_score(truth, predicted, pos_label="yes")
    assert test["roc_auc"] == pytest.approx(oracle.roc_auc_score([name == "yes" for name in truth], chance), abs=1e-12)
    assert len(rows) == 60
    text = (path / "confusion_matrix.csv").read_text().splitlines()
    assert [line.split(",")[1:] for line in text[1:]] == [
        [str(count) for count in line] for line in oracle.confusion_matrix(truth, predicted, labels=["no", "yes"])
    ]
    last = history(path)[-1]
    assert {
        "train_loss",
        "validation_loss",
        "train_accuracy",
        "validation_roc_auc",
        "lr",
        "gradient_norm",
    } <= last.keys()
    assert test["accuracy"] > 0.8


def test_the_same_command_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write(tmp_path)
    first, second = (train(path, out=tmp_path / "runs") for _ in range(2))
    other = train(path, out=tmp_path / "runs", seed=4)
    names = ("weights.safetensors", "predictions.csv", "metrics.json", "pipeline.json", "confusion_matrix.png")
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert (first / "weights.safetensors").read_bytes() != (other / "weights.safetensors").read_bytes()


def test_resolved_spec_reloads_to_the_same_experiment(tmp_path: Path) -> None:
    path = run(tmp_path)
    assert load(path / "resolved.yaml").experiment == load(tmp_path / "spec.yaml").experiment


def test_the_loss_curve_is_a_plain_torch_loops(tmp_path: Path) -> None:
    layers = [
        {"type": "dense", "units": 8, "activation": "relu"},
        {"type": "dense", "units": 1, "activation": "sigmoid"},
    ]
    path = write(tmp_path, model__layers=layers, training__callbacks=[])
    found = [record["train_loss"] for record in history(train(path, out=tmp_path / "runs"))]
    made = ready(load(path))
    start = made.plan.initial_weights(3)
    first, second = torch.nn.Linear(5, 8), torch.nn.Linear(8, 1)
    net = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    with torch.no_grad():
        for layer, name in ((first, "dense_1"), (second, "dense_2")):
            layer.weight.copy_(torch.from_numpy(start[f"{name}.kernel"].T))
            layer.bias.copy_(torch.from_numpy(start[f"{name}.bias"]))
    rows = made.prepared.train
    assert rows.targets is not None
    x, y = torch.from_numpy(rows.inputs["input"]), torch.from_numpy(rows.targets)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    order = RowOrder(len(rows), 3, "supervised").of
    expected, step, steps = [], 0, 9
    for epoch in range(6):
        total = 0.0
        for part in torch.split(torch.from_numpy(order(epoch)), 16):
            optimizer.param_groups[0]["lr"] = 0.01 * 0.5 * (1 + np.cos(np.pi * step / (steps * 6)))
            loss = torch.nn.functional.binary_cross_entropy(net(x[part]).sigmoid(), y[part])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total, step = total + float(loss.detach()) * len(part), step + 1
        expected.append(total / len(rows))
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"training__precision": "float64"}, "float64"),
        ({"training__precision": "bfloat16"}, "float32"),
        ({"training__accumulate": 3, "training__clip_norm": 0.5}, "float32"),
        ({"data__split": {"test": 0.25}, "training__callbacks": []}, "float32"),
        (
            {"training__procedure": {"type": "supervised", "loss": "hinge"}, "training__metrics": ["accuracy"]},
            "float32",
        ),
    ],
)
def test_other_ways_of_training(tmp_path: Path, changes: dict[str, Any], kind: str) -> None:
    if changes.get("training__procedure", {}).get("loss") == "hinge":
        changes |= {"model__layers": [{"type": "dense", "units": 1, "activation": "tanh"}]}
    path = run(tmp_path, **changes)
    arrays, _ = read_tensors(path / "weights.safetensors")
    assert {str(array.dtype) for array in arrays.values()} == {kind}
    assert metrics(path)["test"]["accuracy"] > 0.65


def test_three_classes(tmp_path: Path) -> None:
    layers = [
        {"type": "dense", "units": 16, "activation": "relu"},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ]
    path = run(
        tmp_path,
        data__target="three",
        data__drop=["y", "amount", "f1", "f2"],
        model__layers=layers,
        training__procedure={"type": "supervised", "loss": "categorical_cross_entropy"},
        training__epochs=30,
    )
    rows = predictions(path)
    assert list(rows[0]) == ["row", "truth", "prediction", "probability_0", "probability_1", "probability_2"]
    assert metrics(path)["test"]["accuracy"] > 0.8
    assert metrics(path)["test"]["f1"] == pytest.approx(
        oracle.f1_score([row["truth"] for row in rows], [row["prediction"] for row in rows], average="macro")
    )


def test_multi_label_and_regression(tmp_path: Path) -> None:
    label = {"type": "supervised", "loss": "binary_cross_entropy", "optimizer": {"type": "adam", "lr": 0.02}}
    path = run(
        tmp_path,
        data__target=["f1", "f2"],
        data__drop=["y", "amount", "three"],
        data__split={"test": 0.25},
        model__layers=[{"type": "dense", "units": 2, "activation": "sigmoid"}],
        training__procedure=label,
        training__metrics=["f1"],
        training__callbacks=[],
        training__epochs=20,
    )
    assert list(predictions(path)[0])[3:] == ["prediction_f1", "prediction_f2", "probability_f1", "probability_f2"]
    assert metrics(path)["test"]["f1"] > 0.85
    path = run(
        tmp_path,
        data__target="amount",
        data__drop=["y", "three", "f1", "f2"],
        data__split={"test": 0.25},
        data__target_transform="standard_scale",
        model__layers=[{"type": "dense", "units": 1}],
        training__procedure={
            "type": "supervised",
            "loss": "mean_squared_error",
            "optimizer": {"type": "sgd", "lr": 0.1},
        },
        training__metrics=["mae", "r2"],
        training__callbacks=[],
        training__epochs=20,
    )
    test = metrics(path)["test"]
    assert test["r2"] > 0.999
    rows = predictions(path)
    found = oracle.mean_absolute_error(
        [float(row["truth"]) for row in rows], [float(row["prediction"]) for row in rows]
    )
    assert test["mae"] == pytest.approx(found, abs=1e-5)  # the file has the digits of float32


def test_class_weights_and_sampling_move_the_balance(tmp_path: Path) -> None:
    def recall(**procedure: Any) -> float:
        value = {
            "type": "supervised",
            "loss": "binary_cross_entropy",
            "optimizer": {"type": "adam", "lr": 0.01},
            **procedure,
        }
        path = run(tmp_path, training__procedure=value, training__metrics=["recall"])
        return float(metrics(path)["train"]["recall"])

    plain = recall()
    assert recall(class_weights={"no": 0.05, "yes": 2.0}) > plain
    assert recall(class_weights={"no": 2.0, "yes": 0.05}) < plain
    assert recall(sampling="balanced") != plain


def test_folds_give_mean_deviation_and_each(tmp_path: Path) -> None:
    path = run(tmp_path, data__split={"folds": 3, "stratify": True, "validation": 0.1})
    found = metrics(path)
    each = [fold["test"]["accuracy"] for fold in found["folds"]]
    assert found["mean"]["test"]["accuracy"] == pytest.approx(np.mean(each))
    assert found["deviation"]["test"]["accuracy"] == pytest.approx(np.std(each, ddof=1))
    assert sorted(int(row["row"]) for row in predictions(path)) == list(range(240))
    assert metrics(path / "folds" / "2") == found["folds"][1]
    assert evaluate(path / "folds" / "2", None).values == found["folds"][1]["test"]
    with pytest.raises(RunError, match="choose one"):
        RunFolder.open(path).check_usable()


def test_a_diverging_run_keeps_its_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="lower the learning rate"):
        run(
            tmp_path,
            data__target="amount",
            data__drop=["y", "three", "f1", "f2"],
            data__split={"test": 0.25},
            model__layers=[{"type": "dense", "units": 1}],
            training__procedure={
                "type": "supervised",
                "loss": "mean_squared_error",
                "optimizer": {"type": "sgd", "lr": 2.0},
            },
            training__metrics=["mae"],
            training__callbacks=[{"type": "checkpoint", "every_seconds": 0.0}],
            training__epochs=200,
        )
    [path] = (tmp_path / "runs" / "small").iterdir()
    assert json.loads((path / "manifest.json").read_text())["status"] == "diverged"
    arrays, _ = read_tensors(path / "checkpoints" / "last.safetensors")
    assert all(np.isfinite(array).all() for array in arrays.values())
    with pytest.raises(RunError, match="diverged"):
        RunFolder.open(path).check_usable()


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    path = run(tmp_path)
    before = (path / "manifest.json").read_bytes()
    assert resume(path) == path
    assert (path / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model__layers": [{"type": "dense", "units": 2, "activation": "sigmoid"}]},
            "the last layer, dense_1, gives 2; binary_cross_entropy needs 1 for two classes (no and yes)",
        ),
        (
            {"model__layers": [{"type": "dense", "units": 1}]},
            "needs probabilities, but the last layer, dense_1, ends in linear",
        ),
        (
            {"model__layers": [{"type": "dense", "units": 1, "activation": "sigmoid", "trainable": False}]},
            "model.layers: there is nothing to train: every layer is frozen",
        ),
        ({"training__metrics": ["mae"]}, "training.metrics[0]: mae is for regression; this experiment is binary"),
        (
            {"training__callbacks": [{"type": "early_stopping", "monitor": "validation_los"}]},
            "the history has no 'validation_los'; did you mean 'validation_loss'?",
        ),
        ({"data__split": {"test": 0.2}}, "validation_loss needs validation rows: set data.split.validation"),
        ({"training__batch_size": 1}, "training.batch_size: a batch of one row has no statistics"),
        (
            {
                "model__layers": [
                    {"type": "reshape", "shape": [-1, 1]},
                    {"type": "gru", "units": 2, "stateful": True},
                    {"type": "dense", "units": 1, "activation": "sigmoid"},
                ],
                "training__accumulate": 2,
            },
            "training.accumulate: the layer gru_1 is stateful: each row goes on where the same row of the batch before",
        ),
        (
            {
                "model__layers": [
                    {"type": "reshape", "shape": [-1, 1]},
                    {"type": "gru", "units": 2, "stateful": True},
                    {"type": "dense", "units": 1, "activation": "sigmoid"},
                ],
                "training__procedure": {
                    "type": "supervised",
                    "loss": "binary_cross_entropy",
                    "sampling": "balanced",
                },
            },
            "training.procedure.sampling: the layer gru_1 is stateful",
        ),
        (
            {"training__procedure": {"type": "supervised", "loss": "binary_cross_entropy", "class_weights": {"ja": 1}}},
            "expected a weight for each class (no, yes), found ja",
        ),
        (
            {
                "data__target": ["f1", "f2"],
                "data__drop": ["y", "three", "amount"],
                "data__split": {"validation": 0.1},
                "training__procedure": {"type": "supervised", "loss": "categorical_cross_entropy"},
            },
            "categorical_cross_entropy takes one target; data.target names 2",
        ),
    ],
)
def test_what_does_not_fit_is_told_before_training(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        run(tmp_path, **changes)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "spec.yaml") + ":")
    assert not (tmp_path / "runs").exists()


def test_mistakes_of_several_kinds_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        run(
            tmp_path,
            model__layers=[{"type": "dense", "units": 2, "activation": "sigmoid"}],
            training__metrics=["mae"],
            training__callbacks=[{"type": "early_stopping", "monitor": "loss"}],
        )
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_no_cuda_is_no_silent_fall_back(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="torch finds no CUDA device here"):
        train(write(tmp_path), out=tmp_path / "runs", device="cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_float16_needs_cuda(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="float16 needs CUDA, and the run is on cpu; use bfloat16"):
        run(tmp_path, training__precision="float16")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_trains_as_the_cpu_does(tmp_path: Path) -> None:
    path = write(tmp_path)
    cpu, cuda = (train(path, out=tmp_path / "runs", device=device) for device in ("cpu", "cuda"))
    assert history(cuda)[0]["train_loss"] == pytest.approx(history(cpu)[0]["train_loss"], rel=0.1)


def test_initial_weights_come_from_the_seed_alone(tmp_path: Path) -> None:
    made = ready(load(write(tmp_path)))
    manifest = new_manifest("x", [], 0, 1, "cpu")
    for engine in ("torch", "native"):
        first, second = (build_network(made, manifest.model_copy(update={"engine": engine})).arrays() for _ in "12")
        assert all(np.array_equal(first[name], second[name]) for name in first)


def test_nothing_is_left_behind_for_a_spec_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(dump_yaml(spec(table(tmp_path / "t.csv"), name="../evil")))
    with pytest.raises(SpecError, match="name"):
        train(path, out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
