"""Metrics of numbers; with several targets the mean over them, in the targets' units."""

from typing import TYPE_CHECKING, ClassVar, Literal

from nnkit.metrics import METRICS, Metric
from nnkit.tasks import Task

if TYPE_CHECKING:
    from nnkit.metrics import Floats, Truth

NAN = float("nan")


class _Named(Metric):
    """A metric that scikit-learn has by name."""

    tasks = frozenset({"regression"})
    goal: ClassVar[Literal["max", "min"]] = "min"
    function: ClassVar[str]
    """The name in ``sklearn.metrics``."""

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return what scikit-learn returns."""
        import sklearn.metrics

        return float(getattr(sklearn.metrics, self.function)(truth, outputs, sample_weight=weights))


@METRICS.register("mae")
class MAE(_Named):
    """Mean size of the error."""

    function = "mean_absolute_error"


@METRICS.register("mse")
class MSE(_Named):
    """Mean square of the error."""

    function = "mean_squared_error"


@METRICS.register("rmse")
class RMSE(_Named):
    """Root of the mean square of the error; with several targets the mean of their roots."""

    function = "root_mean_squared_error"


@METRICS.register("mape")
class MAPE(_Named):
    """Mean size of the error as a fraction of the truth (0.1 is 10 percent); undefined where a truth is 0.

    The loss `mean_absolute_percentage_error` is in percent, as in Keras; this is a fraction, as in scikit-learn.
    """

    function = "mean_absolute_percentage_error"

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return what scikit-learn returns, but where it would divide by next to nothing."""
        return super().value(truth, outputs, task, weights) if truth.all() else NAN


@METRICS.register("max_error")
class MaxError(Metric):
    """Size of the largest error of all rows and targets."""

    tasks = frozenset({"regression"})
    goal = "min"

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return the largest error; a row counts the same whatever its weight."""
        import numpy as np

        return float(np.abs(outputs - truth.astype(np.float64)).max())


class _Explained(_Named):
    """A share of the truth's variance; undefined where a target does not vary."""

    goal = "max"

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return what scikit-learn returns."""
        varies = (truth != truth[0]).any(axis=0).all()
        return super().value(truth, outputs, task, weights) if varies else NAN


@METRICS.register("r2")
class R2(_Explained):
    """Share of the variance that the model explains: 1 is perfect, 0 is as good as the mean, worse is below 0."""

    function = "r2_score"


@METRICS.register("explained_variance")
class ExplainedVariance(_Explained):
    """Share of the variance that the model explains when a constant error doesn't count."""

    function = "explained_variance_score"
