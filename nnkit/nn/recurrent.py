"""Recurrent modules: a state that goes through the steps of a row; weights have Keras' names, layout and gate order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nnkit.nn.basic import Function, empty
from nnkit.nn.random import RandomModule
from nnkit.nn.sequence import (
    CarryingModule,
    Lengths,
    SequenceModule,
    at_end,
    backwards,
    beside,
    first,
    inside,
    zeroed,
)

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class RecurrentOptions:
    """What recurrent layers have in common."""

    units: int
    use_bias: bool
    activation: Function
    recurrent_activation: Function | None
    """None in a simple_rnn, which has no gates."""
    fused: str | None
    """torch's function for all steps at once, or None where these activations have none."""
    return_sequences: bool
    go_backwards: bool
    stateful: bool
    dropout: float
    recurrent_dropout: float


class StepMask(RandomModule):
    """Variational dropout: one mask for all steps of a row (Gal and Ghahramani, 2016); holds no weights."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def of(self, like: Tensor) -> Tensor | None:
        """Return factors [n, size] in training: 0 with probability ``rate``, else 1 / (1 - rate); None for all 1."""
        if not self.training or self.rate == 0:
            return None
        return self.kept(like, self.rate).div_(1 - self.rate)


class Recurrent(CarryingModule):
    """What recurrent modules do alike: [n, steps, inputs] -> [n, steps, units], or [n, units] at each row's end.

    All steps go through one call of torch where it has one, and else step by step, the inputs' products ahead.
    """

    states = 1
    """How many tensors [n, units] go from step to step; the first is the output."""
    gates = 1

    def __init__(self, inputs: int, options: RecurrentOptions, bias_shape: Sequence[int]) -> None:
        super().__init__(options.stateful)
        self.kernel = empty(inputs, self.gates * options.units)
        self.recurrent_kernel = empty(options.units, self.gates * options.units)
        self.bias = empty(*bias_shape) if options.use_bias else None
        self.input_mask = StepMask(options.dropout)
        self.recurrent_mask = StepMask(options.recurrent_dropout)
        self.options = options

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute the layer; a row without steps gives 0, or what it carries."""
        ends, steps = first(lengths), x.shape[1]
        if not steps:
            x, ends = x.new_zeros(len(x), 1, x.shape[2]), torch.zeros(len(x), dtype=torch.long, device=x.device)
        x = zeroed(x, ends)
        if self.options.go_backwards:
            x = backwards(x, ends)
        mask = self.input_mask.of(x[:, 0])
        x = x if mask is None else x * mask[:, None]
        outputs, last = self._run(x, ends)
        return zeroed(outputs, ends)[:, :steps] if self.options.return_sequences else last

    def _run(self, x: Tensor, ends: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the output [n, steps, units] at each step, and [n, units] at each row's end."""
        state = self.begin(len(x)) or (self.kernel.new_zeros(len(x), self.options.units),) * self.states
        mask = self.recurrent_mask.of(state[0])
        carries_beyond = ends is not None and (self.stateful or self.stepping)
        if self.options.fused is None or mask is not None or carries_beyond or not len(x):
            outputs, after = self._step_by_step(x, state, mask, ends)
            last = after[0]
        else:
            outputs, after = self.at_once(x, state)
            last = after[0] if ends is None else at_end(outputs, ends)
        self.end(tuple(tensor.to(self.kernel.dtype) for tensor in after))  # also where autocast made it shorter
        return outputs, last

    def _step_by_step(self, x: Tensor, state: State, mask: Tensor | None, ends: Tensor | None) -> tuple[Tensor, State]:
        going = None if ends is None else beside(inside(ends, x.shape[1]), x)
        outputs = []
        for number, given in enumerate(self.products(x).unbind(1)):
            after = self.step(given, state, mask)
            if going is not None:
                after = tuple(torch.where(going[:, number], new, old) for new, old in zip(after, state, strict=True))
            state = after
            outputs.append(state[0])
        return torch.stack(outputs, 1), state

    def products(self, x: Tensor) -> Tensor:
        """Return what the gates get from the inputs, for all steps: [n, steps, gates * units]."""
        product = x @ self.kernel
        return product if self.bias is None else product + self.bias

    def step(self, given: Tensor, state: State, mask: Tensor | None) -> State:
        """Return the state after one step; ``given`` [n, gates * units] is a step of ``products``."""
        raise TypeError(f"{type(self).__name__} does not say its step")

    def at_once(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the outputs of all steps and the last state, by one call of torch."""
        raise TypeError(f"{type(self).__name__} has no call for all steps")

    def parameters_of_torch(self) -> list[Tensor]:
        """Return the weights as torch has them: a row for each unit of each gate, and two biases."""
        weights = [self.kernel.t(), self.recurrent_kernel.t()]
        return weights if self.bias is None else [*weights, self.bias, torch.zeros_like(self.bias)]


def masked(h: Tensor, mask: Tensor | None) -> Tensor:
    """Return a state with its dropout mask applied."""
    return h if mask is None else h * mask


class SimpleRnn(Recurrent):
    """h = activation(x @ kernel + h @ recurrent_kernel + bias) (Elman, 1990)."""

    def __init__(self, inputs: int, options: RecurrentOptions) -> None:
        super().__init__(inputs, options, (options.units,))

    def step(self, given: Tensor, state: State, mask: Tensor | None) -> State:
        """Return the state after one step."""
        return (self.options.activation(given + masked(state[0], mask) @ self.recurrent_kernel),)

    def at_once(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the outputs and the last state."""
        function = torch.rnn_relu if self.options.fused == "relu" else torch.rnn_tanh
        has_bias = self.bias is not None
        outputs, h = function(
            x, state[0][None], self.parameters_of_torch(), has_bias, 1, 0.0, self.training, False, True
        )
        return outputs, (h[0],)


class Lstm(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; Gers and others, 2000): gates i, f, c, o."""

    states = 2
    gates = 4

    def __init__(self, inputs: int, options: RecurrentOptions) -> None:
        super().__init__(inputs, options, (4 * options.units,))

    def step(self, given: Tensor, state: State, mask: Tensor | None) -> State:
        """Return h and c after one step."""
        h, c = state
        gate, function = self.options.recurrent_activation, self.options.activation
        assert gate is not None  # noqa: S101 - the layer has one
        i, f, new, o = (given + masked(h, mask) @ self.recurrent_kernel).chunk(4, -1)
        c = gate(f) * c + gate(i) * function(new)
        return gate(o) * function(c), c

    def at_once(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the outputs and the last h and c."""
        h, c = (tensor[None] for tensor in state)
        has_bias = self.bias is not None
        outputs, h, c = torch.lstm(x, (h, c), self.parameters_of_torch(), has_bias, 1, 0.0, self.training, False, True)
        return outputs, (h[0], c[0])


class Gru(Recurrent):
    """Gated recurrent unit (Cho and others, 2014): gates z, r, h.

    With ``reset_after`` the reset gate acts behind the recurrent product, as in cuDNN and torch, and there are two
    biases [2, 3 * units], of the inputs and of the state; without it, it acts on the state, as in the paper.
    """

    gates = 3

    def __init__(self, inputs: int, options: RecurrentOptions, reset_after: bool) -> None:
        super().__init__(inputs, options, (2, 3 * options.units) if reset_after else (3 * options.units,))
        self.reset_after = reset_after

    def products(self, x: Tensor) -> Tensor:
        """Return what the gates get from the inputs, for all steps."""
        if self.bias is None or not self.reset_after:
            return super().products(x)
        return x @ self.kernel + self.bias[0]

    def step(self, given: Tensor, state: State, mask: Tensor | None) -> State:
        """Return the state after one step."""
        (h,), units = state, self.options.units
        gate, function = self.options.recurrent_activation, self.options.activation
        assert gate is not None  # noqa: S101 - the layer has one
        seen = masked(h, mask)
        if self.reset_after:
            own = seen @ self.recurrent_kernel
            own = own if self.bias is None else own + self.bias[1]
            z, r = gate(given[:, : 2 * units] + own[:, : 2 * units]).chunk(2, -1)
            new = function(given[:, 2 * units :] + r * own[:, 2 * units :])
        else:
            kernel = self.recurrent_kernel
            z, r = gate(given[:, : 2 * units] + seen @ kernel[:, : 2 * units]).chunk(2, -1)
            new = function(given[:, 2 * units :] + (r * seen) @ kernel[:, 2 * units :])
        return (z * h + (1 - z) * new,)

    def at_once(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the outputs and the last state."""
        has_bias = self.bias is not None
        outputs, h = torch.gru(
            x, state[0][None], self.parameters_of_torch(), has_bias, 1, 0.0, self.training, False, True
        )
        return outputs, (h[0],)

    def parameters_of_torch(self) -> list[Tensor]:
        """Return the weights as torch has them, its gates in the order r, z, h."""
        weights = [self._turned(self.kernel).t(), self._turned(self.recurrent_kernel).t()]
        return weights if self.bias is None else [*weights, *self._turned(self.bias)]

    def _turned(self, weight: Tensor) -> Tensor:
        z, r, h = weight.chunk(3, -1)
        return torch.cat((r, z, h), -1)


MERGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concatenate": lambda a, b: torch.cat((a, b), -1),
    "sum": torch.add,
    "multiply": torch.mul,
    "average": lambda a, b: (a + b) / 2,
}


class Bidirectional(SequenceModule):
    """Two recurrent modules, one of them from each row's own end to its start (Schuster and Paliwal, 1997)."""

    def __init__(self, forward_layer: Recurrent, backward_layer: Recurrent, merge: str) -> None:
        super().__init__()
        self.forward_layer = forward_layer
        self.backward_layer = backward_layer
        self.merge = MERGES[merge]

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute both directions; each step gets what both say of it, or a row what both say at their ends."""
        there, back = self.forward_layer(x, lengths=lengths), self.backward_layer(x, lengths=lengths)
        if self.backward_layer.options.return_sequences:
            back = backwards(back, first(lengths))
        return self.merge(there, back)


class TimeDistributed(SequenceModule):
    """Another module at each step by itself: [n, steps, ...] -> [n, steps, ...]; only real steps go through it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute the module for each step."""
        ends = first(lengths)
        if ends is None:
            y: Tensor = self.layer(x.flatten(0, 1))
            return y.reshape(*x.shape[:2], *y.shape[1:])
        mask = inside(ends, x.shape[1])
        real = self.layer(x[mask])
        outputs: Tensor = real.new_zeros(*x.shape[:2], *real.shape[1:])
        outputs[mask] = real
        return outputs
