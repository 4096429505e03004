import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from nnkit.layers.base import LAYERS, ShapeError
from nnkit.shapes import Shape
from tests.layers.oracles import compare, first, last, padded

quick = settings(max_examples=60, deadline=None)
CONV: dict[int, Any] = {1: nn.functional.conv1d, 2: nn.functional.conv2d, 3: nn.functional.conv3d}


def each(value: int | list[int], rank: int) -> list[int]:
    return [value] * rank if isinstance(value, int) else value


def extents(options: dict[str, Any], rank: int) -> list[int]:
    pairs = zip(each(options["kernel_size"], rank), each(options["dilation_rate"], rank), strict=True)
    return [(kernel - 1) * dilation + 1 for kernel, dilation in pairs]


def per_axis(rank: int, low: int, high: int) -> st.SearchStrategy[int | list[int]]:
    number = st.integers(low, high)
    return number | st.lists(number, min_size=rank, max_size=rank)


@st.composite
def windows(draw: Any, rank: int, paddings: tuple[str, ...] = ("valid", "same")) -> tuple[dict[str, Any], list[int]]:
    """Draw the options of a kernel, and axes that it fits on."""
    options = {
        "kernel_size": draw(per_axis(rank, 1, 4)),
        "strides": draw(per_axis(rank, 1, 3)),
        "dilation_rate": draw(per_axis(rank, 1, 2)),
        "padding": draw(st.sampled_from(paddings)),
        "use_bias": draw(st.booleans()),
    }
    least = extents(options, rank) if options["padding"] == "valid" else [1] * rank
    return options, [draw(st.integers(low, low + 5)) for low in least]


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None, options: dict[str, Any], groups: int) -> Tensor:
    """Compute torch's own convolution of [n, *axes, c], padded as TensorFlow says."""
    rank = x.dim() - 2
    strides = each(options["strides"], rank)
    x = padded(first(x), extents(options, rank), strides, options["padding"])
    return last(CONV[rank](x, weight, bias, strides, 0, each(options["dilation_rate"], rank), groups))


@quick
@given(data=st.data(), rank=st.integers(1, 3), groups=st.integers(1, 2), of_each=st.tuples(*[st.integers(1, 3)] * 2))
def test_conv_is_torchs(data: Any, rank: int, groups: int, of_each: tuple[int, int]) -> None:
    options, axes = data.draw(windows(rank, ("valid", "same", "causal") if rank == 1 else ("valid", "same")))

    def oracle(x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        weight = kernel.movedim(-1, 0).movedim(-1, 1).contiguous()
        return convolved(x, weight, bias, options, groups)

    filters, channels = of_each[0] * groups, of_each[1] * groups
    compare({"type": f"conv{rank}d", "filters": filters, "groups": groups, **options}, (*axes, channels), oracle)


@quick
@given(data=st.data(), rank=st.integers(1, 2), channels=st.integers(1, 3), multiplier=st.integers(1, 3))
def test_depthwise_conv_is_torchs_with_a_group_for_each_channel(
    data: Any, rank: int, channels: int, multiplier: int
) -> None:
    options, axes = data.draw(windows(rank))

    def oracle(x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        return convolved(x, depthwise(kernel), bias, options, channels)

    layer = {"type": f"depthwise_conv{rank}d", "depth_multiplier": multiplier, **options}
    compare(layer, (*axes, channels), oracle)


def depthwise(kernel: Tensor) -> Tensor:
    """Return torch's weight: a row for each channel and each of its kernels."""
    *size, channels, multiplier = kernel.shape
    rows = [kernel[..., c, m] for c in range(channels) for m in range(multiplier)]
    return torch.stack(rows).reshape(channels * multiplier, 1, *size)


@quick
@given(data=st.data(), rank=st.integers(1, 2), channels=st.integers(1, 3), multiplier=st.integers(1, 3))
def test_separable_conv_is_two_of_torchs(data: Any, rank: int, channels: int, multiplier: int) -> None:
    options, axes = data.draw(windows(rank))

    def oracle(x: Tensor, depthwise_kernel: Tensor, pointwise_kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        between = convolved(x, depthwise(depthwise_kernel), None, options, channels)
        mixed = between @ pointwise_kernel.flatten(0, -2)
        return mixed if bias is None else mixed + bias

    layer = {"type": f"separable_conv{rank}d", "filters": 3, "depth_multiplier": multiplier, **options}
    compare(layer, (*axes, channels), oracle)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_activation_acts_on_channels_last(rank: int) -> None:
    def oracle(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        return (x @ kernel.flatten(0, -2) + bias).softmax(-1)

    softmax = {"type": f"conv{rank}d", "filters": 3, "kernel_size": 1, "activation": "softmax"}
    compare(softmax, (*(4, 3, 2)[:rank], 2), oracle)


def test_causal_output_does_not_see_what_comes_later() -> None:
    layer = LAYERS.decode({"type": "conv1d", "filters": 1, "kernel_size": 3, "padding": "causal", "dilation_rate": 2})
    module = layer.build((9, 2))
    nn.init.ones_(module.get_parameter("kernel"))
    nn.init.zeros_(module.get_parameter("bias"))
    x = torch.randn(1, 9, 2, requires_grad=True)
    module(x)[0, 5].sum().backward()
    assert x.grad is not None
    assert x.grad[0, :, 0].tolist() == [0, 1, 0, 1, 0, 1, 0, 0, 0]


def test_one_channel_at_a_stride_along_an_axis_with_one_place() -> None:
    # Where oneDNN is wrong; see without_lone_strides.
    def oracle(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        return last(nn.functional.conv2d(first(x), kernel.permute(3, 2, 0, 1).contiguous(), bias, (1, 3)))

    compare({"type": "conv2d", "filters": 2, "kernel_size": [4, 2], "strides": [1, 3]}, (14, 4, 1), oracle, rows=5)


@pytest.mark.parametrize(
    ("options", "shape", "fans"),
    [
        ({"type": "conv1d", "kernel_size": 5, "filters": 4}, (9, 3), {"kernel": ((5, 3, 4), 15, 20)}),
        (
            {"type": "conv2d", "kernel_size": [3, 2], "filters": 4, "groups": 2},
            (9, 9, 6),
            {"kernel": ((3, 2, 3, 4), 18, 24)},
        ),
        ({"type": "conv3d", "kernel_size": 2, "filters": 4}, (9, 9, 9, 1), {"kernel": ((2, 2, 2, 1, 4), 8, 32)}),
        (
            {"type": "conv2d_transpose", "kernel_size": 3, "filters": 4},
            (9, 9, 2),
            {"kernel": ((3, 3, 4, 2), 36, 18)},
        ),
        (
            {"type": "depthwise_conv2d", "kernel_size": 3, "depth_multiplier": 4},
            (9, 9, 2),
            {"kernel": ((3, 3, 2, 4), 18, 36)},
        ),
        (
            {"type": "separable_conv2d", "kernel_size": 3, "filters": 5, "depth_multiplier": 4},
            (9, 9, 2),
            {"depthwise_kernel": ((3, 3, 2, 4), 18, 36), "pointwise_kernel": ((1, 1, 8, 5), 8, 5)},
        ),
    ],
)
def test_kernels_have_keras_layout_and_fans(
    options: dict[str, Any], shape: Shape, fans: dict[str, tuple[Shape, int, int]]
) -> None:
    weights = LAYERS.decode({**options, "use_bias": False}).weights(shape)
    assert {name: (weight.shape, weight.fan_in, weight.fan_out) for name, weight in weights.items()} == fans
    bias = LAYERS.decode(options).weights(shape)["bias"]
    assert bias.fan_in == bias.fan_out == bias.shape[0]


RESHAPED = "add the axis of channels above it by {type: reshape, shape: [28, 28, 1]}"
NOT_FITTING = [
    ("conv2d", {}, (28, 28), f"conv2d needs height x width x channels, got 28 x 28; {RESHAPED}"),
    ("conv2d", {}, (784,), "give the rows their axes above it by {type: reshape, shape: [28, 28, 1]}"),
    ("conv2d", {}, (3072,), "give the rows their axes above it by {type: reshape, shape: [32, 32, 3]}"),
    ("conv2d", {}, (10,), "give the rows their axes above it by {type: reshape, shape: [height, width, channels]}"),
    ("conv1d", {}, (10,), "add the axis of channels above it by {type: reshape, shape: [10, 1]}"),
    ("conv2d", {}, (9, 9, 9, 1), "for depth x height x width x channels there is conv3d"),
    ("conv1d", {}, (9, 9, 1), "for height x width x channels there is conv2d"),
    ("conv3d", {}, (9, 9, 9, 9, 1), "take axes away by reshape"),
    ("conv3d", {}, (9, 9), "give the rows their axes above it by reshape: depth x height x width x channels"),
    ("conv2d", {}, (9, 9, None), "conv2d needs a last axis of known size, got 9 x 9 x ?"),
    (
        "conv2d",
        {},
        (2, 8, 1),
        "has a kernel_size that covers 3 x 3, more than its input of 2 x 8; make it smaller, or set padding: same",
    ),
    ("conv2d", {"dilation_rate": 4}, (8, 9, 1), "covers 9 x 9, more than its input of 8 x 9"),
    (
        "conv2d",
        {"strides": [1, 2, 3]},
        (9, 9, 1),
        "takes strides as one number, or a list of one for each of height x width; found a list of 3",
    ),
    ("conv1d", {"strides": [1, 2]}, (9, 1), "or a list of one for the axis steps; found a list of 2"),
    ("conv2d", {"groups": 2}, (9, 9, 3), "cannot split 3 channels into 2 groups of one size"),
    (
        "conv2d_transpose",
        {"output_padding": 1},
        (9, 9, 3),
        "output_padding that is less than strides on each axis, found 1 x 1 and strides of 1 x 1",
    ),
    (
        "conv1d_transpose",
        {"kernel_size": 2, "output_padding": 0, "padding": "same"},
        (1, 3),
        "would give 0 for 1; leave output_padding out",
    ),
]


@pytest.mark.parametrize(("name", "options", "shape", "message"), NOT_FITTING)
def test_shapes_that_do_not_fit_are_named(name: str, options: dict[str, Any], shape: Shape, message: str) -> None:
    layer = LAYERS.decode({"type": name, "filters": 4, "kernel_size": 3, **options})
    with pytest.raises(ShapeError, match=re.escape(message)):
        layer.out_shape(shape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 3}, "expected filters that are a multiple of groups, found 4 and 3"),
        ({"kernel_size": 0}, "kernel_size\n  expected a whole number greater than 0 or a list"),
        ({"kernel_size": [3, 0]}, "kernel_size.1\n  expected a whole number greater than 0, found 0"),
        ({"padding": "full"}, "expected one of valid, same, found 'full'"),
        ({"padding": "causal"}, "expected one of valid, same, found 'causal'"),
    ],
)
def test_options_that_make_no_sense_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LAYERS.decode({"type": "conv2d", "filters": 4, "kernel_size": 3, **options})


def test_axes_of_varying_length_stay_so() -> None:
    def shape(name: str, given: Shape, **options: Any) -> Shape:
        return LAYERS.decode({"type": name, "filters": 4, "kernel_size": 3, **options}).out_shape(given)

    assert shape("conv1d", (None, 8)) == (None, 4)
    assert shape("conv2d", (7, None, 8), padding="same", strides=2) == (4, None, 4)
    assert shape("conv2d_transpose", (5, None, 8), strides=2) == (11, None, 4)
