import re

import pytest
import torch

from nnkit.layers.base import LAYERS, ShapeError
from tests.layers.tools import build


def test_reshape_and_flatten_keep_the_order_of_values() -> None:
    x = torch.arange(24.0).reshape(2, 12)
    assert torch.equal(build({"type": "reshape", "shape": [3, -1]}, (12,))(x), x.reshape(2, 3, 4))
    assert torch.equal(build({"type": "reshape", "shape": [4, 3]}, (12,))(x), x.reshape(2, 4, 3))
    assert torch.equal(build("flatten", (3, 4))(x.reshape(2, 3, 4)), x)


def test_no_rows_have_a_shape_too() -> None:
    assert build({"type": "reshape", "shape": [3, -1]}, (12,))(torch.empty(0, 12)).shape == (0, 3, 4)
    assert build("flatten", (3, 4))(torch.empty(0, 3, 4)).shape == (0, 12)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([5, -1], "cannot put the 12 values of 12 into [5, -1]"),
        ([5], "cannot put the 12 values of 12 into [5]"),
        ([-1, -1], "at most one -1"),
        ([0, 12], "axes of 1 or more"),
    ],
)
def test_a_shape_that_the_values_do_not_fill_is_named(shape: list[int], message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS.decode({"type": "reshape", "shape": shape}).out_shape((12,))


def test_a_varying_axis_cannot_be_flattened() -> None:
    with pytest.raises(ShapeError, match=r"flatten needs axes of known size, got \? x 3"):
        LAYERS.decode("flatten").out_shape((None, 3))
