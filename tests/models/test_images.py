"""Networks of layers over pictures and series."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nnkit.engine.draws import PlacedDraws
from nnkit.engine.order import RowDraws
from nnkit.layers.base import Activated
from nnkit.nn.graph import GraphNetwork
from tests.models.tools import dense, filled, plan, problems


def conv(filters: int, **options: Any) -> dict[str, Any]:
    return {"type": "conv2d", "filters": filters, "kernel_size": 3, "padding": "same", **options}


RESIDUAL: list[Any] = [
    conv(8, use_bias=False),
    {"type": "batch_norm", "momentum": 0.5},
    {"type": "activation", "activation": "relu"},
    {
        "type": "repeat",
        "name": "blocks",
        "times": 3,
        "layers": [
            conv(8, use_bias=False),
            "batch_norm",
            {"type": "activation", "activation": "relu"},
            conv(8, use_bias=False),
            {"type": "batch_norm", "name": "end"},
            {"type": "add", "inputs": ["input", "end"]},
            {"type": "activation", "activation": "relu"},
        ],
    },
    "global_average_pool",
    dense(3),
]


def kinds(network: GraphNetwork, kind: str) -> list[nn.Module]:
    return [step.module for step in network.steps if type(step.module).__name__ == kind]


def test_a_small_residual_network_learns() -> None:
    planned = plan(*RESIDUAL, input=(8, 8, 1))
    assert planned.output_shape == (3,)
    network = filled(planned).train()
    assert len(kinds(network, "Conv")) == 7
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(30) % 3
    x = 0.3 * torch.randn(30, 8, 8, 1, generator=generator)
    for row, label in enumerate(labels):  # a line across, one down, or none
        if label < 2:
            x[row].select(int(label), int(row) % 8).add_(1)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network({"input": x}), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[0] > 0.8
    assert losses[-1] < 0.1


def test_a_residual_block_adds_what_it_received() -> None:
    block = {"type": "repeat", "times": 2, "layers": [conv(2, name="c"), {"type": "add", "inputs": ["input", "c"]}]}
    network = filled(plan(block, input=(4, 4, 2)))
    first, second = kinds(network, "Conv")
    x = torch.randn(3, 4, 4, 2)
    between = x + first(x)
    torch.testing.assert_close(network({"input": x}), between + second(between))


def test_what_flows_between_layers_is_contiguous_so_that_none_has_to_copy_it() -> None:
    layers = [
        conv(4, activation="relu"),
        "max_pool",
        conv(8),
        "batch_norm",
        {"type": "activation", "activation": "relu"},
        {"type": "average_pool", "padding": "same"},
        {"type": "depthwise_conv2d", "kernel_size": 3, "strides": 2, "padding": "same"},
        {"type": "conv2d_transpose", "filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
        {"type": "group_norm", "groups": 2},
        {"type": "spatial_dropout", "rate": 0.1},
        "squeeze_excite",
        "upsample",
        "zero_pad",
    ]
    network = filled(plan(*layers, input=(12, 12, 2))).eval()
    x = torch.randn(2, 12, 12, 2)
    for step in network.steps:
        x = step.module(x)
        assert x.is_contiguous(), step.name


def test_frozen_batch_norm_behind_a_convolution_keeps_to_its_averages() -> None:
    layers = [conv(4), {"type": "batch_norm", "trainable": False, "name": "norm"}, "global_max_pool", dense(1)]
    network = filled(plan(*layers, input=(6, 6, 1))).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items() if name.startswith("norm.")}
    network({"input": torch.randn(8, 6, 6, 1)}).sum().backward()
    assert len(before) == 4
    assert all(torch.equal(before[name], network.state_dict()[name]) for name in before)
    norm = network.get_submodule("norm")
    x = torch.randn(8, 6, 6, 4)
    torch.testing.assert_close(norm(x), x / (1 + 1e-3) ** 0.5)
    assert network.get_parameter("conv2d_1.kernel").grad is not None


def test_spatial_dropout_draws_by_the_place_of_a_row() -> None:
    network = filled(plan({"type": "spatial_dropout", "rate": 0.5}, input=(3, 3, 16))).train()
    draws = PlacedDraws(RowDraws(7, "train"))
    network.set_draws(draws)

    def run(row: int, rows: int) -> Tensor:
        draws.seek(2, row)
        output: Tensor = network({"input": torch.ones(rows, 3, 3, 16)})
        return output

    whole = run(10, 6)
    assert torch.equal(whole, torch.cat([run(10, 2), run(12, 4)]))
    assert not torch.equal(whole, run(11, 6))
    assert set(whole.flatten().tolist()) == {0, 2}


@pytest.mark.parametrize(
    ("layer", "unit"),
    [
        (conv(3), "kernel[..., {}]"),
        ({"type": "conv2d_transpose", "filters": 3, "kernel_size": 2}, "kernel[..., {}, :]"),
        ({"type": "depthwise_conv2d", "kernel_size": 3, "depth_multiplier": 2}, "kernel[:, :, {}, {}]"),
    ],
)
def test_max_norm_bounds_the_weights_into_each_filter(layer: dict[str, Any], unit: str) -> None:
    network = filled(plan({**layer, "max_norm": 0.5, "init": {"type": "normal", "stddev": 1.0}}, input=(5, 5, 2)))
    network.constrain()
    kernel = next(tensor for name, tensor in network.state_dict().items() if name.endswith("kernel"))
    units = {
        "kernel[..., {}]": kernel.flatten(0, -2).T,
        "kernel[..., {}, :]": kernel.movedim(-2, 0).flatten(1),
        "kernel[:, :, {}, {}]": kernel.flatten(0, 1).flatten(1).T,
    }[unit]
    torch.testing.assert_close(units.norm(dim=1), torch.full((len(units),), 0.5))


def test_penalties_act_on_both_kernels_of_a_separable_convolution() -> None:
    layer = {"type": "separable_conv2d", "filters": 3, "kernel_size": 2, "l2": 0.1}
    network = filled(plan(layer, input=(4, 4, 2)))
    expected = sum(tensor.square().sum() for name, tensor in network.state_dict().items() if "kernel" in name)
    penalty = network.penalty()
    assert penalty is not None
    torch.testing.assert_close(penalty, 0.1 * expected)


def test_a_loss_may_take_over_the_activation_of_a_convolution() -> None:
    planned = plan(conv(1, activation="sigmoid"), input=(4, 4, 1))
    assert planned.head is not None
    x = {"input": torch.randn(2, 4, 4, 1)}
    assert isinstance(planned.nodes[-1].layer, Activated)
    torch.testing.assert_close(filled(planned.without_head())(x).sigmoid(), filled(planned)(x))


def test_a_network_without_the_axis_of_channels_is_told_how_to_add_it() -> None:
    (line,) = problems(conv(4), input=(28, 28))
    assert "conv2d_1 reads input (28 x 28): conv2d needs height x width x channels, got 28 x 28" in line
    assert line.endswith("add the axis of channels above it by {type: reshape, shape: [28, 28, 1]}")
    reshape = {"type": "reshape", "shape": [28, 28, 1]}
    assert plan(reshape, conv(4), input=(28, 28)).output_shape == (28, 28, 4)


def test_series_of_varying_length_end_in_a_row() -> None:
    layers = [
        {"type": "conv1d", "filters": 4, "kernel_size": 3, "activation": "relu"},
        "max_pool",
        "global_average_pool",
        dense(2),
    ]
    planned = plan(*layers, input=(None, 3))
    assert [node.output for node in planned.nodes] == [(None, 4), (None, 4), (4,), (2,)]
    network = filled(planned)
    assert network({"input": torch.randn(2, 9, 3)}).shape == network({"input": torch.randn(2, 30, 3)}).shape
