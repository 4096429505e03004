"""Gradient health: whether gradients vanish or explode on their way down from the output, and in which layers.

A layer is compared with those near the output, by the norms that the history keeps: a training that has converged has
small gradients everywhere, and is healthy. Plain Python, since the model card and the pictures ask as well.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from nnkit.engine.listener import Norms, Record
    from nnkit.engine.phase import Phase
    from nnkit.engine.state import Tree

Kind: TypeAlias = Literal["vanish", "explode", "zero"]

NEAR = 3
"""The last so many trained layers are those near the output; the largest norm among them is what others are held to."""
VANISHED, EXPLODED = 1e-6, 1e4
"""Below and above these shares of that norm a gradient has vanished or exploded.

Of nets of sigmoids that differ in depth alone, those with shares of 1e-5 learn and those with 1e-7 do not. Upwards,
tanh with weights that are too large learns nothing at a share of 1e3 either, but so much the first layer alone may get
from inputs that are not scaled.
"""
LEAST = 1e-12
"""Where the norm near the output is less, there is nothing left to learn, and nothing is said."""
EPOCHS: dict[Kind, int] = {"vanish": 3, "explode": 3, "zero": 10}
"""Epochs in a row after which it is said: one batch may fall badly, and of few rows a relu may let none through."""
MOST_RANGES = 3
PLAYERS = ("generator/", "discriminator/")

_WORDS: dict[Kind, str] = {
    "vanish": "gradients vanish: those of {layers} are less than a millionth of those near the output, and these "
    "layers learn next to nothing; try activation: relu with init: he_uniform, batch_norm, or residual connections",
    "explode": "gradients explode: those of {layers} are more than ten thousand times those near the output; try "
    "init: he_uniform for relu or glorot_uniform for tanh, inputs scaled to about -1 to 1, batch_norm, or "
    "training.clip_norm",
    "zero": "gradients are zero: nothing comes down to {layers}, and these layers learn nothing: above them all units "
    "of a relu are off for every row, or all weights are zero; try a lower learning rate, leaky_relu, or "
    "init: he_uniform",
}


@dataclass(frozen=True)
class Finding:
    """What is wrong with the gradients of a phase, first said after the 1-based ``epoch``."""

    kind: Kind
    epoch: int
    layers: tuple[str, ...]
    words: str
    """A sentence for people that names the layers and what to try."""


def ailing(norms: Mapping[str, float | None]) -> dict[Kind, list[str]]:
    """Return the layers of one epoch's norms whose gradients vanish, explode or are zero, in order.

    Networks that learn by losses of their own are looked at each by itself.
    """
    found: dict[Kind, list[str]] = {}
    for own in _apart(norms):
        for kind, layers in _ailing(own).items():
            found.setdefault(kind, []).extend(layers)
    return found


def _apart(norms: Mapping[str, float | None]) -> list[Mapping[str, float | None]]:
    """Return the norms of a generator and of a discriminator, which play against each other, or all that there are."""
    parts = [{layer: norm for layer, norm in norms.items() if layer.startswith(player)} for player in PLAYERS]
    return list(parts) if all(parts) else [norms]


def _ailing(norms: Mapping[str, float | None]) -> dict[Kind, list[str]]:
    broken = [layer for layer, norm in norms.items() if norm is None]
    near = max((norm or 0.0 for norm in list(norms.values())[-NEAR:]), default=0.0)
    if broken:
        return {"explode": broken}
    if near < LEAST:
        return {}
    small = {layer: norm for layer, norm in norms.items() if norm is not None and norm < VANISHED * near}
    large = [layer for layer, norm in norms.items() if norm is not None and norm > EXPLODED * near]
    found: dict[Kind, list[str]] = {"vanish" if any(small.values()) else "zero": list(small), "explode": large}
    return {kind: layers for kind, layers in found.items() if layers}


@dataclass
class Streaks:
    """Follows a phase from epoch to epoch: which layers ail, and since how many epochs."""

    epochs: int = 0
    running: dict[Kind, tuple[int, list[str]]] = field(default_factory=dict)
    told: list[Kind] = field(default_factory=list)

    def add(self, norms: Mapping[str, float | None]) -> list[Finding]:
        """Take in an epoch; return what is to be said after it, each kind once."""
        self.epochs += 1
        before, self.running = self.running, {}
        for kind, layers in ailing(norms).items():
            count, stayed = before.get(kind, (0, layers))
            still = [layer for layer in layers if layer in set(stayed)]
            self.running[kind] = (count + 1, still) if still else (1, layers)
        return self._due(norms, EPOCHS)

    def ended(self, norms: Mapping[str, float | None]) -> list[Finding]:
        """Return what is to be said of a phase that is over: one of few epochs is judged by all that it had."""
        return self._due(norms, {**EPOCHS, "vanish": self.epochs, "explode": self.epochs} if self.epochs else EPOCHS)

    def _due(self, norms: Mapping[str, float | None], needed: Mapping[Kind, int]) -> list[Finding]:
        due = [kind for kind, (count, _) in self.running.items() if count >= needed[kind] and kind not in self.told]
        self.told += due
        found = {kind: self.running[kind][1] for kind in due}
        return [
            Finding(kind, self.epochs, tuple(layers), _WORDS[kind].format(layers=named(layers, list(norms))))
            for kind, layers in found.items()
        ]


def named(layers: Sequence[str], all_layers: Sequence[str]) -> str:
    """Name layers, those that follow each other as a range: ``dense_1 to dense_9 (9 layers)``."""
    places = {layer: place for place, layer in enumerate(all_layers)}
    ranges = [
        [layer for _, layer in group] for _, group in groupby(enumerate(layers), lambda pair: places[pair[1]] - pair[0])
    ]
    words = [part[0] if len(part) == 1 else f"{part[0]} to {part[-1]} ({len(part)} layers)" for part in ranges]
    more = sum(map(len, ranges[MOST_RANGES:]))
    words = words[:MOST_RANGES] + ([f"{more} more"] if more else [])
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def findings(records: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Return what is wrong with the gradients of a history, phase by phase."""
    return [
        finding for _, group in groupby(records, lambda record: record.get("phase")) for finding in _of_phase(group)
    ]


def _of_phase(records: Iterator[Mapping[str, Any]]) -> Iterator[Finding]:
    streaks = Streaks()
    norms: Mapping[str, float | None] = {}
    for record in records:
        norms = record.get("gradient_norms") or {}
        yield from streaks.add(norms)
    yield from streaks.ended(norms)


class GradientHealth:
    """The hook that says, once a phase, that gradients vanish or explode; never stops."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._streaks = Streaks()
        self._norms: Norms = {}

    def phase_started(self, phase: "Phase") -> None:
        """Forget the phase before."""
        self._streaks = Streaks()

    def epoch_ended(self, phase: "Phase", record: "Record") -> str | None:
        """Look at the epoch's norms."""
        norms = record["gradient_norms"]
        assert isinstance(norms, dict)  # noqa: S101 - the trainer writes it
        self._norms = norms
        self._say(self._streaks.add(norms))
        return None

    def phase_ended(self, phase: "Phase") -> None:
        """Judge a short phase by the epochs that it had."""
        self._say(self._streaks.ended(self._norms))

    def _say(self, found: Sequence[Finding]) -> None:
        for finding in found:
            self._note(f"after epoch {finding.epoch}: {finding.words}")

    def close(self) -> None:
        """Nothing to write."""

    def state(self) -> "Tree":
        """Return what was seen so far."""
        streaks = self._streaks
        return {"epochs": streaks.epochs, "running": streaks.running, "told": streaks.told, "norms": self._norms}

    def load(self, state: "Tree") -> None:
        """Go on from a ``state``."""
        running = {kind: (int(count), list(layers)) for kind, (count, layers) in state["running"].items()}
        self._streaks = Streaks(state["epochs"], running, list(state["told"]))
        self._norms = dict(state["norms"])
