"""Published networks in a whole run: weights from a file, a frozen body, and a folder that is enough to predict."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnkit.cli import run as cli
from nnkit.commands.check import check
from nnkit.commands.evaluate import evaluate
from nnkit.commands.train import train
from nnkit.config.document import dump_yaml
from nnkit.errors import RunError, SpecError
from nnkit.tensors import read_tensors, write_tensors
from tests.nn.libraries import optional

POOL: list[Any] = ["flatten", {"type": "dense", "units": 1, "activation": "sigmoid"}]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = optional("torchvision").models
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("published") / "resnet18.safetensors"
    state = models.get_model("resnet18", weights=None).state_dict()
    write_tensors(path, {name: tensor.numpy() for name, tensor in state.items()}, {})
    return path


def spec(folder: Path, file: Path, procedure: dict[str, Any] | None = None, **layer: Any) -> Path:
    draw = np.random.default_rng(0)
    np.savez(folder / "d.npz", x=draw.random((12, 32, 32, 3)).astype("float32"), label=np.arange(12) % 2)
    body = {"type": "pretrained", "source": "torchvision", "name": "resnet18", "weights": str(file), **layer}
    value = {
        "name": "published",
        "data": {"source": {"type": "npz", "path": "d.npz"}, "target": "label"},
        "model": {"type": "network", "layers": [body, *POOL]},
        "training": {
            "procedure": {"type": "supervised", "loss": "binary_cross_entropy", **(procedure or {})},
            "epochs": 2,
            "batch_size": 6,
        },
    }
    path = folder / "spec.yaml"
    path.write_text(dump_yaml(value))
    return path


def changed(run: Path, file: Path) -> set[str]:
    before, after = read_tensors(file)[0], read_tensors(run / "weights.safetensors")[0]
    return {
        name.removeprefix("resnet18.")
        for name, array in after.items()
        if name.startswith("resnet18.") and array.tobytes() != before[name.removeprefix("resnet18.")].tobytes()
    }


def test_a_frozen_body_stays_byte_equal_and_the_folder_predicts_without_the_file(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(file.read_bytes())
    path = spec(tmp_path, copy)
    assert [row.shape for row in check(path).layers] == [(1, 1, 512), (512,), (1,)]
    run = train(path, out=tmp_path / "runs")
    assert changed(run, file) == set()
    copy.unlink()
    assert evaluate(run, tmp_path / "d.npz").values["accuracy"] is not None
    assert f"| `resnet18` began as | torchvision resnet18, weights {copy} |" in (run / "README.md").read_text()


def test_fine_tuning_unfreezes_a_part_and_leaves_its_batch_norm(file: Path, tmp_path: Path) -> None:
    procedure = {"type": "fine_tune", "head_epochs": 1, "unfreeze": ["resnet18/layer4.1"]}
    run = train(spec(tmp_path, file, procedure), out=tmp_path / "runs")
    assert changed(run, file) == {"layer4.1.conv1.weight", "layer4.1.conv2.weight"}
    procedure |= {"unfreeze": 1, "keep_batch_norm": False}
    run = train(spec(tmp_path, file, procedure), out=tmp_path / "runs")
    touched = changed(run, file)
    assert {name.split(".")[0] for name in touched} == {"layer4"}
    assert "layer4.1.bn2.running_mean" in touched


def test_a_file_that_is_not_of_the_network_is_refused(file: Path, tmp_path: Path) -> None:
    arrays, _ = read_tensors(file)
    other = tmp_path / "other.safetensors"
    write_tensors(other, {**arrays, "conv1.weight": arrays["conv1.weight"][:3]}, {})
    with pytest.raises(
        RunError, match=r"not the weights of these layers: resnet18\.conv1\.weight is 3 x 3 x 7 x 7, ex"
    ):
        check(spec(tmp_path, other))
    write_tensors(other, {"x": np.zeros(3, np.float32)}, {})
    with pytest.raises(RunError, match=r"resnet18\.conv1\.weight is missing; .*; and 95 more"):
        check(spec(tmp_path, other))


def test_a_network_that_there_is_not_has_its_place(file: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"model\.layers\[0\]: resnt18 reads input .*did you mean resnet18"):
        check(spec(tmp_path, file, name="resnt18"))


def test_files_that_cannot_be_read_are_told_without_any_library(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["check", str(spec(tmp_path, tmp_path / "no.safetensors"))]) == 5
    assert "model.layers[0].weights: " in (said := capsys.readouterr().err)
    assert "no.safetensors: the weights cannot be read: No such file or directory" in said
    (tmp_path / "no.safetensors").write_bytes(b"not safetensors at all")
    assert cli(["check", str(spec(tmp_path, tmp_path / "no.safetensors"))]) == 5
    assert "not a whole file of weights" in capsys.readouterr().err


def test_check_does_not_download_and_train_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    path = spec(tmp_path, Path("tv_in1k"), source="timm", download=True)
    for command in (["check", str(path)], ["train", str(path), "--out", str(tmp_path)]):
        assert cli(command) == 7
        assert "timm is not installed; install it: pip install 'nnkit[pretrained]'" in capsys.readouterr().err
