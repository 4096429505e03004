"""The trainer: phases, epochs, steps; then the epoch's values, hooks, history and checkpoint."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from nnkit.engine.checkpoint import Checkpoint, Position
from nnkit.engine.hooks import Hook
from nnkit.engine.listener import Listener, Record, Silence
from nnkit.engine.phase import Phase
from nnkit.engine.state import Tree
from nnkit.errors import DivergedError, InterruptError, RunError

TICK_SECONDS = 0.1


class Store(Protocol):
    """Where a run's history and checkpoints go."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the last checkpoint."""

    def append(self, record: Record) -> None:
        """Add a line to the history."""

    def truncate(self, records: int) -> None:
        """Cut the history to its first lines, as a checkpoint knew it."""


class Stop:
    """A request to stop: ``signal_number`` of the signal that asked for it, or None."""

    signal_number: int | None = None


@dataclass
class Trainer:
    """Runs the phases of a procedure; knows no loss, no optimizer and no family."""

    hooks: Sequence[Hook]
    store: Store
    listener: Listener = field(default_factory=Silence)
    stop: Stop = field(default_factory=Stop)
    checkpoint_seconds: float = 15.0
    clock: Callable[[], float] = time.monotonic

    def fit(self, phases: Iterable[Phase], checkpoint: Checkpoint | None = None) -> None:
        """Train, from the start or from ``checkpoint``; raises ``DivergedError`` or ``InterruptError``."""
        self._position = checkpoint.position if checkpoint else Position()
        self._records = checkpoint.records if checkpoint else 0
        self._saved_at = self.clock()
        self.store.truncate(self._records)
        try:
            self._fit(phases, checkpoint.state if checkpoint else None)
        finally:
            for hook in self.hooks:
                hook.close()

    def _fit(self, phases: Iterable[Phase], resumed: Tree | None) -> None:
        for number, phase in enumerate(phases):
            if number < self._position.phase:
                continue
            self._start(phase, resumed)
            resumed = None
            self._run(phase)
            self._position = Position(number + 1)

    def _start(self, phase: Phase, state: Tree | None) -> None:
        self.listener.phase_started(phase.name, phase.epochs, phase.steps)
        if state is None or state["phase"] is None:
            for hook in self.hooks:
                hook.phase_started(phase)
            return
        try:
            phase.load(state["phase"])
            for hook, hook_state in zip(self.hooks, state["hooks"], strict=True):
                hook.load(hook_state)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise RunError(
                f"the checkpoint does not fit the run's {phase.name} ({error}); it was changed: start the run anew"
            ) from error

    def _run(self, phase: Phase) -> None:
        while self._position.epoch < phase.epochs:
            record = self._epoch(phase)
            reasons = [reason for hook in self.hooks if (reason := hook.epoch_ended(phase, record))]
            self.store.append(record)
            self._records += 1
            self.listener.epoch_ended(record)
            if reasons:
                self.listener.note(f"stopped after epoch {record['epoch']}: {'; '.join(reasons)}")
                break
            self._keep(phase)
        for hook in self.hooks:
            hook.phase_ended(phase)

    def _epoch(self, phase: Phase) -> Record:
        began, first = self.clock(), self._position.step
        rows = 0
        due = began + TICK_SECONDS
        for batch in phase.batches(self._position.epoch, first):
            phase.step(batch)
            rows += len(batch)
            self._position.step += batch.steps
            if self.clock() >= due:
                self._tick(phase)
                due = self.clock() + TICK_SECONDS
        return self._close(phase, rows, began)

    def _close(self, phase: Phase, rows: int, began: float) -> Record:
        trained = self.clock() - began
        check_finite(phase, self._position)
        values = phase.summary(self._position.epoch)
        self._position = Position(self._position.phase, self._position.epoch + 1)
        record: Record = {"phase": phase.name, "epoch": self._position.epoch}
        record |= {key: value if math.isfinite(value) else None for key, value in values.items()}
        speed = round(rows / trained, 1) if trained > 0 else None
        norms = {layer: rounded(norm) for layer, norm in phase.gradient_norms().items()}
        return record | {
            "seconds": round(self.clock() - began, 6),
            "rows_per_second": speed,
            "gradient_norms": norms,
        }

    def _tick(self, phase: Phase) -> None:
        self.listener.step(self._position.epoch, self._position.step)
        if self._position.step < phase.steps:  # After the last step the epoch's values come first.
            self._keep(phase)

    def _keep(self, phase: Phase) -> None:
        """Save when it is time to, or when somebody asked the run to stop."""
        asked = self.stop.signal_number
        if asked is None and self.clock() - self._saved_at < self.checkpoint_seconds:
            return
        check_finite(phase, self._position)
        check_weights(phase, self._position)
        self.store.save(Checkpoint(self._position, self._records, self._state(phase)))
        self._saved_at = self.clock()
        if asked is not None:
            place = f"epoch {self._position.epoch + 1}, step {self._position.step}"
            raise InterruptError(f"interrupted in {phase.name}, {place}; the checkpoint is written", asked)

    def _state(self, phase: Phase) -> Tree:
        return {
            "phase": phase.state(),
            "hooks": [hook.state() for hook in self.hooks],
        }


def rounded(value: float) -> float | None:
    """Return a value to six digits, None where it is not a finite number."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def check_finite(phase: Phase, position: Position) -> None:
    """Raise ``DivergedError`` naming the first step of the epoch whose loss is not a finite number."""
    losses = phase.losses()
    finite = np.isfinite(losses)
    if finite.all():
        return
    step = int(np.argmin(finite))
    raise DivergedError(
        f"training diverged: the loss of {phase.name} became {losses[step]} in epoch {position.epoch + 1}, "
        f"step {step + 1}; lower the learning rate, or set training.clip_norm"
    )


def check_weights(phase: Phase, position: Position) -> None:
    """Raise ``DivergedError`` naming the weights that are not finite, before they replace a good checkpoint."""
    broken = [name for name, array in phase.weights().items() if not np.isfinite(array).all()]
    if broken:
        place = f"epoch {position.epoch + 1}, step {position.step}"
        raise DivergedError(
            f"training diverged: after {place} of {phase.name} the weights {', '.join(broken[:5])} are not finite; "
            "lower the learning rate, or set training.clip_norm"
        )
