"""Progress of training for people: a bar on a terminal, lines elsewhere."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from nnkit.engine.listener import Value
from nnkit.signs import harmless

if TYPE_CHECKING:
    from rich.console import Console

Values: TypeAlias = Mapping[str, Value]
"""A line of the history."""

_SHOWN = ("train_loss", "validation_loss", "train_error", "validation_error")


def epoch_line(record: Values) -> str:
    """Write an epoch's line of the history: ``epoch 3: train_loss 0.412, validation_loss 0.433``."""
    hidden = ("phase", "epoch", "gradient_norms")
    numbers = [f"{name} {_number(value)}" for name, value in record.items() if name not in hidden and value is not None]
    return f"{record.get('phase', 'epoch')} epoch {record.get('epoch')}: {', '.join(numbers)}"


def _number(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class Lines:
    """A listener that says notes, and with ``epochs`` a line for every epoch."""

    def __init__(self, say: Callable[[str], None], epochs: bool) -> None:
        self.say = say
        self.epochs = epochs

    def phase_started(self, name: str, epochs: int, steps_per_epoch: int) -> None:
        """Say what begins."""
        if self.epochs:
            self.say(f"{name}: {epochs} epochs of {steps_per_epoch} steps")

    def step(self, epoch: int, step: int) -> None:
        """Say nothing: lines are for epochs."""

    def epoch_ended(self, record: Values) -> None:
        """Say the epoch's values."""
        if self.epochs:
            self.say(epoch_line(record))

    def note(self, text: str) -> None:
        """Say it."""
        self.say(text)

    def members(self, word: str, count: int, done: int, share: float) -> None:
        """Say nothing: lines are for epochs."""

    def ended(self) -> None:
        """Say nothing more."""


class Bar:
    """A listener that draws a bar for each phase, or one for many trainings, with the last losses beside it."""

    def __init__(self, console: "Console", epochs: bool) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[last]}"),
        )
        self.progress = Progress(*columns, console=console)
        self.epochs = epochs
        self.started = False

    def phase_started(self, name: str, epochs: int, steps_per_epoch: int) -> None:
        """Begin a bar."""
        self.name, self.count, self.steps = name, epochs, steps_per_epoch
        self._begin(name, epochs * steps_per_epoch)

    def _begin(self, words: str, total: float) -> None:
        if not self.started:
            self.progress.start()
            self.started = True
        self.task = self.progress.add_task(words, total=total, last="")

    def step(self, epoch: int, step: int) -> None:
        """Move the bar."""
        words = f"{self.name} {epoch + 1}/{self.count}"
        self.progress.update(self.task, completed=epoch * self.steps + step, description=words)

    def epoch_ended(self, record: Values) -> None:
        """Put the losses beside the bar."""
        losses = [f"{name} {_number(value)}" for name in _SHOWN if (value := record.get(name)) is not None]
        self.progress.update(self.task, last="  ".join(losses))
        if self.epochs:
            self.note(epoch_line(record))

    def members(self, word: str, count: int, done: int, share: float) -> None:
        """Move the one bar of all trainings."""
        if not self.started:
            self._begin(word, count)
        self.progress.update(self.task, completed=share * count, description=f"{done} of {count} {word} done")

    def note(self, text: str) -> None:
        """Print above the bar."""
        self.progress.console.print(harmless(text), markup=False, highlight=False)

    def ended(self) -> None:
        """Leave the terminal as it was."""
        if self.started:
            self.progress.stop()
