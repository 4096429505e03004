"""Small Boltzmann machines and belief nets on made-up pictures."""

from pathlib import Path
from typing import Any

from tests.commands.pictures import picture_spec

RBM: dict[str, Any] = {
    "model": {"type": "rbm", "units": 7, "binarise": 0.5},
    "training": {
        "procedure": {
            "type": "contrastive_divergence",
            "persistent": True,
            "lr": 0.05,
            "schedule": {"type": "linear", "per": "step"},
            "momentum": {"initial": 0.2, "final": 0.6, "epochs": 2},
            "weight_decay": 1e-3,
            "sparsity": {"target": 0.2, "cost": 0.05},
            "partition": {"chains": 20, "steps": 200},
        },
        "epochs": 4,
        "batch_size": 16,
    },
}
DBN: dict[str, Any] = {
    "model": {"type": "dbn", "layers": [{"units": 9}, {"units": 6}], "dropout": 0.1},
    "training": {
        "procedure": {
            "type": "greedy",
            "loss": "binary_cross_entropy",
            "optimizer": {"type": "adam", "lr": 0.01},
            "pretrain_epochs": 3,
            "rbm": {"lr": 0.05, "persistent": True, "momentum": 0.5},
            "labelled": 0.4,
        },
        "epochs": 3,
        "batch_size": 16,
        "metrics": ["accuracy"],
    },
}


def machine_spec(folder: Path, base: dict[str, Any], **changes: Any) -> Path:
    """Write a spec of one of these; ``a__b=c`` changes a.b."""
    parts = {name: {**value} for name, value in base.items()}
    parts["training"]["procedure"] = {**base["training"]["procedure"]}
    return picture_spec(folder, [], **parts | changes)
