"""Specs of small generative models over labelled points of the plane."""

from pathlib import Path
from typing import Any

import numpy as np

from nnkit.config.document import dump_yaml
from tests.commands.changes import change

CENTRES = {"left": (-1.0, 0.0), "right": (1.0, 0.5)}


def points(path: Path, labels: bool = True, gap: bool = False) -> Path:
    """Write 120 points around two centres, each with its label; with ``gap`` one has none."""
    draw = np.random.default_rng(0)
    rows = ["x,y" + ",side" * labels]
    for number in range(120):
        side = list(CENTRES)[number % 2]
        x, y = draw.normal(CENTRES[side], 0.15)
        rows.append(f"{x:.4f},{y:.4f}" + ("," + ("" if gap and number == 7 else side)) * labels)
    path.write_text("\n".join(rows) + "\n")
    return path


def dense(units: int, **more: Any) -> dict[str, Any]:
    return {"type": "dense", "units": units, **more}


TOLD = {"type": "concatenate", "inputs": ["input", "input.label"]}


def gan_model(conditional: bool = False) -> dict[str, Any]:
    told = [TOLD] if conditional else []
    return {
        "type": "gan",
        "noise": 4,
        "conditional": conditional,
        "generator": [*told, dense(16, activation="relu"), "batch_norm", dense(2)],
        "discriminator": [*told, dense(16, activation="leaky_relu"), {"type": "dropout", "rate": 0.1}, dense(1)],
    }


def diffusion_model(conditional: bool = False) -> dict[str, Any]:
    read = ["input", "input.time", *(["input.label"] if conditional else [])]
    return {
        "type": "diffusion",
        "steps": 40,
        "conditional": conditional,
        "layers": [
            {"type": "concatenate", "inputs": read},
            dense(32, activation="silu"),
            dense(32, activation="silu"),
            dense(2),
        ],
    }


def drawing_spec(folder: Path, model: dict[str, Any], procedure: Any, **changes: Any) -> Path:
    """Write a spec; ``a__b=c`` changes a.b."""
    value: dict[str, Any] = {
        "name": "small",
        "seed": 4,
        "data": {
            "source": {"type": "csv", "path": str(points(folder / "points.csv"))},
            "target": "side",
            "split": {"test": 0.2, "validation": 0.1},
            "transforms": ["standard_scale"],
        },
        "model": model,
        "training": {"procedure": procedure, "epochs": 5, "batch_size": 16},
    }
    change(value, changes)
    (folder / "spec.yaml").write_text(dump_yaml(value))
    return folder / "spec.yaml"
