"""The graph network: modules in the order of a spec, each reading values that were computed before it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from nnkit.nn.arrays import ArraysModule
from nnkit.nn.random import Draws, RandomModule
from nnkit.nn.sequence import Lengths, Padded, SequenceModule, carrying, first


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
    kernels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The parameters that ``l1``, ``l2`` and ``max_norm`` act on, each with the axes that count units.

    ``max_norm`` bounds the length over all other axes.
    """
    varies: bool = False
    """Whether the first axis of the output is as long as the row."""

    def regular(self) -> list[nn.Parameter]:
        """Return the parameters that regularization acts on."""
        return [self.module.get_parameter(name) for name in self.kernels]


class GraphNetwork(ArraysModule):
    """Computes its steps one after the other; the last value is the output. Names of weights are ``step.weight``."""

    def __init__(self, steps: Sequence[Step], inputs: Sequence[str]) -> None:
        super().__init__()
        self.draws: Draws | None = None
        self.inputs = tuple(inputs)
        self.steps = tuple(steps)
        # Not by add_module, which refuses a layer whose name is also an attribute's; state_dict says "step.weight".
        for step in steps:
            self._modules[step.name] = step.module
            step.module.requires_grad_(step.trainable)
        self._program = self._make_program()
        self._chain = len(inputs) == 1 and all(step.reads == (number,) for number, step in enumerate(steps))
        self._modules_in_order = [step.module for step in steps]
        self._parts: list[nn.Module] = []
        self._still: list[nn.Module] = []
        self._sort_out()
        self.train()

    def _sort_out(self) -> None:
        """Remember which steps are frozen, and which regularization acts on."""
        self._frozen = [step.module for step in self.steps if not step.trainable]
        self._penalized = [step for step in self.steps if step.trainable and (step.l1 or step.l2)]
        self._bounded = [step for step in self.steps if step.trainable and step.max_norm]

    def set_trainable(self, names: Collection[str], but: Collection[str] = ()) -> None:
        """Train the steps of these names and the parts of steps (``step/part.of.module``), and freeze all else.

        What ``but`` names stays frozen though it is a part of what is trained.
        """
        self.steps = tuple(replace(step, trainable=step.name in names) for step in self.steps)
        self._parts = [self._part(name) for name in names if name not in self._modules]
        self._still = [self._part(name) for name in but]
        self._sort_out()
        for step in self.steps:
            step.module.requires_grad_(step.trainable)
        for module, trained in (*((part, True) for part in self._parts), *((part, False) for part in self._still)):
            module.requires_grad_(trained)
        self.train(self.training)

    def _part(self, name: str) -> nn.Module:
        step, _, part = name.rpartition("/")
        module = self._modules[name] if name in self._modules else self._modules[step]
        assert module is not None  # noqa: S101 - every step has a module
        return module if name in self._modules else module.get_submodule(part)

    def _make_program(self) -> list[tuple[nn.Module, tuple[int, ...], tuple[int, ...]]]:
        """Return for each step its module, the values it reads and those that nobody reads afterwards."""
        last_use = {value: number for number, step in enumerate(self.steps) for value in step.reads}
        return [
            (step.module, step.reads, tuple(value for value in set(step.reads) if last_use[value] == number))
            for number, step in enumerate(self.steps)
        ]

    def forward(self, inputs: Mapping[str, Tensor | Padded]) -> Tensor:
        """Compute the output [n, ...] of inputs by name [n, ...]."""
        if self._chain:
            x = inputs[self.inputs[0]]
            if isinstance(x, Tensor):
                for module in self._modules_in_order:
                    x = module(x)
                return x
        return self._computed([inputs[name] for name in self.inputs])

    def _computed(self, inputs: list[Tensor | Padded]) -> Tensor:
        """Compute the steps one by one, each value forgotten after its last use, and lengths beside the values."""
        values: list[Any] = [x.values if isinstance(x, Padded) else x for x in inputs]
        lengths = [x.lengths if isinstance(x, Padded) else None for x in inputs]
        for step, (module, reads, done) in zip(self.steps, self._program, strict=True):
            known = [lengths[index] for index in reads]
            values.append(_applied(module, [values[index] for index in reads], known))
            lengths.append(_lengths_after(module, known) if step.varies else None)
            for index in done:
                values[index] = None
        output: Tensor = values[-1]
        return output

    def train(self, mode: bool = True) -> "GraphNetwork":
        """Switch to training or evaluation; frozen steps stay in evaluation."""
        super().train(mode)
        for module in self._frozen:
            module.train(False)
            for _, carrier in carrying(module):
                carrier.carrying = mode
        for module in self._parts:
            module.train(mode)
        for module in self._still:
            module.train(False)
        return self

    def carried(self) -> dict[str, Tensor]:
        """Return what stateful modules carry to the next batch of training, by name."""
        return {
            f"{name}.{number}": tensor
            for name, module in carrying(self)
            for number, tensor in enumerate(module.carried)
        }

    def set_carried(self, state: Mapping[str, Tensor]) -> None:
        """Let the next batch of training go on from what ``carried`` gave; raises ``ValueError`` for other names."""
        self.clear_carried()
        modules = dict(carrying(self))
        for full, tensor in state.items():
            name = full.rpartition(".")[0]
            if name not in modules:
                raise ValueError(f"no layer carries {full}")
            modules[name].carried += (tensor,)

    def clear_carried(self) -> None:
        """Let the next batch of training start anew."""
        for _, module in carrying(self):
            module.reset_state()

    @torch.inference_mode()
    def steps_alone(self, inputs: Mapping[str, Tensor]) -> bool:
        """Tell whether these sequences [n, steps, ...], fed step by step, give what they give at once: [n, steps, ...].

        Not so where a layer looks ahead, or back in another way than by a recurrent state, such as attention does.
        """
        steps = min(x.shape[1] for x in inputs.values())
        at_once = self(inputs)
        try:
            with self.stepping():
                parts = [self({name: x[:, k : k + 1] for name, x in inputs.items()}) for k in range(steps)]
        except RuntimeError:  # A layer is made for another number of steps.
            return False
        by_step = torch.cat(parts, 1)
        return by_step.shape == at_once.shape and torch.allclose(by_step, at_once, rtol=1e-3, atol=1e-4)

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Let every recurrent layer go on from call to call, so that a sequence can be fed in parts, or step by step.

        The first call starts anew. Afterwards training's carried state is what it was.
        """
        before = {name: module.carried for name, module in carrying(self)}
        for _, module in carrying(self):
            module.stepping, module.carried = True, ()
        try:
            yield
        finally:
            for name, module in carrying(self):
                module.stepping, module.carried = False, before[name]

    def set_draws(self, draws: Draws, prefix: str = "") -> None:
        """Let every random module draw from ``draws``, under the name of its step with ``prefix`` before it."""
        self.draws = draws
        for step in self.steps:
            for path, module in step.module.named_modules():
                if isinstance(module, RandomModule):
                    module.draws, module.name = draws, prefix + ".".join(filter(None, (step.name, path)))

    def penalty(self) -> Tensor | None:
        """Return the sum of l1 * |w| and l2 * w^2 over the layers that ask for it, or None if there is none."""
        terms = [step.l1 * p.abs().sum() for step in self._penalized if step.l1 for p in step.regular()]
        terms += [step.l2 * p.square().sum() for step in self._penalized if step.l2 for p in step.regular()]
        return torch.stack(terms).sum() if terms else None

    @torch.no_grad()
    def constrain(self) -> None:
        """Scale down each unit's weights where they are longer than ``max_norm``; called after a step."""
        for step in self._bounded:
            for parameter, axes in zip(step.regular(), step.kernels.values(), strict=True):
                units = {axis % parameter.dim() for axis in axes}
                others = [axis for axis in range(parameter.dim()) if axis not in units]
                norm = torch.linalg.vector_norm(parameter, dim=others, keepdim=True)
                parameter.mul_(norm.clamp(max=step.max_norm) / norm.clamp(min=1e-12))


def _applied(module: nn.Module, inputs: list[Tensor], lengths: Lengths) -> Tensor:
    is_told = isinstance(module, SequenceModule)
    output: Tensor = module(*inputs, lengths=lengths) if is_told else module(*inputs)
    return output


def _lengths_after(module: nn.Module, lengths: Lengths) -> Tensor | None:
    return module.out_lengths(lengths) if isinstance(module, SequenceModule) else first(lengths)
