"""Recurrent layers against torch's modules, packed sequences included, a loop in numpy, and numbers of Keras."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nnkit.layers.base import LAYERS, ShapeError
from nnkit.nn.recurrent import Recurrent
from nnkit.seeds import generator
from nnkit.shapes import Shape
from tests.layers.tools import build, drawn, gradients

quick = settings(max_examples=30, deadline=None)
Array = NDArray[np.float64]
KINDS = {"simple_rnn": 1, "gru": 3, "lstm": 4}
ORACLES: dict[str, Callable[..., Any]] = {"simple_rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def torchs(kind: str, module: nn.Module, inputs: int, units: int, use_bias: bool) -> Any:
    """Return torch's module of a kind with the weights of ours, its gates in torch's order."""

    def turned(weight: Tensor) -> Tensor:
        parts = weight.chunk(3, -1)
        return torch.cat((parts[1], parts[0], parts[2]), -1) if kind == "gru" else weight

    oracle = ORACLES[kind](inputs, units, batch_first=True, bias=use_bias)
    ours = {name: turned(weight.detach()) for name, weight in module.state_dict().items()}
    weights = {"weight_ih_l0": ours["kernel"].T, "weight_hh_l0": ours["recurrent_kernel"].T}
    if use_bias:
        two = ours["bias"] if kind == "gru" else torch.stack((ours["bias"], torch.zeros_like(ours["bias"])))
        weights |= {"bias_ih_l0": two[0], "bias_hh_l0": two[1]}
    oracle.load_state_dict(weights)
    return oracle


@quick
@given(
    kind=st.sampled_from(list(KINDS)),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    inputs=st.integers(1, 4),
    units=st.integers(1, 4),
    use_bias=st.booleans(),
    return_sequences=st.booleans(),
    go_backwards=st.booleans(),
)
def test_values_and_gradients_are_torchs_with_packed_sequences(
    kind: str,
    lengths: list[int],
    inputs: int,
    units: int,
    use_bias: bool,
    return_sequences: bool,
    go_backwards: bool,
) -> None:
    options = {"type": kind, "units": units, "use_bias": use_bias, "return_sequences": return_sequences}
    module = drawn({**options, "go_backwards": go_backwards}, (None, inputs))
    oracle = torchs(kind, module, inputs, units, use_bias)
    x = torch.randn(len(lengths), max(lengths), inputs, requires_grad=True)
    ends = torch.tensor(lengths)
    given = torch.stack([torch.cat((row[:end].flip(0), row[end:])) for row, end in zip(x, lengths, strict=True)])
    packed = pack_padded_sequence(given if go_backwards else x, ends, batch_first=True, enforce_sorted=False)
    steps, last = oracle(packed)
    steps, _ = pad_packed_sequence(steps, batch_first=True)
    last = (last[0] if kind == "lstm" else last)[0]
    expected, found = steps if return_sequences else last, module(x, lengths=[ends])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    mine = gradients(found, x, module.get_parameter("kernel"), module.get_parameter("recurrent_kernel"))
    theirs = gradients(expected, x, oracle.weight_ih_l0, oracle.weight_hh_l0)
    turned = [theirs[0], *(unturned(kind, gradient.T) for gradient in theirs[1:])]
    for ours, reference in zip(mine, turned, strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-4, rtol=1e-4)


def unturned(kind: str, weight: Tensor) -> Tensor:
    parts = weight.chunk(3, -1)
    return torch.cat((parts[1], parts[0], parts[2]), -1) if kind == "gru" else weight


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def looped(
    kind: str, x: Array, weights: dict[str, Array], act: Callable[[Array], Array], mask: Array, reset_after: bool = True
) -> Array:
    """Return the states [steps, units] of one row [steps, inputs]; ``mask`` [units] acts on the state in products."""
    kernel, own, bias = weights["kernel"], weights["recurrent_kernel"], weights["bias"]
    units = len(own)
    h = c = np.zeros(units)
    states = []
    for step in x:
        if kind == "simple_rnn":
            h = act(step @ kernel + (h * mask) @ own + bias)
        elif kind == "lstm":
            i, f, new, o = np.split(step @ kernel + (h * mask) @ own + bias, 4)
            c = sigmoid(f) * c + sigmoid(i) * act(new)
            h = sigmoid(o) * act(c)
        else:
            first, second = bias if reset_after else (bias, np.zeros(3 * units))
            fed = np.split(step @ kernel + first, 3)
            back = np.split((h * mask) @ own + second, 3)
            z, r = sigmoid(fed[0] + back[0]), sigmoid(fed[1] + back[1])
            inner = r * back[2] if reset_after else (r * h * mask) @ own[:, 2 * units :]
            h = z * h + (1 - z) * act(fed[2] + inner)
        states.append(h)
    return np.array(states)


@quick
@given(
    kind=st.sampled_from([*KINDS, "gru_before"]),
    activation=st.sampled_from(["tanh", "relu", "softsign"]),
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    go_backwards=st.booleans(),
    dropped=st.booleans(),
)
def test_what_torch_lacks_is_a_loop_in_numpy(
    kind: str, activation: str, lengths: list[int], go_backwards: bool, dropped: bool
) -> None:
    functions: dict[str, Callable[[Array], Array]] = {
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0),
        "softsign": lambda x: x / (1 + np.abs(x)),
    }
    reset_after = kind != "gru_before"
    kind = kind.removesuffix("_before")
    options: dict[str, Any] = {"type": kind, "units": 3, "activation": activation, "return_sequences": True}
    options |= {"go_backwards": go_backwards, "dropout": 0.5 * dropped, "recurrent_dropout": 0.5 * dropped}
    if kind == "gru":
        options["reset_after"] = reset_after
    module = drawn(options, (None, 2)).double().train()
    assert isinstance(module, Recurrent)
    masks = {}
    for name in ("input_mask", "recurrent_mask"):
        part = getattr(module, name)
        masks[name] = torch.empty(len(lengths), 3 if name == "recurrent_mask" else 2).bernoulli_(0.5) * 2
        part.of = lambda like, name=name: masks[name].double() if dropped else None
    x = torch.randn(len(lengths), max(lengths), 2, dtype=torch.float64)
    weights = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    found = module(x, lengths=[torch.tensor(lengths)]).detach()
    for number, end in enumerate(lengths):
        row = x[number, :end].numpy()[:: -1 if go_backwards else 1]
        scale = {name: mask[number].numpy() if dropped else np.ones(len(mask[number])) for name, mask in masks.items()}
        fed = row * scale["input_mask"]
        expected = looped(kind, fed, weights, functions[activation], scale["recurrent_mask"], reset_after)
        np.testing.assert_allclose(found[number, :end], expected.reshape(end, 3), atol=1e-9)
        assert not found[number, end:].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", ["dropout", "recurrent_dropout"])
def test_variational_dropout_is_of_training_alone_and_keeps_the_mean(kind: str, rate: str) -> None:
    module = drawn({"type": kind, "units": 3, rate: 0.4}, (4, 2))
    x = torch.randn(50, 4, 2)
    torch.testing.assert_close(module.eval()(x), drawn({"type": kind, "units": 3}, (4, 2))(x))
    assert not torch.equal(module.train()(x), module(x))
    mask = getattr(module, {"dropout": "input_mask", "recurrent_dropout": "recurrent_mask"}[rate])
    factors = mask.of(torch.ones(4000, 3))
    assert sorted({round(value, 4) for value in factors.unique().tolist()}) == [0.0, 1.6667]
    assert float(factors.mean()) == pytest.approx(1, abs=0.03)


def ramp(speed: float, *shape: int) -> Tensor:
    return (torch.arange(int(np.prod(shape)), dtype=torch.float64).mul(speed).sin() / 2).reshape(shape).float()


# Keras 3.15.1 on TensorFlow, with set_weights([kernel, recurrent_kernel, bias]) of the same ramps.
BY_KERAS: list[tuple[dict[str, Any], list[float]]] = [
    (
        {"type": "lstm", "return_sequences": True},
        [0.072672, 0.117419, 0.062903, 0.154604, 0.048261, 0.121402],
    ),
    (
        {"type": "lstm", "return_sequences": True, "go_backwards": True},
        [0.023116, 0.073255, 0.042707, 0.134580, 0.084942, 0.152211],
    ),
    ({"type": "gru"}, [-0.078531, 0.227846]),
    ({"type": "gru", "reset_after": False}, [0.096924, 0.219075]),
    ({"type": "simple_rnn"}, [0.066124, 0.490091]),
]


@pytest.mark.parametrize(("options", "expected"), BY_KERAS)
def test_weights_lie_as_in_keras(options: dict[str, Any], expected: list[float]) -> None:
    wide = 2 * KINDS[options["type"]]
    bias = (2, wide) if options["type"] == "gru" and options.get("reset_after", True) else (wide,)
    weights = {"kernel": ramp(1.1, 2, wide), "recurrent_kernel": ramp(1.3, 2, wide), "bias": ramp(1.7, *bias)}
    module = build({**options, "units": 2}, (3, 2), **weights)
    found = module(ramp(0.7, 1, 3, 2)).detach().flatten()
    torch.testing.assert_close(found, torch.tensor(expected), atol=2e-6, rtol=0)


def test_the_forget_gate_starts_at_one() -> None:
    for starts, expected in ((True, [0, 0, 1, 1, 0, 0, 0, 0]), (False, [0] * 8)):
        weight = LAYERS.decode({"type": "lstm", "units": 2, "unit_forget_bias": starts}).weights((3, 5))["bias"]
        assert weight.initializer.sample((8,), 8, 8, generator(0, "b")).tolist() == expected


def test_the_states_kernel_starts_orthogonal() -> None:
    weight = LAYERS.decode({"type": "lstm", "units": 4}).weights((3, 5))["recurrent_kernel"]
    kernel = weight.initializer.sample(weight.shape, weight.fan_in, weight.fan_out, generator(0, "k"))
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-6)


def test_usual_options_take_torchs_own_call_and_others_the_loop() -> None:
    fused: list[tuple[dict[str, Any], str | None]] = [
        ({"type": "lstm"}, "lstm"),
        ({"type": "gru"}, "gru"),
        ({"type": "simple_rnn"}, "tanh"),
        ({"type": "simple_rnn", "activation": "relu"}, "relu"),
        ({"type": "lstm", "activation": "relu"}, None),
        ({"type": "lstm", "recurrent_activation": "hard_sigmoid"}, None),
        ({"type": "gru", "reset_after": False}, None),
    ]
    for options, function in fused:
        module = drawn({"units": 2, **options}, (3, 2))
        assert isinstance(module, Recurrent)
        assert module.options.fused == function


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("return_sequences", [True, False])
def test_rows_without_steps_give_zeros_and_finite_gradients(kind: str, return_sequences: bool) -> None:
    module = drawn({"type": kind, "units": 3, "return_sequences": return_sequences}, (None, 2))
    for steps in (0, 2):
        module.zero_grad()
        output = module(torch.randn(4, steps, 2), lengths=[torch.zeros(4, dtype=torch.long)])
        assert output.shape == ((4, steps, 3) if return_sequences else (4, 3))
        assert not output.any()
        output.sum().backward()
        assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in module.parameters())


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            [(8,)],
            "needs steps x features, got 8; a recurrent layer above gives all its steps with return_sequences: true",
        ),
        ([()], "got scalar; put a reshape in front"),
        ([(4, None)], "got 4 x ?; bring each step into one axis"),
        ([(4, 3, 2)], "got 4 x 3 x 2; bring each step into one axis by time_distributed with flatten"),
        ([(4, 3), (4, 3)], "takes one input and gets 2"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_shapes_that_do_not_fit_are_named(kind: str, shapes: list[Shape], message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS.decode({"type": kind, "units": 2}).out_shape(*shapes)


@pytest.mark.parametrize("option", ["activation", "recurrent_activation"])
def test_an_activation_along_an_axis_that_is_not_there_is_named(option: str) -> None:
    layer = LAYERS.decode({"type": "gru", "units": 2, option: {"type": "softmax", "axis": 2}})
    with pytest.raises(ShapeError, match="softmax has no axis 2 in 2"):
        layer.out_shape((4, 3))


def test_a_stateful_layer_cannot_go_backwards() -> None:
    with pytest.raises(ValidationError, match="goes on where the last batch ended, so it cannot go_backwards"):
        LAYERS.decode({"type": "lstm", "units": 2, "stateful": True, "go_backwards": True})
