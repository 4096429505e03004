"""Layers against torch's own modules and Keras' formulas."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnkit.activations import ACTIVATIONS
from nnkit.errors import DataError
from nnkit.initializers import INITIALIZERS, TRUNCATED_STDDEV
from nnkit.layers.base import LAYERS, ShapeError
from nnkit.nn.random import RandomModule
from nnkit.seeds import generator
from nnkit.shapes import Shape

quick = settings(max_examples=25, deadline=None)


def build(options: dict[str, Any] | str, *shapes: Shape) -> nn.Module:
    module = LAYERS.decode(options).build(*shapes)
    if isinstance(module, RandomModule):
        module.generator = torch.Generator().manual_seed(3)
    return module


@quick
@given(rows=st.integers(1, 6), inputs=st.integers(1, 7), units=st.integers(1, 5), axes=st.integers(0, 2))
def test_dense_is_torchs_linear(rows: int, inputs: int, units: int, axes: int) -> None:
    middle = (3, 2)[:axes]
    module = build({"type": "dense", "units": units, "activation": "tanh"}, (*middle, inputs))
    oracle = nn.Linear(inputs, units)
    module.load_state_dict({"kernel": oracle.weight.detach().T, "bias": oracle.bias.detach()})
    x = torch.randn(rows, *middle, inputs)
    torch.testing.assert_close(module(x), oracle(x).tanh())


@quick
@given(rows=st.integers(2, 6), features=st.integers(1, 5), middle=st.booleans(), momentum=st.floats(0, 0.99))
def test_batch_norm_is_torchs_but_for_keras_moving_variance(
    rows: int, features: int, middle: bool, momentum: float
) -> None:
    shape = (3, features) if middle else (features,)
    module = build({"type": "batch_norm", "momentum": momentum, "epsilon": 1e-3}, shape).train()
    start = {"gamma": torch.rand(features), "beta": torch.rand(features)}
    module.load_state_dict(start | {"moving_mean": torch.zeros(features), "moving_variance": torch.ones(features)})
    x = torch.randn(rows, *shape) * 3 + 1
    flat = x.reshape(-1, features)
    expected = nn.functional.batch_norm(flat, None, None, start["gamma"], start["beta"], training=True, eps=1e-3)
    torch.testing.assert_close(module(x).reshape(-1, features), expected, atol=1e-5, rtol=1e-5)
    state = module.state_dict()
    torch.testing.assert_close(state["moving_mean"], (1 - momentum) * flat.mean(0), atol=1e-5, rtol=1e-5)
    biased = momentum + (1 - momentum) * flat.var(0, correction=0)
    torch.testing.assert_close(state["moving_variance"], biased, atol=1e-4, rtol=1e-5)
    mean, variance = state["moving_mean"], state["moving_variance"]
    expected = nn.functional.batch_norm(flat, mean, variance, start["gamma"], start["beta"], eps=1e-3)
    torch.testing.assert_close(module.eval()(x).reshape(-1, features), expected, atol=1e-5, rtol=1e-5)


def test_batch_norm_of_a_single_row_gives_beta() -> None:
    module = build("batch_norm", (3,)).train()
    beta = torch.tensor([1.0, 2.0, 3.0])
    ones, zeros = torch.ones(3), torch.zeros(3)
    module.load_state_dict({"gamma": ones, "beta": beta, "moving_mean": zeros, "moving_variance": ones})
    assert torch.equal(module(torch.randn(1, 3))[0], beta)


@quick
@given(rows=st.integers(1, 5), features=st.integers(2, 6))
def test_layer_norm_is_torchs(rows: int, features: int) -> None:
    module = build("layer_norm", (features,))
    gamma, beta, x = torch.rand(features), torch.rand(features), torch.randn(rows, features)
    module.load_state_dict({"gamma": gamma, "beta": beta})
    expected = nn.functional.layer_norm(x, (features,), gamma, beta, 1e-3)
    torch.testing.assert_close(module(x), expected)


RANDOM: list[dict[str, Any]] = [
    {"type": "dropout", "rate": 0.3},
    {"type": "input_dropout", "rate": 0.3},
    {"type": "alpha_dropout", "rate": 0.3},
    {"type": "gaussian_dropout", "rate": 0.3},
    {"type": "noise", "stddev": 0.5},
]


@pytest.mark.parametrize("options", RANDOM, ids=lambda options: options["type"])
def test_random_layers_draw_from_their_generator_and_only_in_training(options: dict[str, Any]) -> None:
    x = torch.randn(50, 8)
    first, again = build(options, (8,)).train(), build(options, (8,)).train()
    torch.manual_seed(1)
    y = first(x)
    torch.manual_seed(2)
    assert torch.equal(y, again(x))
    assert not torch.equal(y, again(x))
    assert torch.equal(first.eval()(x), x)


def moments(options: dict[str, Any], x: Tensor) -> tuple[float, float]:
    y = build(options, (1,)).train()(x)
    return float(y.mean()), float(y.var())


def test_dropouts_keep_the_moments_that_they_promise() -> None:
    x = torch.randn(400_000, 1, generator=torch.Generator().manual_seed(0))
    assert moments({"type": "dropout", "rate": 0.3}, x + 2)[0] == pytest.approx(2, abs=0.02)
    assert moments({"type": "input_dropout", "rate": 0.3}, x + 2)[0] == pytest.approx(1.4, abs=0.02)
    mean, variance = moments({"type": "alpha_dropout", "rate": 0.3}, x)
    assert mean == pytest.approx(0, abs=0.01)
    assert variance == pytest.approx(1, abs=0.02)
    ones = torch.ones_like(x)
    assert moments({"type": "gaussian_dropout", "rate": 0.3}, ones)[1] == pytest.approx(3 / 7, abs=0.01)
    assert moments({"type": "noise", "stddev": 0.5}, ones)[1] == pytest.approx(0.25, abs=0.01)


def test_dropout_scales_what_it_keeps() -> None:
    y = build({"type": "dropout", "rate": 0.25}, (4,)).train()(torch.ones(1000, 4))
    assert {round(value, 5) for value in y.unique().tolist()} == {0.0, round(1 / 0.75, 5)}


MERGES = {
    "add": lambda a, b, c: a + b + c,
    "multiply": lambda a, b, c: a * b * c,
    "average": lambda a, b, c: (a + b + c) / 3,
    "maximum": lambda a, b, c: torch.stack((a, b, c)).amax(0),
    "minimum": lambda a, b, c: torch.stack((a, b, c)).amin(0),
}


@pytest.mark.parametrize("name", MERGES)
def test_merges(name: str) -> None:
    a, b, c = torch.randn(4, 3), torch.randn(4, 3), torch.randn(4, 3)
    torch.testing.assert_close(build(name, (3,), (3,), (3,))(a, b, c), MERGES[name](a, b, c))


def test_merges_repeat_axes_of_one() -> None:
    layer = LAYERS.decode("multiply")
    assert layer.out_shape((4, 1), (4, 3)) == (4, 3)
    assert layer.build((4, 1), (4, 3))(torch.ones(2, 4, 1), torch.ones(2, 4, 3)).shape == (2, 4, 3)


def test_subtract_and_concatenate() -> None:
    a, b = torch.randn(4, 2, 3), torch.randn(4, 5, 3)
    assert torch.equal(build({"type": "concatenate", "axis": 1}, (2, 3), (5, 3))(a, b), torch.cat((a, b), 1))
    assert torch.equal(build("subtract", (2, 3), (2, 3))(a, b[:, :2]), a - b[:, :2])


@pytest.mark.parametrize("normalize", [False, True])
def test_dot(normalize: bool) -> None:
    a, b = torch.randn(4, 3), torch.randn(4, 3)
    expected = nn.functional.cosine_similarity(a, b) if normalize else (a * b).sum(1)
    module = build({"type": "dot", "normalize": normalize}, (3,), (3,))
    torch.testing.assert_close(module(a, b)[:, 0], expected)
    p, q = torch.randn(4, 2, 3), torch.randn(4, 5, 3)
    layer = LAYERS.decode({"type": "dot", "axes": [2, 2]})
    assert layer.out_shape((2, 3), (5, 3)) == (2, 5)
    torch.testing.assert_close(layer.build((2, 3), (5, 3))(p, q), p @ q.transpose(1, 2))


def test_embedding_looks_up_and_refuses_what_is_out_of_range() -> None:
    module = build({"type": "embedding", "input_dim": 3, "output_dim": 2}, (2,))
    table = torch.randn(3, 2)
    module.load_state_dict({"embeddings": table})
    assert torch.equal(module(torch.tensor([[0.0, 2.0]])), table[[0, 2]][None])
    with pytest.raises(DataError, match="an embedding of 3 vectors got indices from 0 to 3; set input_dim"):
        module(torch.tensor([[0.0, 3.0]]))


def test_reshape_and_flatten() -> None:
    x = torch.arange(24.0).reshape(2, 12)
    assert torch.equal(build({"type": "reshape", "shape": [3, -1]}, (12,))(x), x.reshape(2, 3, 4))
    assert torch.equal(build("flatten", (3, 4))(x.reshape(2, 3, 4)), x)


@pytest.mark.parametrize(
    ("options", "shapes", "message"),
    [
        ({"type": "reshape", "shape": [5, -1]}, [(12,)], r"cannot put the 12 values of 12 into \[5, -1\]"),
        ({"type": "reshape", "shape": [-1, -1]}, [(12,)], "at most one -1"),
        ("add", [(3,)], "merges two or more inputs and gets 1"),
        ("subtract", [(3,), (3,), (3,)], "exactly two"),
        ("add", [(3,), (2, 3)], "one shape, got 3 and 2 x 3"),
        ({"type": "concatenate", "axis": 1}, [(2, 3), (2, 4)], "differ in axis 1 alone, got 2 x 3 and 2 x 4"),
        ({"type": "concatenate", "axis": 3}, [(2, 3), (2, 4)], "no axis 3 in 2 x 3"),
        ("dot", [(3,), (4,)], "axes of one size, got 3 and 4"),
        ({"type": "dense", "units": 1}, [(3,), (3,)], "takes one input and gets 2"),
        ({"type": "dense", "units": 1}, [(None,)], "last axis of known size"),
    ],
)
def test_shapes_that_do_not_fit_are_named(options: Any, shapes: list[Shape], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        LAYERS.decode(options).out_shape(*shapes)


FUNCTIONS: dict[str, nn.Module] = {
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


def test_activations_are_torchs() -> None:
    x = torch.linspace(-5, 8, 42).reshape(6, 7)
    for name in ACTIVATIONS.entries.keys() - {"exponential"}:
        assert torch.equal(ACTIVATIONS.decode(name).build()(x), FUNCTIONS[name](x)), name
    assert torch.equal(ACTIVATIONS.decode("exponential").build()(x), x.exp())
    tanh = ACTIVATIONS.decode({"type": "gelu", "approximate": True}).build()
    assert torch.equal(tanh(x), nn.GELU(approximate="tanh")(x))


VARIANCES = {
    "glorot_uniform": 2 / 700,
    "glorot_normal": 2 / 700,
    "he_uniform": 2 / 400,
    "he_normal": 2 / 400,
    "lecun_uniform": 1 / 400,
    "lecun_normal": 1 / 400,
    "variance_scaling": 1 / 400,
    "uniform": 0.1**2 / 12,
    "normal": 0.05**2,
    "truncated_normal": (0.05 * TRUNCATED_STDDEV) ** 2,
    "orthogonal": 1 / 400,
}


@pytest.mark.parametrize("name", VARIANCES)
def test_initializers_have_the_variance_of_keras_formulas(name: str) -> None:
    values = INITIALIZERS.decode(name).sample((400, 300), 400, 300, generator(0, name)).astype(np.float64)
    assert values.mean() == pytest.approx(0, abs=3e-4)
    assert values.var() == pytest.approx(VARIANCES[name], rel=0.02)
    if name.endswith("uniform"):
        bound = np.sqrt(3 * VARIANCES[name])
        assert bound * 0.999 < np.abs(values).max() <= bound * (1 + 1e-6)


def test_orthogonal_columns_are_orthonormal_and_identity_is_itself() -> None:
    for shape in ((6, 4), (4, 6)):
        q = INITIALIZERS.decode("orthogonal").sample(shape, *shape, generator(0)).astype(np.float64)
        product = q.T @ q if shape[0] > shape[1] else q @ q.T
        np.testing.assert_allclose(product, np.eye(4), atol=1e-6)
    identity = INITIALIZERS.decode({"type": "identity", "gain": 2.0}).sample((3, 3), 3, 3, generator(0))
    assert np.array_equal(identity, 2 * np.eye(3))
