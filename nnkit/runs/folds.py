"""What the runs of a k-fold split, or of several seeds, say together."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any, TypeAlias

Metrics: TypeAlias = Mapping[str, Mapping[str, float | None]]
"""Values by split and metric, as metrics.json has them."""


def combine_folds(folds: Sequence[Metrics]) -> dict[str, Any]:
    """Return metrics.json of a k-fold run: ``mean``, ``deviation`` and ``folds``, each by split and metric.

    The deviation is the sample's (n - 1 in the denominator). A metric that is undefined in some fold has neither.
    """
    return {**_summary(folds), "folds": list(folds)}


def combine_seeds(seeds: Mapping[int, Metrics]) -> dict[str, Any]:
    """Return metrics.json of a run of several seeds: as of folds, with ``seeds``, by seed, in place of ``folds``."""
    return {**_summary(list(seeds.values())), "seeds": {str(seed): metrics for seed, metrics in seeds.items()}}


def _summary(runs: Sequence[Metrics]) -> dict[str, Any]:
    splits = {split: list(values) for split, values in runs[0].items()}
    values = {
        split: {metric: [run[split][metric] for run in runs] for metric in metrics} for split, metrics in splits.items()
    }
    return {"mean": _each(values, _mean), "deviation": _each(values, _deviation)}


def _each(values: Mapping[str, Mapping[str, list[float | None]]], summarize: Any) -> dict[str, dict[str, float | None]]:
    return {
        split: {metric: summarize(_defined(column)) for metric, column in metrics.items()}
        for split, metrics in values.items()
    }


def _defined(column: Sequence[float | None]) -> list[float]:
    """Return the column, or nothing where a value in it is undefined."""
    numbers = [math.nan if value is None else value for value in column]
    return [] if any(map(math.isnan, numbers)) else numbers


def _mean(column: Sequence[float]) -> float | None:
    return mean(column) if column else None


def _deviation(column: Sequence[float]) -> float | None:
    return stdev(column) if len(column) > 1 else None
