"""Hooks of generative models: samples while training goes on, and whether an adversarial game goes wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nnkit.engine.listener import Record
    from nnkit.engine.phase import Phase
    from nnkit.engine.state import Tree

ALIKE = 0.2
"""Below this share of the spread of real rows, samples are all alike."""
NEVER = 0.01
"""Below this sum of its two error rates, a discriminator is never wrong."""
EPOCHS = 5
"""Epochs in a row after which it is said: in the first ones, any generator makes samples that are alike."""

_WORDS = {
    "alike": "the generator has collapsed: its samples are nearly all alike, their spread is {spread:.2g} of that of "
    "real rows; try a lower learning rate of the generator, batch_norm in it, label_smoothing, or loss: wasserstein",
    "never": "the discriminator is never wrong: it takes {real:.2g} of the real rows and {generated:.2g} of the "
    "generated ones for what they are not, so that the generator's gradient vanishes; try a lower learning rate or "
    "dropout of the discriminator, a smaller one, label_smoothing, or loss: wasserstein",
}


class Sampling(Protocol):
    """A phase that can show what its model makes by now."""

    def samples(self, count: int) -> NDArray[np.float32]:
        """Return ``count`` rows [count, ...], always of the same noise."""


class SamplePictures:
    """The hook that has samples drawn after every ``every`` epochs; ``save`` takes the epoch and the rows."""

    def __init__(self, every: int, count: int, save: Callable[[int, NDArray[np.float32]], None]) -> None:
        self._every = every
        self._count = count
        self._save = save

    def phase_started(self, phase: "Phase") -> None:
        """Nothing to forget."""

    def epoch_ended(self, phase: "Phase", record: "Record") -> str | None:
        """Save samples where it is time to; never stops."""
        epoch = int(cast(int, record["epoch"]))
        if epoch % self._every == 0:
            self._save(epoch, cast(Sampling, phase).samples(self._count))
        return None

    def phase_ended(self, phase: "Phase") -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to write."""

    def state(self) -> "Tree":
        """Return None: an epoch says all."""

    def load(self, state: "Tree") -> None:
        """Nothing to do."""


@dataclass
class Course:
    """Follows an adversarial game from epoch to epoch: since how many something is wrong, and what was said."""

    judges: bool = True
    """Whether a discriminator that is never wrong is a bad sign: not so for a critic without a threshold."""
    running: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def add(self, record: Mapping[str, Any]) -> list[str]:
        """Take in an epoch; return sentences to be said after it, each kind once."""
        ills = {"alike": _below(record, ALIKE, "train_sample_spread")}
        if self.judges:
            ills["never"] = _below(record, NEVER, "train_real_error", "train_generated_error")
        self.running = {kind: self.running.get(kind, 0) + 1 if ill else 0 for kind, ill in ills.items()}
        due = [kind for kind, epochs in self.running.items() if epochs >= EPOCHS and kind not in self.told]
        self.told += due
        return [_sentence(kind, record) for kind in due]


def _below(record: Mapping[str, Any], bound: float, *names: str) -> bool:
    values = [record.get(name) for name in names]
    return all(value is not None for value in values) and sum(cast("list[float]", values)) < bound


def _sentence(kind: str, record: Mapping[str, Any]) -> str:
    return _WORDS[kind].format(
        spread=record.get("train_sample_spread"),
        real=record.get("train_real_error"),
        generated=record.get("train_generated_error"),
    )


def course_findings(records: Sequence[Mapping[str, Any]], judges: bool) -> list[str]:
    """Return what went wrong in a history, in sentences."""
    course = Course(judges)
    return [sentence for record in records for sentence in course.add(record)]


class GameHealth:
    """The hook that says, once each, that a generator collapses or a discriminator is never wrong; never stops."""

    def __init__(self, note: Callable[[str], None], judges: bool) -> None:
        self._note = note
        self._course = Course(judges)

    def phase_started(self, phase: "Phase") -> None:
        """Begin anew."""
        self._course = Course(self._course.judges)

    def epoch_ended(self, phase: "Phase", record: "Record") -> str | None:
        """Look at the epoch's values."""
        for sentence in self._course.add(record):
            self._note(f"after epoch {record['epoch']}: {sentence}")
        return None

    def phase_ended(self, phase: "Phase") -> None:
        """Nothing to say."""

    def close(self) -> None:
        """Nothing to write."""

    def state(self) -> "Tree":
        """Return what was seen so far."""
        return {"running": self._course.running, "told": self._course.told}

    def load(self, state: "Tree") -> None:
        """Go on from a ``state``."""
        running = {str(kind): int(epochs) for kind, epochs in state["running"].items()}
        self._course = Course(self._course.judges, running, list(state["told"]))
