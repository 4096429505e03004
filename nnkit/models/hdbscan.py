"""HDBSCAN: groups as dense regions."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nnkit.models.base import MODELS
from nnkit.models.clusters import CLUSTER, Clusters, Goal, numbers
from nnkit.predictions import OutputColumn

if TYPE_CHECKING:
    from nnkit.frames.clusters import Fit, State
    from nnkit.models.clusters import Floats, Numbers


NOISE = "noise"


@MODELS.register("hdbscan")
class Hdbscan(Clusters):
    """Finds dense regions of any shape, however many there are, and calls rows outside noise (Campello, 2013).

    It is fitted by scikit-learn, and keeps all training rows. `nnkit predict` gives the cluster of the row that is
    nearest by mutual reachability, unless that is noise, or farther than the longest step inside that cluster; and this
    distance to the nearest row of any cluster. Clusters are numbered from the largest.
    """

    min_cluster_size: int = Field(default=5, ge=2, description="Rows that a region needs to be a cluster.")
    min_samples: int | None = Field(
        default=None,
        gt=0,
        description="Neighbours, the row itself among them, that make a place dense; default: min_cluster_size.",
    )
    selection: Literal["eom", "leaf"] = Field(
        default="eom", description="Which regions are clusters: those that last longest (`eom`), or the smallest ones."
    )
    epsilon: float = Field(default=0.0, ge=0, description="Distance below which clusters are not parted any more.")

    @property
    def neighbours(self) -> int:
        """How many neighbours make a place dense."""
        return self.min_samples or self.min_cluster_size

    @property
    def wanted(self) -> tuple[str, int]:
        """As many as a cluster, or as neighbours."""
        if self.neighbours > self.min_cluster_size:
            return "min_samples", self.neighbours
        return "min_cluster_size", self.min_cluster_size

    @property
    def in_passes(self) -> bool:
        """Fitting sees the rows once."""
        return False

    def shapes(self, values: int, rows: int) -> dict[str, tuple[int, ...]]:
        """Return the rows, and of each its core distance, its cluster and how far that reaches."""
        return {"rows": (rows, values), "cores": (rows,), "clusters": (rows,), "reaches": (rows,)}

    def columns(self, rows: int) -> list[OutputColumn]:
        """Return the cluster or noise, and the mutual reachability to the nearest row of a cluster."""
        words = [NOISE, *numbers(rows // self.min_cluster_size)]
        return [OutputColumn(CLUSTER, words), OutputColumn("distance")]

    def fit(self, points: "Floats", passes: int, seed: int) -> "tuple[Fit, dict[str, float]]":
        """Fit; the loss is the share of noise."""
        from nnkit.frames.clusters import Fit, fit_dense

        state, count = fit_dense(points, self.min_cluster_size, self.neighbours, self.selection, self.epsilon)
        noise = float((state["clusters"] < 0).mean())
        return Fit(state, noise, 1), {"clusters": float(count), "noise": noise}

    def judge(self, points: "Floats", state: "State") -> "Floats":
        """Return cluster and distance."""
        import numpy as np

        from nnkit.frames.clusters import join_dense

        found, distances = join_dense(points, state, self.neighbours)
        return np.column_stack([found + 1, distances])

    def clusters_of(self, outputs: "Floats") -> "Numbers":
        """Return the cluster of each row, -1 for noise."""
        return super().clusters_of(outputs) - 1

    def loss(self, outputs: "Floats") -> float:
        """Return the share of noise."""
        return float((outputs[:, 0] == 0).mean())

    def reported(self, outputs: "Floats") -> dict[str, float]:
        """Return the share of noise, and how many clusters have a row."""
        import numpy as np

        return {"noise": self.loss(outputs), "clusters": float(len(np.unique(outputs[outputs[:, 0] > 0, 0])))}

    @classmethod
    def goals(cls) -> dict[str, Goal]:
        """Return the share of noise and the clusters."""
        return {"noise": "min", "clusters": "max"}
