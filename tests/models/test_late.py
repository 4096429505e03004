"""A relu behind a max pool instead of before it: the same bits, forward and backward."""

from typing import Any

import pytest
import torch
from torch import nn

from nnkit.models.plan import Plan
from nnkit.nn.basic import Then
from tests.models.tools import filled, plan

CONV = {"type": "conv2d", "filters": 4, "kernel_size": 3, "name": "conv"}
POOL = {"type": "max_pool", "name": "pool"}


def late(net: Plan) -> bool:
    return isinstance({step.name: step.module for step in net.build().steps}["pool"], Then)


def gradients(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    output = module({"input": x})
    output.square().sum().backward()
    return [
        output.detach(),
        *(parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None),
    ]


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_the_order_changes_no_bit(activation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = plan({**CONV, "activation": activation}, POOL, input=(9, 8, 2))
    assert late(net)
    x = torch.randn(5, 9, 8, 2)
    x[0] = 0  # All values are alike, so that many are the largest.
    found = gradients(filled(net), x)
    monkeypatch.setattr("nnkit.models.plan.RISING", ())
    assert not late(net)
    expected = gradients(filled(net), x)
    assert len(found) == 3
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    "layers",
    [
        [{**CONV, "activation": "gelu"}, POOL],
        [{**CONV, "activation": "relu"}, {"type": "average_pool", "name": "pool"}],
        [
            {**CONV, "activation": "relu"},
            POOL,
            {"name": "other", "type": "max_pool", "inputs": ["conv"]},
            {"type": "add", "inputs": ["pool", "other"]},
        ],
    ],
)
def test_it_stays_before_what_is_not_a_maximum_and_what_others_read(layers: list[Any]) -> None:
    assert not late(plan(*layers, input=(9, 8, 2)))
