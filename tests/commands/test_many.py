"""Runs of several seeds and folds: equal to single runs however many train at once."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.commands import members
from nnkit.commands.evaluate import evaluate
from nnkit.commands.fitting import fit
from nnkit.commands.train import default_jobs, resume, train
from nnkit.engine.listener import Silence, Value
from nnkit.errors import DivergedError, InterruptError, RunError, UsageError
from nnkit.runs.folder import RunFolder
from nnkit.runs.manifest import new_manifest
from nnkit.spec import Seeds, load
from tests.commands.experiments import write
from tests.commands.many import FOLDS, SHORT, done, same, status


@pytest.mark.parametrize(("way", "split"), [("fork", {}), ("spawn", {"seed": 1})])
def test_each_seed_is_the_run_of_that_seed_alone(tmp_path: Path, way: str, split: dict[str, int]) -> None:
    spec = write(tmp_path, data__split={"test": 0.25, "validation": 0.15, "stratify": True, **split}, **SHORT)
    code, output, errors = done(way, spec, "--seeds", "4,0", "--out", tmp_path / "many", "--jobs", "2", "-q")
    assert code == 0, errors
    many = Path(output)
    one_by_one = train(spec, out=tmp_path / "one", seeds=[4, 0])
    for seed in (0, 4):
        alone = train(spec, out=tmp_path / "alone", seed=seed)
        for run in (many, one_by_one):
            member = run / "seeds" / str(seed)
            assert same(member, alone)
            assert (member / "resolved.yaml").read_bytes() == (alone / "resolved.yaml").read_bytes()
            manifest = RunFolder.open(member).manifest
            assert (manifest.seed, manifest.seeds, manifest.status) == (seed, None, "finished")
            assert set(RunFolder.open(alone).manifest.files) - set(manifest.files) == {
                *(
                    f"{name}.png"
                    for name in ("calibration", "confusion_matrix", "gradients", "history", "precision_recall", "roc")
                )
            }
    assert (many / "metrics.json").read_bytes() == (one_by_one / "metrics.json").read_bytes()
    assert RunFolder.open(many).manifest.seeds == [4, 0]
    assert {path.name for path in many.iterdir()} == {
        *("README.md", "manifest.json", "metrics.json", "resolved.yaml", "seeds", "spec.yaml")
    }
    RunFolder.open(many).verify()


def test_the_numbers_of_seeds_are_mean_deviation_and_each(tmp_path: Path) -> None:
    run = train(write(tmp_path, **SHORT), out=tmp_path / "runs", seeds=[0, 1, 2])
    found = json.loads((run / "metrics.json").read_text())
    each = [found["seeds"][str(seed)]["test"]["accuracy"] for seed in range(3)]
    assert found["mean"]["test"]["accuracy"] == pytest.approx(np.mean(each))
    assert found["deviation"]["test"]["accuracy"] == pytest.approx(np.std(each, ddof=1))
    report = evaluate(run, fail_under=["f1=0.999"])
    assert report.values == found["mean"]["test"]
    assert report.deviation == found["deviation"]["test"]
    assert report.to_json()["seeds"]["1"] == {"test": found["seeds"]["1"]["test"]}
    assert [failure.split()[0] for failure in report.failed] == ["f1"]
    other = evaluate(run, fail_under=["recall=0.1"])
    recalls = [evaluate(run / "seeds" / str(seed), fail_under=["recall=0.1"]).values["recall"] for seed in range(3)]
    assert other.values["recall"] == pytest.approx(np.mean(np.array(recalls, dtype=float)))
    card = (run / "README.md").read_text()
    assert "Mean of 3 seeds:" in card
    assert "| seed | 0, 1, 2 |" in card
    with pytest.raises(RunError, match=f"has 3 seeds, each with its own model; choose one, as {run}/seeds/0"):
        evaluate(run, tmp_path / "t.csv")
    weights = run / "seeds" / "1" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"seeds/1/weights\.safetensors: cut short or changed"):
        evaluate(run)


def test_folds_at_once_give_what_folds_one_by_one_give(tmp_path: Path) -> None:
    spec = write(tmp_path, **FOLDS, **SHORT)
    code, output, errors = done("spawn", spec, "--out", tmp_path / "many", "--jobs", "2", "-q")
    assert code == 0, errors
    many, one_by_one = Path(output), train(spec, out=tmp_path / "one")
    for number in (1, 2, 3):
        assert same(many / "folds" / str(number), one_by_one / "folds" / str(number))
    for name in ("metrics.json", "predictions.csv", "confusion_matrix.csv"):
        assert (many / name).read_bytes() == (one_by_one / name).read_bytes()


@pytest.fixture
def diverging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the training of seed 1 diverge."""

    def fitting(run: RunFolder, ready: Any, *rest: Any) -> None:
        if ready.experiment.seed == 1:
            raise DivergedError("training diverged: the loss became nan")
        fit(run, ready, *rest)

    monkeypatch.setattr(members, "fit", fitting)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_seed_that_diverges_loses_no_other(
    tmp_path: Path, diverging: None, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr("nnkit.commands.workers.can_fork", lambda: True)
    with pytest.raises(DivergedError) as caught:
        train(write(tmp_path, **SHORT), out=tmp_path / "runs", seeds=[0, 1, 2], jobs=jobs)
    [run] = (tmp_path / "runs" / "small").iterdir()
    assert str(caught.value).splitlines() == [
        "seed 1: training diverged: the loss became nan",
        f"2 of 3 seeds are finished, in {run}",
    ]
    assert [status(run / "seeds" / seed) for seed in "012"] == ["finished", "diverged", "finished"]
    assert status(run) == "diverged"
    assert "Mean of 2 seeds, 1 more diverged:" in (run / "README.md").read_text()
    assert list(evaluate(run).to_json()["seeds"]) == ["0", "2"]
    monkeypatch.undo()
    assert resume(run) == run
    assert status(run) == "finished"
    assert list(evaluate(run).to_json()["seeds"]) == ["0", "1", "2"]


def test_where_all_diverge_there_are_no_numbers(tmp_path: Path) -> None:
    procedure = {"type": "supervised", "loss": "binary_cross_entropy", "optimizer": {"type": "sgd", "lr": 1e30}}
    spec = write(tmp_path, training__procedure=procedure, training__callbacks=[])
    code, output, errors = done("fork", spec, "--out", tmp_path / "runs", "--seeds", "1..2", "--jobs", "2")
    assert (code, output) == (6, "")
    [run] = (tmp_path / "runs" / "small").iterdir()
    lines = errors.splitlines()
    assert sorted(line.split(": ")[:2] for line in lines[:2]) == [
        ["seed 1", "training diverged"],
        ["seed 2", "training diverged"],
    ]
    assert lines[2:] == [f"0 of 2 seeds are finished, in {run}"]
    with pytest.raises(RunError, match="has no metrics: its status is diverged; train anew"):
        evaluate(run)


class Log(Silence):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def epoch_ended(self, record: Mapping[str, Value]) -> None:
        self.said.append((record["phase"], record["epoch"]))

    def note(self, text: str) -> None:
        self.said.append(text)

    def members(self, word: str, count: int, done: int, share: float) -> None:
        self.said.append((word, count, done))
        assert done / count <= share <= 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_is_told_under_each_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    monkeypatch.setattr("nnkit.commands.workers.can_fork", lambda: True)
    log = Log()
    stopping = [{"type": "early_stopping", "patience": 0, "min_delta": 10.0}]
    spec = write(tmp_path, training__epochs=6, training__callbacks=stopping)
    train(spec, out=tmp_path / "runs", seeds=[7, 8], jobs=jobs, listener=log)
    for seed in (7, 8):
        assert [said for said in log.said if said[0] == f"seed {seed}: supervised"] == [
            (f"seed {seed}: supervised", epoch) for epoch in (1, 2)
        ]
        assert any(str(said).startswith(f"seed {seed}: stopped after epoch 2: ") for said in log.said)
    moves = [said for said in log.said if said[0] == "seeds"]
    assert moves[0] == ("seeds", 2, 0)
    assert moves[-1] == ("seeds", 2, 2)


def test_seeds_of_folds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--seeds: the spec has data.split.folds: 3, and a run has either"):
        train(write(tmp_path, **FOLDS, **SHORT), out=tmp_path / "runs", seeds=[0, 1])
    assert not (tmp_path / "runs").exists()


def test_the_data_is_prepared_once_where_no_seed_splits_it(tmp_path: Path) -> None:
    spec = write(tmp_path)
    fixed = Seeds(load(spec, ["data.split.seed=1"]))
    assert fixed.ready(0).prepared is fixed.ready(1).prepared
    assert (fixed.ready(0).experiment.seed, fixed.ready(1).experiment.seed) == (0, 1)
    drawn = Seeds(load(spec))
    first, second = drawn.ready(0).prepared.train.rows, drawn.ready(1).prepared.train.rows
    assert len(first) == len(second)
    assert (first != second).any()


@pytest.mark.parametrize(
    ("cores", "threads", "device", "jobs"), [(8, 1, "cpu", 8), (8, 3, "cpu", 2), (2, 4, "cpu", 1), (8, 1, "cuda", 1)]
)
def test_as_many_jobs_as_cores_are_enough_for(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int, device: str, jobs: int
) -> None:
    monkeypatch.setattr("nnkit.engine.threads.usable_cores", lambda: cores)
    assert default_jobs(new_manifest("toy", ["nnkit"], seed=0, threads=threads, device=device)) == jobs


def test_a_run_resumed_with_fewer_cores_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopping(Log):
        def epoch_ended(self, record: Mapping[str, Value]) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("nnkit.engine.threads.threads_for", lambda work: 3)
    with pytest.raises(InterruptError):
        train(write(tmp_path, **SHORT, training__engine="torch"), out=tmp_path / "runs", listener=Stopping())
    [run] = (tmp_path / "runs" / "small").iterdir()
    assert RunFolder.open(run).manifest.threads == 3
    log = Log()
    resume(run, listener=log)
    assert "the run began with 3 threads and may use 1 now: last digits may change" in log.said
    assert RunFolder.open(run).manifest.threads == 1


@pytest.mark.parametrize("damage", ["weights", "manifest"])
def test_a_member_whose_files_had_not_come_to_the_disk_is_trained_again(tmp_path: Path, damage: str) -> None:
    spec = write(tmp_path, **SHORT)
    run = train(spec, out=tmp_path / "r", seeds=[0, 1])
    whole = train(spec, out=tmp_path / "whole", seeds=[0, 1])
    folder = RunFolder.open(run)
    folder.seal(folder.manifest, "running")  # As it is before the last seal, when a power cut may come.
    hurt = run / "seeds" / "1" / {"weights": "weights.safetensors", "manifest": "manifest.json"}[damage]
    hurt.write_bytes(b"")
    before = (run / "seeds" / "0" / "manifest.json").read_bytes()
    log = Log()
    assert resume(run, listener=log) == run
    assert "seed 1: its files are not as they were written; it is trained again" in log.said
    assert (run / "seeds" / "0" / "manifest.json").read_bytes() == before
    RunFolder.open(run).verify()
    assert all(same(run / "seeds" / seed, whole / "seeds" / seed) for seed in "01")
