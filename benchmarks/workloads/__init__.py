"""What is timed: a module for each workload, with a function that returns its rows."""

from collections.abc import Callable

from benchmarks.rows import Workload
from benchmarks.settings import Settings
from benchmarks.workloads import churn, cnn, folds, lstm, predict, seeds, startup

WORKLOADS: dict[str, Callable[[Settings], list[Workload]]] = {
    "churn": churn.workloads,
    "seeds": seeds.workloads,
    "folds": folds.workloads,
    "cnn": cnn.workloads,
    "lstm": lstm.workloads,
    "predict": predict.workloads,
    "startup": startup.workloads,
}
