"""Small tables for tests."""

from pathlib import Path
from typing import Any

import numpy as np

from nnkit.data.prepare import Prepared, prepare
from nnkit.data.spec import Data
from nnkit.errors import SpecError
from nnkit.tasks import Task

ONE_HOT: dict[str, Any] = {"type": "one_hot", "columns": ["land"]}


def data(path: Path, **options: Any) -> Data:
    return Data.model_validate({"source": {"type": "csv", "path": str(path)}, **options}, context={"base": Path()})


def write(path: Path, columns: dict[str, list[Any]]) -> Path:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join("" if cell is None else str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def prepared(path: Path, task: Task = "binary", seed: int = 0, **options: Any) -> Prepared:
    return prepare(data(path, **options), lambda count: task, seed)


def people(path: Path, rows: int = 60) -> Path:
    """Write a table of three numbers, a category and a target of two classes."""
    draw = np.random.default_rng(0)
    return write(
        path,
        {
            "age": draw.integers(18, 90, rows).tolist(),
            "height": draw.normal(170, 9, rows).round(2).tolist(),
            "income": draw.lognormal(10, 1, rows).round().tolist(),
            "land": draw.choice(["NA", "DE", "FR"], rows).tolist(),
            "left": [0, 1, 1] * (rows // 3),
        },
    )


def paths(error: SpecError) -> list[str]:
    return [str(problem) for problem in error.problems]


def raw_columns(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    lines = [line.split(",") for line in path.read_text().splitlines()]
    return {name: np.array([line[index] for line in lines[1:]]) for index, name in enumerate(lines[0])}


def idx(values: np.ndarray[Any, Any]) -> bytes:
    """Return bytes as a file of MNIST's format."""
    return bytes((0, 0, 8, values.ndim)) + np.array(values.shape, dtype=">u4").tobytes() + values.tobytes()
