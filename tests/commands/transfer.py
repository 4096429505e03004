"""A small run, and specs that take layers over from it."""

from pathlib import Path
from typing import Any

from nnkit.commands.train import train
from nnkit.config.document import dump_yaml
from tests.commands.experiments import Spec, spec, table, write


def base_run(folder: Path, **changes: Any) -> Path:
    """Train the small experiment in ``folder`` and return its run."""
    return train(write(folder, **{"training__epochs": 2, **changes}), out=folder / "runs")


def upper(folder: Path, run: Path, layer: Spec | None = None, **changes: Any) -> Path:
    """Write a spec for other targets of the same columns, on top of ``run`` up to its dropout; returns its path."""
    pretrained = {"type": "pretrained", "run": str(run), "until": "dropout_1", "name": "base", **(layer or {})}
    defaults: dict[str, Any] = {
        "name": "upper",
        "data__target": "three",
        "data__drop": ["y", "amount", "f1", "f2"],
        "data__transforms": [],
        "model__layers": [pretrained, {"type": "dense", "units": 3, "activation": "softmax"}],
        "training__procedure": {"type": "supervised", "loss": "categorical_cross_entropy"},
        "training__metrics": ["accuracy"],
        "training__epochs": 3,
    }
    path = folder / "upper.yaml"
    path.write_text(dump_yaml(spec(table(folder / "t.csv"), **(defaults | changes))))
    return path
