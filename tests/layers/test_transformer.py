"""Transformer blocks against torch's, masks included."""

import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnkit.layers.base import LAYERS, ShapeError
from nnkit.shapes import Shape
from tests.layers.test_attention import behind, load_heads
from tests.layers.tools import drawn, gradients

SIZE, HEADS, UNITS = 4, 2, 5
quick = settings(max_examples=20, deadline=None)


def load_dense(oracle: Any, weights: dict[str, Tensor], norms: dict[str, str]) -> None:
    """Give the dense layers and norms of torch's block our weights."""
    with torch.no_grad():
        for ours, theirs in (("hidden", oracle.linear1), ("output", oracle.linear2)):
            theirs.weight.copy_(weights[f"{ours}.kernel"].T)
            theirs.bias.copy_(weights[f"{ours}.bias"])
        for ours, name in norms.items():
            getattr(oracle, name).weight.copy_(weights[f"{ours}.gamma"])
            getattr(oracle, name).bias.copy_(weights[f"{ours}.beta"])


@quick
@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    norm_first=st.booleans(),
    causal=st.booleans(),
    activation=st.sampled_from(["relu", "gelu"]),
)
def test_the_encoder_is_torchs(lengths: list[int], norm_first: bool, causal: bool, activation: str) -> None:
    options = {"type": "transformer_encoder", "num_heads": HEADS, "units": UNITS, "norm_first": norm_first}
    module = drawn({**options, "causal": causal, "activation": activation}, (None, SIZE)).double()
    oracle = (
        nn.TransformerEncoderLayer(SIZE, HEADS, UNITS, 0.0, activation, batch_first=True, norm_first=norm_first)
        .train()
        .double()
    )
    weights = {name: tensor.detach() for name, tensor in module.named_parameters()}
    load_heads(oracle.self_attn, weights, SIZE, "attention.")
    load_dense(oracle, weights, {"attention_norm": "norm1", "output_norm": "norm2"})
    steps = max(lengths)
    x = torch.randn(len(lengths), steps, SIZE, dtype=torch.float64, requires_grad=True)
    later = torch.ones(steps, steps).triu(1).bool() if causal else None
    expected = oracle(x, src_mask=later, src_key_padding_mask=behind(lengths, steps))
    found, real = module(x, lengths=[torch.tensor(lengths)]), ~behind(lengths, steps)
    torch.testing.assert_close(found[real], expected[real], atol=1e-9, rtol=1e-9)
    mine = gradients(found * real[..., None], x, module.get_parameter("hidden.kernel"))
    theirs = gradients(expected * real[..., None], x, oracle.linear1.weight)
    torch.testing.assert_close(mine[0], theirs[0], atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(mine[1], theirs[1].T, atol=1e-9, rtol=1e-9)


@quick
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4), norm_first=st.booleans(), data=st.data())
def test_the_decoder_is_torchs(lengths: list[int], norm_first: bool, data: st.DataObject) -> None:
    rows, steps = len(lengths), max(lengths)
    seen = data.draw(st.lists(st.integers(1, 4), min_size=rows, max_size=rows))
    options = {"type": "transformer_decoder", "num_heads": HEADS, "units": UNITS, "norm_first": norm_first}
    module = drawn(options, (None, SIZE), (None, SIZE)).double()
    oracle = (
        nn.TransformerDecoderLayer(SIZE, HEADS, UNITS, 0.0, batch_first=True, norm_first=norm_first).train().double()
    )
    weights = {name: tensor.detach() for name, tensor in module.named_parameters()}
    load_heads(oracle.self_attn, weights, SIZE, "attention.")
    load_heads(oracle.multihead_attn, weights, SIZE, "cross_attention.")
    load_dense(oracle, weights, {"attention_norm": "norm1", "cross_attention_norm": "norm2", "output_norm": "norm3"})
    x = torch.randn(rows, steps, SIZE, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(rows, max(seen), SIZE, dtype=torch.float64, requires_grad=True)
    expected = oracle(
        x,
        memory,
        tgt_mask=torch.ones(steps, steps).triu(1).bool(),
        tgt_key_padding_mask=behind(lengths, steps),
        memory_key_padding_mask=behind(seen, max(seen)),
    )
    real = ~behind(lengths, steps)
    found = module(x, memory, lengths=[torch.tensor(lengths), torch.tensor(seen)])
    torch.testing.assert_close(found[real], expected[real], atol=1e-9, rtol=1e-9)
    for ours, reference in zip(
        gradients(found * real[..., None], x, memory), gradients(expected * real[..., None], x, memory), strict=True
    ):
        torch.testing.assert_close(ours, reference, atol=1e-9, rtol=1e-9)


def test_a_decoder_without_memory_is_a_causal_encoder() -> None:
    options = {"num_heads": HEADS, "units": UNITS}
    decoder = drawn({"type": "transformer_decoder", **options}, (3, SIZE))
    encoder = drawn({"type": "transformer_encoder", "causal": True, **options}, (3, SIZE))
    x = torch.randn(2, 3, SIZE)
    torch.testing.assert_close(decoder(x), encoder(x))


def test_dropout_is_of_training_alone() -> None:
    options = {"type": "transformer_decoder", "num_heads": HEADS, "units": UNITS, "dropout": 0.5}
    module = drawn(options, (3, SIZE), (4, SIZE))
    x, memory = torch.randn(2, 3, SIZE), torch.randn(2, 4, SIZE)
    plain = drawn({**options, "dropout": 0.0}, (3, SIZE), (4, SIZE))
    torch.testing.assert_close(module.eval()(x, memory), plain(x, memory))
    assert not torch.equal(module.train()(x, memory), module(x, memory))


@pytest.mark.parametrize(
    ("options", "shapes", "message"),
    [
        ({"type": "transformer_encoder"}, [(3, 5)], "shares the 5 features among 2 heads, which must divide them"),
        ({"type": "transformer_encoder"}, [(6,)], "needs steps x features, got 6"),
        ({"type": "transformer_encoder"}, [(3, 4), (3, 4)], "takes one input and gets 2"),
        ({"type": "transformer_encoder", "rotary": True}, [(3, 6)], "a head has 3; make that even"),
        (
            {"type": "transformer_encoder", "activation": {"type": "softmax", "axis": 3}},
            [(3, 4)],
            "softmax has no axis 3",
        ),
        ({"type": "transformer_decoder"}, [(3, 4)] * 3, "and gets 3 inputs; name one or two in inputs"),
        ({"type": "transformer_decoder"}, [(3, 4), (4,)], "needs steps x features, got 4"),
    ],
)
def test_shapes_that_do_not_fit_are_named(options: dict[str, Any], shapes: list[Shape], message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS.decode({"num_heads": 2, "units": 3, **options}).out_shape(*shapes)
