"""Layers taken over from a run: weights, fitted transforms, and a new run that needs nothing of the old one."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.commands.check import check
from nnkit.commands.evaluate import evaluate
from nnkit.commands.train import resume, train
from nnkit.config.document import dump_yaml
from nnkit.errors import DataError, InterruptError, RunError, SpecError
from nnkit.runs.folder import RunFolder
from nnkit.tensors import read_tensors
from tests.commands.experiments import write
from tests.commands.test_interrupt import Terminating
from tests.commands.transfer import base_run, upper

TAKEN = ["dense_1.kernel", "dense_1.bias", "batch_norm_1.gamma", "batch_norm_1.moving_mean"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_run(tmp_path_factory.mktemp("base"))


def weights(run: Path) -> dict[str, np.ndarray[Any, Any]]:
    return read_tensors(run / "weights.safetensors")[0]


def mistakes(path: Path, kind: type[Exception] = SpecError) -> str:
    with pytest.raises(kind) as caught:
        check(path)
    return str(caught.value)


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_frozen_layers_are_byte_equal_to_those_of_the_run(base: Path, tmp_path: Path, engine: str) -> None:
    run = train(upper(tmp_path, base, training__engine=engine), out=tmp_path / "runs")
    before, after = weights(base), weights(run)
    assert {name for name in after if name.startswith("base/")} == {
        f"base/{name}" for name in before if not name.startswith("dense_2.")
    }
    for name in TAKEN:
        assert after[f"base/{name}"].tobytes() == before[name].tobytes()


def test_layers_that_are_trained_begin_as_in_the_run(base: Path, tmp_path: Path) -> None:
    slow = {"type": "supervised", "loss": "categorical_cross_entropy", "optimizer": {"type": "sgd", "lr": 1e-9}}
    path = upper(tmp_path, base, {"trainable": True}, training__procedure=slow, training__epochs=1)
    run = train(path, out=tmp_path / "runs")
    after, before = weights(run)["base/dense_1.kernel"], weights(base)["dense_1.kernel"]
    np.testing.assert_allclose(after, before, atol=1e-6)
    assert check(path).trainable == check(upper(tmp_path, base)).trainable + 5 * 8 + 8 + 16


def test_the_new_data_goes_through_the_transforms_as_the_old_run_fitted_them(base: Path, tmp_path: Path) -> None:
    path = upper(tmp_path, base)
    rows = (tmp_path / "t.csv").read_text().splitlines()
    shifted = [rows[0], *(f"{float(row.split(',')[0]) + 100},{row.split(',', 1)[1]}" for row in rows[1:])]
    (tmp_path / "t.csv").write_text("\n".join(shifted) + "\n")
    run = RunFolder(train(path, out=tmp_path / "runs"))
    old, new = RunFolder(base).pipeline().known, run.pipeline().known
    assert new.transforms == old.transforms
    assert (new.columns, new.features, new.shapes) == (old.columns, old.features, old.shapes)
    assert new.target.columns == ["three"]


def test_the_new_run_needs_nothing_of_the_old_one(base: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(base, tmp_path / "copy")
    path = upper(tmp_path, copy)
    whole = train(path, out=tmp_path / "whole")
    with pytest.raises(InterruptError):
        train(path, out=tmp_path / "runs", listener=Terminating(1))
    [run] = (tmp_path / "runs" / "upper").iterdir()
    shutil.rmtree(copy)
    (run / "checkpoints" / "last.safetensors").unlink()  # As of a run that was killed before its first checkpoint.
    assert resume(run) == run
    assert (run / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    for file in ("pretrained/weights.safetensors", "pretrained/pipeline.json", "resolved.yaml", "pipeline.json"):
        assert RunFolder.open(run).manifest.files[file]
    assert evaluate(run, tmp_path / "t.csv").values["accuracy"] is not None
    assert f"| `base` began as | the layers of {copy} up to dropout_1 |" in (run / "README.md").read_text()


def test_what_a_run_begins_with_is_checked_when_it_goes_on(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptError):
        train(upper(tmp_path, base), out=tmp_path / "runs", listener=Terminating(1))
    [run] = (tmp_path / "runs" / "upper").iterdir()
    file = run / "pretrained" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(RunError, match=r"pretrained/weights\.safetensors: cut short or changed"):
        resume(run)


@pytest.mark.parametrize("many", ["folds", "seeds"])
def test_folds_and_seeds_each_keep_what_they_begin_with(base: Path, tmp_path: Path, many: str) -> None:
    split: dict[str, Any] = {"folds": 2} if many == "folds" else {"test": 0.25}
    changes: dict[str, Any] = {"data__split": split, "training__callbacks": [], "training__epochs": 1}
    run = train(upper(tmp_path, base, **changes), out=tmp_path / "r", seeds=[1, 2] if many == "seeds" else None, jobs=2)
    for member in RunFolder.open(run).members():
        assert (member.path / "pretrained" / "pipeline.json").read_bytes() == (
            run / "pretrained" / "pipeline.json"
        ).read_bytes()
        assert weights(member.path)["base/dense_1.kernel"].tobytes() == weights(base)["dense_1.kernel"].tobytes()


def test_a_run_on_top_of_a_run_is_one_too(base: Path, tmp_path: Path) -> None:
    middle = train(upper(tmp_path, base), out=tmp_path / "runs")
    path = upper(tmp_path, middle, {"until": "base/batch_norm_1", "name": "low"})
    assert [row.name for row in check(path).layers] == ["low/base/dense_1", "low/base/batch_norm_1", "dense_1"]
    run = train(path, out=tmp_path / "runs")
    assert weights(run)["low/base/dense_1.bias"].tobytes() == weights(base)["dense_1.bias"].tobytes()


def test_by_default_all_but_the_last_layer_is_taken(base: Path, tmp_path: Path) -> None:
    layers = [{"type": "pretrained", "run": str(base)}, {"type": "dense", "units": 3, "activation": "softmax"}]
    report = check(upper(tmp_path, base, model__layers=layers))
    assert [row.name for row in report.layers][2:] == ["pretrained_1/dropout_1", "dense_1"]


def test_a_graph_is_taken_with_all_that_it_depends_on_and_no_more(tmp_path: Path) -> None:
    layers: Sequence[Any] = [
        {"name": "left", "type": "dense", "units": 4, "inputs": ["input.one"]},
        {"name": "right", "type": "dense", "units": 4, "inputs": ["input.two"]},
        {"name": "other", "type": "dense", "units": 4, "inputs": ["input.land"]},
        {"name": "both", "type": "add", "inputs": ["left", "right"]},
        {"type": "concatenate", "inputs": ["both", "other"]},
        {"type": "dense", "units": 1, "activation": "sigmoid"},
    ]
    inputs = {"one": ["a"], "two": ["b"], "land": ["land"]}
    run = base_run(tmp_path, model__layers=layers, data__inputs=inputs)
    path = upper(tmp_path, run, {"until": "both"}, data__drop=["y", "amount", "f1", "f2", "land"])
    report = check(path)
    assert [row.name for row in report.layers] == ["base/left", "base/right", "base/both", "dense_1"]
    assert report.features == {"one": ["a"], "two": ["b"]}
    taken = train(path, out=tmp_path / "runs")
    assert weights(taken)["base/right.kernel"].tobytes() == weights(run)["right.kernel"].tobytes()


PLACE = r"upper.yaml:\d+: "


def test_options_that_the_old_run_has_decided_are_refused_together(base: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "data__transforms": ["standard_scale"],
        "data__inputs": {"x": ["a"]},
        "data__types": {"a": "category"},
        "data__drop": ["land", "y", "amount", "f1"],
    }
    found = mistakes(upper(tmp_path, base, **changes))
    for part in (
        "data.transforms: the pretrained layers take their input as their own run made it: its transforms, as they "
        "were fitted there, are used again; leave data.transforms out",
        "data.inputs: the pretrained layers take their input as their own run made it: its inputs",
        "data.types.a: a is a number to the pretrained layers; take it out of data.types",
        "data.drop[0]: the pretrained layers take land as an input; it cannot be left out or predicted",
        "data.drop: the pretrained layers do not take f2; name what is not used in data.drop",
    ):
        assert part in found


def test_data_without_the_columns_of_the_old_run_is_refused(base: Path, tmp_path: Path) -> None:
    path = upper(tmp_path, base)
    rows = (tmp_path / "t.csv").read_text().replace("land", "country", 1)
    (tmp_path / "t.csv").write_text(rows)
    found = mistakes(upper_with_drop(path), DataError)
    assert "t.csv: lacks the columns land, which the pretrained layers take; it has: a, b, country" in found


def upper_with_drop(path: Path) -> Path:
    path.write_text(path.read_text().replace("drop: [y,", "drop: [country, y,"))
    return path


def npz_spec(folder: Path, shape: tuple[int, ...], name: str, layers: list[Any], **data: Any) -> Path:
    """Write a spec on arrays of ``shape`` with two classes."""
    draw = np.random.default_rng(1)
    np.savez(folder / f"{name}.npz", x=draw.normal(size=(40, *shape)), label=draw.integers(2, size=40))
    spec = {
        "name": name,
        "data": {"source": {"type": "npz", "path": f"{name}.npz"}, "target": "label", **data},
        "model": {"type": "network", "layers": layers},
        "training": {"procedure": {"type": "supervised", "loss": "binary_cross_entropy"}, "epochs": 1},
    }
    path = folder / f"{name}.yaml"
    path.write_text(dump_yaml(spec))
    return path


def test_cells_of_another_shape_are_refused(tmp_path: Path) -> None:
    head = {"type": "dense", "units": 1, "activation": "sigmoid"}
    run = train(npz_spec(tmp_path, (4, 4, 1), "old", ["flatten", {"type": "dense", "units": 3}, head]), out=tmp_path)
    layers = [{"type": "pretrained", "run": str(run), "until": "dense_1"}, head]
    assert check(npz_spec(tmp_path, (4, 4, 1), "same", layers)).inputs == {"input": (4, 4, 1)}
    assert (
        "other.npz: each cell of x is an array of 5 x 4 x 1, and the pretrained layers take an array of 4 x 4 x 1"
    ) in mistakes(npz_spec(tmp_path, (5, 4, 1), "other", layers), DataError)
    assert "each cell of x is a number, and the pretrained layers take an array" in mistakes(
        npz_spec(tmp_path, (), "plain", layers), DataError
    )


def test_a_layer_that_the_run_has_not_is_named_with_those_that_it_has(base: Path, tmp_path: Path) -> None:
    found = mistakes(upper(tmp_path, base, {"until": "dropuot_1"}))
    assert f"model.layers[0].until: the run {base} has no layer 'dropuot_1'; did you mean 'dropout_1'?" in found
    assert "It has: dense_1, batch_norm_1, dropout_1, dense_2" in found


def test_until_must_be_said_where_the_last_layer_reads_no_other(tmp_path: Path) -> None:
    run = base_run(tmp_path, model__layers=[{"type": "dense", "units": 1, "activation": "sigmoid"}])
    layers = [{"type": "pretrained", "run": str(run)}, {"type": "dense", "units": 3, "activation": "softmax"}]
    found = mistakes(upper(tmp_path, run, model__layers=layers))
    assert "until is missing: the last layer of" in found


def test_a_run_that_is_not_there_or_not_whole_is_a_run_error_at_its_place(base: Path, tmp_path: Path) -> None:
    assert "upper.yaml:" in (found := mistakes(upper(tmp_path, tmp_path / "nowhere"), RunError))
    assert f"model.layers[0].run: {tmp_path}/nowhere: missing; expected a run folder" in found
    copy = shutil.copytree(base, tmp_path / "copy")
    (copy / "pipeline.json").write_text((copy / "pipeline.json").read_text() + " ")
    assert "pipeline.json: cut short or changed" in mistakes(upper(tmp_path, copy), RunError)
    copy = shutil.copytree(base, tmp_path / "copy2")
    data = (copy / "weights.safetensors").read_bytes()
    (copy / "weights.safetensors").write_bytes(data[:-4] + b"\0\0\0\1")
    assert "weights.safetensors: cut short or changed" in mistakes(upper(tmp_path, copy), RunError)


def test_a_run_without_weights_or_with_several_models_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptError):
        train(write(tmp_path, name="cut"), out=tmp_path / "runs", listener=Terminating(1))
    [cut] = (tmp_path / "runs" / "cut").iterdir()
    found = mistakes(upper(tmp_path, cut), RunError)
    assert f"has no weights: its status is interrupted; finish it with: nnkit train --resume {cut}" in found
    many = train(write(tmp_path, training__epochs=1), out=tmp_path / "runs", seeds=[1, 2])
    assert "has 2 seeds, each with its own model; choose one" in mistakes(upper(tmp_path, many), RunError)


def test_a_pipeline_that_does_not_fit_the_network_is_refused(base: Path, tmp_path: Path) -> None:
    other = base_run(tmp_path, data__drop=["three", "amount", "f1", "f2", "land"], data__transforms=[])
    copy = shutil.copytree(base, tmp_path / "copy")
    shutil.copy(other / "pipeline.json", copy / "pipeline.json")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["pipeline.json"] = RunFolder(other).manifest.files["pipeline.json"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert "not the weights of this run's network: dense_1.kernel" in mistakes(upper(tmp_path, copy), RunError)


HEAD = {"type": "dense", "units": 3, "activation": "softmax"}


def test_a_run_can_only_be_the_first_layer_by_itself(base: Path, tmp_path: Path) -> None:
    taken = {"type": "pretrained", "run": str(base)}
    for layers, message in (
        ([{"type": "dense", "units": 2}, taken, HEAD], "model.layers[1]: the layers of a run read the data as it did"),
        ([taken, taken, HEAD], "model.layers[1]: the layers of a run read the data as it did: put them first"),
        ([{**taken, "inputs": ["input"]}, HEAD], "model.layers[0]: the layers of a run read the data as it did"),
        ([{**taken, "l2": 0.1}, HEAD], "model.layers[0]: pretrained takes name and trainable alone"),
        ([{"type": "block", "layers": [taken]}, HEAD], "a pretrained layer stands in the network's own list, not"),
    ):
        assert message in mistakes(upper(tmp_path, base, model__layers=layers))


def test_a_layer_takes_over_one_thing(base: Path, tmp_path: Path) -> None:
    for options, message in (
        ({}, "either a run of nnkit (run: FOLDER) or a published network (source)"),
        ({"run": str(base), "source": "timm"}, "either a run of nnkit"),
        ({"run": str(base), "download": True}, "download is for published networks; leave it out beside run"),
    ):
        layers = [{"type": "pretrained", **options}, HEAD]
        assert message in mistakes(upper(tmp_path, base, model__layers=layers))


def test_the_path_is_relative_to_the_spec_and_with_set_to_the_current_folder(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(base, tmp_path / "specs" / "old")
    path = upper(tmp_path / "specs", Path("old"))
    assert check(path).layers[0].name == "base/dense_1"
    shutil.move(tmp_path / "specs" / "old", tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    assert check(path, overrides=["model.layers[0].run=moved"]).layers[0].name == "base/dense_1"


def test_embeddings_keep_the_vocabulary_of_the_run(tmp_path: Path) -> None:
    words = ["good film", "bad film", "a good one", "bad", "so good", "very bad indeed"]
    lines = [f"{text},{int('good' in text)},{len(text)}" for text in words * 4]
    (tmp_path / "t.csv").write_text("\n".join(["text,y,size", *lines]) + "\n")
    data = {"source": {"type": "csv", "path": "t.csv"}, "split": {"test": 0.25}}
    layers = [{"type": "embedding", "output_dim": 4}, "sequence_pool", {"type": "dense", "units": 1}]
    training: dict[str, Any] = {"procedure": {"type": "supervised", "loss": "mean_squared_error"}, "epochs": 2}
    old = {
        "name": "old",
        "data": {**data, "target": "y", "drop": ["size"], "transforms": [{"type": "words", "columns": ["text"]}]},
        "model": {"type": "network", "layers": layers},
        "training": training,
    }
    (tmp_path / "old.yaml").write_text(dump_yaml(old))
    run = train(tmp_path / "old.yaml", out=tmp_path / "runs")
    pretrained = {"type": "pretrained", "run": str(run), "until": "sequence_pool_1", "name": "base"}
    new = {
        **old,
        "name": "new",
        "data": {**data, "target": "size", "drop": ["y"]},
        "model": {"type": "network", "layers": [pretrained, {"type": "dense", "units": 1}]},
    }
    (tmp_path / "new.yaml").write_text(dump_yaml(new))
    other = train(tmp_path / "new.yaml", out=tmp_path / "runs")
    before, after = weights(run)["embedding_1.embeddings"], weights(other)["base/embedding_1.embeddings"]
    assert before.tobytes() == after.tobytes()
    assert len(before) == len({word for text in words for word in text.split()}) + 1
