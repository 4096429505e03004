"""The churn net from 40 seeds: what a sweep is made of."""

import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.readers import history, mean_accuracy, peer_of_seeds, run_folders, truths_of
from benchmarks.rows import Kind, Reader, Report, Row, Workload
from benchmarks.settings import Settings
from benchmarks.workloads.common import EXPERIMENT, churn_values, lacks_option, script, train

WEIGHTS = "weights.safetensors"


def workloads(settings: Settings) -> list[Workload]:
    """Return the training of the churn net once for each seed."""
    last = settings.seeds - 1
    plain = {**churn_values(settings), "training.metrics": []}
    read, missing = _reader(settings), lacks_option("train", "--seeds")

    def ours(name: str, values: dict[str, Any]) -> Row:
        command = train(EXPERIMENT, values, "--seeds", f"0..{last}")
        return Row(name, "nnkit", "nnkit", command, read, missing=missing)

    return [
        Workload(
            "seeds",
            f"Churn net, {settings.seeds} seeds",
            f"The churn net from the seeds 0 to {last}. nnkit writes a run for each, the first and the last byte-equal "
            "to single runs; a peer its test probabilities. Like the peers, nnkit computes no metrics between epochs, "
            "but for its second row.",
            [
                ours("nnkit train --seeds", plain),
                ours("nnkit train --seeds, five metrics every epoch", churn_values(settings)),
                _torch(settings, "torch, in memory, fused, a loop", "best", "fused"),
                _torch(settings, "the same with torch's own number of threads", "defaults", "fused_threads"),
                _jax(settings),
            ],
            steps=settings.seeds * settings.churn_steps,
        )
    ]


def _job(settings: Settings, seeds: int, **options: Any) -> dict[str, Any]:
    job: dict[str, Any] = {"data": str(settings.split), "epochs": settings.epochs, "batch": settings.batch}
    return {**job, "options": {**options, "seeds": list(range(seeds))}}


def _torch(settings: Settings, name: str, kind: Kind, way: str) -> Row:
    sampled = min(settings.sampled, settings.seeds)
    command = script("torch", "churn_torch", _job(settings, sampled, way=way))
    read = peer_of_seeds(truths_of(settings.split), settings.seeds)
    if sampled == settings.seeds:
        return Row(name, kind, "torch", command, read)
    note = f"{sampled} of {settings.seeds} seeds trained, the others' time added from theirs; --full trains all"
    return Row(f"{name} (scaled)", kind, "torch", command, read, note=note)


def _jax(settings: Settings) -> Row:
    command = script("jax", "churn_jax_scan", _job(settings, settings.seeds))
    read = peer_of_seeds(truths_of(settings.split), settings.seeds)
    return Row("JAX, vmap of lax.scan", "by hand", "jax", command, read)


def _reader(settings: Settings) -> Reader:
    def read(folder: Path) -> Report:
        runs = {seed_of(run): run for run in run_folders(folder)}
        if sorted(runs) != list(range(settings.seeds)):
            return Report(problem=f"runs of {len(runs)} seeds, expected {settings.seeds}")
        for seed in (0, settings.seeds - 1):
            if (runs[seed] / WEIGHTS).read_bytes() != (single_run(settings, seed) / WEIGHTS).read_bytes():
                return Report(problem=f"seed {seed} has other weights than its single run")
        steps = sum(len(history(run)) for run in runs.values()) * settings.rows // settings.batch
        return Report(steps, accuracy=mean_accuracy(runs.values()))

    return read


def seed_of(run: Path) -> int:
    """Return the seed in a run's manifest."""
    return int(json.loads((run / "manifest.json").read_text(encoding="utf-8"))["seed"])


def single_run(settings: Settings, seed: int) -> Path:
    """Return the run of one seed by itself, trained when first asked for."""
    folder = settings.work / f"single-{seed}"
    if not run_folders(folder):
        command = train(EXPERIMENT, churn_values(settings), "--seed", str(seed))(folder)
        subprocess.run(command, check=True, capture_output=True)
    return run_folders(folder)[-1]
