"""The graph network: modules in the order of a spec, each reading values that were computed before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnkit.nn.random import RandomModule


@dataclass(frozen=True)
class Step:
    """A node: its name, its module, and the numbers of the values it reads (the network's inputs come first)."""

    name: str
    module: nn.Module
    reads: tuple[int, ...]
    trainable: bool = True
    l1: float = 0.0
    l2: float = 0.0
    max_norm: float | None = None
    kernels: tuple[str, ...] = ()
    """The parameters that ``l1``, ``l2`` and ``max_norm`` act on."""


class GraphNetwork(nn.Module):
    """Computes its steps one after the other; the last value is the output. Names of weights are ``step.weight``."""

    def __init__(self, steps: Sequence[Step], inputs: Sequence[str]) -> None:
        super().__init__()
        self.inputs = tuple(inputs)
        self.steps = tuple(steps)
        # Not by add_module, which refuses a layer whose name is also an attribute's; state_dict says "step.weight".
        for step in steps:
            self._modules[step.name] = step.module
            step.module.requires_grad_(step.trainable)
        self._program = self._make_program()
        self._chain = len(inputs) == 1 and all(step.reads == (number,) for number, step in enumerate(steps))
        self._regular = [(step, p) for step in steps if step.l1 or step.l2 for p in kernels(step) if step.trainable]
        self._bounded = [
            (step.max_norm, p) for step in steps if step.max_norm and step.trainable for p in kernels(step)
        ]

    def _make_program(self) -> list[tuple[nn.Module, tuple[int, ...], tuple[int, ...]]]:
        """Return for each step its module, the values it reads and those that nobody reads afterwards."""
        last_use = {value: number for number, step in enumerate(self.steps) for value in step.reads}
        return [
            (step.module, step.reads, tuple(value for value in set(step.reads) if last_use[value] == number))
            for number, step in enumerate(self.steps)
        ]

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Compute the output [n, ...] of inputs by name [n, ...]."""
        if self._chain:
            x = inputs[self.inputs[0]]
            for step in self.steps:
                x = step.module(x)
            return x
        values: list[Any] = [inputs[name] for name in self.inputs]
        for module, reads, done in self._program:
            values.append(module(*(values[index] for index in reads)))
            for index in done:
                values[index] = None
        output: Tensor = values[-1]
        return output

    def train(self, mode: bool = True) -> "GraphNetwork":
        """Switch to training or evaluation; frozen steps stay in evaluation."""
        super().train(mode)
        for step in self.steps:
            if not step.trainable:
                step.module.train(False)
        return self

    def set_generator(self, generator: torch.Generator) -> None:
        """Let every random module draw from ``generator``."""
        for module in self.modules():
            if isinstance(module, RandomModule):
                module.generator = generator

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Copy arrays into the weights of the same names; raises torch's error where names or shapes differ."""
        self.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})

    def penalty(self) -> Tensor | None:
        """Return the sum of l1 * |w| and l2 * w^2 over the layers that ask for it, or None if there is none."""
        if not self._regular:
            return None
        return torch.stack([step.l1 * p.abs().sum() + step.l2 * p.square().sum() for step, p in self._regular]).sum()

    @torch.no_grad()
    def constrain(self) -> None:
        """Scale down what is longer than ``max_norm``: each unit's incoming weights, the first axis of a kernel."""
        for bound, parameter in self._bounded:
            norm = parameter.norm(dim=0, keepdim=True)
            parameter.mul_(norm.clamp(max=bound) / norm.clamp(min=1e-12))


def kernels(step: Step) -> list[nn.Parameter]:
    """Return the parameters that regularization acts on."""
    return [parameter for name, parameter in step.module.named_parameters() if name in step.kernels]
