import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnkit.errors import DataError
from nnkit.layers.base import LAYERS, ShapeError
from nnkit.shapes import Shape
from tests.layers.oracles import compare, first, last
from tests.layers.test_conv import each, per_axis

quick = settings(max_examples=50, deadline=None)
axes_of_space = st.lists(st.integers(1, 5), min_size=1, max_size=3)


@quick
@given(data=st.data(), axes=axes_of_space, channels=st.integers(1, 3), interpolation=st.sampled_from(["", "bilinear"]))
def test_upsample_is_torchs(data: Any, axes: list[int], channels: int, interpolation: str) -> None:
    mode = interpolation if len(axes) == 2 and interpolation else "nearest"
    size = data.draw(per_axis(len(axes), 1, 4))
    factors = tuple(map(float, each(size, len(axes))))
    oracle = nn.Upsample(scale_factor=factors, mode=mode)
    layer = {"type": "upsample", "size": size, "interpolation": mode}
    compare(layer, (*axes, channels), lambda x: last(oracle(first(x))))


def test_nearest_repeats_each_value_also_where_a_factor_has_no_exact_inverse() -> None:
    x = torch.arange(7.0).reshape(1, 7, 1)
    for factor in range(1, 130):
        module = LAYERS.decode({"type": "upsample", "size": factor}).build((7, 1))
        assert torch.equal(module(x), x.repeat_interleave(factor, 1))


@quick
@given(data=st.data(), axes=axes_of_space, channels=st.integers(1, 3))
def test_zero_pad_is_torchs_and_crop_undoes_it(data: Any, axes: list[int], channels: int) -> None:
    pair = st.lists(st.integers(0, 3), min_size=2, max_size=2)
    pads = data.draw(st.lists(pair, min_size=len(axes), max_size=len(axes)))
    backwards = [0, 0] + [amount for each_pair in reversed(pads) for amount in each_pair]

    def padded(x: Tensor) -> Tensor:
        return nn.functional.pad(x, backwards)

    pad = compare({"type": "zero_pad", "padding": pads}, (*axes, channels), padded)
    longer = tuple(size + sum(ends) for size, ends in zip(axes, pads, strict=True))
    inside = tuple(slice(before, before + size) for size, (before, _) in zip(axes, pads, strict=True))
    crop = compare({"type": "crop", "cropping": pads}, (*longer, channels), lambda x: x[(slice(None), *inside)])
    x = torch.randn(2, *axes, channels)
    assert torch.equal(crop(pad(x)), x)


@pytest.mark.parametrize(
    ("padding", "shape", "expected"),
    [
        (1, (3, 4, 2), (5, 6, 2)),
        ([1, 2], (3, 4, 2), (5, 8, 2)),
        ([[1, 0], [2, 3]], (3, 4, 2), (4, 9, 2)),
        ([1, [0, 2]], (3, 4, 2), (5, 6, 2)),
        ([1, 2], (3, 2), (6, 2)),
        ([2], (3, 2), (7, 2)),
        ([[1, 2]], (3, 2), (6, 2)),
        ([0, 1, 2], (None, 4, 5, 2), (None, 6, 9, 2)),
    ],
)
def test_padding_is_written_as_in_keras(padding: Any, shape: Shape, expected: Shape) -> None:
    layer = LAYERS.decode({"type": "zero_pad", "padding": padding})
    assert layer.out_shape(shape) == expected
    found = layer.build(shape)(torch.randn(2, *(axis or 3 for axis in shape))).shape
    assert tuple(found) == (2, *(axis or 3 for axis in expected))


def test_two_numbers_for_a_series_are_before_and_after() -> None:
    x = torch.ones(1, 2, 1)
    module = LAYERS.decode({"type": "zero_pad", "padding": [1, 2]}).build((2, 1))
    assert module(x).flatten().tolist() == [0, 1, 1, 0, 0]


def test_crop_names_rows_of_varying_length_of_which_nothing_is_left() -> None:
    layer = LAYERS.decode({"type": "crop", "cropping": [2, 1]})
    assert layer.out_shape((None, 2)) == (None, 2)
    module = layer.build((None, 2))
    assert module(torch.randn(1, 4, 2)).shape == (1, 1, 2)
    with pytest.raises(DataError, match="rows of 3 values along their axes are shorter than the 4"):
        module(torch.randn(1, 3, 2))


@quick
@given(data=st.data(), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_permute_moves_axes(data: Any, sizes: list[int]) -> None:
    dims = data.draw(st.permutations(range(1, len(sizes) + 1)))
    layer = LAYERS.decode({"type": "permute", "dims": dims})
    x = torch.randn(2, *sizes)
    y = layer.build(tuple(sizes))(x)
    assert tuple(y.shape[1:]) == layer.out_shape(tuple(sizes))
    assert torch.equal(y, torch.movedim(x, list(dims), list(range(1, len(dims) + 1))))


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        (
            {"type": "upsample", "interpolation": "bilinear"},
            (9, 1),
            "bilinear needs height x width x channels, got 9 x 1",
        ),
        ({"type": "upsample", "size": [2, 2, 2]}, (9, 9, 1), "takes size as one number, or a list of one for each of"),
        ({"type": "zero_pad", "padding": [1, 2, 3]}, (9, 1), "found a list of 3"),
        ({"type": "crop", "cropping": [1, 2]}, (3, 4, 1), "takes 2 x 4 off 3 x 4, which leaves nothing"),
        ({"type": "permute", "dims": [1, 1]}, (3, 4), "name each axis of 3 x 4 once, 1 to 2, found [1, 1]"),
        ({"type": "permute", "dims": [0, 1]}, (3, 4), "found [0, 1]"),
        ({"type": "spatial_dropout", "rate": 0.5}, (9,), "spatial_dropout needs steps x channels or"),
        ("squeeze_excite", (9,), "squeeze_excite needs steps x channels or"),
    ],
)
def test_shapes_that_do_not_fit_are_named(options: Any, shape: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS.decode(options).out_shape(shape)


def test_squeeze_excite_is_two_layers_of_torchs_over_the_means() -> None:
    def oracle(
        x: Tensor, reduce_kernel: Tensor, reduce_bias: Tensor, expand_kernel: Tensor, expand_bias: Tensor
    ) -> Tensor:
        means = nn.AdaptiveAvgPool2d(1)(first(x)).flatten(1)
        hidden = nn.functional.linear(means, reduce_kernel.T, reduce_bias).relu()
        gates = nn.functional.linear(hidden, expand_kernel.T, expand_bias).sigmoid()
        return x * gates[:, None, None]

    compare({"type": "squeeze_excite", "ratio": 3}, (4, 5, 7), oracle, rows=4)
    assert LAYERS.decode("squeeze_excite").weights((4, 5, 7))["reduce_kernel"].shape == (7, 1)
