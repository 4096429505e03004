"""Attention against torch's modules, masks included, numbers of Keras, and formulas by hand."""

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnkit.layers.base import LAYERS, ShapeError
from nnkit.nn.attention import rotated
from nnkit.shapes import Shape
from tests.layers.test_recurrent import ramp
from tests.layers.tools import build, drawn, gradients

quick = settings(max_examples=30, deadline=None)


def behind(lengths: list[int], size: int) -> Tensor:
    """Return which places lie behind the ends, as torch's key_padding_mask."""
    return torch.arange(size) >= torch.tensor(lengths)[:, None]


@quick
@given(
    rows=st.integers(1, 4),
    heads=st.integers(1, 3),
    part=st.integers(1, 3),
    cross=st.booleans(),
    causal=st.booleans(),
    data=st.data(),
)
def test_heads_are_torchs_with_masks(
    rows: int, heads: int, part: int, cross: bool, causal: bool, data: st.DataObject
) -> None:
    size = heads * part
    lengths = data.draw(st.lists(st.integers(1, 5), min_size=rows, max_size=rows))
    options = {"type": "multi_head_attention", "num_heads": heads, "key_dim": part, "causal": causal}
    module = drawn(options, *[(None, size)] * (2 if cross else 1)).double()
    oracle = nn.MultiheadAttention(size, heads, batch_first=True).double()
    load_heads(oracle, {name: tensor.detach() for name, tensor in module.named_parameters()}, size)
    longest = max(lengths)
    queries = 4 if cross else longest
    x = torch.randn(rows, queries, size, dtype=torch.float64, requires_grad=True)
    y = torch.randn(rows, longest, size, dtype=torch.float64, requires_grad=True) if cross else x
    later = torch.ones(queries, longest).triu(1).bool() if causal else None
    expected, _ = oracle(x, y, y, key_padding_mask=behind(lengths, longest), attn_mask=later)
    ends = torch.tensor(lengths)
    found = module(x, y, lengths=[None, ends]) if cross else module(x, lengths=[ends])
    real = torch.ones(rows, queries).bool() if cross else ~behind(lengths, longest)
    torch.testing.assert_close(found[real], expected[real], atol=1e-9, rtol=1e-9)
    tensors = [x, y] if cross else [x]
    mine = gradients(found * real[..., None], *tensors, module.get_parameter("value.kernel"))
    theirs = gradients(expected * real[..., None], *tensors, oracle.in_proj_weight)
    torch.testing.assert_close(mine[-1].flatten(1).T, theirs[-1][2 * size :], atol=1e-9, rtol=1e-9)
    for ours, reference in zip(mine[:-1], theirs[:-1], strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-9, rtol=1e-9)


def load_heads(oracle: nn.MultiheadAttention, weights: dict[str, Tensor], size: int, prefix: str = "") -> None:
    """Give torch's module the weights of ours."""
    kernels = [weights[f"{prefix}{name}.kernel"].reshape(size, size).T for name in ("query", "key", "value")]
    biases = [weights[f"{prefix}{name}.bias"].flatten() for name in ("query", "key", "value")]
    with torch.no_grad():
        oracle.in_proj_weight.copy_(torch.cat(kernels))
        oracle.in_proj_bias.copy_(torch.cat(biases))
        oracle.out_proj.weight.copy_(weights[f"{prefix}attention_output.kernel"].reshape(size, size).T)
        oracle.out_proj.bias.copy_(weights[f"{prefix}attention_output.bias"])


def test_weights_lie_as_in_keras() -> None:
    options = {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3, "value_dim": 1, "causal": True}
    weights = LAYERS.decode(options).weights((3, 2))
    ramps = {name: ramp(0.3 + number, *weight.shape) for number, (name, weight) in enumerate(weights.items())}
    # Keras 3.15.1 on TensorFlow, with use_causal_mask=True.
    expected = [[-0.006109, 0.417051], [-0.007816, 0.414660], [-0.008124, 0.413609]]
    found = build(options, (3, 2), **ramps)(ramp(0.7, 1, 3, 2))
    torch.testing.assert_close(found, torch.tensor([expected]), atol=2e-6, rtol=0)


def test_attention_is_keras() -> None:
    x, value, key = ramp(0.7, 1, 3, 2), ramp(0.9, 1, 4, 2), ramp(1.9, 1, 4, 2)
    # Keras 3.15.1 on TensorFlow, for [query, value, key].
    expected = [[-0.048637, 0.042610], [-0.062596, 0.009839], [-0.024056, 0.012193]]
    found = build("attention", (3, 2), (4, 2), (4, 2))(x, value, key)
    torch.testing.assert_close(found, torch.tensor([expected]), atol=2e-6, rtol=0)
    two = build("attention", (3, 2), (4, 2))(x, value)
    torch.testing.assert_close(two, (x @ value.transpose(1, 2)).softmax(-1) @ value)


@quick
@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4), causal=st.booleans())
def test_attention_is_torchs_scaled_product_without_its_scale(lengths: list[int], causal: bool) -> None:
    steps = max(lengths)
    x, value = torch.randn(len(lengths), 5, 2), torch.randn(len(lengths), steps, 3)
    key = torch.randn(len(lengths), steps, 2)
    options = {"type": "attention", "use_scale": True, "causal": causal}
    module = build(options, (5, 2), (None, 3), (None, 2), scale=torch.tensor(0.7))
    found = module(x, value, key, lengths=[None, torch.tensor(lengths), torch.tensor(lengths)])
    mask = ~behind(lengths, steps)[:, None].expand(-1, 5, -1)
    if causal:
        mask = mask & torch.ones(5, steps).tril().bool()
    expected = nn.functional.scaled_dot_product_attention(x, key, value, attn_mask=mask, scale=0.7)
    some = torch.tensor(lengths) > 0
    torch.testing.assert_close(found[some], expected[some], atol=1e-5, rtol=1e-5)
    assert not found[~some].any()


def test_dropout_acts_on_the_shares_and_in_training_alone() -> None:
    options = {"type": "multi_head_attention", "num_heads": 2, "key_dim": 4, "dropout": 0.5}
    module, plain = drawn(options, (6, 8)), drawn({**options, "dropout": 0.0}, (6, 8))
    x = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module.eval()(x), plain(x))
    module.train()
    draws = [module(x) for _ in range(1000)]
    assert not torch.equal(draws[0], draws[1])
    torch.testing.assert_close(torch.stack(draws).mean(0), plain(x), atol=0.6, rtol=0.1)
    shares = build({"type": "attention", "dropout": 0.25}, (5, 5), (5, 5)).train()
    one = shares(torch.zeros(200, 5, 5), torch.eye(5).expand(200, 5, 5))
    assert sorted({round(value, 5) for value in one.unique().tolist()}) == [0, round(0.2 / 0.75, 5)]


def test_rotation_is_by_complex_numbers() -> None:
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    numbers = x[..., :3].numpy() + 1j * x[..., 3:].numpy()
    angles = np.arange(5)[:, None] / 10_000 ** (2 * np.arange(3) / 6)
    turned = numbers * np.exp(1j * angles)
    expected = np.concatenate((turned.real, turned.imag), -1)
    np.testing.assert_allclose(rotated(x), expected, atol=1e-12)
    np.testing.assert_allclose(build("rotary_position", (5, 6))(x), expected, atol=1e-12)


def test_rotary_scores_depend_on_distances_alone() -> None:
    options = {"type": "multi_head_attention", "num_heads": 2, "key_dim": 4, "rotary": True}
    module, x = drawn(options, (None, 8)).double(), torch.randn(1, 4, 8, dtype=torch.float64)
    q, k = (module.get_submodule(name)(x) for name in ("query", "key"))
    first = rotated(q) @ rotated(k).transpose(2, 3)
    pad = torch.zeros(1, 2, 3, 4, dtype=torch.float64)
    moved = (rotated(torch.cat((pad, q), 2)) @ rotated(torch.cat((pad, k), 2)).transpose(2, 3))[:, :, 3:, 3:]
    torch.testing.assert_close(first, moved)
    scores = (first / math.sqrt(4)).softmax(-1) @ module.get_submodule("value")(x)
    torch.testing.assert_close(module(x), module.get_submodule("attention_output")(scores))


MHA = {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3}


@pytest.mark.parametrize(
    ("options", "shapes", "message"),
    [
        (MHA, [(8,)], "multi_head_attention needs steps x features, got 8"),
        (MHA, [(4, 3)] * 4, "takes one sequence, or query, value and key, and gets 4 inputs"),
        (
            MHA,
            [(4, 3), (5, 3), (6, 3)],
            "needs a key for each value, got 6 x 3 and 5 x 3; the order of inputs is query",
        ),
        ({**MHA, "rotary": True}, [(4, 3)], "turns pairs of values, and a head has 3; make that even"),
        ("attention", [(4, 3)], "takes query, value and, if it is another, key, and gets 1 input(s); name them in"),
        ("attention", [(4, 3), (4, 2)], "which need as many features, got 3 and 2; put a dense layer behind"),
        ("rotary_position", [(4, 3)], "turns pairs of features, got 3"),
    ],
)
def test_shapes_that_do_not_fit_are_named(options: Any, shapes: list[Shape], message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS.decode(options).out_shape(*shapes)
