"""Metrics of entities, which tags mark: those of the standard scorer, conlleval."""

from nnkit.metrics import METRICS, Metric
from nnkit.metrics.sample import Sample

NAN = float("nan")


class _OfEntities(Metric):
    """A metric of all entities together; one counts as found where its type and both its ends are right."""

    tasks = frozenset({"tagging"})
    of_entities = True
    goal = "max"

    def value(self, sample: Sample) -> float:
        """Return the share; undefined where it is one of nothing."""
        if sample.entities is None:
            return NAN
        part, whole = self.share(*(int(counts.sum()) for counts in sample.entities))
        return part / whole if whole else NAN

    def share(self, hits: int, predicted: int, true: int) -> tuple[int, int]:
        """Return part and whole, of how many entities are found right, are found, and there are."""
        raise TypeError(f"{type(self).__name__} does not say what it computes")


@METRICS.register("entity_precision")
class EntityPrecision(_OfEntities):
    """Share of the entities found that are there, with that type and both ends, by the rules of conlleval."""

    def share(self, hits: int, predicted: int, true: int) -> tuple[int, int]:
        """Return those right among those found."""
        return hits, predicted


@METRICS.register("entity_recall")
class EntityRecall(_OfEntities):
    """Share of the entities that are found, with their type and both ends, by the rules of conlleval."""

    def share(self, hits: int, predicted: int, true: int) -> tuple[int, int]:
        """Return those right among those that there are."""
        return hits, true


@METRICS.register("entity_f1")
class EntityF1(_OfEntities):
    """The harmonic mean of `entity_precision` and `entity_recall`: the FB1 of conlleval (Tjong Kim Sang, 2002)."""

    def share(self, hits: int, predicted: int, true: int) -> tuple[int, int]:
        """Return twice those right among those found and those there."""
        return 2 * hits, predicted + true
