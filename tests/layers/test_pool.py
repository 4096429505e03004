import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnkit.layers.base import LAYERS, ShapeError
from nnkit.shapes import Shape
from tests.layers.oracles import compare, first, last, padded
from tests.layers.test_conv import each, per_axis
from tests.layers.tools import build

quick = settings(max_examples=80, deadline=None)
MAX: dict[int, Any] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE: dict[int, Any] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ADAPTIVE_MAX: dict[int, Any] = {1: nn.AdaptiveMaxPool1d, 2: nn.AdaptiveMaxPool2d, 3: nn.AdaptiveMaxPool3d}
ADAPTIVE_AVERAGE: dict[int, Any] = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


@quick
@given(
    data=st.data(),
    rank=st.integers(1, 3),
    name=st.sampled_from(["max_pool", "average_pool"]),
    how=st.sampled_from(["valid", "same"]),
    channels=st.integers(1, 3),
)
def test_pools_are_torchs(data: Any, rank: int, name: str, how: str, channels: int) -> None:
    size = data.draw(per_axis(rank, 1, 4))
    strides = data.draw(st.none() | per_axis(rank, 1, 3))
    windows, steps = each(size, rank), each(size if strides is None else strides, rank)
    axes = [data.draw(st.integers(window if how == "valid" else 1, window + 5)) for window in windows]

    def oracle(x: Tensor) -> Tensor:
        if name == "max_pool":
            return last(MAX[rank](windows, steps)(padded(first(x), windows, steps, how, -torch.inf)))
        mean = AVERAGE[rank](windows, steps)
        counted = mean(padded(torch.ones_like(first(x)), windows, steps, how))
        return last(mean(padded(first(x), windows, steps, how)) / counted)

    layer = {"type": name, "pool_size": size, "strides": strides, "padding": how}
    compare(layer, (*axes, channels), oracle)


@quick
@given(
    data=st.data(),
    axes=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    channels=st.integers(1, 3),
    name=st.sampled_from(["adaptive_max_pool", "adaptive_average_pool"]),
)
def test_adaptive_pools_are_torchs(data: Any, axes: list[int], channels: int, name: str) -> None:
    rank = len(axes)
    size = data.draw(per_axis(rank, 1, 5))
    kinds = ADAPTIVE_MAX if name == "adaptive_max_pool" else ADAPTIVE_AVERAGE
    layer = {"type": name, "output_size": size}
    compare(layer, (*axes, channels), lambda x: last(kinds[rank](each(size, rank))(first(x))))


@quick
@given(
    axes=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    channels=st.integers(1, 3),
    name=st.sampled_from(["global_max_pool", "global_average_pool"]),
    keepdims=st.booleans(),
)
def test_global_pools_are_torchs_to_a_size_of_one(axes: list[int], channels: int, name: str, keepdims: bool) -> None:
    rank = len(axes)
    kinds = ADAPTIVE_MAX if name == "global_max_pool" else ADAPTIVE_AVERAGE

    def oracle(x: Tensor) -> Tensor:
        y = last(kinds[rank](1)(first(x)))
        return y if keepdims else y.flatten(1)

    compare({"type": name, "keepdims": keepdims}, (*axes, channels), oracle)


def test_average_pool_does_not_count_padding() -> None:
    x = torch.tensor([[[2.0], [4.0], [6.0]]])
    module = build({"type": "average_pool", "padding": "same"}, (3, 1))
    assert module(x).flatten().tolist() == [3, 6]


def test_axes_of_varying_length_stay_so_and_too_short_rows_have_no_steps_left() -> None:
    layer = LAYERS.decode({"type": "max_pool", "pool_size": 4})
    assert layer.out_shape((None, 2)) == (None, 2)
    module = layer.build((None, 2))
    assert module(torch.randn(1, 9, 2)).shape == (1, 2, 2)
    assert module(torch.randn(1, 3, 2)).shape == (1, 0, 2)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({"type": "max_pool"}, (784,), "or height x width x channels or depth x height x width x channels, got 784"),
        ({"type": "max_pool"}, (784,), "give the rows their axes above it by {type: reshape, shape: [28, 28, 1]}"),
        ({"type": "max_pool", "pool_size": 3}, (2, 5, 1), "has a pool_size that covers 3 x 3, more than its input"),
        ({"type": "max_pool", "pool_size": [2, 2]}, (9, 1), "one for the axis steps; found a list of 2"),
        ({"type": "average_pool", "strides": [1]}, (9, 9, 1), "one for each of height x width; found a list of 1"),
        ({"type": "adaptive_max_pool", "output_size": [1]}, (9, 9, 1), "takes output_size as one number, or a list"),
        ({"type": "global_max_pool"}, (9,), "global_max_pool needs steps x channels or"),
    ],
)
def test_shapes_that_do_not_fit_are_named(options: Any, shape: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS.decode(options).out_shape(shape)
