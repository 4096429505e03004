"""Run the rows of a workload in turn, round after round: A B C A B C, so that a slow minute hits all alike."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.envs import NNKIT
from benchmarks.judge import broken
from benchmarks.measure import Process, measured
from benchmarks.rows import Report, Row, Workload
from benchmarks.settings import ROOT

FOREIGN = ("PYTHON", "NNKIT_", "KERAS_", "TF_", "JAX_", "XLA_", "OMP_", "MKL_", "VIRTUAL_ENV")


@dataclass
class Track:
    """What a row's runs gave so far; ``problem`` ends it."""

    row: Row
    processes: list[Process] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    problem: str | None = None


def run(workload: Workload, rounds: int, work: Path, after: Callable[[Sequence[Track]], None]) -> list[Track]:
    """Run every row ``rounds`` times ``workload.often``; ``after`` is called with what there is after each round."""
    tracks = [Track(row, problem=row.missing) for row in workload.rows]
    for number in range(1, rounds + 1):
        for _ in range(workload.often):
            for track in tracks:
                if track.problem is None:
                    _once(track, work / workload.name)
                    _tell(workload, track, number)
        after(tracks)
    return tracks


def _once(track: Track, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    row = track.row
    process = measured(row.command(folder), folder, environment(row), row.stdin)
    track.problem = broken(process)
    if track.problem:
        return
    try:
        report = row.read(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        track.problem = f"the result can't be read: {type(error).__name__}: {error}"
        return
    track.processes.append(process)
    track.reports.append(report)


def environment(row: Row) -> Mapping[str, str]:
    """Return a row's environment variables: this shell's without what would change it, then its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    if row.env != NNKIT:
        kept["PYTHONPATH"] = str(ROOT)
    elif "PYTHONPATH" in os.environ:
        kept["PYTHONPATH"] = os.environ["PYTHONPATH"]
    return {**kept, **row.variables}


def _tell(workload: Workload, track: Track, number: int) -> None:
    said = track.problem or f"{track.processes[-1].wall:.2f} s"
    print(f"{workload.name}, round {number}: {track.row.name}: {said}", file=sys.stderr)
