"""Runs that are killed, interrupted, or that the disk refuses: nothing is lost, and resuming changes no byte."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nnkit.commands.train import resume, train
from nnkit.engine.checkpoint import Checkpoint
from nnkit.engine.listener import Silence, Value
from nnkit.errors import InterruptError, ResourceError, RunError
from nnkit.runs.folder import RunFolder
from tests.commands.experiments import write
from tests.commands.machines import DBN, RBM, machine_spec
from tests.commands.pictures import picture_spec
from tests.commands.texts import text_spec

CHANGES: dict[str, Any] = {
    "training__epochs": 40,
    "training__callbacks": [
        {"type": "early_stopping", "patience": 30},
        {"type": "reduce_on_plateau", "patience": 3, "factor": 0.5},
        {"type": "checkpoint", "every_seconds": 0.02},
    ],
}


def start(*arguments: str | Path, limit: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "nnkit", "train", *map(str, arguments), "-q"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit, env=dict(os.environ)
    )


def started(spec: Path, out: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a run and wait for its folder."""
    process = start(spec, "--out", out)
    while process.poll() is None and not list(out.glob("small/*/manifest.json")):
        time.sleep(0.01)
    [run] = out.glob("small/*")
    return process, run


def history(run: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return [
        {key: value for key, value in record.items() if key not in ("seconds", "rows_per_second")} for record in records
    ]


def same(run: Path, whole: Path) -> bool:
    names = ["weights.safetensors", "predictions.csv", "metrics.json"]
    names += ["confusion_matrix.csv"] if (whole / "confusion_matrix.csv").exists() else []
    return history(run) == history(whole) and all(
        (run / name).read_bytes() == (whole / name).read_bytes() for name in names
    )


EPOCHS = {"torch": 40, "native": 4000, "augmented": 40, "language": 30, "rbm": 400, "dbn": 60}
"""So many take a second or more, so that kills come in all moments."""
MACHINES = {"rbm": RBM, "dbn": DBN}
MACHINE_CHANGES: dict[str, dict[str, Any]] = {
    "rbm": {"training__callbacks": CHANGES["training__callbacks"][2:]},
    "dbn": {"training__procedure": DBN["training"]["procedure"] | {"pretrain_epochs": 150}},
}
"""An RBM's history has no loss to watch; a belief net shall be killed in its layers too."""
AUGMENT = [{"type": "translate", "shift": 2}, "rotate", "flip", "brightness", "noise", "mixup", "cutmix"]


def long_spec(folder: Path, kind: str, **more: Any) -> Path:
    """Write a spec with an engine, with augmentation, or of a language model with carried state."""
    changes = CHANGES | {"training__epochs": EPOCHS[kind], "training__callbacks": CHANGES["training__callbacks"][1:]}
    if kind == "augmented":
        return picture_spec(folder, AUGMENT, **changes)
    if kind == "language":
        return text_spec(folder, **changes)
    if kind in MACHINES:
        return machine_spec(folder, MACHINES[kind], **changes | MACHINE_CHANGES[kind])
    return write(folder, **changes | {"training__engine": kind} | more)


def kill_and_resume(tmp_path: Path, spec: Path, kills: int, seed: int) -> None:
    """Kill runs of a spec, whose name is small, resume them, and compare them with one that was never killed."""
    draw = random.Random(seed)
    began = time.monotonic()
    process, whole = started(spec, tmp_path / "whole")
    assert process.wait() == 0
    process.communicate()
    duration = time.monotonic() - began
    killed = 0
    while killed < kills:
        process, run = started(spec, tmp_path / f"run{killed}")
        while True:
            time.sleep(draw.uniform(0, duration * 0.7))
            killed += process.poll() is None
            process.kill()
            process.communicate()
            if killed >= kills or draw.random() < 0.6:
                break
            process = start("--resume", run)
        process = start("--resume", run)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert same(run, whole)
        assert not list(run.rglob("*.tmp"))


@pytest.mark.parametrize("kind", EPOCHS)
def test_killed_runs_end_byte_equal_when_resumed(tmp_path: Path, kind: str) -> None:
    kill_and_resume(tmp_path, long_spec(tmp_path, kind), kills=2, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", EPOCHS)
def test_fifty_kills(tmp_path: Path, kind: str) -> None:
    kill_and_resume(tmp_path, long_spec(tmp_path, kind), kills=50, seed=2)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_a_checkpoint_and_their_exit_code(tmp_path: Path, number: signal.Signals, code: int) -> None:
    long = CHANGES | {"training__epochs": 50_000, "training__callbacks": []}
    process, run = started(write(tmp_path, **long), tmp_path / "runs")
    while not (run / "history.jsonl").exists():
        time.sleep(0.02)
    process.send_signal(number)
    output, errors = process.communicate()
    assert process.returncode == code
    assert output == ""
    assert f"nnkit train --resume {run}" in errors
    assert "Traceback" not in errors
    assert RunFolder.open(run).manifest.status == "interrupted"
    assert Checkpoint.load(run / "checkpoints" / "last.safetensors").records == len(history(run))


def test_a_run_that_was_told_to_ignore_ctrl_c_ignores_it(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "nnkit",
        "train",
        str(write(tmp_path, **CHANGES)),
        "--out",
        str(tmp_path / "r"),
        "-q",
    ]
    ignoring = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    while ignoring.poll() is None and not list(tmp_path.glob("r/small/*/history.jsonl")):
        time.sleep(0.02)
    ignoring.send_signal(signal.SIGINT)
    _, errors = ignoring.communicate()
    assert ignoring.returncode == 0, errors


def test_a_full_disk_ends_with_7_and_the_last_checkpoint_whole(tmp_path: Path) -> None:
    spec = write(tmp_path, **CHANGES)
    first = train(spec, out=tmp_path / "runs")
    size = (first / "checkpoints" / "best.safetensors").stat().st_size
    assert size < 6000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (7000, 7000))

    process = start(spec, "--out", tmp_path / "small", limit=limit)
    _, errors = process.communicate()
    assert process.returncode == 7, errors
    assert "cannot be written: the file would be larger than the system allows" in errors
    assert "Traceback" not in errors


def test_what_the_disk_refuses_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nnkit import files

    write_new, written = files._write_new, []

    def refuse(path: Path, data: bytes, synced: bool) -> None:
        if "last.safetensors" in path.name:
            written.append(path)
            if len(written) == 3:
                raise OSError(28, "No space left on device")
        write_new(path, data, synced)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_write_new", refuse)
        every_epoch = [{"type": "checkpoint", "every_seconds": 0}]
        spec = write(tmp_path, **CHANGES | {"training__callbacks": every_epoch})
        with pytest.raises(ResourceError, match=r"last\.safetensors: cannot be written: the disk is full"):
            train(spec, out=tmp_path / "runs")
    [run] = (tmp_path / "runs" / "small").iterdir()
    assert Checkpoint.load(run / "checkpoints" / "last.safetensors").records > 0
    assert resume(run) == run
    assert same(run, train(tmp_path / "spec.yaml", out=tmp_path / "whole"))


def test_a_checkpoint_that_names_no_value_watches_the_training_without_validation_rows(tmp_path: Path) -> None:
    """What resolved.yaml says of it must be right for a run that goes on."""
    callbacks = [{"type": "checkpoint", "every_seconds": 0}]
    spec = write(tmp_path, data__split={"test": 0.25}, training__callbacks=callbacks, training__epochs=2)
    run = train(spec, out=tmp_path / "runs")
    manifest = RunFolder.open(run).manifest
    RunFolder.open(run).seal(manifest, "interrupted")
    assert resume(run) == run
    assert (run / "checkpoints" / "best.safetensors").exists()


def interrupted(tmp_path: Path) -> Path:
    long = CHANGES | {"training__epochs": 50_000, "training__callbacks": []}
    process, run = started(write(tmp_path, **long), tmp_path / "runs")
    while not (run / "history.jsonl").exists():
        time.sleep(0.02)
    process.terminate()
    process.communicate()
    return run


def test_changed_data_and_a_damaged_checkpoint_are_noticed(tmp_path: Path) -> None:
    run = interrupted(tmp_path)
    data = tmp_path / "t.csv"
    before = data.read_text()
    data.write_text(before.replace("yes", "no", 1))
    with pytest.raises(RunError, match=rf"the data is not what the run began with: {data} changed"):
        resume(run)
    data.write_text(before)
    last = run / "checkpoints" / "last.safetensors"
    last.write_bytes(last.read_bytes()[:-5])
    with pytest.raises(RunError, match=r"last\.safetensors: not a whole file"):
        resume(run)


class Terminating(Silence):
    """Sends SIGTERM to this very process after some epochs."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def epoch_ended(self, record: Mapping[str, Value]) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


def test_folds_go_on_in_the_fold_that_was_interrupted(tmp_path: Path) -> None:
    split = {"folds": 3, "stratify": True, "validation": 0.1}
    spec = write(tmp_path, data__split=split, training__epochs=4, training__callbacks=[])
    whole = train(spec, out=tmp_path / "whole")
    with pytest.raises(InterruptError, match="go on with: nnkit train --resume") as caught:
        train(spec, out=tmp_path / "runs", listener=Terminating(6))
    assert caught.value.signal_number == signal.SIGTERM
    [run] = (tmp_path / "runs" / "small").iterdir()
    statuses = [RunFolder.open(path).manifest.status for path in (run, run / "folds" / "1", run / "folds" / "2")]
    assert statuses == ["interrupted", "finished", "interrupted"]
    before = (run / "folds" / "1" / "manifest.json").read_bytes()
    assert resume(run) == run
    assert (run / "folds" / "1" / "manifest.json").read_bytes() == before
    for name in ("metrics.json", "predictions.csv", "confusion_matrix.csv"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
