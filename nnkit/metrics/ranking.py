"""Rows in the order of their scores: what ROC and precision-recall curves and the areas under them are made of."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnkit.metrics.sample import Floats, Truth


def cumulated(truth: "Truth", scores: "Floats", weights: "Floats | None" = None) -> "tuple[Floats, Floats]":
    """Return the weight of the rows of the class, and of the others, that each threshold lets in, thresholds falling.

    ``truth`` [n] is 0 or 1, ``scores`` [n] are finite; the thresholds are the different scores.
    """
    import numpy as np

    order = np.argsort(scores)[::-1]
    falling, hit = scores[order], truth[order].astype(np.float64)
    weight = np.ones(len(order)) if weights is None else weights[order]
    last = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)
    return np.cumsum(hit * weight)[last], np.cumsum((1 - hit) * weight)[last]


def roc_curve(truth: "Truth", scores: "Floats", weights: "Floats | None" = None) -> "tuple[Floats, Floats]":
    """Return false and true positive rates from (0, 0) to (1, 1); both kinds of rows must be there."""
    import numpy as np

    hits, others = cumulated(truth, scores, weights)
    return np.append(0.0, others / others[-1]), np.append(0.0, hits / hits[-1])


def precision_recall_curve(
    truth: "Truth", scores: "Floats", weights: "Floats | None" = None
) -> "tuple[Floats, Floats]":
    """Return recalls, rising, and the precision at each; rows of the class must be there."""
    hits, others = cumulated(truth, scores, weights)
    return hits / hits[-1], hits / (hits + others)


def area(x: "Floats", y: "Floats") -> float:
    """Return the area under straight lines between points whose ``x`` rises."""
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1])).sum() / 2)


def mean_precision(recalls: "Floats", precisions: "Floats") -> float:
    """Return the mean of precisions over the recalls that they add: the area under the curve, without lines."""
    import numpy as np

    return float((np.diff(recalls, prepend=0.0) * precisions).sum())


def share_in_order(truth: "Truth", scores: "Floats") -> float:
    """Return the share of pairs of a row of the class and another that are in the right order, equal ones by half.

    It is the area under the ROC curve without weights (Hanley and McNeil, 1982), counted in whole numbers: sorting
    both kinds of rows takes a fifth of the time of ordering them together.
    """
    import numpy as np

    of_class = truth.astype(bool)
    ours, others = np.sort(scores[of_class]), np.sort(scores[~of_class])
    twice = others.searchsorted(ours, "left").sum() + others.searchsorted(ours, "right").sum()
    return float(twice / (2 * len(ours) * len(others)))
