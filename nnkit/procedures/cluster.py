"""Clustering: a model that parts rows into groups is fitted to them at once."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nnkit.data.pipeline import Pipeline
from nnkit.errors import DataError, Problem
from nnkit.metrics.agreement import AGREEMENT, agreement
from nnkit.models.base import Model
from nnkit.models.clusters import Clusters, algorithm, named, state_of
from nnkit.models.gaussian_mixture import GaussianMixture
from nnkit.models.hdbscan import Hdbscan
from nnkit.models.k_means import KMeans
from nnkit.models.plan import Plan
from nnkit.predictions import OutputColumn
from nnkit.procedures.base import PROCEDURES, Arrays, Forward, Loop, Place, Work
from nnkit.procedures.forward import BlockForward
from nnkit.procedures.outliers import Detecting
from nnkit.procedures.outputs import to_float64
from nnkit.procedures.unlabelled import Goal
from nnkit.seeds import key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.engine.fitting import Fitted
    from nnkit.engine.phase import Phase

    Floats = NDArray[np.float64]

MODELS: tuple[type[Clusters], ...] = (KMeans, GaussianMixture, Hdbscan)
UNUSED = {"batch_size": 32, "clip_norm": None, "clip_value": None, "accumulate": 1, "compile": False}
"""The options of training by gradients, with their defaults: nothing of them is used here."""
SEEDS = 2**32
"""scikit-learn takes seeds below it."""
SILHOUETTE = "silhouette"


@PROCEDURES.register("cluster")
class Cluster(Detecting):
    """Fits the groups to all training rows at once; `training.epochs` bounds the passes over the rows of each fit.

    The history has one epoch, with the loss (mean squared distance, minus the mean log-likelihood, or share of noise),
    the passes, the silhouette (of 2,000 rows where there are more), and of a mixture the information criteria BIC and
    AIC. Where rows have labels, it is reported how far clusters agree with them; fitting does not see them.
    """

    models = tuple(model.type_name for model in MODELS)

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit: options of gradients, layers that nothing trains, passes that there are not."""
        found = super().problems(plan, pipeline, loop)
        found += [
            Problem(("training", option), f"is for training by batches and gradients; {self.type_name} has none")
            for option, default in UNUSED.items()
            if getattr(loop, option) != default
        ]
        if loop.precision not in ("float32", "float64"):
            found.append(Problem(("training", "precision"), f"expected float32 or float64, found {loop.precision}"))
        of = algorithm(plan)
        if not of.in_passes and loop.epochs != 1:
            message = f"{of.type_name} sees the rows once: expected 1, found {loop.epochs}"
            found.append(Problem(("training", "epochs"), message))
        return found + [
            Problem(
                node.path,
                f"{self.type_name} does not train {node.name}, and its weights would be those of chance: take layers "
                "over from a run by `pretrained`",
            )
            for node in plan.nodes[:-1]
            if node.weights and node.node.trainable and node.node.weights is None
        ]

    def history_names(self, loop: Loop, validation: bool) -> list[str]:
        """Return the names of what the history has of any of the models."""
        told = ["loss", "passes", SILHOUETTE, "bic", "aic", "clusters", "noise"]
        return [f"train_{name}" for name in told] + (["validation_loss"] if validation else [])

    def columns(self, model: Model, pipeline: Pipeline) -> list[OutputColumn]:
        """Return the cluster of a row, and how far it belongs to it."""
        assert isinstance(model, Clusters)  # noqa: S101 - the pair was checked
        return model.columns(pipeline.known.rows)

    def forward(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what computes the columns of rows."""
        of, state = algorithm(plan), state_of(weights)
        return BlockForward(plan, weights, place, lambda network, inputs: of.judge(_codes(network, inputs), state))

    def code_names(self, plan: Plan) -> list[str]:
        """Return names for the values that are clustered."""
        return [f"code_{number}" for number in range(plan.output_shape[0] or 0)]

    def encoder(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what gives the values that are clustered."""
        return BlockForward(plan, weights, place, _codes)

    def goals(self) -> dict[str, Goal]:
        """Return what any of the models reports."""
        every: dict[str, Goal] = {}
        for model in MODELS:
            every |= model.goals()
        return every | dict.fromkeys(AGREEMENT, "max")

    def unusual(self, model: Model, outputs: "Floats") -> "Floats":
        """Return what the model says: distances, or minus the log-likelihood."""
        assert isinstance(model, Clusters)  # noqa: S101 - the pair was checked
        return model.unusual(outputs)

    def scores_by(
        self, model: Model, pipeline: Pipeline, outputs: "Floats", truth: "NDArray[np.int64] | None"
    ) -> dict[str, float]:
        """Return what the model reports, and how far clusters agree with labels."""
        assert isinstance(model, Clusters)  # noqa: S101 - the pair was checked
        found = model.reported(outputs)
        if truth is not None:
            known = truth >= 0
            found |= agreement(truth[known], model.clusters_of(outputs)[known])
        return found

    def phases(self, work: Work) -> "Iterator[Phase]":
        """Yield the one phase."""
        from nnkit.engine.fitting import FitPhase

        of, train, validation = algorithm(work.plan), work.prepared.train, work.prepared.validation
        network: Any = work.network
        points = _points(work, train)
        others = None if validation is None else _points(work, validation)

        def fit(number: int) -> "Fitted":
            from nnkit.engine.fitting import Fitted
            from nnkit.frames.clusters import FitError

            try:
                found, told = of.fit(points, work.loop.epochs, key(work.seed, self.type_name, number) % SEEDS)
            except FitError as error:
                raise DataError(f"{of.type_name}: {error}") from None
            return Fitted(named(found.state), found.loss, told)

        def summarize(weights: Mapping[str, Any]) -> dict[str, float]:
            return _summary(of, state_of(weights), points, others, work.seed)

        yield FitPhase(self.type_name, network, len(train), of.fits, fit, summarize)


def _summary(
    of: Clusters, state: Mapping[str, Any], points: "Floats", others: "Floats | None", seed: int
) -> dict[str, float]:
    """Return the silhouettes of training rows, and what is to be told of ``others``, which are held out."""
    from nnkit.frames.clusters import silhouette

    outputs = of.judge(points, state)
    known = silhouette(points, of.clusters_of(outputs), seed % SEEDS)
    found = {} if known is None else {f"train_{SILHOUETTE}": known}
    if others is not None:
        found["validation_loss"] = of.loss(of.judge(others, state))
    return found


def _points(work: Work, rows: "Dataset") -> "Floats":
    """Return what is clustered of rows: the values that come to what is fitted."""
    import torch

    network: Any = work.network
    place = Place(work.device, torch.get_num_threads(), work.loop.precision == "float64")
    return BlockForward(work.plan, network.arrays(), place, _codes).outputs(rows, 0)


def _codes(network: Any, inputs: Any) -> "Floats":
    return to_float64(network(inputs))
