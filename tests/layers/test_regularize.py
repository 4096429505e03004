from typing import Any

import pytest
import torch
from torch import Tensor

from tests.layers.tools import build

RANDOM: list[dict[str, Any]] = [
    {"type": "dropout", "rate": 0.3},
    {"type": "input_dropout", "rate": 0.3},
    {"type": "alpha_dropout", "rate": 0.3},
    {"type": "gaussian_dropout", "rate": 0.3},
    {"type": "noise", "stddev": 0.5},
]


@pytest.mark.parametrize("options", RANDOM, ids=lambda options: options["type"])
def test_draws_come_from_the_generator_and_only_in_training(options: dict[str, Any]) -> None:
    x = torch.randn(50, 8)
    first, again = build(options, (8,)).train(), build(options, (8,)).train()
    torch.manual_seed(1)
    y = first(x)
    torch.manual_seed(2)
    assert torch.equal(y, again(x))
    assert not torch.equal(y, again(x))
    assert torch.equal(first.eval()(x), x)


@pytest.mark.parametrize("options", RANDOM, ids=lambda options: options["type"])
def test_a_rate_of_nothing_changes_nothing(options: dict[str, Any]) -> None:
    x = torch.randn(50, 8)
    nothing = {name: 0.0 if isinstance(value, float) else value for name, value in options.items()}
    torch.testing.assert_close(build(nothing, (8,)).train()(x), x)


def moments(options: dict[str, Any], x: Tensor) -> tuple[float, float]:
    y = build(options, (1,)).train()(x)
    return float(y.mean()), float(y.var())


def test_the_moments_are_those_that_are_promised() -> None:
    x = torch.randn(400_000, 1, generator=torch.Generator().manual_seed(0))
    assert moments({"type": "dropout", "rate": 0.3}, x + 2)[0] == pytest.approx(2, abs=0.02)
    assert moments({"type": "input_dropout", "rate": 0.3}, x + 2)[0] == pytest.approx(1.4, abs=0.02)
    mean, variance = moments({"type": "alpha_dropout", "rate": 0.3}, x)
    assert mean == pytest.approx(0, abs=0.01)
    assert variance == pytest.approx(1, abs=0.02)
    ones = torch.ones_like(x)
    assert moments({"type": "gaussian_dropout", "rate": 0.3}, ones)[1] == pytest.approx(3 / 7, abs=0.01)
    assert moments({"type": "noise", "stddev": 0.5}, ones)[1] == pytest.approx(0.25, abs=0.01)


def test_dropout_scales_what_it_keeps_and_input_dropout_does_not() -> None:
    ones = torch.ones(1000, 4)
    y = build({"type": "dropout", "rate": 0.25}, (4,)).train()(ones)
    assert {round(value, 5) for value in y.unique().tolist()} == {0.0, round(1 / 0.75, 5)}
    y = build({"type": "input_dropout", "rate": 0.25}, (4,)).train()(ones)
    assert y.unique().tolist() == [0.0, 1.0]
    assert float(y.mean()) == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("shape", [(5, 40), (3, 4, 40), (2, 3, 2, 40)])
def test_spatial_dropout_loses_whole_channels_and_keeps_the_mean(shape: tuple[int, ...]) -> None:
    module = build({"type": "spatial_dropout", "rate": 0.25}, shape).train()
    y = module(torch.ones(50, *shape)).flatten(1, -2)
    assert torch.equal(y, y[:, :1].expand_as(y)), "a channel is lost whole"
    assert sorted(set(y.flatten().tolist())) == pytest.approx([0, 4 / 3])
    assert float((y == 0).float().mean()) == pytest.approx(0.25, abs=0.05)
    assert torch.equal(module.eval()(torch.ones(2, *shape)), torch.ones(2, *shape))
