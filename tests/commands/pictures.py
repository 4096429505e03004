"""Small experiments on made-up pictures."""

from pathlib import Path
from typing import Any

import numpy as np

from nnkit.config.document import dump_yaml
from tests.commands.changes import change
from tests.commands.experiments import Spec

SIZE = (8, 10, 1)


def archive(path: Path, rows: int = 120, shape: tuple[int, ...] = SIZE) -> Path:
    """Write pictures of values from 0 to 1, lighter at the top or at the bottom, with that and their mean."""
    draw = np.random.default_rng(2)
    top = draw.integers(2, size=rows)
    image = draw.random((rows, *shape), np.float32) * 0.5
    image[top == 1, : shape[0] // 2] += 0.5
    image[top == 0, shape[0] // 2 :] += 0.5
    np.savez(path, image=image, side=np.where(top, "top", "bottom"), amount=image.mean(tuple(range(1, image.ndim))))
    return path


def picture_spec(folder: Path, augment: list[Any], **changes: Any) -> Path:
    """Write a spec, and the archive that it reads where there is none; ``a__b=c`` changes a.b."""
    source = folder / "p.npz"
    if not source.exists():
        archive(source)
    value: Spec = {
        "name": "small",
        "seed": 3,
        "data": {
            "source": {"type": "npz", "path": str(source), "arrays": ["image", "side"]},
            "target": "side",
            "split": {"test": 0.25, "validation": 0.15},
            "augment": augment,
        },
        "model": {
            "type": "network",
            "layers": [
                "flatten",
                {"type": "dropout", "rate": 0.1},
                {"type": "dense", "units": 6, "activation": "relu"},
                {"type": "dense", "units": 1, "activation": "sigmoid"},
            ],
        },
        "training": {
            "procedure": {"type": "supervised", "loss": "binary_cross_entropy"},
            "epochs": 3,
            "batch_size": 16,
            "metrics": ["accuracy"],
        },
    }
    change(value, changes)
    spec = folder / "spec.yaml"
    spec.write_text(dump_yaml(value))
    return spec
