"""Metrics of numbers; with several targets the mean over them, in the targets' units."""

from typing import TYPE_CHECKING, ClassVar, Literal

from nnkit.metrics import METRICS, Metric
from nnkit.metrics.sample import Sample

if TYPE_CHECKING:
    from nnkit.metrics.sample import Floats

NAN = float("nan")


class _OfErrors(Metric):
    """A metric of outputs - truth, [n, targets]."""

    tasks = frozenset({"regression"})
    goal: ClassVar[Literal["max", "min"]] = "min"

    def value(self, sample: Sample) -> float:
        """Return the mean over the targets."""
        import numpy as np

        return float(self.by_target(sample, sample.outputs - sample.truth.astype(np.float64)).mean())

    def by_target(self, sample: Sample, errors: "Floats") -> "Floats":
        """Return the metric of each target."""
        raise TypeError(f"{type(self).__name__} does not say what it computes")


@METRICS.register("mae")
class MAE(_OfErrors):
    """Mean size of the error."""

    def by_target(self, sample: Sample, errors: "Floats") -> "Floats":
        """Return scikit-learn's mean_absolute_error."""
        return sample.mean(abs(errors))


@METRICS.register("mse")
class MSE(_OfErrors):
    """Mean square of the error."""

    def by_target(self, sample: Sample, errors: "Floats") -> "Floats":
        """Return scikit-learn's mean_squared_error."""
        return sample.mean(errors**2)


@METRICS.register("rmse")
class RMSE(_OfErrors):
    """Root of the mean square of the error; with several targets the mean of their roots."""

    def by_target(self, sample: Sample, errors: "Floats") -> "Floats":
        """Return scikit-learn's root_mean_squared_error."""
        roots: Floats = sample.mean(errors**2) ** 0.5
        return roots


@METRICS.register("mape")
class MAPE(_OfErrors):
    """Mean size of the error as a fraction of the truth (0.1 is 10 percent); undefined where a truth is 0.

    The loss `mean_absolute_percentage_error` is in percent, as in Keras; this is a fraction, as in scikit-learn.
    """

    def by_target(self, sample: Sample, errors: "Floats") -> "Floats":
        """Return scikit-learn's mean_absolute_percentage_error, but where it would divide by next to nothing."""
        import numpy as np

        least = np.finfo(np.float64).eps
        shares = abs(errors) / np.maximum(abs(sample.truth.astype(np.float64)), least)
        return sample.mean(shares if sample.truth.all() else shares * NAN)


@METRICS.register("max_error")
class MaxError(Metric):
    """Size of the largest error of all rows and targets."""

    tasks = frozenset({"regression"})
    goal = "min"

    def value(self, sample: Sample) -> float:
        """Return the largest error; a row counts the same whatever its weight."""
        import numpy as np

        return float(np.abs(sample.outputs - sample.truth.astype(np.float64)).max())


class _Explained(_OfErrors):
    """A share of the truth's variance; undefined where a target does not vary."""

    goal = "max"

    def by_target(self, sample: Sample, errors: "Floats") -> "Floats":
        """Return 1 - what is not explained / variance of the truth."""
        import numpy as np

        truth = sample.truth.astype(np.float64)
        variance = sample.mean((truth - sample.mean(truth)) ** 2)
        return np.where((truth != truth[0]).any(axis=0), 1 - self.unexplained(sample, errors) / variance, NAN)

    def unexplained(self, sample: Sample, errors: "Floats") -> "Floats":
        """Return how much of the variance of each target is left."""
        raise TypeError(f"{type(self).__name__} does not say what it computes")


@METRICS.register("r2")
class R2(_Explained):
    """Share of the variance that the model explains: 1 is perfect, 0 is as good as the mean, worse is below 0."""

    def unexplained(self, sample: Sample, errors: "Floats") -> "Floats":
        """Return the mean square of the errors: the score is scikit-learn's r2_score."""
        return sample.mean(errors**2)


@METRICS.register("explained_variance")
class ExplainedVariance(_Explained):
    """Share of the variance that the model explains when a constant error doesn't count."""

    def unexplained(self, sample: Sample, errors: "Floats") -> "Floats":
        """Return the variance of the errors: the score is scikit-learn's explained_variance_score."""
        return sample.mean((errors - sample.mean(errors)) ** 2)
