import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nnkit.errors import SpecError
from nnkit.layers.base import LAYERS, ShapeError
from nnkit.models.base import MODELS
from nnkit.shapes import Shape
from tests.layers.tools import build

quick = settings(max_examples=25, deadline=None)


@quick
@given(
    rows=st.integers(0, 6),
    inputs=st.integers(1, 7),
    units=st.integers(1, 5),
    axes=st.integers(0, 2),
    use_bias=st.booleans(),
)
def test_dense_is_torchs_linear(rows: int, inputs: int, units: int, axes: int, use_bias: bool) -> None:
    middle = (3, 2)[:axes]
    oracle = nn.Linear(inputs, units, bias=use_bias)
    weights = {"kernel": oracle.weight.detach().T} | ({"bias": oracle.bias.detach()} if use_bias else {})
    options = {"type": "dense", "units": units, "use_bias": use_bias, "activation": "tanh"}
    module = build(options, (*middle, inputs), **weights)
    x = torch.randn(rows, *middle, inputs)
    torch.testing.assert_close(module(x), oracle(x).tanh())


def test_a_bias_is_drawn_by_the_fans_that_keras_gives_it() -> None:
    weights = LAYERS.decode({"type": "dense", "units": 4}).weights((9,))
    assert [(weight.shape, weight.fan_in, weight.fan_out) for weight in weights.values()] == [
        ((9, 4), 9, 4),
        ((4,), 4, 4),
    ]


def test_activation_applies_its_function() -> None:
    x = torch.randn(3, 4)
    assert torch.equal(build({"type": "activation", "activation": "elu"}, (4,))(x), nn.functional.elu(x))
    options = {"type": "activation", "activation": {"type": "softmax", "axis": 1}}
    x = torch.randn(3, 4, 5)
    assert torch.equal(build(options, (4, 5))(x), x.softmax(1))


def test_prelu_is_torchs_with_an_alpha_for_each_value() -> None:
    alpha, x = torch.rand(4), torch.randn(6, 4)
    torch.testing.assert_close(build("prelu", (4,), alpha=alpha)(x), nn.functional.prelu(x, alpha))


def test_scale_multiplies_by_a_fixed_or_a_learned_number() -> None:
    x = torch.randn(3, 4)
    fixed = build({"type": "scale", "factor": 0.5}, (4,))
    assert torch.equal(fixed(x), 0.5 * x)
    assert list(fixed.parameters()) == []
    learned = build({"type": "scale", "learned": True}, (4,), factor=torch.tensor(3.0))
    assert torch.equal(learned(x), 3 * x)
    assert [parameter.requires_grad for parameter in learned.parameters()] == [True]


def test_glu_is_torchs() -> None:
    x = torch.randn(3, 2, 6)
    assert torch.equal(build("glu", (2, 6))(x), nn.functional.glu(x))


@pytest.mark.parametrize(
    ("options", "shapes", "message"),
    [
        ({"type": "dense", "units": 1}, [(3,), (3,)], "takes one input and gets 2"),
        ({"type": "dense", "units": 1}, [(None,)], "needs a last axis of known size, got ?"),
        ("glu", [(3,)], "must be even, got 3"),
        ("prelu", [(None, 3)], "needs axes of known size, got ? x 3"),
        (
            {"type": "dense", "units": 3, "activation": {"type": "softmax", "axis": 2}},
            [(4,)],
            "softmax has no axis 2 in 3",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named(options: Any, shapes: list[Shape], message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS.decode(options).out_shape(*shapes)


def test_units_may_be_as_many_as_the_vocabulary_has_tokens() -> None:
    model = MODELS.decode({"type": "network", "layers": [{"type": "dense", "units": "vocabulary"}]})
    assert model.plan({"input": (3,)}, {"input": 7}).output_shape == (7,)
    with pytest.raises(SpecError, match="counts the tokens of the data's vocabulary, and there is not one; set units"):
        model.plan({"input": (3,)})
