"""Small experiments for tests of whole runs."""

from pathlib import Path
from typing import Any

import numpy as np

from nnkit.config.document import dump_yaml
from tests.commands.changes import change

Spec = dict[str, Any]


def table(path: Path, rows: int = 240) -> Path:
    """Write a table with numbers, a category, two classes, three classes, a number to predict and flags."""
    draw = np.random.default_rng(5)
    a, b = draw.normal(size=rows), draw.normal(size=rows)
    land = draw.choice(["DE", "FR", "NA"], rows)
    y = (a + b + 0.5 * (land == "FR") + draw.normal(size=rows) * 0.3 > 0).astype(int)
    three = np.digitize(a - b, [-0.7, 0.7])
    names = np.where(y, "yes", "no")
    lines = ["a,b,land,y,three,amount,f1,f2"]
    lines += [
        f"{a[i]:.4f},{b[i]:.4f},{land[i]},{names[i]},{three[i]},{100 + 20 * a[i]:.3f},{y[i]},{int(b[i] > 0)}"
        for i in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def spec(path: Path, **changes: Any) -> Spec:
    """Return a spec with dropout, batch norm, a schedule and early stopping; ``a__b=c`` changes a.b."""
    value: Spec = {
        "name": "small",
        "seed": 3,
        "data": {
            "source": {"type": "csv", "path": str(path)},
            "target": "y",
            "drop": ["three", "amount", "f1", "f2"],
            "split": {"test": 0.25, "validation": 0.15, "stratify": True},
            "transforms": [{"type": "one_hot", "columns": ["land"]}, "standard_scale"],
        },
        "model": {
            "type": "network",
            "layers": [
                {"type": "dense", "units": 8, "activation": "relu"},
                {"type": "batch_norm", "momentum": 0.9},
                {"type": "dropout", "rate": 0.2},
                {"type": "dense", "units": 1, "activation": "sigmoid"},
            ],
        },
        "training": {
            "procedure": {
                "type": "supervised",
                "loss": "binary_cross_entropy",
                "optimizer": {"type": "adam", "lr": 0.01, "schedule": {"type": "cosine", "per": "step"}},
            },
            "epochs": 6,
            "batch_size": 16,
            "metrics": ["accuracy", "f1", "roc_auc"],
            "callbacks": [{"type": "early_stopping", "patience": 3}],
        },
    }
    change(value, changes)
    return value


def write(folder: Path, **changes: Any) -> Path:
    """Write the table and the spec into ``folder``; returns the spec's path."""
    path = folder / "spec.yaml"
    path.write_text(dump_yaml(spec(table(folder / "t.csv"), **changes)))
    return path
