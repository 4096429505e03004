"""One row through a network, forward and backward, with every value kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[Any]


@dataclass(frozen=True)
class Part:
    """A step of the computation: what its value is called, its module and the values that this reads."""

    name: str
    module: nn.Module
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Traced:
    """A value of one row, without the batch's axis, or a weight, with its gradient.

    The gradient is that of the chosen number; None where the number does not depend on it, or it is not trained.
    """

    value: Array
    gradient: Array | None
    trained: bool = False


@dataclass(frozen=True)
class Recorded:
    """All values by name, and by the name of a part its weights by theirs."""

    values: dict[str, Traced]
    weights: dict[str, dict[str, Traced]]


def record(
    parts: Sequence[Part],
    inputs: Mapping[str, Tensor],
    constants: Mapping[str, Tensor],
    of: str,
    place: tuple[int, ...] | None,
) -> Recorded:
    """Compute ``parts`` in their order on one row of inputs and constants [1, ...], and the gradients of a number.

    That number is the value ``of``, the sum of its numbers where there are several, or the one at ``place``.
    Raises ``IndexError`` with its shape where it has no such place.
    """
    values = {name: _own(x) for name, x in inputs.items()} | dict(constants)
    for part in parts:
        values[part.name] = _own(part.module(*(values[name] for name in part.reads)))
    weights = {(part.name, name): x for part in parts for name, x in part.module.state_dict(keep_vars=True).items()}
    gradients = _gradients(_number(values[of], place), [*values.values(), *weights.values()])
    rows = {
        name: Traced(_array(x[0]), None if gradient is None else _array(gradient[0]))
        for (name, x), gradient in zip(values.items(), gradients, strict=False)
    }
    of_parts: dict[str, dict[str, Traced]] = {}
    for ((part_name, name), x), gradient in zip(weights.items(), gradients[len(values) :], strict=True):
        found = None if gradient is None else _array(gradient)
        of_parts.setdefault(part_name, {})[name] = Traced(_array(x), found, x.requires_grad)
    return Recorded(rows, of_parts)


def _own(x: Tensor) -> Tensor:
    """Return ``x`` as a value that has a gradient of its own.

    A module that does nothing, as dropout outside of training, returns what it got: the gradient of both would be one.
    """
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()


def _number(value: Tensor, place: tuple[int, ...] | None) -> Tensor:
    if place is None:
        return value.sum()
    shape = tuple(value.shape[1:])
    if len(place) != len(shape) or any(index >= size for index, size in zip(place, shape, strict=True)):
        raise IndexError(shape)
    return value[(0, *place)]


def _gradients(number: Tensor, of: Sequence[Tensor]) -> list[Tensor | None]:
    """Return the gradient by each tensor, None where the number does not depend on it or it is not trained."""
    asked = [x for x in of if x.requires_grad]
    found = iter(torch.autograd.grad(number, asked, allow_unused=True))
    return [next(found) if x.requires_grad else None for x in of]


def _array(x: Tensor) -> Array:
    array: Array = np.array(x.detach().cpu().numpy())
    return array


def as_target(rows: Array, dtype: torch.dtype) -> Tensor:
    """Return targets [n, ...] as a loss takes them: numbers of ``dtype``, or the numbers of classes as they are."""
    tensor = torch.from_numpy(np.array(rows))
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
