"""How far clusters agree with labels that they were not made from, and flagged rows with true outliers."""

from typing import TYPE_CHECKING, TypeAlias

from nnkit.metrics.ranking import mean_precision, precision_recall_curve, share_in_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.metrics.sample import Floats

    Numbers: TypeAlias = NDArray[np.int64]

AGREEMENT = ("adjusted_rand", "normalized_mutual_information", "accuracy")
DETECTION = ("roc_auc", "average_precision", "precision", "recall", "f1")


def contingency(truth: "Numbers", clusters: "Numbers") -> "Numbers":
    """Return how many rows of each class [axis 0] are in each cluster [axis 1]; both are from 0 on."""
    import numpy as np

    shape = truth.max(initial=-1) + 1, clusters.max(initial=-1) + 1
    counts = np.bincount(truth * shape[1] + clusters, minlength=shape[0] * shape[1])
    return counts.reshape(shape)


def agreement(truth: "Numbers", clusters: "Numbers") -> dict[str, float]:
    """Return how far clusters [n] agree with classes [n], as ``AGREEMENT`` names it; each is 1 where they are the same.

    The accuracy is that of the best matching of clusters to classes, each to one. Noise, -1, is a cluster by itself.
    """
    counts = contingency(truth, clusters + 1)
    return dict(zip(AGREEMENT, (adjusted_rand(counts), mutual_information(counts), matched(counts)), strict=True))


def adjusted_rand(counts: "Numbers") -> float:
    """Return the adjusted Rand index (Hubert and Arabie, 1985): 0 for chance."""
    rows = int(counts.sum())
    both, classes, clusters, pairs = (_pairs(part) for part in (counts, counts.sum(1), counts.sum(0), counts.sum()))
    expected = classes * clusters / pairs if rows > 1 else 0.0
    most = (classes + clusters) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _pairs(counts: "Numbers | np.int64") -> float:
    return float((counts * (counts - 1) // 2).sum())


def mutual_information(counts: "Numbers") -> float:
    """Return the mutual information over the mean of both entropies, which is 1 for the same parts."""
    import numpy as np

    shares = counts / max(counts.sum(), 1)
    classes, clusters, joint = (_entropy(part) for part in (shares.sum(1), shares.sum(0), shares))
    mean = (classes + clusters) / 2
    return 1.0 if mean == 0 else float(np.clip((classes + clusters - joint) / mean, 0, 1))


def _entropy(shares: "Floats") -> float:
    import numpy as np

    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())


def matched(counts: "Numbers") -> float:
    """Return the accuracy of the best matching of clusters to classes (Kuhn, 1955)."""
    from scipy.optimize import linear_sum_assignment

    classes, clusters = linear_sum_assignment(counts, maximize=True)
    return float(counts[classes, clusters].sum() / max(counts.sum(), 1))


def detection(outlier: "Numbers", scores: "Floats", flagged: "Numbers") -> dict[str, float]:
    """Return how well scores [n], larger ones for outliers, and flags [n] find them, as ``DETECTION`` names it.

    ``outlier`` and ``flagged`` are 0 or 1. What is undefined, since rows of one kind are missing, is NaN.
    """
    import numpy as np

    hits, found, there = int((outlier * flagged).sum()), int(flagged.sum()), int(outlier.sum())
    finite = np.nan_to_num(scores, nan=np.inf)
    both = 0 < there < len(outlier)
    auc = share_in_order(outlier, finite) if both else np.nan
    precision = mean_precision(*precision_recall_curve(outlier, finite)) if both else np.nan
    shares = (_share(hits, found), _share(hits, there), _share(2 * hits, found + there))
    return dict(zip(DETECTION, (auc, precision, *shares), strict=True))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
