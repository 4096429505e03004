"""The layers beside Keras' documented formulas, written a second time in numpy: values and sizes."""

from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnkit.layers.base import LAYERS
from nnkit.shapes import Shape
from tests.layers import keras_formulas
from tests.layers.test_conv import each, windows

few = settings(max_examples=25, deadline=None)


def agree(options: dict[str, Any], shape: Shape, formula: Any) -> None:
    """Compare a layer's values with a formula's of the same input and weights."""
    layer = LAYERS.decode(options)
    draw = np.random.default_rng(0)
    weights = {name: draw.normal(size=weight.shape) for name, weight in layer.weights(shape).items()}
    module = layer.build(shape)
    module.load_state_dict({name: torch.tensor(weight, dtype=torch.float32) for name, weight in weights.items()})
    x = draw.normal(size=(2, *(axis or 0 for axis in shape)))
    bias = weights.pop("bias", 0)
    expected = formula(x, *weights.values()) + bias
    assert layer.out_shape(shape) == expected.shape[1:]
    found = module(torch.tensor(x, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def geometry(options: dict[str, Any], rank: int) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    return tuple(each(options["strides"], rank)), tuple(each(options["dilation_rate"], rank)), options["padding"]


@few
@given(data=st.data(), rank=st.integers(1, 3), groups=st.integers(1, 2), channels=st.integers(1, 2))
def test_conv(data: Any, rank: int, groups: int, channels: int) -> None:
    options, axes = data.draw(windows(rank, ("valid", "same", "causal") if rank == 1 else ("valid", "same")))
    layer = {"type": f"conv{rank}d", "filters": 2 * groups, "groups": groups, **options}
    place = geometry(options, rank)
    agree(layer, (*axes, channels * groups), lambda x, kernel: keras_formulas.conv(x, kernel, *place, groups))


@few
@given(data=st.data(), rank=st.integers(1, 2), channels=st.integers(1, 3), multiplier=st.integers(1, 2))
def test_depthwise_and_separable_conv(data: Any, rank: int, channels: int, multiplier: int) -> None:
    options, axes = data.draw(windows(rank))
    place, shape = geometry(options, rank), (*axes, channels)
    layer = {"type": f"depthwise_conv{rank}d", "depth_multiplier": multiplier, **options}
    agree(layer, shape, lambda x, kernel: keras_formulas.depthwise(x, kernel, *place))

    def both(x: Any, depthwise_kernel: Any, pointwise_kernel: Any) -> Any:
        return keras_formulas.depthwise(x, depthwise_kernel, *place) @ pointwise_kernel.reshape(-1, 3)

    agree({**layer, "type": f"separable_conv{rank}d", "filters": 3}, shape, both)


@few
@given(data=st.data(), rank=st.integers(1, 3), channels=st.integers(1, 2))
def test_conv_transpose(data: Any, rank: int, channels: int) -> None:
    options, _ = data.draw(windows(rank))
    axes = [data.draw(st.integers(2, 4)) for _ in range(rank)]
    place = geometry(options, rank)
    extra = data.draw(st.none() | st.just(tuple(data.draw(st.integers(0, stride - 1)) for stride in place[0])))
    layer = {"type": f"conv{rank}d_transpose", "filters": 2, **options, "output_padding": extra and list(extra)}
    agree(layer, (*axes, channels), lambda x, kernel: keras_formulas.conv_transpose(x, kernel, *place, extra))


@few
@given(data=st.data(), rank=st.integers(1, 3), padding=st.sampled_from(["valid", "same"]))
def test_pools(data: Any, rank: int, padding: str) -> None:
    size = tuple(data.draw(st.integers(1, 4)) for _ in range(rank))
    strides = tuple(data.draw(st.integers(1, 3)) for _ in range(rank))
    axes = [data.draw(st.integers(window if padding == "valid" else 1, window + 4)) for window in size]
    for name, merge in (("max_pool", np.max), ("average_pool", np.mean)):
        layer = {"type": name, "pool_size": list(size), "strides": list(strides), "padding": padding}
        agree(layer, (*axes, 2), lambda x, merge=merge: keras_formulas.pool(x, size, strides, padding, merge))
