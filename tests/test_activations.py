from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from nnkit.activations import ACTIVATIONS

X = torch.linspace(-5, 8, 42).reshape(6, 7)

ORACLES: dict[str, nn.Module] = {
    "relu": nn.ReLU(),
    "relu6": nn.ReLU6(),
    "leaky_relu": nn.LeakyReLU(0.2),
    "elu": nn.ELU(),
    "selu": nn.SELU(),
    "celu": nn.CELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "sigmoid": nn.Sigmoid(),
    "log_sigmoid": nn.LogSigmoid(),
    "hard_sigmoid": nn.Hardsigmoid(),
    "hard_silu": nn.Hardswish(),
    "tanh": nn.Tanh(),
    "hard_tanh": nn.Hardtanh(),
    "tanh_shrink": nn.Tanhshrink(),
    "hard_shrink": nn.Hardshrink(),
    "soft_shrink": nn.Softshrink(),
    "threshold": nn.Threshold(0, 0),
    "softplus": nn.Softplus(),
    "softsign": nn.Softsign(),
    "softmax": nn.Softmax(-1),
    "log_softmax": nn.LogSoftmax(-1),
    "linear": nn.Identity(),
}
FORMULAS = {"exponential": X.exp(), "squareplus": (X + (X**2 + 4).sqrt()) / 2}


def compute(options: Any) -> torch.Tensor:
    return ACTIVATIONS.decode(options).build()(X)


@pytest.mark.parametrize("name", ACTIVATIONS.entries)
def test_defaults_are_torchs_functions(name: str) -> None:
    expected = FORMULAS[name] if name in FORMULAS else ORACLES[name](X)
    torch.testing.assert_close(compute(name), expected, rtol=1e-6, atol=1e-6)


WITH_OPTIONS: list[tuple[dict[str, Any], torch.Tensor]] = [
    ({"type": "gelu", "approximate": True}, nn.GELU(approximate="tanh")(X)),
    ({"type": "leaky_relu", "negative_slope": 0.5}, nn.LeakyReLU(0.5)(X)),
    ({"type": "elu", "alpha": 2.0}, nn.ELU(2.0)(X)),
    ({"type": "celu", "alpha": 2.0}, nn.CELU(2.0)(X)),
    ({"type": "hard_shrink", "threshold": 2.0}, nn.Hardshrink(2.0)(X)),
    ({"type": "soft_shrink", "threshold": 2.0}, nn.Softshrink(2.0)(X)),
    ({"type": "threshold", "threshold": 1.0, "value": 9.0}, nn.Threshold(1.0, 9.0)(X)),
    ({"type": "softmax", "axis": 1}, X.softmax(1)),
    ({"type": "log_softmax", "axis": 1}, X.log_softmax(1)),
    ({"type": "squareplus", "b": 0.0}, X.relu()),
    ({"type": "relu", "max_value": 6.0}, nn.ReLU6()(X)),
    ({"type": "relu", "negative_slope": 0.5}, nn.LeakyReLU(0.5)(X)),
    ({"type": "relu", "threshold": 1.0}, nn.Threshold(1.0, 0.0)(X)),
]


@pytest.mark.parametrize(("options", "expected"), WITH_OPTIONS, ids=lambda case: str(case)[:60])
def test_options(options: dict[str, Any], expected: torch.Tensor) -> None:
    torch.testing.assert_close(compute(options), expected, rtol=1e-6, atol=1e-6)


def test_relu_by_keras_formula_with_all_its_options() -> None:
    relu = ACTIVATIONS.decode({"type": "relu", "negative_slope": 0.5, "max_value": 4.0, "threshold": 1.0}).build()
    assert relu(torch.tensor([-3.0, 0.0, 1.0, 2.0, 9.0])).tolist() == [-2, -0.5, 1, 2, 4]


def test_the_axis_of_the_batch_is_refused() -> None:
    with pytest.raises(ValidationError, match="the axis 0 is the batch's"):
        ACTIVATIONS.decode({"type": "softmax", "axis": 0})


def test_an_axis_must_be_there() -> None:
    softmax = ACTIVATIONS.decode({"type": "softmax", "axis": 2})
    assert softmax.misfit((3,)) == "softmax has no axis 2 in 3; -1 is the last"
    assert softmax.misfit((3, 4)) is None
