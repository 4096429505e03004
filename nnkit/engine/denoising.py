"""The phase of diffusion: a network learns to tell the noise in rows, and rows are made by taking noise away."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count as count_from
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from nnkit.engine.average import MovingAverage
from nnkit.engine.batches import Batch
from nnkit.engine.gradient import Trainable, to_array
from nnkit.engine.objective import ObjectivePhase, Seen
from nnkit.engine.state import Arrays, Tree
from nnkit.nn.diffusion import NoiseSchedule, denoised, noised, signal_shares
from nnkit.seeds import generator

PART = 256
"""Rows that are made at once."""


@dataclass(frozen=True)
class Noising:
    """How rows of a shape become noise, in so many steps."""

    row: tuple[int, ...]
    steps: int
    schedule: NoiseSchedule
    bounds: tuple[float, float] | None = None
    """The least and the largest value of rows, which become -1 and 1."""
    classes: int | None = None
    """How many labels there are where the network reads them."""

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of the variance that is still the row's after each step [steps + 1]."""
        return signal_shares(self.schedule, self.steps)

    def centred(self, rows: Tensor) -> Tensor:
        """Return rows as the network takes them."""
        if self.bounds is None:
            return rows
        low, high = self.bounds
        return (rows - low) * (2 / (high - low)) - 1

    def restored(self, rows: Tensor) -> Tensor:
        """Return rows as the data has them."""
        if self.bounds is None:
            return rows
        low, high = self.bounds
        return (rows + 1) * ((high - low) / 2) + low

    def given(self, rows: Tensor, steps: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Return the network's inputs: noisy rows [n, ...], the 1-based steps [n], labels [n] or [n, classes]."""
        inputs = {"input": rows, "time": (steps.to(rows.dtype) / self.steps).unsqueeze(1)}
        if self.classes is not None and labels is not None:
            inputs["label"] = labels if labels.dim() == 2 else one_hot(labels.long(), self.classes).to(rows.dtype)
        return inputs


class DenoisingObjective:
    """The mean squared error of the noise that a network finds in rows, at a step drawn for each (Ho, 2020)."""

    def __init__(self, network: Trainable, noising: Noising, device: torch.device, dtype: torch.dtype) -> None:
        self._network = network
        self._noising = noising
        self._shares = torch.from_numpy(noising.shares).to(device, dtype)

    def __call__(self, seen: Seen) -> dict[str, Tensor]:
        """Return the ``loss`` [n] of rows ``input`` and, where the network reads them, labels ``label`` [n]."""
        rows, labels = seen.inputs["input"], seen.inputs.get("label")
        assert isinstance(rows, Tensor)  # noqa: S101 - all rows have one shape
        assert labels is None or isinstance(labels, Tensor)  # noqa: S101 - a label for each row
        drawn = seen.draws.uniform("step", rows, 1)[:, 0] * self._noising.steps
        steps = drawn.long().clamp(max=self._noising.steps - 1) + 1
        noise = seen.draws.normal("noise", rows)
        noisy = noised(self._noising.centred(rows), noise, self._shares[steps])
        found = self._network(self._noising.given(noisy, steps, labels))
        return {"loss": (found - noise).square().flatten(1).mean(1)}


@torch.inference_mode()
def probed(network: Trainable, noising: Noising, rows: Tensor, labels: Tensor | None, probes: int) -> Tensor:
    """Return the mean squared error of the noise found in rows [n, ...], over ``probes`` steps, spread over all: [n].

    The noise is the same for every row and every time.
    """
    centred, shares = noising.centred(rows), noising.shares
    total = torch.zeros(len(rows), dtype=rows.dtype, device=rows.device)
    for probe in range(probes):
        step = round((probe + 0.5) * noising.steps / probes)
        draw = generator(0, "probe", probe).standard_normal(noising.row, np.float32)
        noise = torch.from_numpy(draw).to(rows).expand(rows.shape)
        share = torch.full((len(rows),), float(shares[step]), dtype=rows.dtype, device=rows.device)
        steps = torch.full((len(rows),), step, device=rows.device)
        found = network(noising.given(noised(centred, noise, share), steps, labels))
        total += (found - noise).square().flatten(1).mean(1)
    return total / probes


@torch.no_grad()
def made_rows(
    network: Trainable,
    noising: Noising,
    count: int,
    seed: int,
    steps: int,
    fresh: bool,
    labels: NDArray[np.int64] | None,
    like: Tensor,
) -> Tensor:
    """Return ``count`` rows [count, ...] that a network makes of noise in ``steps`` steps, DDPM's where ``fresh``.

    They are on the device and of the type of ``like``. Of fewer rows they are the first of these.
    """
    draw = generator(seed, "samples")
    parts = []
    for start in range(0, count, PART):
        rows = min(PART, count - start)
        noise = torch.from_numpy(draw.standard_normal((rows, *noising.row), np.float32)).to(like)
        label = None if labels is None else torch.from_numpy(labels[start : start + rows]).to(like.device)
        step = count_from()

        def added(x: Tensor, start: int = start, step: Iterator[int] = step) -> Tensor:
            more = generator(seed, "steps", start, next(step)).standard_normal(tuple(x.shape), np.float32)
            return torch.from_numpy(more).to(x)

        def predict(x: Tensor, step: int, label: Tensor | None = label) -> Tensor:
            return network(noising.given(x, torch.full((len(x),), step, device=x.device), label))

        limit = None if noising.bounds is None else 1.0
        parts.append(denoised(predict, noise, noising.shares, steps, added if fresh else None, limit))
    return noising.restored(torch.cat(parts))


class DenoisingPhase(ObjectivePhase):
    """Epochs of a ``DenoisingObjective``, with a moving average of the weights, which makes the samples."""

    def __init__(
        self, noising: Noising, average: float | None, seed: int, sample_steps: int, fresh: bool, **more: Any
    ) -> None:
        """Make a phase from the parts of ``ObjectivePhase``, and how samples are made in so many steps."""
        super().__init__(**more)
        self._fresh = fresh
        self._noising = noising
        self._seed = seed
        self._sample_steps = sample_steps
        self._average = None if average is None else MovingAverage(self.network.state_dict(), average)

    def step(self, batch: Batch) -> None:
        """Change the weights once, and their average."""
        super().step(batch)
        if self._average is not None:
            self._average.update()

    def _validation_values(self, rows: Batch) -> dict[str, float]:
        if self._average is None:
            return super()._validation_values(rows)
        with self._average.in_place():
            return super()._validation_values(rows)

    def samples(self, count: int) -> NDArray[np.float32]:
        """Return ``count`` rows by the averaged weights [count, ...], always of the same noise, labels in turn."""
        self.network.train(False)
        classes = self._noising.classes
        labels = None if classes is None else np.arange(count) % classes
        like = torch.empty(0, dtype=self._options.dtype, device=self._device)
        arguments = (self.network, self._noising, count, self._seed, self._sample_steps, self._fresh, labels, like)
        if self._average is None:
            return to_array(made_rows(*arguments).float())
        with self._average.in_place():
            return to_array(made_rows(*arguments).float())

    def weights(self) -> Arrays:
        """Return copies of the weights by name, the averaged ones."""
        if self._average is None:
            return super().weights()
        with self._average.in_place():
            return super().weights()

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Go on with other values of the weights, and of their average."""
        super().set_weights(weights)
        if self._average is not None:
            self._average.restart()

    def finish(self) -> None:
        """Leave the averaged weights in the network, where the phase is over."""
        if self._average is not None:
            self._average.settle()

    def state(self) -> Tree:
        """Return what ``ObjectivePhase.state`` does, and the average."""
        average = None if self._average is None else self._average.state()
        return super().state() | {"weights": super().weights(), "average": average}

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        super().load(state)
        if self._average is not None:
            self._average.load(state["average"])
