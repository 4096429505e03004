"""Optimizers: torch's steps with torch's defaults, fused where that exists, and states that a checkpoint can hold."""

import inspect
import json
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from nnkit.engine.gradient import load_optimizer_state, optimizer_state
from nnkit.engine.state import pack, unpack
from nnkit.optimizers import OPTIMIZERS, Optimizer

NAMES = list(OPTIMIZERS.entries)
TORCH_NAMES = [name for name in NAMES if OPTIMIZERS.entries[name].torch_name]
ARGUMENTS = [
    ("sgd", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("rmsprop", {"alpha": 0.9, "momentum": 0.5, "centered": True}),
    ("adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("adadelta", {"rho": 0.95}),
    ("adam", {"betas": [0.8, 0.99], "amsgrad": True, "weight_decay": 0.1}),
    ("adamw", {"eps": 1e-7, "weight_decay": 0.004}),
    ("adamax", {"betas": [0.8, 0.99]}),
    ("nadam", {"momentum_decay": 0.01}),
]


def optimizer(name: str, **options: object) -> Optimizer:
    return OPTIMIZERS.decode({"type": name, **options})


def network(seed: int = 0) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))


def train(net: torch.nn.Module, steps: torch.optim.Optimizer, start: int, end: int) -> None:
    for number in range(start, end):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(number))
        steps.zero_grad()
        (net(x) - x[:, :1] * x[:, 1:2]).square().mean().backward()
        steps.step()


def weights(net: torch.nn.Module) -> list[Any]:
    return [weight.detach().numpy().copy() for weight in net.parameters()]


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_defaults_are_torchs(name: str) -> None:
    kind = OPTIMIZERS.entries[name]
    parameters = inspect.signature(getattr(torch.optim, kind.torch_name)).parameters
    built = optimizer(name).arguments()
    for argument, given in built.items():
        default = parameters[argument].default
        assert (tuple(given) if isinstance(given, list) else given) == default, argument


@pytest.mark.parametrize(("name", "options"), ARGUMENTS)
def test_steps_are_torchs(name: str, options: dict[str, Any]) -> None:
    ours, theirs = network(), network()
    train(ours, optimizer(name, **options).build(ours.parameters()), 0, 10)
    kind = getattr(torch.optim, OPTIMIZERS.entries[name].torch_name)
    train(theirs, kind(theirs.parameters(), **options), 0, 10)
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_adafactor_takes_torchs_arguments_under_clearer_names() -> None:
    ours, theirs = network(), network()
    piece = optimizer("adafactor", eps1=1e-4, eps2=1e-2, clip_threshold=2.0, weight_decay=0.1)
    train(ours, piece.build(ours.parameters()), 0, 10)
    train(theirs, torch.optim.Adafactor(theirs.parameters(), eps=(1e-4, 1e-2), d=2.0, weight_decay=0.1), 0, 10)
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns(name: str) -> None:
    net, x = network(), torch.randn(64, 4, generator=torch.Generator().manual_seed(9))
    target = x[:, :1] * 2
    steps = optimizer(name, lr={"adadelta": 1.0, "adafactor": 0.5, "muon": 0.1}.get(name, 0.02)).build(net.parameters())
    losses = []
    for _ in range(60):
        steps.zero_grad()
        loss = (net(x) - target).square().mean()
        loss.backward()
        losses.append(float(loss.detach()))
        steps.step()
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_takes_the_same_steps_to_the_bit(name: str) -> None:
    """Through the checkpoint's own form: arrays and JSON."""
    whole = network()
    train(whole, optimizer(name).build(whole.parameters()), 0, 8)

    first = network()
    steps = optimizer(name).build(first.parameters())
    train(first, steps, 0, 5)
    tree, arrays = pack(optimizer_state(steps))
    kept = weights(first)

    second = network(seed=1)
    for weight, values in zip(second.parameters(), kept, strict=True):
        weight.data.copy_(torch.from_numpy(values))
    again = optimizer(name).build(second.parameters())
    load_optimizer_state(again, unpack(json.loads(json.dumps(tree)), arrays))
    train(second, again, 5, 8)
    for a, b in zip(weights(whole), weights(second), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adagrad"])
def test_one_kernel_for_all_weights_where_torch_has_it(name: str) -> None:
    assert optimizer(name).build(network().parameters()).param_groups[0]["fused"] is True


@pytest.mark.parametrize("name", ["adam", "muon"])
def test_not_fused_where_torch_lacks_the_kernel(name: str) -> None:
    parameters = [
        torch.nn.Parameter(torch.zeros(2, 2, device="meta")),
        torch.nn.Parameter(torch.zeros(2, device="meta")),
    ]
    assert not optimizer(name).build(parameters).param_groups[-1].get("fused")


@pytest.mark.parametrize("name", NAMES)
def test_the_rate_in_the_groups_is_the_rate_of_the_steps(name: str) -> None:
    """Schedules write there."""
    net = network()
    steps = optimizer(name).build(net.parameters())
    before = weights(net)
    for group in steps.param_groups:
        assert group["lr"] == optimizer(name).lr
        group["lr"] = 0.0
    train(net, steps, 0, 2)
    for a, b in zip(before, weights(net), strict=True):
        np.testing.assert_array_equal(a, b)


def test_muon_is_torchs_for_matrices_and_adamw_for_the_rest() -> None:
    ours, theirs = network(), network()
    train(ours, optimizer("muon", lr=0.01).build(ours.parameters()), 0, 10)
    matrices = [weight for weight in theirs.parameters() if weight.ndim == 2]
    rest = [weight for weight in theirs.parameters() if weight.ndim != 2]
    pair: tuple[torch.optim.Optimizer, ...] = (
        torch.optim.Muon(matrices, lr=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=0.01, weight_decay=0.1, fused=True),
    )
    for number in range(10):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(number))
        theirs.zero_grad()
        (theirs(x) - x[:, :1] * x[:, 1:2]).square().mean().backward()
        for part in pair:
            part.step()
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        np.testing.assert_array_equal(a, b)


def test_muon_of_a_kernel_and_of_its_transpose_are_transposes() -> None:
    """nnkit's kernels have inputs as rows, torch's have outputs."""
    start = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    results = []
    for values in (start, start.T.contiguous()):
        weight = torch.nn.Parameter(values.clone())
        steps = optimizer("muon", lr=0.1).build([weight])
        weight.grad = values.square()
        steps.step()
        results.append(weight.detach())
    torch.testing.assert_close(results[0], results[1].T, rtol=1e-2, atol=1e-3)


def test_muon_calls_a_closure() -> None:
    net = network()
    steps = optimizer("muon").build(net.parameters())
    x = torch.ones(2, 4)

    def closure() -> float:
        steps.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        return float(loss.detach())

    first = steps.step(closure)
    assert first is not None
    assert closure() < first


MISTAKES = [
    ({"type": "adam", "betas": [0.9]}, "expected a list of 2 numbers"),
    ({"type": "adam", "betas": [0.9, 1.0]}, "less than 1, found 1"),
    ({"type": "sgd", "nesterov": True}, "nesterov: true needs a momentum greater than 0"),
    ({"type": "sgd", "lr": 0}, "greater than 0"),
    ({"type": "sgd", "betas": [0.9, 0.99]}, "unknown option"),
]


@pytest.mark.parametrize(("spec", "message"), MISTAKES)
def test_mistakes_are_named(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OPTIMIZERS.decode(spec)
    assert message in str(caught.value)
