"""What ``nnkit trace`` found: every node of a network with its value and gradient, as numbers and in few words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nnkit.shapes import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_IN_TEXT, MOST_IN_JSON = 4, 1000
"""Numbers up to which an array is written out in a table or a drawing, and in JSON."""

Weights: TypeAlias = Literal["initial", "trained"]


@dataclass(frozen=True)
class Numbers:
    """An array: all of its numbers where they are few, and what sums them up where they are many."""

    array: "NDArray[Any]"

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return tuple(self.array.shape)

    @cached_property
    def summary(self) -> dict[str, float]:
        """Smallest, mean and largest number, and the root of the sum of squares."""
        import numpy as np

        wide = self.array.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            found = {"min": wide.min(), "mean": wide.mean(), "max": wide.max(), "norm": np.sqrt(np.square(wide).sum())}
        return {name: float(value) for name, value in found.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the summary, how many numbers are not finite (JSON has null for those), and the numbers if few."""
        import numpy as np

        summary = {name: _finite(value) for name, value in self.summary.items()}
        odd = int((~np.isfinite(self.array)).sum())
        values = _each(self._short().tolist(), _finite) if self.array.size <= MOST_IN_JSON else None
        return {**summary, "not_finite": odd, "values": values}

    def text(self, brief: bool = False) -> str:
        """Return the numbers as they stand in a table: all where they are few, else a summary (``brief``: its norm)."""
        summary = self.summary
        if self.array.size == 1:
            return written(self._short().item())
        if self.array.size <= MOST_IN_TEXT:
            return _listed(self._short().tolist())
        if summary["min"] == summary["max"]:
            return f"all {written(summary['max'], 3)}"
        parts = {name: written(value, 3) for name, value in summary.items()}
        if brief:
            return f"norm {parts['norm']}"
        return f"{parts['min']} to {parts['max']}, mean {parts['mean']}, norm {parts['norm']}"

    def _short(self) -> "NDArray[Any]":
        """Return the numbers with the digits that they were computed to: 0.1, not the float32 next to it."""
        import numpy as np

        if self.array.dtype != np.float32:
            return self.array
        return np.array([float(str(number)) for number in self.array.ravel()]).reshape(self.array.shape)


def written(value: float, digits: int = 6) -> str:
    """Write a number for people: 4 as 4, others to so many digits."""
    return f"{value + 0.0:.{digits}g}"  # Adding 0 makes 0 of -0.


def _listed(values: Any) -> str:
    return f"[{', '.join(map(_listed, values))}]" if isinstance(values, list) else written(values)


def _each(values: Any, change: Any) -> Any:
    return [_each(value, change) for value in values] if isinstance(values, list) else change(values)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class TracedWeight:
    """A weight of a node; no gradient where the chosen number does not depend on it, or it is not trained."""

    name: str
    trained: bool
    value: Numbers
    gradient: Numbers | None

    def to_json(self) -> dict[str, Any]:
        """Return the weight as plain values."""
        return {"name": self.name, "trained": self.trained, **_both(self.value, self.gradient)}


@dataclass(frozen=True)
class TracedNode:
    """A value on the way from the row to the output, or on to the loss."""

    name: str
    type: str
    reads: Sequence[str]
    value: Numbers
    gradient: Numbers | None
    weights: Sequence[TracedWeight] = ()
    is_loss: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the node as plain values."""
        weights = [weight.to_json() for weight in self.weights]
        both = _both(self.value, self.gradient)
        return {"name": self.name, "type": self.type, "reads": list(self.reads), **both, "weights": weights}


def _both(value: Numbers, gradient: Numbers | None) -> dict[str, Any]:
    return {
        "shape": list(value.shape),
        "value": value.to_json(),
        "gradient": None if gradient is None else gradient.to_json(),
    }


@dataclass(frozen=True)
class TracedRow:
    """The row that was traced: its number in what was read, what is known of its target, what was put in by hand."""

    source: str | None
    """Where it was read; None for one that was made by hand alone."""
    number: int | None
    target: dict[str, str]
    by_hand: dict[str, str]
    unseen: Sequence[str] = ()
    """The columns with a category that no training row has."""

    def text(self) -> str:
        """Return where the row comes from, in words."""
        hand = ", ".join(f"{name}={value}" for name, value in self.by_hand.items())
        if self.source is None:
            return f"by hand: {hand}"
        return f"{self.number} of {self.source}" + (f", with {hand}" if hand else "")

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain values."""
        given = {"source": self.source, "number": self.number, "target": self.target, "by_hand": self.by_hand}
        return {**given, "unseen": list(self.unseen)}


@dataclass(frozen=True)
class TraceReport:
    """One row through a network, forward and backward."""

    name: str
    row: TracedRow
    weights: Weights
    seed: int
    of: str
    """The value whose gradients these are, with ``[i, j]`` behind it where one of its numbers was chosen."""
    classes: Sequence[str]
    nodes: Sequence[TracedNode]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values; what was computed in evaluation mode says so."""
        return {
            "name": self.name,
            "row": self.row.to_json(),
            "weights": self.weights,
            "seed": self.seed,
            "mode": "evaluation",
            "gradient_of": self.of,
            "classes": list(self.classes),
            "nodes": [node.to_json() for node in self.nodes],
        }
