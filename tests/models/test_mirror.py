"""What a mirrored decoder is made of, what it shares with its encoder, and which layers have no mirror."""

from typing import Any

import numpy as np
import pytest
import torch

from nnkit.engine.autoencoding import Networks
from nnkit.errors import SpecError
from nnkit.models.autoencoder import AutoencoderPlan
from nnkit.models.base import MODELS
from nnkit.shapes import Shape


def dense(units: int, activation: str = "linear") -> dict[str, Any]:
    return {"type": "dense", "units": units, "activation": activation}


def conv(filters: int, activation: str = "linear", **options: Any) -> dict[str, Any]:
    return {"type": "conv2d", "filters": filters, "kernel_size": 3, "activation": activation, **options}


def laid_out(shape: Shape, *encoder: Any, **options: Any) -> AutoencoderPlan:
    model = MODELS.decode({"type": "autoencoder", "encoder": list(encoder), **options})
    plan = model.plan({"input": shape})
    assert isinstance(plan, AutoencoderPlan)
    return plan


def layers(plan: AutoencoderPlan) -> list[tuple[Any, ...]]:
    """Return type, output and, where it is not linear, activation of each layer of the decoder."""
    found: list[tuple[Any, ...]] = []
    for node in plan.parts["decoder"].nodes:
        activation = getattr(getattr(node.layer, "activation", None), "type_name", "linear")
        found.append((node.layer.type_name, node.output, *(() if activation == "linear" else (activation,))))
    return found


STRIDES: dict[str, Any] = {"strides": 2, "padding": "same"}
RELU = {"type": "activation", "activation": "relu"}
SEQUENCES = {"return_sequences": True}


@pytest.mark.parametrize(
    ("shape", "encoder", "decoder"),
    [
        (
            (20,),
            [{"type": "noise", "stddev": 0.1}, dense(9, "relu"), {"type": "dropout", "rate": 0.1}, dense(3, "tanh")],
            [("dense", (9,), "relu"), ("dense", (20,))],
        ),
        (
            (27, 28, 2),
            [conv(4, "relu", **STRIDES), conv(8, "elu", **STRIDES), "flatten", dense(5)],
            [
                ("dense", (392,), "elu"),
                ("reshape", (7, 7, 8)),
                ("conv2d_transpose", (14, 14, 4), "relu"),
                ("conv2d_transpose", (27, 28, 2)),
            ],
        ),
        (
            (15, 14, 1),
            [conv(4), "batch_norm", RELU, "max_pool", conv(6, "relu"), {"type": "average_pool", "padding": "same"}],
            [
                ("upsample", (4, 4, 6)),
                ("conv2d_transpose", (6, 6, 4)),
                ("batch_norm", (6, 6, 4)),
                ("activation", (6, 6, 4), "relu"),
                ("upsample", (12, 12, 4)),
                ("zero_pad", (13, 12, 4)),
                ("conv2d_transpose", (15, 14, 1)),
            ],
        ),
        (
            (7, 2),
            [{"type": "max_pool", "padding": "same"}, dense(3)],
            [("dense", (4, 2)), ("upsample", (8, 2)), ("crop", (7, 2))],
        ),
        (
            (8, 2),
            [{"type": "conv1d", "filters": 4, "kernel_size": 2, "activation": "relu"}, "global_max_pool"],
            [("reshape", (1, 4)), ("upsample", (7, 4)), ("conv1d_transpose", (8, 2))],
        ),
        (
            (6, 4),
            [{"type": "lstm", "units": 5, **SEQUENCES}, {"type": "gru", "units": 3}],
            [("repeat_vector", (6, 3)), ("gru", (6, 3), "tanh"), ("lstm", (6, 5), "tanh"), ("dense", (6, 4))],
        ),
        (
            (4, 4, 1),
            [{"type": "zero_pad"}, {"type": "crop", "cropping": [[1, 0], [1, 0]]}, {"type": "upsample"}, "flatten"],
            [("reshape", (10, 10, 1)), ("average_pool", (5, 5, 1)), ("zero_pad", (6, 6, 1)), ("crop", (4, 4, 1))],
        ),
        (
            (5, 5, 3),
            [{**conv(2, "relu"), "type": "conv2d_transpose", "strides": 1}, "flatten"],
            [("reshape", (7, 7, 2)), ("conv2d", (5, 5, 3))],
        ),
    ],
)
def test_each_layer_is_undone_from_the_last_to_the_first(
    shape: Shape, encoder: list[Any], decoder: list[tuple[Any, ...]]
) -> None:
    plan = laid_out(shape, *encoder)
    assert layers(plan) == decoder
    network = plan.build()
    network.load_arrays(plan.initial_weights(0))
    assert Networks(network.eval()).given_back(torch.rand(2, *map(int, filter(None, shape)))).shape == (2, *shape)


def test_a_code_of_another_size_is_brought_back_to_the_encoders_output() -> None:
    code = {"type": "variational", "size": 2, "likelihood": "bernoulli"}
    plan = laid_out((6,), dense(5, "relu"), dense(4, "tanh"), code=code)
    assert layers(plan) == [("dense", (4,), "tanh"), ("dense", (5,), "relu"), ("dense", (6,), "sigmoid")]
    gaussian = {"type": "variational", "size": 2, "likelihood": "gaussian"}
    assert layers(laid_out((6,), dense(4, "tanh"), code=gaussian))[-1] == ("dense", (6,))


def test_the_decoders_end_is_before_what_only_changes_the_shape() -> None:
    plan = laid_out((4, 4, 1), "flatten", dense(3), output_activation="sigmoid")
    assert plan.head is not None
    assert (plan.end.name, plan.head.type_name) == ("dense_1", "sigmoid")
    bare = plan.without_head()
    assert bare.head is None
    assert bare.weights() == plan.weights()
    network, other = plan.build(), bare.build()
    for built in (network, other):
        built.load_arrays(plan.initial_weights(3))
    rows = torch.rand(2, 4, 4, 1)
    torch.testing.assert_close(Networks(network).given_back(rows), Networks(other).given_back(rows).sigmoid())


@pytest.mark.parametrize(
    ("shape", "encoder"),
    [
        ((9,), [dense(6, "relu"), dense(4)]),
        ((8, 9, 2), [conv(3, "relu", **STRIDES), conv(5, strides=2), "flatten", dense(4)]),
    ],
)
def test_tied_layers_have_the_kernels_of_those_they_undo(shape: Shape, encoder: list[Any]) -> None:
    plan, free = laid_out(shape, *encoder, tied=True), laid_out(shape, *encoder)
    own = {name for name in free.weights() if not (name.startswith("decoder/") and name.endswith(".kernel"))}
    assert set(plan.weights()) == own
    weights = plan.initial_weights(2)
    network, twin = plan.build(), free.build()
    network.load_arrays(weights)
    twin.load_arrays(weights | {name: mirrored(name, plan, weights) for name in free.weights() if name not in own})
    rows = torch.rand(3, *map(int, filter(None, shape)))
    torch.testing.assert_close(Networks(network).given_back(rows), Networks(twin).given_back(rows))
    network.to(torch.float64)
    given = Networks(network).given_back(rows.double())
    assert given.dtype == torch.float64
    assert set(dict(network.named_parameters())) == own
    given.square().sum().backward()  # type: ignore[no-untyped-call]
    grad = network.parts["encoder"].steps[0].module.get_parameter("kernel").grad
    assert grad is not None
    assert grad.abs().sum() > 0


def mirrored(name: str, plan: AutoencoderPlan, weights: Any) -> Any:
    """Return the kernel that a decoder's layer of its own would have."""
    node = name.removesuffix(".kernel")
    kernel = weights[f"{plan.ties[node]}.kernel"]
    return np.ascontiguousarray(kernel.T) if kernel.ndim == 2 else kernel


def test_both_uses_of_a_tied_kernel_are_in_its_gradient() -> None:
    plan = laid_out((3,), dense(2), tied=True)
    network = plan.build()
    network.load_arrays(plan.initial_weights(1))
    network.to(torch.float64)
    kernel = network.parts["encoder"].steps[0].module.get_parameter("kernel")
    rows = torch.rand(4, 3, dtype=torch.float64)

    def loss(values: torch.Tensor) -> torch.Tensor:
        return (rows @ values @ values.T - rows).square().sum()

    (Networks(network).given_back(rows) - rows).square().sum().backward()  # type: ignore[no-untyped-call]
    wanted = torch.autograd.functional.jacobian(loss, kernel.detach())  # type: ignore[no-untyped-call]
    torch.testing.assert_close(kernel.grad, wanted)


@pytest.mark.parametrize(
    ("encoder", "options", "message"),
    [
        (
            ["glu", dense(2)],
            {},
            "model.encoder[0]: glu_1 (glu) has no mirror: it cannot be undone; give the decoder's layers",
        ),
        ([dense(4), {**dense(4), "name": "a"}, {"type": "add", "inputs": ["dense_1", "a"]}], {}, "[2]: add_1 does not"),
        (
            [dense(4)],
            {"decoder": [dense(7)]},
            "model.decoder[0]: the last layer, dense_1, gives 7; a row of the data is 8",
        ),
        (
            [{"type": "reshape", "shape": [8, 1]}, {"type": "lstm", "units": 3}],
            {"tied": True},
            "model.tied: the mirrored decoder's layer lstm_1 (lstm) has a kernel of its own",
        ),
        (
            [
                {"type": "reshape", "shape": [8, 1]},
                {"type": "conv1d", "filters": 2, "kernel_size": 3, "padding": "causal"},
            ],
            {},
            "conv1d_1 (conv1d) has no mirror: a transposed convolution is not causal",
        ),
        (
            [{"type": "reshape", "shape": [2, 2, 2]}, {**conv(4), "kernel_size": 1, "groups": 2}],
            {},
            "conv2d_1 (conv2d) has no mirror: a transposed convolution has no groups",
        ),
        (
            [
                {"type": "reshape", "shape": [4, 2, 1]},
                {**conv(1, strides=2), "type": "conv2d_transpose", "padding": "same"},
            ],
            {},
            None,
        ),
    ],
)
def test_what_has_no_mirror_is_told(encoder: list[Any], options: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert layers(laid_out((8,), *encoder))[0][:2] == ("conv2d", (4, 2, 1))
        return
    with pytest.raises(SpecError) as caught:
        laid_out((8,), *encoder, **options)
    assert message in "\n".join(map(str, caught.value.problems))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tied": True}, "tied is for a mirrored decoder, whose layers undo the encoder's; leave out decoder or tied"),
        ({"output_activation": "sigmoid"}, "output_activation is for a mirrored decoder; set activation on"),
    ],
)
def test_options_of_a_mirrored_decoder_alone(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        laid_out((8,), dense(2), decoder=[dense(8)], **options)


def test_rows_of_several_lengths_have_no_one_shape() -> None:
    with pytest.raises(SpecError, match="autoencoder takes rows of one shape, found") as caught:
        laid_out((None, 3), {"type": "lstm", "units": 2})
    assert "cut or pad them to one length" in str(caught.value)
