"""Five folds of the churn net: every row is tested once."""

from pathlib import Path
from typing import Any

from benchmarks.readers import history, mean_accuracy, peer_scores, run_folders
from benchmarks.rows import Reader, Report, Row, Workload
from benchmarks.settings import Settings
from benchmarks.workloads.common import EXPERIMENT, script, train

FOLDS = 5


def workloads(settings: Settings) -> list[Workload]:
    """Return the cross-validation of the churn net."""
    job: dict[str, Any] = {"data": str(settings.split), "epochs": settings.epochs, "batch": settings.batch}
    parallel = {**job, "options": {"jobs": -1}}
    return [
        Workload(
            "folds",
            f"Churn net, {FOLDS} folds",
            f"The churn net, {settings.epochs} epochs in each of {FOLDS} folds. A peer scores; "
            "nnkit writes a run for each fold.",
            [
                Row(
                    "nnkit train, split.folds",
                    "nnkit",
                    "nnkit",
                    train(EXPERIMENT, _values(settings)),
                    _reader(settings),
                ),
                Row("scikit-learn", "defaults", "sklearn", script("sklearn", "folds_sklearn", job), peer_scores),
                Row(
                    "scikit-learn, n_jobs -1",
                    "best",
                    "sklearn",
                    script("sklearn", "folds_sklearn", parallel),
                    peer_scores,
                ),
                Row("torch, in memory, fused", "best", "torch", script("torch", "folds_torch", job), peer_scores),
            ],
            steps=FOLDS * settings.churn_steps,
        )
    ]


def _values(settings: Settings) -> dict[str, Any]:
    return {
        "data.source.path": str(settings.churn),
        "data.split": {"folds": FOLDS},
        "training.epochs": settings.epochs,
        "training.batch_size": settings.batch,
    }


def _reader(settings: Settings) -> Reader:
    def read(folder: Path) -> Report:
        runs = run_folders(folder)
        if len(runs) != FOLDS:
            return Report(problem=f"{len(runs)} trained nets, expected {FOLDS}")
        epochs = [epoch for run in runs for epoch in history(run)]
        steps = len(epochs) * settings.rows // settings.batch
        return Report(steps, sum(epoch["seconds"] for epoch in epochs), accuracy=mean_accuracy(runs))

    return read
