"""How rows of nnkit and of peers are made, and what this nnkit can do."""

import json
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.rows import Kind, Reader, Row
from benchmarks.settings import ROOT, Settings, nnkit, python

KERAS = {
    "tensorflow": {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
    "jax": {"KERAS_BACKEND": "jax"},
    "torch": {"KERAS_BACKEND": "torch"},
}
EXPERIMENT = ROOT / "experiments" / "bank_churn.yaml"


def script(env: str, name: str, job: Mapping[str, Any]) -> Callable[[Path], list[str]]:
    """Return the command of a peer's script, which reports into the folder that the run has for itself."""

    def command(folder: Path) -> list[str]:
        return [python(env), "-m", f"benchmarks.peers.{name}", json.dumps({**job, "out": str(folder)})]

    return command


def keras_row(name: str, kind: Kind, backend: str, peer: str, job: Mapping[str, Any], read: Reader, **more: Any) -> Row:
    """Return a row of Keras on one of its backends."""
    return Row(name, kind, backend, script(backend, peer, job), read, variables=KERAS[backend], **more)


def overrides(values: Mapping[str, Any]) -> list[str]:
    """Return ``--set`` options; a value is written as YAML, of which JSON is a part."""
    return [part for key, value in values.items() for part in ("--set", f"{key}={json.dumps(value)}")]


def train(spec: Path, values: Mapping[str, Any], *options: str) -> Callable[[Path], list[str]]:
    """Return the command of a training of nnkit's, whose run goes into the folder that the command has for itself."""

    def command(folder: Path) -> list[str]:
        return nnkit("train", str(spec), *overrides(values), "--out", str(folder / "runs"), "--quiet", *options)

    return command


def churn_values(settings: Settings) -> dict[str, Any]:
    """Return what the churn experiment is told: the shared split, and how long to train."""
    return {
        "data.source.path": str(settings.split),
        "data.split": {"column": "part"},
        "training.epochs": settings.epochs,
        "training.batch_size": settings.batch,
    }


@cache
def said(*arguments: str) -> str:
    """Return what nnkit prints; an empty text where it refuses."""
    return subprocess.run(nnkit(*arguments), capture_output=True, text=True).stdout


def lacks_engines() -> str | None:
    """Return why a spec can't choose its engine, if it can't."""
    training = json.loads(said("schema") or "{}")
    return None if '"engine"' in json.dumps(training) else "not in nnkit yet: training.engine"


def lacks_layers(*names: str) -> str | None:
    """Return which layers nnkit lacks, if any."""
    there = {line.split()[0] for line in said("list", "layers").splitlines() if line.strip()}
    absent = [name for name in names if name not in there]
    return f"not in nnkit yet: {', '.join(absent)}" if absent else None


def lacks_option(command: str, option: str) -> str | None:
    """Return that a command lacks an option, if it does."""
    return None if option in said(command, "--help") else f"not in nnkit yet: {command} {option}"
