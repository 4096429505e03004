"""Small adversarial games."""

from typing import Any

import numpy as np
import torch

from nnkit.engine.adversarial import AdversarialOptions, AdversarialPhase
from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.draws import PlacedDraws
from nnkit.engine.order import RowDraws, RowOrder
from nnkit.engine.players import Learner, Noise
from nnkit.models.base import MODELS
from nnkit.models.gan import Gan, GanPlan
from nnkit.models.rows import LABEL

ROWS, WIDTH, BATCH = 23, 3, 5

GENERATOR: list[Any] = [
    {"type": "dense", "units": 6},
    "batch_norm",
    {"type": "activation", "activation": "relu"},
    {"type": "dense", "units": WIDTH},
]
DISCRIMINATOR: list[Any] = [
    {"type": "dense", "units": 7, "activation": "leaky_relu"},
    {"type": "dropout", "rate": 0.3},
    {"type": "dense", "units": 1},
]
STEEP: list[Any] = [
    {"type": "spectral_norm", "layer": {"type": "dense", "units": 7, "activation": "leaky_relu"}},
    {"type": "dense", "units": 1},
]


def plan_of(generator: list[Any] | None = None, discriminator: list[Any] | None = None, noise: int = 2) -> GanPlan:
    written = {"generator": generator or GENERATOR, "discriminator": discriminator or DISCRIMINATOR, "noise": noise}
    plan = MODELS.decode({"type": "gan", **written}).plan({"input": (WIDTH,)})
    assert isinstance(plan, GanPlan)
    return plan


def conditional_plan(classes: int) -> GanPlan:
    told = {"type": "concatenate", "inputs": ["input", "input.label"]}
    written = {"generator": [told, *GENERATOR], "discriminator": [told, *DISCRIMINATOR], "noise": 2}
    model = MODELS.decode({"type": "gan", "conditional": True, **written})
    assert isinstance(model, Gan)
    return model.laid_out((WIDTH,), {"input": (WIDTH,)}, {LABEL: (classes,)})


def data(rows: int = ROWS, seed: int = 0, classes: int = 3) -> Batch:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, WIDTH)).astype(np.float32) + np.float32(2)
    return Batch({"input": torch.from_numpy(x)}, torch.from_numpy(np.arange(rows) % classes))


def game(
    plan: GanPlan | None = None,
    epochs: int = 3,
    lr: float = 0.02,
    rows: Batch | None = None,
    draws_seed: int = 3,
    **options: Any,
) -> AdversarialPhase:
    plan = plan or plan_of()
    network = plan.build()
    network.load_arrays(plan.initial_weights(1))
    train = rows or data()

    def learner(part: str, per_step: bool) -> Learner:
        weights = [weight for weight in network.parts[part].parameters() if weight.requires_grad]
        return Learner(torch.optim.Adam(weights, lr, (0.5, 0.9)), lambda place: 1 / (1 + place), per_step)

    chosen: dict[str, Any] = {"loss": "non_saturating", "noise": Noise(2), **options}
    return AdversarialPhase(
        "adversarial",
        epochs,
        network,
        learner("generator", True),
        learner("discriminator", False),
        RowBatches(train, BATCH, RowOrder(len(train), 3, "adversarial")),
        data(9, 1),
        AdversarialOptions(**chosen),
        PlacedDraws(RowDraws(draws_seed, "adversarial")),
    )
