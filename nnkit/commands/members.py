"""Members: the trainings that a run of several folds or seeds consists of, each with a run folder of its own."""

import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

from nnkit.commands.fitting import fit, sealing
from nnkit.commands.results import outcome, write_card, write_results
from nnkit.errors import DivergedError, InterruptError, NnkitError
from nnkit.files import synced_together
from nnkit.runs.folder import PIPELINE, RESOLVED, SPEC, RunFolder
from nnkit.runs.manifest import Manifest
from nnkit.spec import Loaded, Ready, Seeds, ready_folds

if TYPE_CHECKING:
    from nnkit.engine.listener import Listener, Value
    from nnkit.engine.trainer import Stop

ReadyOf: TypeAlias = Callable[[str], Ready]
"""Returns the checked experiment of a member, by its folder in the run."""

MOVE_SECONDS = 0.1


def readied(loaded: Loaded, seeds: Sequence[int] | None) -> tuple[Ready, ReadyOf]:
    """Check an experiment; return it as its first member has it, or the only training, and what gives each member's.

    Raises as ``nnkit.spec.ready`` does.
    """
    if seeds is not None:
        made = Seeds(loaded)
        return made.ready(seeds[0]), lambda name: made.ready(_number(name))
    folds = list(ready_folds(loaded))
    return folds[0], lambda name: folds[_number(name) - 1]


def _number(name: str) -> int:
    return int(name.split("/")[1])


def label(name: str) -> str:
    """Return what people call a member: ``seed 3`` for ``seeds/3``."""
    return name.replace("s/", " ")


def train_one(
    run: RunFolder, manifest: Manifest, ready: Ready, listener: "Listener", stop: "Stop", pictures: bool = True
) -> None:
    """Train one model, from the start or from its last checkpoint, and write all that its run holds but the seal."""
    run.write_json(PIPELINE, ready.prepared.pipeline.to_json())
    fit(run, ready, manifest, listener, stop)
    with synced_together():
        write_results(run, ready, outcome(run, ready, pictures), pictures=pictures)
        write_card(run, manifest, ready.experiment)


def train_member(run: RunFolder, ready_of: ReadyOf, name: str, listener: "Listener", stop: "Stop") -> None:
    """Train a member of ``run`` in its folder, to the same bytes as a run of its own; a finished one stays as it is."""
    if RunFolder(run.path / name).finished:
        return
    if stop.signal_number is not None:
        raise InterruptError("interrupted", stop.signal_number)
    ready, member = ready_of(name), run.member(name)
    with synced_together():
        member.write(SPEC, run.read(SPEC))
        member.write(RESOLVED, _resolved(run, ready.experiment.seed))
        if ready.start is not None:
            member.write_start(ready.start)
    manifest = run.manifest.model_copy(update={"folds": None, "seeds": None, "seed": ready.experiment.seed})
    with sealing(member, manifest):
        train_one(member, manifest, ready, listener, stop, pictures=False)


def _resolved(run: RunFolder, seed: int) -> str:
    """Return the run's resolved spec with a seed, which is all that its members differ in."""
    text, found = _SEED.subn(f"seed: {seed}", run.read(RESOLVED).decode(), count=1)
    assert found  # noqa: S101 - every resolved spec has a seed
    return text


_SEED = re.compile(r"^seed: \d+$", re.MULTILINE)


def train_members(
    run: RunFolder, ready_of: ReadyOf, jobs: int, listener: "Listener", stop: "Stop"
) -> dict[str, DivergedError]:
    """Train all members that are not finished, ``jobs`` at the same time; return those that diverged, by their labels.

    Results do not depend on ``jobs``. One that diverges does not stop the others; any other error stops all, each
    with its checkpoint kept, and is raised.
    """
    members = run.manifest.members
    names = [name for name in members if not RunFolder(run.path / name).finished]
    overview = Overview(listener, members, len(members) - len(names))
    jobs = min(jobs, len(names))
    if jobs > 1:
        from nnkit.commands.workers import at_once

        outcomes = at_once(run, ready_of, names, jobs, overview, stop)
    else:
        outcomes = one_by_one(run, ready_of, names, overview, stop)
    diverged: dict[str, DivergedError] = {}
    with closing(outcomes):
        for name, error in outcomes:
            if isinstance(error, DivergedError):
                diverged[label(name)] = error
            elif error is not None:
                raise error
            overview.over(name)
    return diverged


def one_by_one(
    run: RunFolder, ready_of: ReadyOf, names: Sequence[str], overview: "Overview", stop: "Stop"
) -> Generator[tuple[str, BaseException | None]]:
    """Train members here, one after the other; yield each with the error that ended it, or None."""
    overview.tell()
    for name in names:
        try:
            train_member(run, ready_of, name, overview.member(name), stop)
        except NnkitError as error:
            yield name, error
        else:
            yield name, None


class Overview:
    """Tells one listener of many trainings: how many are over, and their notes and epochs under their labels."""

    def __init__(self, listener: "Listener", names: Sequence[str], done: int) -> None:
        self.listener = listener
        self._word = names[0].split("/")[0]
        self._count = len(names)
        self._done = done
        self._shares: dict[str, float] = {}
        self._told = 0.0

    def member(self, name: str) -> "Listener":
        """Return the listener of a member."""
        return MemberListener(self, name)

    def moved(self, name: str, share: float) -> None:
        """``share`` of a member's training is done."""
        self._shares[name] = share
        if time.monotonic() >= self._told + MOVE_SECONDS:
            self.tell()

    def over(self, name: str) -> None:
        """A member is over."""
        self._shares.pop(name, None)
        self._done += 1
        self.tell()

    def tell(self) -> None:
        """Say how far all are; not before workers are forked, since the listener may start a thread."""
        share = (self._done + sum(self._shares.values())) / self._count
        self.listener.members(self._word, self._count, self._done, share)
        self._told = time.monotonic()


class MemberListener:
    """Is told of one member's progress and tells the overview."""

    def __init__(self, overview: Overview, name: str) -> None:
        self._overview = overview
        self._name = name

    def phase_started(self, name: str, epochs: int, steps_per_epoch: int) -> None:
        """Remember how much there is to do."""
        self._epochs, self._steps = epochs, steps_per_epoch

    def step(self, epoch: int, step: int) -> None:
        """Move on within an epoch."""
        self._overview.moved(self._name, min(1.0, (epoch + step / self._steps) / self._epochs))

    def epoch_ended(self, record: "Mapping[str, Value]") -> None:
        """Pass it on under the member's label, as a part of the phase's name."""
        from nnkit.engine.hooks import epoch_of

        self.step(epoch_of(record), 0)
        self._overview.listener.epoch_ended({**record, "phase": f"{label(self._name)}: {record['phase']}"})

    def note(self, text: str) -> None:
        """Pass it on under the member's label."""
        self._overview.listener.note(f"{label(self._name)}: {text}")

    def members(self, word: str, count: int, done: int, share: float) -> None:
        """Say nothing: a member has none."""

    def ended(self) -> None:
        """Say nothing: others may follow."""
