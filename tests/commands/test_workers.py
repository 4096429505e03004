"""Workers that are stopped, killed or left alone: every run goes on from there, and no process is left."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nnkit.commands.evaluate import evaluate
from nnkit.commands.train import resume, train
from nnkit.errors import InterruptError, ResourceError, RunError
from nnkit.runs.folder import RunFolder
from tests.commands.experiments import write
from tests.commands.many import FOLDS, FORKING, LONG, SHORT, done, same, start, status


def running(run: Path) -> list[Path]:
    """Return the members that train now, one epoch done at least."""
    begun = [path.parent for path in run.glob("*/*/history.jsonl")]
    return [path for path in begun if (path / "manifest.json").exists() and status(path) == "running"]


def wait_for(condition: Any, seconds: float = 60) -> Any:
    """Wait until something is so, and return what it is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def begun(way: str, folder: Path, *arguments: str, **options: Any) -> tuple[subprocess.Popen[str], Path]:
    """Start two long trainings at once; return when both go on."""
    arguments = arguments or ("--seeds", "0..2")
    process = start(way, folder / "spec.yaml", *arguments, "--out", folder / "r", "--jobs", "2", "-q", **options)
    [run] = wait_for(lambda: list(folder.glob("r/small/*")))
    wait_for(lambda: len(running(run)) == 2)
    return process, run


def finish(run: Path, spec: Path, tmp_path: Path) -> None:
    """Resume a run of seeds, and compare one that was stopped with the run of that seed alone."""
    stopped = [path for path in run.glob("seeds/*") if not RunFolder(path).finished]
    finished = {path: (path / "manifest.json").read_bytes() for path in run.glob("seeds/*") if path not in stopped}
    assert resume(run) == run
    assert status(run) == "finished"
    assert all((path / "manifest.json").read_bytes() == before for path, before in finished.items())
    assert same(stopped[0], train(spec, out=tmp_path / "alone", seed=int(stopped[0].name)))
    assert not list(run.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("way", "number", "code"),
    [
        ("fork", signal.SIGINT, 130),
        pytest.param("fork", signal.SIGTERM, 143, marks=pytest.mark.slow),
        ("spawn", signal.SIGTERM, 143),
    ],
)
def test_a_signal_stops_all_with_checkpoints(tmp_path: Path, way: str, number: signal.Signals, code: int) -> None:
    spec = write(tmp_path, **LONG)
    process, run = begun(way, tmp_path, start_new_session=True)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # As a terminal does: all processes get it.
    else:
        process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (code, "")
    assert re.fullmatch(
        r"interrupted with \d of 3 seeds finished; the checkpoints of others are written; "
        rf"go on with: nnkit train --resume {run}\n",
        errors,
    )
    statuses = [status(path) for path in run.glob("seeds/*")]
    assert statuses.count("interrupted") == 2
    assert set(statuses) <= {"interrupted", "finished"}
    assert status(run) == "interrupted"
    with pytest.raises(RunError, match="has no metrics: its status is interrupted; finish it with"):
        evaluate(run)
    finish(run, spec, tmp_path)


def children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return list(map(int, text.split()))


linux = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


@linux
@pytest.mark.parametrize("way", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_killed_worker_ends_the_run_with_7_and_all_can_go_on(tmp_path: Path, way: str) -> None:
    spec = write(tmp_path, **LONG)
    process, run = begun(way, tmp_path)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 7
    assert re.fullmatch(
        r"seed \d: its process was killed by SIGKILL; where memory is short, fewer --jobs need less; "
        rf"go on with: nnkit train --resume {run}\n",
        errors,
    )
    finish(run, spec, tmp_path)


@linux
@pytest.mark.parametrize("way", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_no_worker_outlives_the_process_that_started_it(tmp_path: Path, way: str) -> None:
    spec = write(tmp_path, **LONG)
    process, run = begun(way, tmp_path)
    workers = children(process.pid)
    assert len(workers) == 2
    process.kill()
    process.communicate()
    wait_for(lambda: not any(alive(worker) for worker in workers), 20)
    assert [status(path) for path in run.glob("seeds/*")].count("interrupted") == 2
    finish(run, spec, tmp_path)


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.slow
def test_folds_that_were_interrupted_at_once_go_on(tmp_path: Path) -> None:
    spec = write(tmp_path, **FOLDS, **LONG)
    process, run = begun("fork", tmp_path, "--set", "training.epochs=3000")
    process.terminate()
    process.communicate(timeout=60)
    with pytest.raises(RunError, match=f"is one fold of a run; go on with all: nnkit train --resume {run}"):
        resume(run / "folds" / "1")
    code, _, errors = done("fork", "--resume", run, "--jobs", "2", "-q")
    assert code == 0, errors
    whole = train(spec, out=tmp_path / "whole", overrides=["training.epochs=3000"])
    for name in ("metrics.json", "predictions.csv", "confusion_matrix.csv"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    ("error", "code"), [("OSError(28, 'full', 'w')", 7), ("MemoryError()", 7), ("KeyError('k')", 1)]
)
def test_other_errors_of_a_worker_end_as_they_do_alone(tmp_path: Path, error: str, code: int) -> None:
    spec = write(tmp_path, **SHORT)
    broken = f"""
from nnkit.commands import members
def broken(*arguments):
    raise {error}
members.fit = broken
"""
    found = []
    for jobs in (1, 2):
        command = [sys.executable, "-c", broken + FORKING, "train", str(spec), "--seeds", "0..2", "--jobs", str(jobs)]
        process = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        found.append((process.returncode, process.stderr.replace("RuntimeError: ", "")))
    assert found[0] == found[1]
    assert found[0][0] == code


def test_a_worker_that_cannot_read_the_data_says_so(tmp_path: Path) -> None:
    spec = write(tmp_path, **LONG)
    process, run = begun("fork", tmp_path)
    process.terminate()
    process.communicate()
    opening = f"""
from pathlib import Path
from nnkit.commands import workers
start = workers.start_worker
workers.can_fork = lambda: False
def late(run):
    Path({str(tmp_path / "t.csv")!r}).unlink(missing_ok=True)
    return start(run)
workers.start_worker = late
from nnkit import cli
cli.main()
"""
    command = [sys.executable, "-c", opening, "train", "--resume", str(run), "--jobs", "2", "-q"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 4, ended.stderr
    assert "t.csv" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert spec.exists()


def test_errors_cross_the_pipe_whole() -> None:
    from nnkit.commands.workers import from_words, to_words
    from nnkit.errors import DataError, Problem, SpecError

    for error in (
        InterruptError("stop", 15),
        DataError("d.csv:4: ragged"),
        ResourceError("no disk"),
        SpecError([Problem(("a",), "wrong", "s.yaml:3"), Problem((), "too")]),
        OSError(28, "full", "w"),
    ):
        found = from_words(*json.loads(json.dumps(to_words(error))))
        assert (type(found), str(found)) == (type(error), str(error))
    found = from_words(*to_words(InterruptError("stop", 2)))
    assert isinstance(found, InterruptError)
    assert found.signal_number == 2
    assert isinstance(from_words(*to_words(MemoryError())), MemoryError)
