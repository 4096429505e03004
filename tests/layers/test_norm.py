from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnkit.layers.base import LAYERS, ShapeError
from nnkit.shapes import Shape
from tests.layers.oracles import close, compare, first, last
from tests.layers.tools import build

quick = settings(max_examples=25, deadline=None)


@quick
@given(rows=st.integers(2, 6), features=st.integers(1, 5), middle=st.booleans(), momentum=st.floats(0, 0.99))
def test_batch_norm_is_torchs_but_for_keras_moving_variance(
    rows: int, features: int, middle: bool, momentum: float
) -> None:
    shape = (3, features) if middle else (features,)
    gamma, beta = torch.rand(features), torch.rand(features)
    averages = {"moving_mean": torch.zeros(features), "moving_variance": torch.ones(features)}
    module = build({"type": "batch_norm", "momentum": momentum}, shape, gamma=gamma, beta=beta, **averages).train()
    x = torch.randn(rows, *shape) * 3 + 1
    flat = x.reshape(-1, features)
    expected = nn.functional.batch_norm(flat, None, None, gamma, beta, training=True, eps=1e-3)
    torch.testing.assert_close(module(x).reshape(-1, features), expected, atol=1e-5, rtol=1e-5)
    state = module.state_dict()
    torch.testing.assert_close(state["moving_mean"], (1 - momentum) * flat.mean(0), atol=1e-5, rtol=1e-5)
    biased = momentum + (1 - momentum) * flat.var(0, correction=0)
    torch.testing.assert_close(state["moving_variance"], biased, atol=1e-4, rtol=1e-5)
    mean, variance = state["moving_mean"], state["moving_variance"]
    expected = nn.functional.batch_norm(flat, mean, variance, gamma, beta, eps=1e-3)
    torch.testing.assert_close(module.eval()(x).reshape(-1, features), expected, atol=1e-5, rtol=1e-5)


AVERAGES = {"moving_mean": torch.zeros(3), "moving_variance": torch.ones(3)}


def test_batch_norm_of_a_single_row_gives_beta_and_no_variance() -> None:
    beta = torch.tensor([1.0, 2.0, 3.0])
    module = build({"type": "batch_norm", "momentum": 0.5}, (3,), gamma=torch.ones(3), beta=beta, **AVERAGES).train()
    x = torch.randn(1, 3)
    torch.testing.assert_close(module(x)[0], beta)
    torch.testing.assert_close(module.get_buffer("moving_mean"), x[0] / 2)
    torch.testing.assert_close(module.get_buffer("moving_variance"), torch.full((3,), 0.5))


def test_batch_norm_of_no_rows_outside_of_training_gives_none() -> None:
    module = build({"type": "batch_norm", "center": False, "scale": False}, (3,), **AVERAGES).eval()
    assert module(torch.empty(0, 3)).shape == (0, 3)


@quick
@given(rows=st.integers(0, 5), features=st.integers(2, 6), center=st.booleans(), scale=st.booleans())
def test_layer_norm_is_torchs(rows: int, features: int, center: bool, scale: bool) -> None:
    gamma, beta, x = torch.rand(features), torch.rand(features), torch.randn(rows, features)
    weights = ({"gamma": gamma} if scale else {}) | ({"beta": beta} if center else {})
    module = build({"type": "layer_norm", "center": center, "scale": scale}, (features,), **weights)
    expected = nn.functional.layer_norm(
        x, (features,), weights.get("gamma", torch.ones(features)), weights.get("beta"), 1e-3
    )
    torch.testing.assert_close(module(x), expected)


@quick
@given(
    axes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    groups=st.integers(1, 3),
    of_each=st.integers(1, 3),
    center=st.booleans(),
    scale=st.booleans(),
)
def test_group_norm_is_torchs(axes: list[int], groups: int, of_each: int, center: bool, scale: bool) -> None:
    channels = groups * of_each

    def oracle(x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None) -> Tensor:
        # gamma and beta apart, since torch's gradient fails where it has one of them
        y = last(nn.functional.group_norm(first(x), groups, eps=1e-3))
        return y * (1 if gamma is None else gamma) + (0 if beta is None else beta)

    layer = {"type": "group_norm", "groups": groups, "center": center, "scale": scale}
    compare(layer, (*axes, 2, channels), oracle)


INSTANCE: dict[int, Any] = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}


@quick
@given(axes=st.lists(st.integers(2, 4), min_size=1, max_size=3), channels=st.integers(1, 4), center=st.booleans())
def test_instance_norm_is_torchs(axes: list[int], channels: int, center: bool) -> None:
    oracle = INSTANCE[len(axes)](channels, eps=1e-3)

    def computed(x: Tensor, gamma: Tensor, beta: Tensor | None = None) -> Tensor:
        y = last(oracle(first(x))) * gamma
        return y if beta is None else y + beta

    compare({"type": "instance_norm", "center": center}, (*axes, channels), computed)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("axes", [(5,), (3, 4), (2, 3, 2)])
def test_batch_norm_over_axes_is_torchs_with_its_gradients(axes: tuple[int, ...], training: bool) -> None:
    mean, variance = torch.randn(3), torch.rand(3) + 0.5
    gamma, beta = torch.randn(3), torch.randn(3)
    weights = {"gamma": gamma, "beta": beta, "moving_mean": mean, "moving_variance": variance}
    module = build("batch_norm", (*axes, 3), **weights).train(training)
    x, slope = torch.randn(4, *axes, 3), torch.randn(4, *axes, 3)
    exact = {name: tensor.double().requires_grad_() for name, tensor in {"x": x, "gamma": gamma, "beta": beta}.items()}
    expected = last(
        nn.functional.batch_norm(
            first(exact["x"]), mean.double(), variance.double(), exact["gamma"], exact["beta"], training, 0.0, 1e-3
        )
    )
    seen = x.clone().requires_grad_()
    y = module(seen)
    assert y.is_contiguous()
    close(y, expected)
    (y * slope).sum().backward()
    (expected * slope).sum().backward()  # type: ignore[no-untyped-call]
    close(seen.grad, exact["x"].grad)
    for name, parameter in module.named_parameters():
        close(parameter.grad, exact[name].grad)


@pytest.mark.parametrize(
    ("groups", "shape", "message"),
    [
        (4, (3, 6), "needs groups that divide the 6 channels, found 4"),
        (6, (6,), "group_norm of single values gives zeros; take fewer groups than 6"),
    ],
)
def test_groups_that_do_not_fit_are_named(groups: int, shape: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        LAYERS.decode({"type": "group_norm", "groups": groups}).out_shape(shape)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
def test_the_last_axis_must_be_known(name: str) -> None:
    with pytest.raises(ShapeError, match="needs a last axis of known size"):
        LAYERS.decode(name).weights((3, None))
