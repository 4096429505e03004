"""What the engine tells whoever watches: a progress bar, a log, a test."""

from collections.abc import Mapping
from typing import Protocol, TypeAlias

Norms: TypeAlias = dict[str, float | None]
"""Norms of gradients by layer; None for one that is not a finite number."""
Value: TypeAlias = float | int | str | Norms | None
Record: TypeAlias = dict[str, Value]
"""A line of the history: phase, epoch and the epoch's values, e.g. ``train_loss``, ``validation_accuracy``, ``lr``."""


class Listener(Protocol):
    """Is told of a run's progress; must not change it."""

    def phase_started(self, name: str, epochs: int, steps_per_epoch: int) -> None:
        """A phase begins."""

    def step(self, epoch: int, step: int) -> None:
        """About ten times a second: ``step`` steps of the 0-based ``epoch`` are done."""

    def epoch_ended(self, record: Mapping[str, Value]) -> None:
        """An epoch is over; ``record`` is its line of the history."""

    def note(self, text: str) -> None:
        """Something a person should read, in a sentence."""

    def members(self, word: str, count: int, done: int, share: float) -> None:
        """Of ``count`` trainings (``word``: seeds or folds) ``done`` are over, and ``share`` (0 to 1) of all work."""

    def ended(self) -> None:
        """No more will follow."""


class Silence:
    """A listener that says nothing."""

    def phase_started(self, name: str, epochs: int, steps_per_epoch: int) -> None:
        """Say nothing."""

    def step(self, epoch: int, step: int) -> None:
        """Say nothing."""

    def epoch_ended(self, record: Mapping[str, Value]) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def members(self, word: str, count: int, done: int, share: float) -> None:
        """Say nothing."""

    def ended(self) -> None:
        """Say nothing."""
