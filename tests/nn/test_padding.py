"""Padding never changes a result: the same row alone and in a padded batch gives the same."""

import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnkit.layers.base import LAYERS, ShapeError
from nnkit.nn.graph import GraphNetwork
from nnkit.nn.sequence import Padded, SequenceModule
from nnkit.shapes import Shape
from tests.layers.tools import drawn
from tests.models.tools import plan

LSTM = {"type": "lstm", "units": 3}
STEPS = {"return_sequences": True}
LAYERS_OVER_STEPS: list[dict[str, Any]] = [
    *[{"type": kind, "units": 3, **more} for kind in ("simple_rnn", "gru", "lstm") for more in ({}, STEPS)],
    *[{"type": kind, "units": 3, "go_backwards": True, **STEPS} for kind in ("simple_rnn", "gru", "lstm")],
    {**LSTM, "activation": "relu", **STEPS},
    {**LSTM, "recurrent_activation": "hard_sigmoid", "go_backwards": True},
    {"type": "gru", "units": 3, "reset_after": False},
    {"type": "bidirectional", "layer": LSTM},
    {"type": "bidirectional", "layer": {"type": "gru", "units": 2, **STEPS}, "merge": "sum"},
    {"type": "time_distributed", "layer": {"type": "dense", "units": 2}},
    {"type": "multi_head_attention", "num_heads": 2, "key_dim": 4},
    {"type": "multi_head_attention", "num_heads": 2, "key_dim": 4, "causal": True, "rotary": True},
    {"type": "transformer_encoder", "num_heads": 2, "units": 5},
    {"type": "transformer_encoder", "num_heads": 2, "units": 5, "norm_first": True, "causal": True},
    {"type": "transformer_decoder", "num_heads": 2, "units": 5},
    {"type": "position_embedding", "max_length": 12},
    {"type": "sinusoidal_position"},
    {"type": "rotary_position"},
    {"type": "last_step"},
    *[{"type": "sequence_pool", "mode": mode} for mode in ("mean", "max", "sum")],
]
PAIRS: list[dict[str, Any]] = [
    {"type": "attention"},
    {"type": "attention", "causal": True},
    {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3},
    {"type": "transformer_decoder", "num_heads": 2, "units": 5},
]
FEATURES = 4


def called(module: nn.Module, inputs: list[Tensor], ends: list[Tensor]) -> Tensor:
    output: Tensor = module(*inputs, lengths=ends) if isinstance(module, SequenceModule) else module(*inputs)
    return output


def check(options: dict[str, Any], columns: list[list[int]], more: int, garbage: float, dtype: torch.dtype) -> None:
    """Compare each row alone with the row in a batch, ``more`` steps of garbage behind the longest."""
    shapes: list[Shape] = [(None, FEATURES)] * len(columns)
    module, layer = drawn(options, *shapes).eval().to(dtype), LAYERS.decode(options)
    for parameter in module.parameters():
        parameter.detach().mul_(0.5)  # such as training makes them; larger ones make more of rounding
    rows = [[torch.randn(end, FEATURES, dtype=dtype) for end in lengths] for lengths in columns]
    batch = []
    for parts in rows:
        x = torch.randn(len(parts), max(map(len, parts)) + more, FEATURES, dtype=dtype) * garbage
        for number, part in enumerate(parts):
            x[number, : len(part)] = part
        batch.append(x.requires_grad_())
    together = called(module, batch, [torch.tensor(lengths) for lengths in columns])
    varies = layer.out_shape(*shapes)[0] is None
    used = []
    for number, end in enumerate(columns[0]):
        alone = [parts[number][None] for parts in rows]
        used.append(together[number, :end] if varies else together[number])
        for told in (True, False):
            ends = [torch.tensor([x.shape[1]]) for x in alone] if told else []
            expected = called(module, alone, ends)[0]
            torch.testing.assert_close(used[-1], expected, atol=1e-6, rtol=1e-6)
    assert bool(torch.isfinite(together).all())
    gradients = torch.autograd.grad(
        torch.stack([part.sum() for part in used]).sum(), [*batch, *module.parameters()], allow_unused=True
    )
    assert all(gradient is None or bool(torch.isfinite(gradient).all()) for gradient in gradients)
    for x, gradient, lengths in zip(batch, gradients, columns, strict=False):
        for number, end in enumerate(lengths):
            assert gradient is None or not gradient[number, end:].any(), "what lies behind an end has a gradient"
        assert x.grad is None


few = settings(max_examples=15, deadline=None)
"""Each is some ten modules' calls."""


@pytest.mark.parametrize("options", LAYERS_OVER_STEPS, ids=str)
@few
@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    more=st.integers(0, 3),
    garbage=st.sampled_from([1.0, 100.0]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_a_row_alone_gives_what_it_gives_in_a_batch(
    options: dict[str, Any], lengths: list[int], more: int, garbage: float, dtype: torch.dtype
) -> None:
    check(options, [lengths], more, garbage, dtype)


@pytest.mark.parametrize("options", PAIRS, ids=str)
@few
@given(pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=4), more=st.integers(0, 3))
def test_a_pair_of_rows_gives_what_it_gives_in_a_batch(
    options: dict[str, Any], pairs: list[tuple[int, int]], more: int
) -> None:
    check(options, [list(column) for column in zip(*pairs, strict=True)], more, 100.0, torch.float32)


def stacked() -> GraphNetwork:
    network = plan(
        {"type": "dense", "units": 4},
        "sinusoidal_position",
        {"type": "transformer_encoder", "num_heads": 2, "units": 5},
        "batch_norm",
        {"type": "bidirectional", "layer": {"type": "gru", "units": 3, "return_sequences": True}},
        {"type": "lstm", "units": 3, "return_sequences": True},
        "sequence_pool",
        {"type": "dense", "units": 1},
        input=(None, 2),
    )
    built = network.build()
    built.load_arrays(network.initial_weights(0))
    return built.eval()


def test_a_row_alone_gives_what_it_gives_in_a_batch_of_a_network() -> None:
    network, lengths = stacked(), [5, 0, 2, 7]
    x = torch.randn(4, 9, 2)
    together = network({"input": Padded(x, torch.tensor(lengths))})
    for number, end in enumerate(lengths):
        alone = network({"input": x[number : number + 1, :end]})
        torch.testing.assert_close(together[number : number + 1], alone, atol=1e-6, rtol=1e-6)


def test_batch_statistics_are_those_of_real_steps() -> None:
    norm = drawn({"type": "batch_norm", "center": False, "scale": False, "momentum": 0.0}, (None, 2)).train()
    x, ends = torch.randn(3, 5, 2), torch.tensor([5, 0, 2])
    real = torch.cat((x[0], x[2, :2]))
    expected = nn.functional.batch_norm(real, None, None, training=True, eps=1e-3)
    found = norm(x, lengths=[ends])
    torch.testing.assert_close(torch.cat((found[0], found[2, :2])), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(norm.get_buffer("moving_mean"), real.mean(0), atol=1e-5, rtol=1e-5)
    assert not norm(x, lengths=[torch.zeros(3, dtype=torch.long)]).any()
    torch.testing.assert_close(norm.get_buffer("moving_mean"), real.mean(0), atol=1e-5, rtol=1e-5)


OVER_WINDOWS: list[dict[str, Any]] = [
    {"type": "conv1d", "filters": 3, "kernel_size": 3},
    {"type": "conv1d", "filters": 3, "kernel_size": 3, "padding": "same"},
    {"type": "conv1d", "filters": 3, "kernel_size": 2, "padding": "causal", "strides": 2, "dilation_rate": 2},
    {"type": "conv1d", "filters": 3, "kernel_size": 2, "strides": 2},
    {"type": "depthwise_conv1d", "kernel_size": 3, "padding": "same"},
    {"type": "separable_conv1d", "filters": 3, "kernel_size": 3},
    {"type": "max_pool", "pool_size": 2},
    {"type": "average_pool", "pool_size": 3, "strides": 1},
    {"type": "upsample", "size": 2},
    {"type": "zero_pad", "padding": 2},
    {"type": "crop", "cropping": 1},
]
"""Layers that change the number of steps."""
OVER_ALL: list[dict[str, Any]] = [
    {"type": kind, "keepdims": keep} for kind in ("global_max_pool", "global_average_pool") for keep in (False, True)
]


@pytest.mark.parametrize("options", [*OVER_WINDOWS, *OVER_ALL], ids=str)
@few
@given(lengths=st.lists(st.integers(3, 8), min_size=1, max_size=4), more=st.integers(0, 3))
def test_windows_see_nothing_behind_an_end(options: dict[str, Any], lengths: list[int], more: int) -> None:
    layer, module = LAYERS.decode(options), drawn(options, (None, FEATURES)).eval()
    assert isinstance(module, SequenceModule)
    rows = [torch.randn(1, end, FEATURES) for end in lengths]
    x = torch.full((len(rows), max(lengths) + more, FEATURES), 100.0)
    for number, row in enumerate(rows):
        x[number, : row.shape[1]] = row[0]
    ends = [torch.tensor(lengths)]
    together, after = module(x, lengths=ends), module.out_lengths(ends)
    assert after is not None
    for number, row in enumerate(rows):
        alone = module(row)[0]
        varies = layer.out_shape((None, FEATURES))[0] is None
        assert not varies or int(after[number]) == len(alone)
        torch.testing.assert_close(together[number, : len(alone)] if varies else together[number], alone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"type": "conv1d", "filters": 2, "kernel_size": 3, "padding": "same", "strides": 2}, "set padding: valid, or"),
        ({"type": "conv1d_transpose", "filters": 2, "kernel_size": 3}, "make rows longer by upsample"),
        ({"type": "max_pool", "padding": "same"}, "set padding: valid"),
        ({"type": "adaptive_max_pool", "output_size": 2}, "take sequence_pool, or a global pool"),
        ("squeeze_excite", "it takes the mean of all steps, padding too"),
        ({"type": "group_norm", "groups": 2}, "take layer_norm"),
        ("instance_norm", "take layer_norm"),
        ({"type": "permute", "dims": [2, 1]}, "leave the first axis where it is"),
    ],
)
def test_what_padding_would_change_is_refused(options: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=f"needs rows of one length here, got {re.escape('? x 4')}; {message}"):
        LAYERS.decode(options).out_shape((None, FEATURES))


def test_sequences_are_not_put_one_behind_the_other() -> None:
    with pytest.raises(ShapeError, match=r"needs rows of one length here, .*; choose another axis"):
        LAYERS.decode({"type": "concatenate", "axis": 1}).out_shape((None, 4), (3, 4))
