import subprocess
import sys

import numpy as np
import pytest
import torch

from nnkit.engine.tuning import bare_step, keep_memory
from nnkit.optimizers import OPTIMIZERS
from tests.native.experiments import Case, Made, result

OPTIMIZER_NAMES = sorted(OPTIMIZERS.entries)


def stepped(name: str, bare: bool) -> torch.Tensor:
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(4, 3)), torch.nn.Parameter(torch.randn(3))]
    optimizer = OPTIMIZERS.decode(name).build(weights)
    step = bare_step(optimizer) if bare else optimizer.step
    for _ in range(3):
        for weight in weights:
            weight.grad = weight.detach().sin()
        step()
    return torch.cat([weight.detach().flatten() for weight in weights])


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_a_bare_step_is_the_whole_one(name: str) -> None:
    assert torch.equal(stepped(name, bare=True), stepped(name, bare=False))


def test_training_by_torch_never_imports_the_compiler() -> None:
    script = """
import sys, torch
from nnkit.engine.tuning import bare_step, tune
from nnkit.optimizers import OPTIMIZERS
from tests.native.experiments import Case, Made, result
tune()
weights = [torch.nn.Parameter(torch.randn(4, 3))]
optimizer = OPTIMIZERS.decode("adam").build(weights)
weights[0].grad = torch.ones(4, 3)
bare_step(optimizer)()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc has these thresholds")
def test_glibc_keeps_memory() -> None:
    assert keep_memory()


@pytest.mark.slow
def test_a_compiled_network_trains_as_the_network_does() -> None:
    layers = [{"type": "dense", "units": 7, "activation": "tanh"}, {"type": "dropout", "rate": 0.3}]
    head = {"type": "dense", "units": 1, "activation": "sigmoid"}
    procedure = {"type": "supervised", "loss": "binary_cross_entropy", "optimizer": {"type": "adam"}}
    results = []
    for compile_it in (False, True):
        loop = {"epochs": 2, "batch_size": 8, "compile": compile_it}
        case = Case([*layers, head], procedure, loop, "binary", 5, 1, 40, 0, False)
        results.append(result(Made.of(case).phase("torch")))
    plain, compiled = results
    np.testing.assert_allclose(compiled.losses, plain.losses, atol=1e-5)
    for name, weights in plain.weights.items():
        np.testing.assert_allclose(compiled.weights[name], weights, atol=1e-4)
