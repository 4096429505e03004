import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nnkit.layers.base import LAYERS, ShapeError
from nnkit.shapes import Shape
from tests.layers.test_recurrent import ramp
from tests.layers.tools import build, drawn
from tests.models.tools import filled, plan

LSTM = {"type": "lstm", "units": 3, "return_sequences": True}


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), sequences=st.booleans())
def test_both_directions_are_torchs_with_packed_sequences(lengths: list[int], sequences: bool) -> None:
    module = drawn({"type": "bidirectional", "layer": {**LSTM, "return_sequences": sequences}}, (None, 2))
    oracle = nn.LSTM(2, 3, batch_first=True, bidirectional=True)
    for direction, suffix in (("forward_layer", ""), ("backward_layer", "_reverse")):
        part = {name: tensor.detach() for name, tensor in module.get_submodule(direction).named_parameters()}
        with torch.no_grad():
            oracle.get_parameter(f"weight_ih_l0{suffix}").copy_(part["kernel"].T)
            oracle.get_parameter(f"weight_hh_l0{suffix}").copy_(part["recurrent_kernel"].T)
            oracle.get_parameter(f"bias_ih_l0{suffix}").copy_(part["bias"])
            oracle.get_parameter(f"bias_hh_l0{suffix}").zero_()
    x, ends = torch.randn(len(lengths), max(lengths), 2), torch.tensor(lengths)
    steps, (last, _) = oracle(pack_padded_sequence(x, ends, batch_first=True, enforce_sorted=False))
    expected = pad_packed_sequence(steps, batch_first=True)[0] if sequences else torch.cat((last[0], last[1]), -1)
    torch.testing.assert_close(module(x, lengths=[ends]), expected, atol=1e-5, rtol=1e-5)


def test_the_weights_of_both_directions_lie_as_in_keras() -> None:
    weights = {
        "forward_layer.kernel": ramp(1.1, 2, 8),
        "forward_layer.recurrent_kernel": ramp(1.3, 2, 8),
        "forward_layer.bias": ramp(1.7, 8),
        "backward_layer.kernel": ramp(2.1, 2, 8),
        "backward_layer.recurrent_kernel": ramp(2.3, 2, 8),
        "backward_layer.bias": ramp(2.7, 8),
    }
    module = build({"type": "bidirectional", "layer": {**LSTM, "units": 2}}, (3, 2), **weights)
    # Keras 3.15.1 on TensorFlow
    expected = [
        [0.072672, 0.117419, -0.108703, 0.207767],
        [0.062903, 0.154604, -0.075134, 0.162851],
        [0.048261, 0.121402, -0.094757, 0.073968],
    ]
    torch.testing.assert_close(module(ramp(0.7, 1, 3, 2)), torch.tensor([expected]), atol=2e-6, rtol=0)


def test_weights_of_a_direction_can_be_set_by_hand() -> None:
    layer = {"type": "bidirectional", "layer": {"type": "simple_rnn", "units": 2}}
    start = plan({**layer, "weights": {"backward_layer.bias": [3, 4]}}, input=(4, 1)).initial_weights(0)
    assert start["bidirectional_1.backward_layer.bias"].tolist() == [3, 4]
    assert start["bidirectional_1.forward_layer.bias"].tolist() == [0, 0]


@pytest.mark.parametrize("merge", ["sum", "multiply", "average"])
def test_directions_are_merged(merge: str) -> None:
    x = torch.randn(2, 4, 2)
    a, b = drawn({"type": "bidirectional", "layer": LSTM}, (4, 2))(x).chunk(2, -1)
    expected: dict[str, Tensor] = {"sum": a + b, "multiply": a * b, "average": (a + b) / 2}
    found = drawn({"type": "bidirectional", "layer": LSTM, "merge": merge}, (4, 2))(x)
    torch.testing.assert_close(found, expected[merge])


def test_penalties_and_bounds_act_on_the_kernels_of_both_directions() -> None:
    network = filled(plan({"type": "bidirectional", "layer": LSTM, "l2": 0.5, "max_norm": 0.1}, input=(4, 2)))
    penalty, kernels = network.penalty(), [p for name, p in network.named_parameters() if name.endswith("r.kernel")]
    assert penalty is not None
    assert len(kernels) == 2
    torch.testing.assert_close(penalty, 0.5 * torch.stack([kernel.square().sum() for kernel in kernels]).sum())
    network.constrain()
    assert all(bool((kernel.norm(dim=0) < 0.1001).all()) for kernel in kernels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": {"type": "dense", "units": 3}}, "wraps simple_rnn, gru or lstm, found dense"),
        ({"layer": {**LSTM, "go_backwards": True}}, "leave go_backwards out of its layer"),
        ({"layer": {**LSTM, "stateful": True}}, "leave stateful out of its layer"),
    ],
)
def test_what_has_no_two_directions_is_refused(options: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LAYERS.decode({"type": "bidirectional", **options})


def test_time_distributed_is_the_layer_at_each_step() -> None:
    module = drawn({"type": "time_distributed", "layer": {"type": "lstm", "units": 3}}, (None, 4, 2))
    inner, x, ends = module.get_submodule("layer"), torch.randn(3, 5, 4, 2), torch.tensor([5, 0, 2])
    expected = torch.stack([inner(x[:, step]) for step in range(5)], 1)
    torch.testing.assert_close(module(x), expected)
    found = module(x, lengths=[ends])
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[2, :2], expected[2, :2])
    assert not found[1].any()
    assert not found[2, 2:].any()


def test_time_distributed_on_the_last_axis_is_the_layer_itself() -> None:
    weights = {"kernel": torch.randn(3, 2), "bias": torch.randn(2)}
    x = torch.randn(2, 4, 3)
    dense = {"type": "dense", "units": 2}
    wrapped = build(
        {"type": "time_distributed", "layer": dense}, (4, 3), **{f"layer.{name}": w for name, w in weights.items()}
    )
    torch.testing.assert_close(wrapped(x), build(dense, (4, 3), **weights)(x))


def test_statistics_of_steps_leave_out_what_lies_behind_the_ends() -> None:
    averages = {"layer.moving_mean": torch.zeros(2), "layer.moving_variance": torch.ones(2)}
    plain = {"type": "batch_norm", "center": False, "scale": False}
    module = build({"type": "time_distributed", "layer": plain}, (None, 2), **averages).train()
    x, ends = torch.randn(2, 4, 2), torch.tensor([4, 1])
    real = torch.cat((x[0], x[1, :1]))
    expected = nn.functional.batch_norm(real, None, None, training=True, eps=1e-3)
    found = module(x, lengths=[ends])
    torch.testing.assert_close(torch.cat((found[0], found[1, :1])), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({"layer": "flatten"}, (4,), "time_distributed needs steps and at least one more axis of known size, got 4"),
        ({"layer": "flatten"}, (4, None), "of known size, got 4 x ?"),
        ({"layer": {"type": "lstm", "units": 1}}, (4, 2), "in time_distributed, lstm needs steps x features, got 2"),
    ],
)
def test_shapes_that_do_not_fit_are_named(options: Any, shape: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS.decode({"type": "time_distributed", **options}).out_shape(shape)


def test_time_distributed_wraps_one_layer() -> None:
    repeat = {"type": "repeat", "times": 2, "layers": ["flatten"]}
    with pytest.raises(ValidationError, match="wraps one layer, found repeat; put it into the repeat"):
        LAYERS.decode({"type": "time_distributed", "layer": repeat})


@pytest.mark.parametrize("layer", ["flatten", LSTM, {"type": "repeat", "times": 2, "layers": ["flatten"]}])
def test_spectral_norm_wraps_what_has_a_kernel(layer: Any) -> None:
    kind = layer if isinstance(layer, str) else layer["type"]
    with pytest.raises(ValidationError, match=f"a layer with a kernel, as dense or conv2d; {kind} is none"):
        LAYERS.decode({"type": "spectral_norm", "layer": layer})


def test_spectral_norm_names_the_layer_whose_shape_does_not_fit() -> None:
    wrapped = LAYERS.decode({"type": "spectral_norm", "layer": {"type": "conv2d", "filters": 2, "kernel_size": 3}})
    with pytest.raises(ShapeError, match="in spectral_norm, conv2d"):
        wrapped.out_shape((4,))


def test_spectral_norm_keeps_the_ends_of_rows() -> None:
    conv = {"type": "conv1d", "filters": 2, "kernel_size": 2, "padding": "same"}
    module = drawn({"type": "spectral_norm", "layer": conv}, (None, 3)).eval()
    x, ends = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([4, 2])
    found, alone = module(x, lengths=[ends]), module(x[1:, :2])
    torch.testing.assert_close(found[1:, :2], alone)


def test_a_step_by_itself_has_no_batch_before() -> None:
    with pytest.raises(ValidationError, match="takes each step by itself; leave stateful out of its layer"):
        LAYERS.decode({"type": "time_distributed", "layer": {**LSTM, "stateful": True}})
