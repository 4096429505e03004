"""What Keras itself gives: sizes, and a sum of each output, which differs where values or their order do.

Computed by Keras 3.15.1 on JAX, in 32-bit floats, with ``wave`` for input and weights; no test needs Keras.
"""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nnkit.layers.base import LAYERS
from nnkit.shapes import Shape

FACTS: list[tuple[str, dict[str, Any], tuple[int, ...], Shape, float]] = [
    ("conv1d", {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "valid"}, (7, 2), (2, 3), 3.0477),
    ("conv1d", {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same"}, (7, 2), (4, 3), 1.4612),
    ("conv1d", {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "causal"}, (7, 2), (4, 3), 1.4208),
    ("conv1d", {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "padding": "causal"}, (9, 2), (9, 2), 14.1981),
    ("conv2d", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "valid"}, (7, 6, 2), (3, 2, 3), 1.8121),
    ("conv2d", {"filters": 4, "kernel_size": [2, 3], "groups": 2, "padding": "valid"}, (6, 5, 4), (5, 3, 4), 0.8929),
    (
        "conv2d",
        {"filters": 2, "kernel_size": [3, 2], "dilation_rate": [2, 3], "padding": "valid"},
        (9, 8, 1),
        (5, 5, 2),
        2.1425,
    ),
    (
        "conv3d",
        {"filters": 2, "kernel_size": [2, 3, 2], "strides": [1, 2, 2], "padding": "valid"},
        (4, 5, 6, 2),
        (3, 2, 3, 2),
        5.5342,
    ),
    (
        "depthwise_conv1d",
        {"kernel_size": 4, "strides": 2, "depth_multiplier": 2, "padding": "valid"},
        (8, 3),
        (3, 6),
        1.4611,
    ),
    (
        "depthwise_conv2d",
        {"kernel_size": 3, "strides": 2, "depth_multiplier": 3, "padding": "valid"},
        (6, 7, 2),
        (2, 3, 6),
        -0.464,
    ),
    (
        "separable_conv1d",
        {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "depth_multiplier": 2, "padding": "valid"},
        (8, 3),
        (4, 2),
        -1.4047,
    ),
    (
        "separable_conv2d",
        {"filters": 3, "kernel_size": [3, 2], "strides": 2, "depth_multiplier": 2, "padding": "valid"},
        (6, 7, 2),
        (2, 3, 3),
        -1.7295,
    ),
    (
        "conv2d_transpose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "valid"},
        (3, 4, 2),
        (7, 9, 2),
        1.98,
    ),
    (
        "conv2d_transpose",
        {"filters": 2, "kernel_size": [2, 4], "strides": 3, "padding": "valid"},
        (3, 4, 2),
        (9, 13, 2),
        3.0503,
    ),
    (
        "conv2d_transpose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "valid", "output_padding": 0},
        (3, 4, 2),
        (7, 9, 2),
        1.98,
    ),
    (
        "conv2d_transpose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "valid", "output_padding": 1},
        (3, 4, 2),
        (8, 10, 2),
        0.1705,
    ),
    (
        "conv2d_transpose",
        {"filters": 2, "kernel_size": [2, 4], "strides": 3, "padding": "valid", "output_padding": 2},
        (3, 4, 2),
        (10, 15, 2),
        2.6188,
    ),
    ("conv1d_transpose", {"filters": 2, "kernel_size": 4, "strides": 2, "padding": "valid"}, (4, 2), (10, 2), 3.2147),
    (
        "conv1d_transpose",
        {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "padding": "valid"},
        (4, 2),
        (8, 2),
        3.6725,
    ),
    (
        "conv3d_transpose",
        {"filters": 2, "kernel_size": [3, 2, 1], "strides": 2, "padding": "valid"},
        (2, 3, 2, 2),
        (5, 6, 4, 2),
        2.2153,
    ),
    ("max_pool", {"pool_size": 3, "strides": 2, "padding": "valid"}, (7, 2), (3, 2), 3.9157),
    ("max_pool", {"pool_size": [3, 2], "padding": "valid"}, (7, 6, 2), (2, 3, 2), 0.9433),
    ("max_pool", {"pool_size": 4, "strides": 1, "padding": "valid"}, (6, 5, 2), (3, 2, 2), 0.8631),
    ("max_pool", {"pool_size": [2, 3, 4], "strides": [1, 2, 3], "padding": "valid"}, (4, 5, 6, 2), (3, 2, 1, 2), 1.015),
    ("average_pool", {"pool_size": 3, "strides": 2, "padding": "valid"}, (7, 2), (3, 2), 0.073),
    ("average_pool", {"pool_size": [3, 2], "padding": "valid"}, (7, 6, 2), (2, 3, 2), -0.0106),
    ("average_pool", {"pool_size": 4, "strides": 1, "padding": "valid"}, (6, 5, 2), (3, 2, 2), -0.7735),
    (
        "average_pool",
        {"pool_size": [2, 3, 4], "strides": [1, 2, 3], "padding": "valid"},
        (4, 5, 6, 2),
        (3, 2, 1, 2),
        -0.0026,
    ),
    ("conv2d", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, (7, 6, 2), (4, 3, 3), -1.0414),
    ("conv2d", {"filters": 4, "kernel_size": [2, 3], "groups": 2, "padding": "same"}, (6, 5, 4), (6, 5, 4), -0.1478),
    (
        "conv2d",
        {"filters": 2, "kernel_size": [3, 2], "dilation_rate": [2, 3], "padding": "same"},
        (9, 8, 1),
        (9, 8, 2),
        -4.2916,
    ),
    (
        "conv3d",
        {"filters": 2, "kernel_size": [2, 3, 2], "strides": [1, 2, 2], "padding": "same"},
        (4, 5, 6, 2),
        (4, 3, 3, 2),
        3.8534,
    ),
    (
        "depthwise_conv1d",
        {"kernel_size": 4, "strides": 2, "depth_multiplier": 2, "padding": "same"},
        (8, 3),
        (4, 6),
        9.5812,
    ),
    (
        "depthwise_conv2d",
        {"kernel_size": 3, "strides": 2, "depth_multiplier": 3, "padding": "same"},
        (6, 7, 2),
        (3, 4, 6),
        12.4775,
    ),
    (
        "separable_conv1d",
        {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "depth_multiplier": 2, "padding": "same"},
        (8, 3),
        (8, 2),
        -5.2437,
    ),
    (
        "separable_conv2d",
        {"filters": 3, "kernel_size": [3, 2], "strides": 2, "depth_multiplier": 2, "padding": "same"},
        (6, 7, 2),
        (3, 4, 3),
        -5.3612,
    ),
    (
        "conv2d_transpose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"},
        (3, 4, 2),
        (6, 8, 2),
        4.3138,
    ),
    (
        "conv2d_transpose",
        {"filters": 2, "kernel_size": [2, 4], "strides": 3, "padding": "same"},
        (3, 4, 2),
        (9, 12, 2),
        6.0218,
    ),
    (
        "conv2d_transpose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 0},
        (3, 4, 2),
        (5, 7, 2),
        3.3744,
    ),
    (
        "conv2d_transpose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
        (3, 4, 2),
        (6, 8, 2),
        4.3138,
    ),
    (
        "conv2d_transpose",
        {"filters": 2, "kernel_size": [2, 4], "strides": 3, "padding": "same", "output_padding": 2},
        (3, 4, 2),
        (8, 11, 2),
        8.4245,
    ),
    ("conv1d_transpose", {"filters": 2, "kernel_size": 4, "strides": 2, "padding": "same"}, (4, 2), (8, 2), 2.167),
    (
        "conv1d_transpose",
        {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "padding": "same"},
        (4, 2),
        (4, 2),
        3.8989,
    ),
    (
        "conv3d_transpose",
        {"filters": 2, "kernel_size": [3, 2, 1], "strides": 2, "padding": "same"},
        (2, 3, 2, 2),
        (4, 6, 4, 2),
        7.5188,
    ),
    ("max_pool", {"pool_size": 3, "strides": 2, "padding": "same"}, (7, 2), (4, 2), 3.7235),
    ("max_pool", {"pool_size": [3, 2], "padding": "same"}, (7, 6, 2), (3, 3, 2), 4.3855),
    ("max_pool", {"pool_size": 4, "strides": 1, "padding": "same"}, (6, 5, 2), (6, 5, 2), 2.2862),
    ("max_pool", {"pool_size": [2, 3, 4], "strides": [1, 2, 3], "padding": "same"}, (4, 5, 6, 2), (4, 3, 2, 2), 6.3166),
    ("average_pool", {"pool_size": 3, "strides": 2, "padding": "same"}, (7, 2), (4, 2), 1.5699),
    ("average_pool", {"pool_size": [3, 2], "padding": "same"}, (7, 6, 2), (3, 3, 2), 0.4159),
    ("average_pool", {"pool_size": 4, "strides": 1, "padding": "same"}, (6, 5, 2), (6, 5, 2), -2.7922),
    (
        "average_pool",
        {"pool_size": [2, 3, 4], "strides": [1, 2, 3], "padding": "same"},
        (4, 5, 6, 2),
        (4, 3, 2, 2),
        0.146,
    ),
    ("global_max_pool", {}, (4, 3, 2), (2,), 1.634),
    ("global_max_pool", {"keepdims": True}, (4, 3, 2), (1, 1, 2), 1.634),
    ("adaptive_max_pool", {"output_size": [3, 2]}, (7, 5, 2), (3, 2, 2), 0.7177),
    ("adaptive_max_pool", {"output_size": 4}, (7, 2), (4, 2), 3.7235),
    ("global_average_pool", {}, (4, 3, 2), (2,), -0.0032),
    ("global_average_pool", {"keepdims": True}, (4, 3, 2), (1, 1, 2), -0.0032),
    ("adaptive_average_pool", {"output_size": [3, 2]}, (7, 5, 2), (3, 2, 2), -0.5005),
    ("adaptive_average_pool", {"output_size": 4}, (7, 2), (4, 2), 1.5699),
    ("upsample", {"size": 3}, (3, 2), (9, 2), 1.687),
    ("upsample", {"size": [2, 3]}, (3, 4, 2), (6, 12, 2), 1.476),
    ("upsample", {"size": [2, 3], "interpolation": "bilinear"}, (3, 4, 2), (6, 12, 2), 1.4357),
    ("zero_pad", {"padding": [[1, 0], [2, 3]]}, (3, 4, 2), (4, 9, 2), -6.0986),
    ("zero_pad", {"padding": [1, 2]}, (3, 2), (6, 2), 3.589),
    ("crop", {"cropping": [[1, 2], [0, 1]]}, (5, 4, 2), (2, 3, 2), 1.17),
    ("permute", {"dims": [3, 1, 2]}, (3, 4, 2), (2, 3, 4), 0.0407),
    ("batch_norm", {}, (3, 4, 2), (3, 4, 2), 3.5681),
    ("group_norm", {"groups": 2}, (3, 4, 6), (3, 4, 6), -0.8499),
    ("instance_norm", {}, (3, 4, 6), (3, 4, 6), -0.8623),
]


def wave(shape: tuple[int, ...], shift: int) -> NDArray[np.float32]:
    values: NDArray[np.float32] = np.sin(np.arange(np.prod(shape)) * 0.7 + shift).reshape(shape).astype(np.float32)
    return values


@pytest.mark.parametrize(("name", "options", "shape", "output", "total"), FACTS)
def test_a_layer_gives_what_keras_gives(
    name: str, options: dict[str, Any], shape: tuple[int, ...], output: Shape, total: float
) -> None:
    layer = LAYERS.decode({"type": name, **options})
    module = layer.build(shape).eval()
    waves = {weight: wave(tuple(of.shape), n + 1) for n, (weight, of) in enumerate(layer.weights(shape).items())}
    squared = {weight: values**2 if weight == "moving_variance" else values for weight, values in waves.items()}
    module.load_state_dict({weight: torch.from_numpy(values) for weight, values in squared.items()})
    y = module(torch.from_numpy(wave((2, *shape), 0))).detach().double().numpy()
    assert layer.out_shape(shape) == y.shape[1:] == output
    assert float((y.ravel() * np.sin(np.arange(y.size) * 0.3)).sum()) == pytest.approx(total, rel=1e-4, abs=2e-3)
