"""Hooks: what looks at a run between epochs and may stop it or change the learning rate."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from nnkit.engine.listener import Record, Value
from nnkit.engine.phase import Phase
from nnkit.engine.state import Arrays, Tree

Goal = Literal["max", "min"]


class Hook(Protocol):
    """Is called by the trainer; keeps all it remembers in ``state``."""

    def phase_started(self, phase: Phase) -> None:
        """A phase begins, not resumed: forget what belongs to the one before."""

    def epoch_ended(self, phase: Phase, record: Record) -> str | None:
        """An epoch is over; returns the reason to stop the phase, or None to go on."""

    def phase_ended(self, phase: Phase) -> None:
        """The phase is over, stopped or not."""

    def close(self) -> None:
        """Training ends here, for whatever reason: write what only memory has."""

    def state(self) -> Tree:
        """Return all that a later ``load`` needs."""

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""


def read(record: Mapping[str, Value], name: str) -> float:
    """Return a value of the history; what was not a finite number is NaN."""
    value = record[name]
    return float(value) if isinstance(value, int | float) else math.nan


def epoch_of(record: Mapping[str, Value]) -> int:
    """Return the 1-based epoch of a line of the history."""
    return int(read(record, "epoch"))


class Watch:
    """Follows one value of the history: which epoch was best and how many have passed since without being better."""

    def __init__(self, monitor: str, goal: Goal, min_delta: float) -> None:
        self.monitor = monitor
        self.best: float | None = None
        self.best_epoch = 0
        self.waited = 0
        self._sign = 1.0 if goal == "max" else -1.0
        self._min_delta = min_delta

    def reset(self) -> None:
        """Forget everything."""
        self.best, self.best_epoch, self.waited = None, 0, 0

    def better(self, record: Record) -> bool:
        """Take in an epoch; tell whether it is the best so far. A value that is not a number never is.

        Epochs of a phase that does not have the value at all do not count.
        """
        if self.monitor not in record:
            return False
        value = read(record, self.monitor)
        gain = math.inf if self.best is None else self._sign * (value - self.best)
        if math.isnan(value) or gain <= self._min_delta:
            self.waited += 1
            return False
        self.best, self.best_epoch, self.waited = value, epoch_of(record), 0
        return True

    def state(self) -> Tree:
        """Return what ``load`` needs."""
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self.waited}

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        self.best, self.best_epoch, self.waited = state["best"], state["best_epoch"], state["waited"]


class EarlyStopping:
    """Stops when the monitored value has not become better for ``patience`` epochs."""

    def __init__(self, watch: Watch, patience: int, restore_best: bool, start_epoch: int) -> None:
        self._watch = watch
        self._patience = patience
        self._restore_best = restore_best
        self._start_epoch = start_epoch
        self._weights: Arrays | None = None

    def phase_started(self, phase: Phase) -> None:
        """Forget the phase before."""
        self._watch.reset()
        self._weights = None

    def epoch_ended(self, phase: Phase, record: Record) -> str | None:
        """Stop when patience is at its end."""
        if epoch_of(record) <= self._start_epoch:
            return None
        if self._watch.better(record):
            self._weights = phase.weights() if self._restore_best else None
        if self._watch.waited <= self._patience:
            return None
        watch = self._watch
        return f"{watch.monitor} was best in epoch {watch.best_epoch} and not better in the {watch.waited} since"

    def phase_ended(self, phase: Phase) -> None:
        """Go back to the best weights."""
        if self._weights is not None:
            phase.set_weights(self._weights)

    def close(self) -> None:
        """Nothing to write."""

    def state(self) -> Tree:
        """Return the watch and the best weights."""
        return {"watch": self._watch.state(), "weights": self._weights}

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        self._watch.load(state["watch"])
        self._weights = state["weights"]


class BestWeights:
    """Hands the weights to ``save`` whenever the monitored value is better than ever in this phase.

    Where that comes more often than every ``seconds``, they wait in memory until then, or until a checkpoint or the
    end: a killed run goes on from its checkpoint, and finds what came after it again.
    """

    def __init__(self, watch: Watch, save: Callable[[Arrays], None], seconds: float = 1.0) -> None:
        self._watch = watch
        self._save = save
        self._seconds = seconds
        self._saved_at = time.monotonic()
        self._waiting: Arrays | None = None

    def phase_started(self, phase: Phase) -> None:
        """Forget the phase before."""
        self.close()
        self._watch.reset()

    def epoch_ended(self, phase: Phase, record: Record) -> str | None:
        """Keep the best; never stops."""
        if self._watch.better(record):
            self._waiting = phase.weights()
            if time.monotonic() - self._saved_at >= self._seconds:
                self.close()
        return None

    def phase_ended(self, phase: Phase) -> None:
        """Save what waits."""
        self.close()

    def close(self) -> None:
        """Save what waits."""
        if self._waiting is not None:
            self._save(self._waiting)
            self._waiting, self._saved_at = None, time.monotonic()

    def state(self) -> Tree:
        """Save what waits, so that it is not older than the checkpoint, and return the watch."""
        self.close()
        return self._watch.state()

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        self._watch.load(state)


class ReduceOnPlateau:
    """Multiplies the learning rate when the monitored value has not become better for ``patience`` epochs."""

    def __init__(self, watch: Watch, factor: float, patience: int, cooldown: int, min_scale: float) -> None:
        self._watch = watch
        self._factor = factor
        self._patience = patience
        self._cooldown = cooldown
        self._min_scale = min_scale
        self._resting = 0

    def phase_started(self, phase: Phase) -> None:
        """Forget the phase before."""
        self._watch.reset()
        self._resting = 0

    def epoch_ended(self, phase: Phase, record: Record) -> str | None:
        """Lower the rate when patience is at its end; never stops."""
        self._watch.better(record)
        if self._resting:
            self._resting -= 1
            self._watch.waited = 0
        if self._watch.waited > self._patience:
            phase.lr_scale = max(phase.lr_scale * self._factor, self._min_scale)
            self._resting, self._watch.waited = self._cooldown, 0
        return None

    def phase_ended(self, phase: Phase) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to write."""

    def state(self) -> Tree:
        """Return the watch and the rest that is left."""
        return {"watch": self._watch.state(), "resting": self._resting}

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        self._watch.load(state["watch"])
        self._resting = state["resting"]


class TimeLimit:
    """Stops at the end of the epoch in which the run's training time passes ``seconds``; resumed time counts."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._spent = 0.0
        self._since = time.monotonic()

    def phase_started(self, phase: Phase) -> None:
        """Nothing to forget: the limit is the run's."""

    def epoch_ended(self, phase: Phase, record: Record) -> str | None:
        """Stop when the time is over."""
        spent = self._total()
        return f"the time limit of {self._seconds:g} s is over" if spent >= self._seconds else None

    def phase_ended(self, phase: Phase) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to write."""

    def _total(self) -> float:
        return self._spent + time.monotonic() - self._since

    def state(self) -> Tree:
        """Return the seconds spent so far."""
        return {"spent": self._total()}

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        self._spent, self._since = state["spent"], time.monotonic()
