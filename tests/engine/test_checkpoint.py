"""Checkpoints of other versions and of other networks end with a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.engine import checkpoint, native
from nnkit.engine.checkpoint import Checkpoint, Position
from nnkit.engine.trainer import Trainer
from nnkit.errors import RunError
from tests.engine.toy import FolderStore, phase
from tests.native.experiments import Case, Made


def saved(folder: Path, state: Any) -> Path:
    path = folder / "last.safetensors"
    Checkpoint(Position(0, 1), 1, state).save(path)
    return path


@pytest.mark.parametrize(
    ("version", "message"),
    [(2, "checkpoint format 2 is an older nnkit's; start the run anew"), (4, "is newer than this nnkit's; update")],
)
def test_other_versions_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, message: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT_VERSION", version)
        path = saved(tmp_path, {"phase": None, "hooks": []})
    with pytest.raises(RunError, match=message):
        Checkpoint.load(path)


def edits() -> dict[str, Any]:
    return {
        "missing": lambda state: state.pop("weights"),
        "other shape": lambda state: state["weights"].update({next(iter(state["weights"])): np.zeros(1, np.float32)}),
        "no arrays": lambda state: state.update(weights=3),
        "optimizer": lambda state: state.update(optimizer={"0": {"exp_avg": np.zeros((7, 7), np.float32)}}),
    }


@pytest.mark.parametrize("edit", sorted(edits()))
@pytest.mark.parametrize("engine", ["torch", "native"])
def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path, engine: str, edit: str) -> None:
    if engine == "native" and native.kernel() is None:
        pytest.skip("nnkit was installed without its native engine")
    layers = [{"type": "dense", "units": 4}, {"type": "dense", "units": 1, "activation": "sigmoid"}]
    procedure = {"type": "supervised", "loss": "binary_cross_entropy", "optimizer": "adam"}
    made = Made.of(Case(layers, procedure, {"epochs": 3, "batch_size": 8}, "binary", 3, 1, 20, 0, False))
    first = made.phase(engine)
    for batch in first.batches(0, 0):
        first.step(batch)
    state = first.state()
    edits()[edit](state)
    path = saved(tmp_path, {"phase": state, "hooks": []})
    with pytest.raises(RunError, match=r"the checkpoint does not fit the run's supervised .*; it was changed"):
        Trainer([], FolderStore(tmp_path)).fit([made.phase(engine)], Checkpoint.load(path))


def test_a_checkpoint_of_other_hooks_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, {"phase": phase(2).state(), "hooks": [{"best": 1}]})
    with pytest.raises(RunError, match="does not fit"):
        Trainer([], FolderStore(tmp_path)).fit([phase(2)], Checkpoint.load(path))
