"""K-means: groups around centres."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nnkit.models.base import MODELS
from nnkit.models.clusters import CLUSTER, Clusters, Goal, numbers
from nnkit.predictions import OutputColumn

if TYPE_CHECKING:
    from nnkit.frames.clusters import Fit, State
    from nnkit.models.clusters import Floats


@MODELS.register("k_means")
class KMeans(Clusters):
    """Parts rows by the nearest of so many centres, each the mean of its rows (Lloyd, 1982), as scikit-learn fits them.

    `nnkit predict` gives the cluster and the distance to its centre. Clusters are numbered by their centres, from the
    smallest first value. What distances mean depends on the columns' units: scale them first.
    """

    clusters: int = Field(gt=0, le=10_000, description="Number of centres.")
    init: Literal["k_means++", "random"] = Field(
        default="k_means++", description="Rows to begin from: far from each other (Arthur, 2007), or any."
    )
    restarts: int = Field(default=10, gt=0, le=10_000, description="Fits from other beginnings; the best is kept.")
    tolerance: float = Field(default=1e-4, ge=0, description="Relative move of the centres that is none.")

    @property
    def wanted(self) -> tuple[str, int]:
        """As many as clusters."""
        return "clusters", self.clusters

    @property
    def fits(self) -> int:
        """As often as the spec says."""
        return self.restarts

    def shapes(self, values: int, rows: int) -> dict[str, tuple[int, ...]]:
        """Return the centres."""
        return {"centres": (self.clusters, values)}

    def columns(self, rows: int) -> list[OutputColumn]:
        """Return the cluster and the distance to its centre."""
        return [OutputColumn(CLUSTER, numbers(self.clusters)), OutputColumn("distance")]

    def fit(self, points: "Floats", passes: int, seed: int) -> "tuple[Fit, dict[str, float]]":
        """Fit once; what is told are the passes."""
        from nnkit.frames.clusters import fit_centres

        init = self.init.replace("_", "-")
        found = fit_centres(points, self.clusters, init, passes, self.tolerance, seed)
        return found, {"passes": float(found.passes)}

    def judge(self, points: "Floats", state: "State") -> "Floats":
        """Return cluster and distance."""
        import numpy as np

        from nnkit.frames.clusters import nearest_two

        nearest, distance, _ = nearest_two(points, state["centres"])
        return np.column_stack([nearest, distance])

    def loss(self, outputs: "Floats") -> float:
        """Return the mean squared distance."""
        return float((outputs[:, 1] ** 2).mean())

    def reported(self, outputs: "Floats") -> dict[str, float]:
        """Return the inertia, the sum of squared distances, and the mean distance."""
        distances = outputs[:, 1]
        return {"inertia": float((distances**2).sum()), "distance": float(distances.mean())}

    @classmethod
    def goals(cls) -> dict[str, Goal]:
        """Return the inertia and the mean distance."""
        return {"inertia": "min", "distance": "min"}
