"""Metrics of decisions: which class was predicted, whatever its probability."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nnkit.metrics import METRICS, Metric, predicted
from nnkit.tasks import Task

if TYPE_CHECKING:
    from nnkit.metrics import Floats, Truth

NAN = float("nan")


@METRICS.register("accuracy")
class Accuracy(Metric):
    """Share of the rows that are predicted right; with several labels, of the rows where every label is."""

    tasks = frozenset({"binary", "multiclass", "multilabel"})
    goal = "max"

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return scikit-learn's accuracy_score."""
        from sklearn.metrics import accuracy_score

        return float(accuracy_score(truth, predicted(outputs, task), sample_weight=weights))


@METRICS.register("balanced_accuracy")
class BalancedAccuracy(Metric):
    """Mean over the classes that occur of the share of their rows that is predicted right."""

    tasks = frozenset({"binary", "multiclass"})
    goal = "max"

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return the mean recall, which is scikit-learn's balanced_accuracy_score."""
        import numpy as np
        from sklearn.metrics import recall_score

        options: dict[str, Any] = {"labels": np.unique(truth), "average": "macro", "zero_division": 0.0}
        return float(recall_score(truth, predicted(outputs, task), sample_weight=weights, **options))


class _PerClass(Metric):
    """A metric of one class, or a mean of it over several."""

    tasks = frozenset({"binary", "multiclass", "multilabel"})
    goal = "max"
    function: ClassVar[str]
    """The name in ``sklearn.metrics``."""

    average: Literal["macro", "micro", "weighted"] | None = Field(
        default=None,
        description="`macro`: mean over the classes; `micro`: all decisions together; `weighted`: mean by the classes' "
        "rows; null: the positive class where there are two, else macro.",
    )

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return what scikit-learn returns; in a mean, 0 for a class that the formula leaves undefined.

        As in scikit-learn, a mean leaves out classes that neither occur nor are predicted; unlike there, also labels.
        """
        import sklearn.metrics

        decided = predicted(outputs, task)
        options: dict[str, Any] = {"average": self.average or "macro", "zero_division": 0.0}
        if task == "binary" and self.average is None:
            options = {"average": "binary", "zero_division": NAN}
        if task == "multilabel":
            options["labels"] = (truth.astype(bool) | decided.astype(bool)).any(axis=0).nonzero()[0]
            if not len(options["labels"]):
                return NAN
        return float(getattr(sklearn.metrics, self.function)(truth, decided, sample_weight=weights, **options))


@METRICS.register("precision")
class Precision(_PerClass):
    """Share of the rows predicted to be of a class that are."""

    function = "precision_score"


@METRICS.register("recall")
class Recall(_PerClass):
    """Share of the rows of a class that are predicted to be, also known as sensitivity."""

    function = "recall_score"


@METRICS.register("f1")
class F1(_PerClass):
    """The harmonic mean of precision and recall."""

    function = "f1_score"


@METRICS.register("specificity")
class Specificity(Metric):
    """Share of the rows that are not of a class and are not predicted to be.

    Of the positive class where there are two, else the mean over the classes or labels.
    """

    tasks = frozenset({"binary", "multiclass", "multilabel"})
    goal = "max"

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return true negatives / all negatives, from scikit-learn's counts."""
        import numpy as np
        from sklearn.metrics import multilabel_confusion_matrix

        classes = [1] if task == "binary" else range(outputs.shape[1])
        counts = multilabel_confusion_matrix(truth, predicted(outputs, task), labels=classes, sample_weight=weights)
        shares = counts[:, 0, 0] / counts[:, 0].sum(axis=1)
        defined = shares[~np.isnan(shares)]
        return float(defined.mean()) if len(defined) else NAN


@METRICS.register("hamming_loss")
class HammingLoss(Metric):
    """Share of the single labels that are predicted wrong."""

    tasks = frozenset({"multilabel"})
    goal = "min"

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return scikit-learn's hamming_loss."""
        from sklearn.metrics import hamming_loss

        return float(hamming_loss(truth, predicted(outputs, task), sample_weight=weights))


@METRICS.register("mcc")
class MCC(Metric):
    """Matthews' correlation between truth and prediction: 1 is perfect, 0 is as good as chance."""

    tasks = frozenset({"binary", "multiclass"})
    goal = "max"

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return scikit-learn's matthews_corrcoef: 0 where the prediction is constant, NaN where the truth is."""
        from sklearn.metrics import matthews_corrcoef

        if (truth == truth[0]).all():
            return NAN
        return float(matthews_corrcoef(truth, predicted(outputs, task), sample_weight=weights))


@METRICS.register("cohen_kappa")
class CohenKappa(Metric):
    """Agreement of truth and prediction beyond chance: 1 is perfect, 0 is as good as chance (Cohen, 1960)."""

    tasks = frozenset({"binary", "multiclass"})
    goal = "max"

    weighting: Literal["linear", "quadratic"] | None = Field(
        default=None, description="Where classes are in order: how errors grow with their distance; null: all the same."
    )

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return scikit-learn's cohen_kappa_score; NaN where truth and prediction are one and the same class."""
        from sklearn.metrics import cohen_kappa_score

        decided = predicted(outputs, task)
        if (truth == truth[0]).all() and (decided == truth[0]).all():
            return NAN
        # All classes are named, since distances are counted in places of this list.
        labels = range(2 if task == "binary" else outputs.shape[1])
        return float(cohen_kappa_score(truth, decided, labels=labels, weights=self.weighting, sample_weight=weights))
