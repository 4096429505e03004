"""Rows in groups, and specs that look for the groups, or for rows that belong to none."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnkit.config.document import dump_yaml

Spec = dict[str, Any]
NAMES = ["ash", "birch", "cedar"]
CENTRES = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])


def points(rows: int = 150, seed: int = 0) -> tuple[NDArray[np.float64], list[str]]:
    """Return rows around three centres, and the names of their groups."""
    draw = np.random.default_rng(seed)
    groups = draw.integers(0, 3, rows)
    return (CENTRES[groups] + draw.normal(size=(rows, 2))).round(3), [NAMES[group] for group in groups]


def table(path: Path, rows: int = 150, seed: int = 0, outliers: int = 0) -> Path:
    """Write a table of such rows: x, y, group and odd, which is yes for so many rows far away."""
    found, groups = points(rows, seed)
    lines = [[*map(str, row), group, "no"] for row, group in zip(found.tolist(), groups, strict=True)]
    draw = np.random.default_rng(seed + 1)
    far = (draw.uniform(9, 14, (outliers, 2)) * draw.choice([-1, 1], (outliers, 2))).round(3)
    for row, place in zip(far.tolist(), draw.choice(len(lines), outliers, replace=False), strict=True):
        lines[place] = [*map(str, row), lines[place][2], "yes"]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["x", "y", "group", "odd"], *lines])
    return path


def spec(data: Path, model: Spec, **changes: Any) -> Spec:
    """Return the spec of a small experiment; ``training__epochs=3`` changes what is at that place."""
    whole: Spec = {
        "name": "groups",
        "seed": 4,
        "data": {
            "source": {"type": "csv", "path": str(data)},
            "target": "group",
            "drop": ["odd"],
            "split": {"test": 0.2, "validation": 0.1},
        },
        "model": model,
        "training": {"procedure": {"type": "cluster"}, "epochs": 1 if model["type"] == "hdbscan" else 100},
    }
    for place, value in changes.items():
        *above, last = place.split("__")
        inner = whole
        for key in above:
            inner = inner[key]
        if value is None:
            inner.pop(last, None)
        else:
            inner[last] = value
    return whole


def write(folder: Path, model: Spec, name: str = "groups", rows: int = 150, outliers: int = 0, **changes: Any) -> Path:
    """Write the table and the spec, and return the spec's path."""
    path = folder / f"{name}.yaml"
    path.write_text(dump_yaml(spec(table(folder / "rows.csv", rows, outliers=outliers), model, **changes)))
    return path
