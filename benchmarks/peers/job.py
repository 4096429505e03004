"""What the harness asks of a peer's script, and the report that it reads back."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """One piece of work: files to read and to write, and how long to train.

    ``data`` is the input file, ``out`` the folder of the report, ``options`` what only some scripts know.
    """

    data: str
    out: str
    epochs: int = 50
    batch: int = 10
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def seeds(self) -> list[int]:
        """Return the seeds to train with, one after the other; usually one."""
        return list(self.options.get("seeds", [self.seed]))


def read_job() -> Job:
    """Return the job that stands on the command line as JSON."""
    return Job(**json.loads(sys.argv[1]))


def report(job: Job, steps: int, seconds: float, probabilities: Sequence[float] = (), **more: Any) -> None:
    """Write ``report.json``: steps done, seconds of the training loop, a probability for each test row."""
    found = {"steps": steps, "seconds": seconds, "probabilities": list(map(float, probabilities)), **more}
    Path(job.out, "report.json").write_text(json.dumps(found), encoding="utf-8")
