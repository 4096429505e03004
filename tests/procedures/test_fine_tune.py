"""Fine-tuning: what each phase changes and at which rate, by the files of runs and the optimizer's own groups."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.commands.check import check
from nnkit.commands.train import resume, train
from nnkit.engine.gradient import GradientPhase
from nnkit.errors import InterruptError, SpecError
from nnkit.procedures.base import Work
from nnkit.runs.pretrained import load_whole
from nnkit.spec import ready
from nnkit.tensors import read_tensors
from tests.commands.test_interrupt import Terminating, history, same, start, started
from tests.commands.transfer import base_run, upper

FINE_TUNE: dict[str, Any] = {
    "type": "fine_tune",
    "head_epochs": 2,
    "loss": "categorical_cross_entropy",
    "optimizer": {"type": "adam", "lr": 0.01},
}
LAYERS: list[Any] = [
    {"type": "dense", "units": 8, "activation": "relu"},
    {"type": "batch_norm", "momentum": 0.9},
    {"type": "dense", "units": 6, "activation": "relu"},
    {"type": "dropout", "rate": 0.2},
    {"type": "dense", "units": 1, "activation": "sigmoid"},
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_run(tmp_path_factory.mktemp("base"), model__layers=LAYERS)


def spec(folder: Path, base: Path, *, changes: dict[str, Any] | None = None, **procedure: Any) -> Path:
    given = {"training__callbacks": [], "training__epochs": 5, **(changes or {})}
    return upper(folder, base, training__procedure={**FINE_TUNE, **procedure}, **given)


def weights(run: Path) -> dict[str, Any]:
    return read_tensors(run / "weights.safetensors")[0]


def changed(run: Path, base: Path) -> set[str]:
    """Return the weights of the run's lower layers that are not byte-equal to those of ``base``."""
    before, after = weights(base), weights(run)
    return {
        name
        for name, array in before.items()
        if f"base/{name}" in after and after[f"base/{name}"].tobytes() != array.tobytes()
    }


DENSE = {f"{layer}.{weight}" for layer in ("dense_1", "dense_2") for weight in ("kernel", "bias")}
NORM = {f"batch_norm_1.{weight}" for weight in ("gamma", "beta", "moving_mean", "moving_variance")}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"unfreeze": "none", "head_epochs": 5}, set()),
        ({}, DENSE),
        ({"keep_batch_norm": False}, DENSE | NORM),
        ({"unfreeze": 1}, {"dense_2.kernel", "dense_2.bias"}),
        ({"unfreeze": ["base/dense_1"], "head_epochs": 0}, {"dense_1.kernel", "dense_1.bias"}),
        ({"unfreeze": ["base"], "lr_factor": {"base": 0.1, "base/dense_1": 0.5}}, DENSE),
    ],
)
def test_what_is_unfrozen_changes_and_all_else_is_byte_equal(
    base: Path, tmp_path: Path, options: dict[str, Any], expected: set[str]
) -> None:
    run = train(spec(tmp_path, base, **options), out=tmp_path / "runs")
    assert changed(run, base) == expected


def test_the_head_alone_is_trained_first_and_nothing_below_it_moves(base: Path, tmp_path: Path) -> None:
    path = spec(tmp_path, base, changes={"training__callbacks": [{"type": "checkpoint", "every_seconds": 0}]})
    with pytest.raises(InterruptError):
        train(path, out=tmp_path / "runs", listener=Terminating(2))
    [run] = (tmp_path / "runs" / "upper").iterdir()
    arrays, metadata = read_tensors(run / "checkpoints" / "last.safetensors")
    tree = json.loads(metadata["checkpoint"])
    at_end_of_head = {name: arrays[place["$array"]] for name, place in tree["state"]["phase"]["weights"].items()}
    assert tree["position"] == {"phase": 0, "epoch": 2, "step": 0}
    for name in DENSE | NORM:
        assert at_end_of_head[f"base/{name}"].tobytes() == weights(base)[name].tobytes()
    assert [record["phase"] for record in history(resume(run))] == ["head"] * 2 + ["fine_tune"] * 3


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_a_run_stopped_in_either_phase_goes_on_byte_equal(base: Path, tmp_path: Path, epochs: int) -> None:
    scheduled = {"type": "adam", "lr": 0.01, "schedule": {"type": "cosine", "per": "step"}}
    path = spec(
        tmp_path,
        base,
        changes={"training__callbacks": [{"type": "early_stopping", "patience": 4}]},
        optimizer=scheduled,
        layer_decay=0.5,
        keep_batch_norm=False,
    )
    whole = train(path, out=tmp_path / "whole")
    with pytest.raises(InterruptError):
        train(path, out=tmp_path / "runs", listener=Terminating(epochs))
    [run] = (tmp_path / "runs" / "upper").iterdir()
    resume(run)
    assert history(run) == history(whole)
    for name in ("weights.safetensors", "predictions.csv", "metrics.json"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


def _lines(run: Path) -> list[bytes]:
    file = run / "history.jsonl"
    return file.read_bytes().splitlines() if file.exists() else []


def test_a_run_killed_at_any_moment_goes_on_byte_equal(base: Path, tmp_path: Path) -> None:
    often = [{"type": "checkpoint", "every_seconds": 0.02}]
    changes = {"name": "small", "training__epochs": 60, "training__callbacks": often}
    path = spec(tmp_path, base, changes=changes, head_epochs=30)
    whole = train(path, out=tmp_path / "whole")
    seen = set()
    for number, epochs in enumerate((5, 35)):
        process, run = started(path, tmp_path / f"run{number}")
        while process.poll() is None and len(_lines(run)) < epochs:
            time.sleep(0.005)
        process.kill()
        process.communicate()
        seen.add(history(run)[-1]["phase"])
        again = start("--resume", run)
        _, errors = again.communicate()
        assert again.returncode == 0, errors
        assert same(run, whole)
    assert seen == {"head", "fine_tune"}


def phases(path: Path) -> list[GradientPhase]:
    """Return the phases of a spec, each made when the one before is over, as the trainer does."""
    made = ready(load_whole(path))
    network = made.plan.build()
    network.load_arrays(made.initial_weights())
    training = made.experiment.training
    work = Work(made.plan, network, made.prepared, training, 0, "cpu")
    found: list[Any] = list(training.procedure.phases(work))
    return found


def rates(phase: GradientPhase) -> list[tuple[float, int]]:
    groups = phase._optimizer.param_groups
    return [(group["lr"], sum(weight.numel() for weight in group["params"])) for group in groups]


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_each_layer_learns_at_its_own_rate(base: Path, tmp_path: Path, optimizer: str) -> None:
    first, second = 5 * 8 + 8, 8 * 6 + 6
    head = 6 * 3 + 3
    options: dict[str, Any] = {"optimizer": {"type": optimizer, "lr": 0.1}, "lr_factor": 0.5, "layer_decay": 0.2}
    by_phase = [rates(phase) for phase in phases(spec(tmp_path, base, **options))]
    found = [{rate: sum(n for r, n in groups if r == rate) for rate, _ in groups} for groups in by_phase]
    assert found[0] == {0.1: head}
    assert {round(rate, 12): count for rate, count in found[1].items()} == {0.1: head, 0.05: second, 0.01: first}


def test_rates_by_name_take_the_longest_that_fits(base: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "lr_factor": {"base": 0.5, "base/dense_1": 0.25},
        "optimizer": {"type": "sgd", "lr": 1.0},
    }
    _, second = phases(spec(tmp_path, base, **options))
    assert rates(second) == [(1.0, 21), (0.25, 48), (0.5, 54)]


def test_a_schedule_runs_over_each_phase_and_scales_every_rate(base: Path, tmp_path: Path) -> None:
    schedule = {"type": "linear", "end": 0.0}
    optimizer = {"type": "sgd", "lr": 1.0, "schedule": schedule}
    head, tune = phases(spec(tmp_path, base, optimizer=optimizer, lr_factor=0.5))
    for phase, epochs in ((head, 2), (tune, 3)):
        assert phase.epochs == epochs
        seen = []
        for epoch in range(epochs):
            next(iter(phase.batches(epoch, 0)))
            seen.append([lr for lr, _ in rates(phase)])
        factors = np.array(seen)[:, 0]
        np.testing.assert_allclose(factors[0], 1.0)
        assert (np.diff(factors) < 0).all()
        np.testing.assert_allclose(np.array(seen), np.outer(factors, [1.0, 0.5][: len(seen[0])]))


def test_callbacks_begin_anew_with_each_phase(base: Path, tmp_path: Path) -> None:
    still = {"type": "sgd", "lr": 1e-12}
    stopping = [{"type": "early_stopping", "patience": 0, "monitor": "train_accuracy", "min_delta": 0.5}]
    changes = {"training__callbacks": stopping, "training__epochs": 9}
    run = train(spec(tmp_path, base, changes=changes, optimizer=still, head_epochs=4), out=tmp_path / "runs")
    assert [(line["phase"], line["epoch"]) for line in history(run)] == [
        *(("head", 1), ("head", 2), ("fine_tune", 1), ("fine_tune", 2))
    ]


def test_layers_frozen_by_hand_can_be_fine_tuned_too(base: Path, tmp_path: Path) -> None:
    layers = [
        {"type": "dense", "units": 4, "trainable": False},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ]
    changes = {"model__layers": layers, "data__transforms": [{"type": "one_hot", "columns": ["land"]}]}
    report = check(spec(tmp_path, base, changes=changes))
    assert [(stage.name, stage.epochs, stage.trained) for stage in report.phases] == [
        ("head", 2, 15),
        ("fine_tune", 3, 15 + 5 * 4 + 4),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head_epochs": 5}, "head_epochs: 5 leaves no epoch to fine-tune in: training.epochs is 5, and counts both"),
        ({"unfreeze": "none"}, "head_epochs: unfreeze: none leaves only the head to train: expected head_epochs 5"),
        ({"unfreeze": 3}, "unfreeze: there are 2 frozen layers with weights: base/dense_1, base/dense_2"),
        ({"unfreeze": ["base/dense_3"]}, "unfreeze[0]: no frozen layer with weights is called 'base/dense_3'; did you"),
        ({"unfreeze": ["dense_1"]}, "unfreeze[0]: dense_1 is not frozen; take it out"),
        ({"unfreeze": ["base/batch_norm_1"]}, "unfreeze[0]: base/batch_norm_1 is a batch norm, which keep_batch_norm"),
        ({"lr_factor": {"base/dense_1": 1.0}}, "lr_factor: expected a factor for each layer that is unfrozen; base/de"),
        ({"lr_factor": {"base": 1.0, "x": 1.0}}, "lr_factor.x: nothing of that name is unfrozen; there are: base/de"),
        ({"unfreeze": 0}, "unfreeze: expected one of all, none or a whole number greater than 0 or a list"),
    ],
)
def test_mistakes_are_told_with_their_place(base: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        check(spec(tmp_path, base, **options))
    assert f"training.procedure.{message}" in str(caught.value)


def test_a_network_without_frozen_layers_is_refused(base: Path, tmp_path: Path) -> None:
    path = spec(tmp_path, base)
    with pytest.raises(
        SpecError, match=r"model\.layers: there is nothing to unfreeze: no layer with weights is frozen"
    ):
        check(path, overrides=["model.layers[0].trainable=true"])


def test_it_is_torchs(base: Path, tmp_path: Path) -> None:
    path = spec(tmp_path, base)
    assert check(path).engine_reason == "the native engine is left out: it has no procedure fine_tune"
    with pytest.raises(SpecError, match="the native engine cannot train this: it has no procedure fine_tune"):
        check(path, overrides=["training.engine=native"])
