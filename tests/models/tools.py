"""What the tests of networks share."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from nnkit.errors import SpecError
from nnkit.models.base import MODELS
from nnkit.models.plan import Plan
from nnkit.nn.graph import GraphNetwork
from nnkit.shapes import Shape


def plan(*layers: Any, **inputs: Shape) -> Plan:
    """Plan a network of these layers; its only input has two values if nothing else is said."""
    return MODELS.decode({"type": "network", "layers": list(layers)}).plan(inputs or {"input": (2,)})


def filled(plan: Plan, seed: int = 0) -> GraphNetwork:
    """Build a network and give it its first weights."""
    network = plan.build()
    network.load_arrays(plan.initial_weights(seed))
    return network


def outputs(plan: Plan, inputs: Mapping[str, Any], seed: int = 0) -> Tensor:
    """Compute a network's outputs outside of training."""
    tensors = {name: torch.tensor(value, dtype=torch.float32) for name, value in inputs.items()}
    with torch.inference_mode():
        result: Tensor = filled(plan, seed).eval()(tensors)
    return result


def problems(*layers: Any, **inputs: Shape) -> list[str]:
    """Return the mistakes of a network, one a line."""
    with pytest.raises(SpecError) as caught:
        plan(*layers, **inputs)
    return str(caught.value).splitlines()


def dense(units: int, **options: Any) -> dict[str, Any]:
    """Write a dense layer."""
    return {"type": "dense", "units": units, **options}


def by_hand(kernel: list[list[float]], activation: str = "linear", **options: Any) -> dict[str, Any]:
    """Write a dense layer without bias whose kernel is given."""
    return dense(len(kernel[0]), use_bias=False, activation=activation, weights={"kernel": kernel}, **options)
