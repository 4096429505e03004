"""Runs of several seeds and folds for tests: started as commands, and compared."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from nnkit.runs.folder import RunFolder

EQUAL = ("weights.safetensors", "predictions.csv", "metrics.json", "confusion_matrix.csv", "pipeline.json")
SHORT: dict[str, Any] = {"training__epochs": 3}
LONG: dict[str, Any] = {"training__epochs": 4000, "training__callbacks": []}
FOLDS: dict[str, Any] = {"data__split": {"folds": 3, "stratify": True, "validation": 0.1}}

# Tests have torch loaded in one thread, which a fork survives; a user's forks come before torch.
FORKING = """
from nnkit.commands import workers
workers.can_fork = lambda: True
from nnkit import cli
cli.main()
"""
WAYS = {"fork": ["-c", FORKING], "spawn": ["-m", "nnkit"]}


def start(way: str, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, *WAYS[way], "train", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def done(way: str, *arguments: str | Path) -> tuple[int, str, str]:
    process = start(way, *arguments)
    output, errors = process.communicate()
    return process.returncode, output.strip(), errors


def history(run: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return [
        {key: value for key, value in line.items() if key not in ("seconds", "rows_per_second")} for line in records
    ]


def same(run: Path, other: Path) -> bool:
    return history(run) == history(other) and all(
        (run / name).read_bytes() == (other / name).read_bytes() for name in EQUAL
    )


def status(run: Path) -> str:
    return RunFolder.open(run).manifest.status
