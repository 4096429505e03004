"""The spectral norm against torch's, and against singular values."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from nnkit.layers.base import LAYERS, Layer
from nnkit.nn.spectral import SpectralNorm, as_matrix


def wrapped(shape: tuple[int, ...], iterations: int = 1, **layer: Any) -> SpectralNorm:
    piece: Layer = LAYERS.decode({"type": "spectral_norm", "layer": layer, "iterations": iterations})
    module = piece.build(shape)
    assert isinstance(module, SpectralNorm)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.normal_(generator=draw)
    return module


def test_it_is_torch_s_pass_by_pass() -> None:
    ours = wrapped((5,), type="dense", units=4)
    theirs = nn.Linear(5, 4)
    with torch.no_grad():
        theirs.weight.copy_(ours.layer.get_parameter("kernel").T)
        theirs.bias.copy_(ours.layer.get_parameter("bias"))
    parametrizations.spectral_norm(theirs, n_power_iterations=1)
    ours.get_buffer("kernel_u").copy_(theirs.get_buffer("parametrizations.weight.0._u"))
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(2))
    for _ in range(3):
        torch.testing.assert_close(ours(x), theirs(x))
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    given, expected = ours.layer.get_parameter("kernel").grad, theirs.parametrizations.weight.original.grad  # type: ignore[union-attr]
    assert given is not None
    torch.testing.assert_close(given.T, expected)


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((6,), {"type": "dense", "units": 4}),
        ((5, 5, 2), {"type": "conv2d", "filters": 3, "kernel_size": 3}),
        ((5, 5, 2), {"type": "conv2d_transpose", "filters": 3, "kernel_size": 3}),
        ((5, 5, 2), {"type": "separable_conv2d", "filters": 3, "kernel_size": 3}),
        ((7, 2), {"type": "conv1d", "filters": 3, "kernel_size": 3}),
    ],
)
def test_the_largest_singular_value_becomes_one(shape: tuple[int, ...], layer: dict[str, Any]) -> None:
    module = wrapped(shape, 50, **layer)
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(2))
    module(x)
    for name, axes in module.kernels.items():
        kernel = module.layer.get_parameter(name)
        value = torch.linalg.svdvals(as_matrix(kernel.detach(), axes))[0]
        assert value > 1.2
        with torch.no_grad():
            kernel.div_(value)
    expected = module.layer(x)
    with torch.no_grad():
        for name in module.kernels:
            module.layer.get_parameter(name).mul_(3)
    torch.testing.assert_close(module(x), expected, rtol=1e-3, atol=1e-4)


def test_outside_of_training_the_vector_stays() -> None:
    module = wrapped((6,), type="dense", units=4)
    x = torch.ones(1, 6)
    kept = module.get_buffer("kernel_u").clone()
    module.eval()
    first: Tensor = module(x)
    assert torch.equal(module.get_buffer("kernel_u"), kept)
    assert torch.equal(module(x), first)
    module.train()
    module(x)
    assert not torch.equal(module.get_buffer("kernel_u"), kept)
