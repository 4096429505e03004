"""Where the random modules of a torch network get their numbers: by the place of a row, or from a generator."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from nnkit.engine.order import LEVELS, RowDraws, threshold
from nnkit.engine.state import Tree
from nnkit.nn.random import GeneratorDraws


class PhaseDraws(Protocol):
    """Draws that a phase tells where it is."""

    def seek(self, epoch: int, row: int) -> None:
        """Draw from now on for rows from the place ``row`` of ``epoch`` on."""

    def kept(self, name: str, x: Tensor, rate: float) -> Tensor:
        """Return ones and zeros [like x], a zero with probability ``rate``."""

    def normal(self, name: str, x: Tensor) -> Tensor:
        """Return normal draws [like x]."""

    def uniform(self, name: str, x: Tensor, values: int) -> Tensor:
        """Return draws from 0 to 1 [n, values] for the n rows of ``x``."""

    def state(self) -> Tree:
        """Return what ``load`` needs."""

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""


class PlacedDraws:
    """Numbers that follow from the seed and a row's place, without state: those of the native engine."""

    def __init__(self, rows: RowDraws) -> None:
        self._rows = rows
        self._epoch = self._row = 0

    def seek(self, epoch: int, row: int) -> None:
        """Draw from now on for rows from the place ``row`` of ``epoch`` on."""
        self._epoch, self._row = epoch, row

    def kept(self, name: str, x: Tensor, rate: float) -> Tensor:
        """Return ones and zeros [like x], a zero with probability ``rate``."""
        values = x[0].numel() if len(x) else 0
        numbers = self._rows.numbers(name, self._epoch, self._row, len(x), values)
        return torch.from_numpy(numbers >= threshold(rate)).view(x.shape).to(x.dtype)

    def normal(self, name: str, x: Tensor) -> Tensor:
        """Return normal draws [like x]."""
        return torch.from_numpy(self._rows.normal(name, self._epoch, self._row, tuple(x.shape))).to(x.dtype)

    def uniform(self, name: str, x: Tensor, values: int) -> Tensor:
        """Return draws from 0 to 1 [n, values] for the n rows of ``x``, neither 0 nor 1 among them."""
        numbers = self._rows.numbers(name, self._epoch, self._row, len(x), values)
        return (torch.from_numpy(numbers.astype(np.float32)).to(x.dtype) + 0.5) / LEVELS

    def state(self) -> Tree:
        """Return None: a place says all."""

    def load(self, state: Tree) -> None:
        """Nothing to do."""


class StreamDraws(GeneratorDraws):
    """Numbers from a generator on the device, whose state the checkpoint keeps."""

    def seek(self, epoch: int, row: int) -> None:
        """Nothing to do: a stream only goes on."""

    def state(self) -> Tree:
        """Return the generator's state."""
        return self.generator.get_state().numpy()

    def load(self, state: Tree) -> None:
        """Set the generator's state."""
        if state is not None:
            self.generator.set_state(torch.from_numpy(np.array(state)))


def draws_on(device: torch.device, seed: int, phase: str) -> PhaseDraws:
    """Return the draws of a phase whose tensors are on ``device``."""
    if device.type == "cpu":
        return PlacedDraws(RowDraws(seed, phase))
    return StreamDraws(torch.Generator(device).manual_seed(seed))
