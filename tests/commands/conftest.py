"""Small trained runs, made once, for the tests of the commands that read runs."""

import csv
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nnkit.commands.train import train
from nnkit.config.document import dump_yaml

CITIES = ["Bern", "Genève, CH", 'Oslo "S"']
COLUMNS = ["id", "age", "balance", "city", "left", "kind", "rain", "wind", "price", "days"]
TARGETS: dict[str, Any] = {
    "binary": "left",
    "multiclass": "kind",
    "multilabel": ["rain", "wind"],
    "regression": "price",
    "regressions": ["price", "days"],
}
OUTPUTS = {
    "binary": ("binary_cross_entropy", 1, "sigmoid", ["accuracy", "f1", "roc_auc"]),
    "multiclass": ("categorical_cross_entropy", 3, "softmax", ["accuracy"]),
    "multilabel": ("binary_cross_entropy", 2, "sigmoid", ["accuracy"]),
    "regression": ("mean_squared_error", 1, "linear", ["mae", "r2"]),
    "regressions": ("mean_squared_error", 2, "linear", ["mae", "rmse"]),
}


def make_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows whose targets follow, with noise, from age, balance and city."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        age, balance, city = draw.randint(18, 90), round(draw.gauss(1000, 400), 2), draw.choice(CITIES)
        score = (age - 54) / 20 + (balance - 1000) / 400 + CITIES.index(city) + draw.gauss(0, 0.5)
        row = {"id": number, "age": age, "balance": balance, "city": city}
        row |= {
            "left": "yes" if score > 1 else "no",
            "kind": ["low", "mid, so so", "7"][min(2, max(0, int(score + 1)))],
        }
        row |= {"rain": int(score > 0), "wind": int(age > 50), "price": round(100 + 50 * score, 1), "days": age // 7}
        rows.append(row)
    return rows


def write_csv(path: Path, rows: list[dict[str, Any]], columns: list[str] | None = None) -> Path:
    """Write rows, or some of their columns, as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns or COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSON Lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def make_spec(data: Path, kind: str, **split: Any) -> dict[str, Any]:
    """Return the spec of a small experiment of a kind."""
    loss, units, activation, metrics = OUTPUTS[kind]
    target = TARGETS[kind]
    unused = [name for name in COLUMNS[4:] if name not in ([target] if isinstance(target, str) else target)]
    spec: dict[str, Any] = {
        "name": kind,
        "seed": 3,
        "data": {
            "source": {"type": "csv", "path": str(data)},
            "target": target,
            "drop": ["id", *unused],
            "split": split or {"test": 0.2, "validation": 0.1},
            "transforms": [{"type": "one_hot", "columns": ["city"]}, "standard_scale"],
        },
        "model": {
            "type": "network",
            "layers": [
                {"type": "dense", "units": 9, "activation": "relu"},
                {"type": "dense", "units": units, "activation": activation},
            ],
        },
        "training": {
            "procedure": {"type": "supervised", "loss": loss, "optimizer": {"type": "adam", "lr": 0.01}},
            "epochs": 4,
            "batch_size": 16,
            "metrics": metrics,
        },
    }
    if kind.startswith("regression"):
        spec["data"]["target_transform"] = "standard_scale"
    return spec


def train_spec(folder: Path, spec: dict[str, Any]) -> Path:
    """Train a spec under ``folder`` and return the run."""
    path = folder / f"{spec['name']}.yaml"
    path.write_text(dump_yaml(spec), encoding="utf-8")
    return train(path, out=folder / "runs", device="cpu")


@dataclass(frozen=True)
class Toys:
    """A table, and a run of each kind trained on it."""

    data: Path
    rows: list[dict[str, Any]]
    runs: dict[str, Path]


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    """Train all kinds once."""
    folder = tmp_path_factory.mktemp("toys")
    rows = make_rows(240)
    data = write_csv(folder / "toy.csv", rows)
    return Toys(data, rows, {kind: train_spec(folder, make_spec(data, kind)) for kind in TARGETS})
