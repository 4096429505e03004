"""Run a command and measure the whole process: wall time, processor time, peak memory."""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TAIL = 2_000


@dataclass(frozen=True)
class Process:
    """What a process took: seconds on the clock, seconds of processors, MiB of its largest process, exit code.

    ``complaint`` is the end of what it wrote to stderr.
    """

    wall: float
    cpu: float
    peak: float
    code: int
    complaint: str


def measured(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    stdin: Path | None = None,
    limit: float = 3600.0,
) -> Process:
    """Run a command with stdout and stderr as files in ``folder``; it is killed after ``limit`` seconds.

    Linux counts the memory of the process that starts another as the other's: the harness has to stay small itself.
    """
    complaint = folder / "stderr"
    with (
        (stdin or Path(os.devnull)).open("rb") as given,
        (folder / "stdout").open("wb") as out,
        complaint.open("wb") as talk,
    ):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=given, stdout=out, stderr=talk, env=dict(variables))
        killer = threading.Timer(limit, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        killer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    said = complaint.read_text(encoding="utf-8", errors="replace")[-TAIL:].strip()
    return Process(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, said)
