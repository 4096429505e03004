"""What the layers over axes of space are compared with: torch's own modules, in torch's layout and in float64."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nnkit.layers.base import LAYERS
from nnkit.shapes import Shape

Oracle = Callable[..., Tensor]


def compare(options: dict[str, Any], shape: Shape, oracle: Oracle, rows: int = 2) -> nn.Module:
    """Compare a layer with ``oracle(x, **weights)``: its shape, its values, and the gradients of input and weights.

    ``oracle`` gets and returns channels last, as the layer does. Returns the layer's module.
    """
    layer = LAYERS.decode(options)
    x = torch.randn(rows, *(axis or 0 for axis in shape))
    weights = {name: torch.randn(weight.shape) for name, weight in layer.weights(shape).items()}
    module = layer.build(shape)
    module.load_state_dict(weights)
    seen = x.clone().requires_grad_()
    y = module(seen)
    exact = {name: tensor.double().requires_grad_() for name, tensor in {"x": x, **weights}.items()}
    expected = oracle(**exact)
    assert (rows, *layer.out_shape(shape)) == tuple(y.shape) == tuple(expected.shape)
    assert y.is_contiguous()
    close(y, expected)
    slope = torch.randn(y.shape)
    (y * slope).sum().backward()
    (expected * slope).sum().backward()  # type: ignore[no-untyped-call]
    close(seen.grad, exact["x"].grad)
    for name, parameter in module.named_parameters():
        close(parameter.grad, exact[name].grad)
    return module


def close(found: Tensor | None, expected: Tensor | None) -> None:
    """Compare a tensor of float32 with one of float64, to a few roundings of its largest value."""
    assert found is not None
    assert expected is not None
    largest = float(expected.detach().abs().max()) if expected.numel() else 0.0
    torch.testing.assert_close(found.detach().double(), expected.detach(), rtol=1e-4, atol=1e-5 * (1 + largest))


def first(x: Tensor) -> Tensor:
    """Put channels behind the batch: torch's layout."""
    return x.movedim(-1, 1)


def last(x: Tensor) -> Tensor:
    """Put channels last."""
    return x.movedim(1, -1)


def same(size: int, window: int, stride: int) -> tuple[int, int]:
    """Return the padding of ``same`` as TensorFlow documents it."""
    excess = size % stride if size % stride else stride
    total = max(window - excess, 0)
    return total // 2, total - total // 2


def padded(x: Tensor, windows: list[int], strides: list[int], how: str, value: float = 0.0) -> Tensor:
    """Return [n, c, *axes] with what ``padding`` puts around it."""
    amounts: list[int] = []
    for size, window, stride in zip(x.shape[2:], windows, strides, strict=True):
        pair = {"valid": (0, 0), "causal": (window - 1, 0), "same": same(size, window, stride)}[how]
        amounts = [*pair, *amounts]
    return nn.functional.pad(x, amounts, value=value)
