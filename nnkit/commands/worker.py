"""The process of a worker that could not be a fork: it opens the run folder, as ``--resume`` does, and serves."""

import os
import sys
from functools import cache, partial
from pathlib import Path

from nnkit.commands.fitting import stopping_on_signals
from nnkit.commands.members import ReadyOf, readied, train_member
from nnkit.commands.workers import serve
from nnkit.runs.folder import RunFolder
from nnkit.spec import Ready


def main(run_path: Path) -> None:
    """Train members of a run whose names come through stdin; what others print to stdout goes to stderr."""
    outbox = os.dup(1)
    os.dup2(2, 1)
    with stopping_on_signals() as stop:
        run = RunFolder.open(run_path)

        @cache
        def opened() -> ReadyOf:
            return open_members(run)

        def ready_of(name: str) -> Ready:
            return opened()(name)

        serve(os.dup(0), outbox, partial(train_member, run, ready_of), stop)


def open_members(run: RunFolder) -> ReadyOf:
    """Prepare the data, and the device where it needs that, as the process that began the run did."""
    ready, ready_of = readied(run.loaded(), run.manifest.seeds)
    if run.manifest.device != "cpu":
        from nnkit.engine.device import pick

        pick(run.manifest.device, ready.experiment.training.precision)
    return ready_of


if __name__ == "__main__":
    main(Path(sys.argv[1]))
