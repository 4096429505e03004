"""Read what a command left in its folder: a peer's report, or nnkit's run."""

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.rows import Reader, Report

LEAST = 1e-7


def quality(probabilities: Sequence[float], truths: Sequence[int]) -> tuple[float, float]:
    """Return log loss and accuracy of probabilities of class 1, by their definitions."""
    pairs = list(zip(probabilities, truths, strict=True))
    chances = [min(max(p if truth else 1 - p, LEAST), 1 - LEAST) for p, truth in pairs]
    return -mean(map(math.log, chances)), mean(float((p > 0.5) == bool(truth)) for p, truth in pairs)


def peer(truths: Sequence[int]) -> Reader:
    """Return a reader of a peer's report whose probabilities are of these test rows."""

    def read(folder: Path) -> Report:
        found = report_of(folder)
        return Report(found["steps"], found["seconds"], *quality(found["probabilities"], truths))

    return read


def peer_of_seeds(truths: Sequence[int], seeds: int) -> Reader:
    """Return a reader of a peer's report on some of so many seeds: the mean quality of its nets."""

    def read(folder: Path) -> Report:
        found = report_of(folder)
        nets = [quality(net, truths) for net in (found["probabilities"], *found["others"])]
        losses, accuracies = zip(*nets, strict=True)
        # The first net pays for the library's warming up, which the others would not do again.
        left = (seeds - len(nets)) * median(found["each"][1:] or found["each"])
        scale = seeds / len(nets)
        return Report(found["steps"], found["seconds"], mean(losses), mean(accuracies), scale, unmeasured=left)

    return read


def peer_scores(folder: Path) -> Report:
    """Read a peer's report that gives loss or accuracy itself, or an accuracy for each fold."""
    found = report_of(folder)
    accuracy = mean(found["accuracies"]) if "accuracies" in found else found.get("accuracy")
    return Report(found["steps"], found["seconds"], found.get("loss"), accuracy)


def report_of(folder: Path) -> dict[str, Any]:
    """Return a peer's report as it wrote it."""
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found


def run_folders(folder: Path) -> list[Path]:
    """Return the folders below that hold a trained net, sorted."""
    return sorted(path.parent for path in folder.rglob("weights.safetensors"))


def trained(rows: int, batch: int) -> Reader:
    """Return a reader of an nnkit run on so many training rows: its test predictions and its history."""

    def read(folder: Path) -> Report:
        (run,) = run_folders(folder)
        epochs = history(run)
        steps = len(epochs) * math.ceil(rows / batch)
        probabilities, truths = predictions(run / "predictions.csv")
        return Report(steps, sum(epoch["seconds"] for epoch in epochs), *quality(probabilities, truths))

    return read


def scored_run(steps: int) -> Reader:
    """Return a reader of an nnkit run with the metrics log_loss and accuracy; the seconds are of its last epoch."""

    def read(folder: Path) -> Report:
        (run,) = run_folders(folder)
        found = scores(run)
        return Report(steps, history(run)[-1]["seconds"], found["log_loss"], found["accuracy"])

    return read


def history(run: Path) -> list[dict[str, Any]]:
    """Return a run's epochs."""
    return [json.loads(line) for line in (run / "history.jsonl").read_text(encoding="utf-8").splitlines()]


def predictions(path: Path) -> tuple[list[float], list[int]]:
    """Return the probabilities of class 1 and the truths that a run wrote for its test rows."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [float(row["probability_1"]) for row in rows], [int(row["truth"]) for row in rows]


def truths_of(split: Path) -> list[int]:
    """Return the answers of the test rows of the split churn file."""
    with split.open(newline="", encoding="utf-8") as file:
        return [int(row["Exited"]) for row in csv.DictReader(file) if row["part"] == "test"]


def mean_accuracy(runs: Iterable[Path]) -> float:
    """Return the mean over runs of the test accuracy in ``metrics.json``."""
    return mean(scores(run)["accuracy"] for run in runs)


def scores(run: Path) -> dict[str, float]:
    """Return a run's metrics on its test rows."""
    document: dict[str, dict[str, float]] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return document["test"]
