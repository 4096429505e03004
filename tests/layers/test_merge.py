import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nnkit.layers.base import LAYERS, ShapeError
from nnkit.shapes import Shape
from tests.layers.tools import build

MERGES: dict[str, Callable[[Tensor], Tensor]] = {
    "add": lambda all_: all_.sum(0),
    "multiply": lambda all_: all_.prod(0),
    "average": lambda all_: all_.mean(0),
    "maximum": lambda all_: all_.amax(0),
    "minimum": lambda all_: all_.amin(0),
}


@pytest.mark.parametrize("name", MERGES)
def test_merges_value_by_value(name: str) -> None:
    inputs = torch.randn(3, 4, 2)
    torch.testing.assert_close(build(name, (2,), (2,), (2,))(*inputs), MERGES[name](inputs))


def test_merges_repeat_axes_of_one() -> None:
    layer = LAYERS.decode("multiply")
    assert layer.out_shape((4, 1), (4, 3)) == (4, 3)
    assert layer.build((4, 1), (4, 3))(torch.ones(2, 4, 1), torch.ones(2, 4, 3)).shape == (2, 4, 3)


def test_subtract_and_concatenate() -> None:
    a, b = torch.randn(4, 2, 3), torch.randn(4, 5, 3)
    assert torch.equal(build({"type": "concatenate", "axis": 1}, (2, 3), (5, 3))(a, b), torch.cat((a, b), 1))
    assert torch.equal(build("subtract", (2, 3), (2, 3))(a, b[:, :2]), a - b[:, :2])
    assert LAYERS.decode({"type": "concatenate", "axis": 1}).out_shape((2, 3), (5, 3)) == (7, 3)


@pytest.mark.parametrize("normalize", [False, True])
def test_dot_of_rows_is_their_similarity(normalize: bool) -> None:
    a, b = torch.randn(4, 3), torch.randn(4, 3)
    expected = nn.functional.cosine_similarity(a, b) if normalize else (a * b).sum(1)
    torch.testing.assert_close(build({"type": "dot", "normalize": normalize}, (3,), (3,))(a, b)[:, 0], expected)


@pytest.mark.parametrize(
    ("axes", "left", "right", "formula"),
    [
        ([2, 2], (2, 3), (5, 3), "nij,nkj->nik"),
        ([2, 1], (2, 3), (3, 5), "nij,njk->nik"),
        ([1, -1], (3, 2), (3,), "nji,nj->ni"),
        ([-1, 2], (3,), (2, 3, 4), "nj,nijk->nik"),
    ],
)
def test_dot_sums_over_one_axis_of_each(axes: list[int], left: Shape, right: Shape, formula: str) -> None:
    layer = LAYERS.decode({"type": "dot", "axes": axes})
    a, b = (torch.randn(4, *(size or 0 for size in shape)) for shape in (left, right))
    expected = torch.einsum(formula, a, b)
    assert layer.out_shape(left, right) == tuple(expected.shape[1:])
    torch.testing.assert_close(layer.build(left, right)(a, b), expected)


@pytest.mark.parametrize(
    ("options", "shapes", "message"),
    [
        ("add", [(3,)], "merges two or more inputs and gets 1"),
        ("add", [(3,), (2, 3)], "one shape, got 3 and 2 x 3"),
        ("add", [(3,), (4,)], "one shape, got 3 and 4"),
        ("subtract", [(3,), (3,), (3,)], "exactly two inputs and gets 3"),
        ("concatenate", [(3,)], "two or more inputs and gets 1"),
        ({"type": "concatenate", "axis": 1}, [(2, 3), (2, 4)], "differ in axis 1 alone, got 2 x 3 and 2 x 4"),
        ({"type": "concatenate", "axis": 3}, [(2, 3), (2, 4)], "no axis 3 in 2 x 3"),
        ({"type": "concatenate", "axis": 0}, [(2, 3), (2, 4)], "no axis 0 in 2 x 3"),
        ("dot", [(3,), (4,)], "axes of one size, got 3 and 4"),
        ("dot", [(3,)], "exactly two inputs and gets 1"),
    ],
)
def test_shapes_that_do_not_fit_are_named(options: Any, shapes: list[Shape], message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS.decode(options).out_shape(*shapes)
