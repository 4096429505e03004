"""Gaussian mixtures: groups as distributions."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nnkit.models.base import MODELS
from nnkit.models.clusters import CLUSTER, Clusters, Goal, numbers
from nnkit.predictions import OutputColumn

if TYPE_CHECKING:
    from nnkit.frames.clusters import Fit, State
    from nnkit.models.clusters import Floats


@MODELS.register("gaussian_mixture")
class GaussianMixture(Clusters):
    """Takes rows for draws from several Gaussian distributions, fitted by expectation maximisation in scikit-learn.

    `nnkit predict` gives the likeliest component, its probability, and the log of the row's density: low for outliers.
    Components are numbered by their means, from the smallest first value.
    """

    components: int = Field(gt=0, le=10_000, description="Number of distributions.")
    covariance: Literal["full", "tied", "diagonal", "spherical"] = Field(
        default="full",
        description="Shape of each: any; any, the same for all; along the axes; round.",
    )
    floor: float = Field(default=1e-6, ge=0, description="Added to each variance, so that none becomes 0.")
    restarts: int = Field(default=1, gt=0, le=10_000, description="Fits from other beginnings; the best is kept.")
    tolerance: float = Field(default=1e-3, gt=0, description="Gain of the mean log-likelihood that is none.")

    @property
    def wanted(self) -> tuple[str, int]:
        """As many as components, and two."""
        return "components", max(self.components, 2)

    @property
    def fits(self) -> int:
        """As often as the spec says."""
        return self.restarts

    def shapes(self, values: int, rows: int) -> dict[str, tuple[int, ...]]:
        """Return weights, means, and factors of the inverse covariances."""
        count, each = self.components, (values, values)
        factors = {"full": (count, *each), "tied": each, "diagonal": (count, values), "spherical": (count,)}
        return {"weights": (count,), "means": (count, values), "precisions": factors[self.covariance]}

    def columns(self, rows: int) -> list[OutputColumn]:
        """Return the component, its probability and the log of the row's density."""
        words = numbers(self.components)
        return [OutputColumn(CLUSTER, words), OutputColumn("probability"), OutputColumn("log_likelihood")]

    def fit(self, points: "Floats", passes: int, seed: int) -> "tuple[Fit, dict[str, float]]":
        """Fit once; what is told are the passes, and the information criteria by which components are chosen."""
        import math

        from nnkit.frames.clusters import fit_mixture

        found = fit_mixture(points, self.components, self.covariance, self.floor, passes, self.tolerance, seed)
        rows, free = len(points), self.free(points.shape[1])
        bic, aic = 2 * found.loss * rows + free * math.log(rows), 2 * found.loss * rows + 2 * free
        return found, {"passes": float(found.passes), "bic": bic, "aic": aic}

    def free(self, values: int) -> int:
        """Return how many numbers of a mixture are free."""
        shape, count = values * (values + 1) // 2, self.components
        each = {"full": count * shape, "tied": shape, "diagonal": count * values, "spherical": count}
        return each[self.covariance] + count * values + count - 1

    def judge(self, points: "Floats", state: "State") -> "Floats":
        """Return component, probability and log-likelihood."""
        import numpy as np

        from nnkit.frames.clusters import log_sum, mixture_log_densities

        joint = mixture_log_densities(points, state, self.covariance)
        total = log_sum(joint)
        return np.column_stack([joint.argmax(axis=1), np.exp(joint.max(axis=1) - total), total])

    def unusual(self, outputs: "Floats") -> "Floats":
        """Return minus the log-likelihood."""
        return -outputs[:, 2]

    def loss(self, outputs: "Floats") -> float:
        """Return minus the mean log-likelihood."""
        return -float(outputs[:, 2].mean())

    def reported(self, outputs: "Floats") -> dict[str, float]:
        """Return the means of log-likelihood and probability."""
        return {"log_likelihood": float(outputs[:, 2].mean()), "probability": float(outputs[:, 1].mean())}

    @classmethod
    def goals(cls) -> dict[str, Goal]:
        """Return the log-likelihood and the probability."""
        return {"log_likelihood": "max", "probability": "max"}
