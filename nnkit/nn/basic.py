"""Modules without randomness: dense, embedding, shapes, merges."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from nnkit.errors import DataError
from nnkit.nn.sequence import Lengths, SequenceModule

Function = Callable[[Tensor], Tensor]


def empty(*shape: int) -> nn.Parameter:
    """Return a parameter whose values the network will fill."""
    return nn.Parameter(torch.empty(shape))


class Dense(nn.Module):
    """activation(x @ kernel + bias) on the last axis: [n, ..., inputs] -> [n, ..., units]."""

    def __init__(self, inputs: int, units: int, use_bias: bool, activation: Function | None) -> None:
        super().__init__()
        self.kernel = empty(inputs, units)
        self.bias = empty(units) if use_bias else None
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer."""
        if self.bias is None:
            y = x @ self.kernel
        elif x.dim() == 2:
            y = torch.addmm(self.bias, x, self.kernel)
        else:
            y = x @ self.kernel + self.bias
        return y if self.activation is None else self.activation(y)


class Apply(nn.Module):
    """A function of its inputs: a merge, an activation or a change of shape."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the function."""
        return self.function(*inputs)


class Then(SequenceModule):
    """A module and a function of what it gives; the lengths of rows are the module's."""

    def __init__(self, module: SequenceModule, function: Function) -> None:
        super().__init__()
        self.module = module
        self.function = function

    def out_lengths(self, lengths: Lengths) -> Tensor | None:
        """Return the module's."""
        return self.module.out_lengths(lengths)

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute both."""
        return self.function(self.module(x, lengths=lengths))


class PRelu(nn.Module):
    """max(0, x) + alpha * min(0, x) with a learned alpha for each value of a row."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.alpha = empty(*shape)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer."""
        return x.clamp(min=0) + self.alpha * x.clamp(max=0)


class SqueezeExcite(nn.Module):
    """Multiplies the channels of [n, ..., c] by gates computed from the mean of each (Hu and others, 2018)."""

    def __init__(self, channels: int, units: int, activation: Function, gate: Function) -> None:
        super().__init__()
        self.reduce_kernel, self.reduce_bias = empty(channels, units), empty(units)
        self.expand_kernel, self.expand_bias = empty(units, channels), empty(channels)
        self.activation = activation
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer."""
        means = x.flatten(1, -2).mean(1)
        hidden = self.activation(torch.addmm(self.reduce_bias, means, self.reduce_kernel))
        gates = self.gate(torch.addmm(self.expand_bias, hidden, self.expand_kernel))
        return x * gates.view(len(x), *[1] * (x.dim() - 2), x.shape[-1])


class Scale(nn.Module):
    """x times one learned number."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = empty()

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer."""
        return x * self.factor


class Embedding(nn.Module):
    """A learned vector for each index: [n, ...] -> [n, ..., size]; raises ``DataError`` for what is no index."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        self.embeddings = empty(count, size)

    def forward(self, x: Tensor) -> Tensor:
        """Look the vectors up."""
        last = len(self.embeddings) - 1
        index = x.long().clamp(0, last)
        if not torch.equal(index.to(x.dtype), x):
            odd = x[index != x].flatten()[0].item()
            raise DataError(
                f"an embedding takes whole numbers from 0 to {last} and got {odd:g}; encode the column by ordinal, "
                f"don't scale it, and set input_dim to more than the largest"
            )
        return nn.functional.embedding(index, self.embeddings)


def dot(axes: tuple[int, int], normalize: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the product of two tensors, summed over one axis of each (counted from 1 behind the batch)."""

    def compute(a: Tensor, b: Tensor) -> Tensor:
        if normalize:
            a = nn.functional.normalize(a, dim=axes[0])
            b = nn.functional.normalize(b, dim=axes[1])
        left = a.movedim(axes[0], -1).flatten(1, -2) if a.dim() > 2 else a.unsqueeze(1)
        right = b.movedim(axes[1], -1).flatten(1, -2) if b.dim() > 2 else b.unsqueeze(1)
        product = left @ right.transpose(1, 2)
        rest = [*_without(a, axes[0]), *_without(b, axes[1])]
        return product.reshape(len(a), *(rest or [1]))

    return compute


def _without(x: Tensor, axis: int) -> list[int]:
    return [size for number, size in enumerate(x.shape) if number not in (0, axis)]
