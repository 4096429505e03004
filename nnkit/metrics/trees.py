"""Metrics of classes that are in order, and of all nodes of trees."""

from nnkit.metrics import METRICS, Metric
from nnkit.metrics.sample import Sample


@METRICS.register("binary_accuracy")
class BinaryAccuracy(Metric):
    """Share of the rows put on the right side of the middle, where the classes are in order; not Keras' of that name.

    Of classes such as 0 to 4 the upper half is positive and the lower negative; rows of the middle class don't count,
    and its probability neither: the half with the larger sum is predicted. As for films in Socher and others, 2013. Of
    trees the rows are the roots.
    """

    tasks = frozenset({"multiclass"})
    goal = "max"

    def value(self, sample: Sample) -> float:
        """Return the share among the rows that are not of the middle class."""
        import numpy as np

        half, upper = sample.classes // 2, -(-sample.classes // 2)
        truth = sample.truth.astype(np.int64)
        counts = (truth < half) | (truth >= upper)
        positive = sample.outputs[:, upper:].sum(axis=1) > sample.outputs[:, :half].sum(axis=1)
        right = positive == (truth >= upper)
        weights = None if sample.weights is None else sample.weights[counts]
        return float(np.average(right[counts], weights=weights)) if counts.any() else float("nan")


@METRICS.register("node_accuracy")
class NodeAccuracy(Metric):
    """Share of all nodes of trees that are predicted right, leaves and roots among them."""

    tasks = frozenset({"multiclass"})
    of_nodes = True
    goal = "max"

    def value(self, sample: Sample) -> float:
        """Return the share of the nodes."""
        return float(sample.tallies.hits.sum()) / sample.total


@METRICS.register("node_binary_accuracy")
class NodeBinaryAccuracy(BinaryAccuracy):
    """The binary accuracy of all nodes of trees instead of their roots."""

    of_nodes = True
