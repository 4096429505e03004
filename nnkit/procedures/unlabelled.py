"""What procedures have in common whose data has no targets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from nnkit.data.pipeline import Pipeline
from nnkit.errors import Problem, SpecError
from nnkit.models.base import Model
from nnkit.models.plan import Plan
from nnkit.predictions import OutputColumn
from nnkit.procedures.base import Arrays, Forward, Loop, Place, Procedure, Work
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.engine.batches import Batch
    from nnkit.engine.order import RowOrder

Goal = Literal["max", "min"]


class Unlabelled(Procedure):
    """A way to learn from rows without targets; the labels of a target column only serve to judge and to colour."""

    def task(self, targets: int) -> Task:
        """Return ``unlabelled``; raises ``SpecError`` for more than one column of labels."""
        if targets > 1:
            message = f"{self.type_name} takes one column of labels at most, found {targets}"
            raise SpecError([Problem(("data", "target"), message)])
        return "unlabelled"

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit: metrics, which compare predictions with targets."""
        if not loop.metrics:
            return []
        reported = ", ".join(self.reported_goals())
        message = f"metrics compare with targets, and {self.type_name} reports {reported}; leave it out"
        return [Problem(("training", "metrics"), message)]

    def history_names(self, loop: Loop, validation: bool) -> list[str]:
        """Return the names of the values that the history will hold for each epoch."""
        splits = ("train", "validation") if validation else ("train",)
        return [f"{split}_{name}" for split in splits for name in ("loss", *self.told)]

    @property
    def told(self) -> Sequence[str]:
        """The values beside the loss that the history has for each epoch."""
        return ()

    def order(self, plan: Plan, train: "Dataset", loop: Loop, seed: int) -> "RowOrder":
        """Return the order of the training rows in each epoch of the first phase."""
        return row_order(train, loop, seed, self.type_name)

    def columns(self, model: Model, pipeline: Pipeline) -> list[OutputColumn]:
        """Return what the model gives for each row."""
        raise TypeError(f"{type(self).__name__} does not say what it gives for a row")

    def written(self, model: Model, pipeline: Pipeline) -> list[OutputColumn]:
        """Return all columns that ``predict`` writes for each row."""
        return self.columns(model, pipeline)

    def forward(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what computes the ``columns`` of rows."""
        raise TypeError(f"{type(self).__name__} does not say how it gives them")

    def goals(self) -> dict[str, Goal]:
        """Return the names of ``scores``, and whether larger or smaller is better."""
        raise TypeError(f"{type(self).__name__} does not say what it reports")

    def scores(
        self, pipeline: Pipeline, outputs: "NDArray[np.float64]", truth: "NDArray[np.int64] | None"
    ) -> dict[str, float]:
        """Return what is reported of rows by their ``columns`` [n, k] and labels [n] (-1 for none), NaN for undefined.

        ``truth`` is None where no row has a label.
        """
        raise TypeError(f"{type(self).__name__} does not say what it reports")

    def reported(
        self, model: Model, pipeline: Pipeline, outputs: "NDArray[np.float64]", truth: "NDArray[np.int64] | None"
    ) -> dict[str, float]:
        """Return all that is reported of rows by all columns that ``predict`` writes."""
        return self.scores_by(model, pipeline, outputs, truth)

    def scores_by(
        self, model: Model, pipeline: Pipeline, outputs: "NDArray[np.float64]", truth: "NDArray[np.int64] | None"
    ) -> dict[str, float]:
        """Return the ``scores`` of rows where they follow from the model too."""
        return self.scores(pipeline, outputs, truth)

    def reported_goals(self) -> dict[str, Goal]:
        """Return the names of what is ``reported``, and whether larger or smaller is better."""
        return self.goals()

    def pictures(
        self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place, rows: "Dataset"
    ) -> "dict[str, bytes]":
        """Return pictures for the run folder by their files' names; ``rows`` are those that the run reports on."""
        return {}


def row_order(train: "Dataset", loop: Loop, seed: int, phase: str) -> "RowOrder":
    """Return the order of training rows in each epoch of ``phase``: rows of about one length together."""
    from nnkit.engine.order import RowOrder
    from nnkit.engine.ragged import Ragged

    lengths = next((rows.lengths for rows in train.inputs.values() if isinstance(rows, Ragged)), None)
    return RowOrder(len(train), seed, phase, None, lengths, loop.batch_size * loop.accumulate)


def placed(rows: "Dataset", work: Work) -> "Batch":
    """Return rows on the device, each with its place among them instead of a target."""
    import numpy as np
    import torch

    from nnkit.engine.batches import to_batch

    dtype = torch.float64 if work.loop.precision == "float64" else torch.float32
    places = np.arange(len(rows))
    return to_batch(rows.inputs, places, rows.weights, torch.device(work.device), dtype)
