"""Outliers: rows that a model of unlabelled data finds unusual, by a threshold that training rows have set."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from nnkit.config.piece import Options
from nnkit.config.spelling import nearest
from nnkit.data.pipeline import Pipeline
from nnkit.data.words import Label
from nnkit.errors import Path, Problem
from nnkit.metrics.agreement import DETECTION, detection
from nnkit.models.base import Model
from nnkit.models.plan import Plan
from nnkit.predictions import OutputColumn
from nnkit.procedures.base import Forward, Loop
from nnkit.procedures.unlabelled import Goal, Unlabelled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset

    Floats = NDArray[np.float64]

SCORE, OUTLIER, SHARE = "score", "outlier", "outliers"
COLUMNS = (OutputColumn(SCORE), OutputColumn(OUTLIER, ("no", "yes")))
"""What stands behind the columns of the procedure."""
PLACE: Path = ("training", "procedure", "outliers")


class Outliers(Options):
    """Which rows are called outliers, and what labels say of them."""

    rate: float = Field(
        gt=0,
        le=0.5,
        description="Largest share of the training rows whose score is above the threshold, so that they are outliers.",
    )
    label: Annotated[Label | None, Field(description="Label of true outliers; default: the second of two.")] = None

    def outlier_class(self, classes: Sequence[str]) -> int | None:
        """Return the number of the label of true outliers; None where none of ``classes`` is meant."""
        if self.label is not None:
            return list(classes).index(self.label) if self.label in classes else None
        return 1 if len(classes) == 2 else None

    def problems(self, pipeline: Pipeline) -> list[Problem]:
        """Return what does not fit the rows and their labels."""
        classes, rows = pipeline.classes, pipeline.known.rows
        found = []
        if rows and self.rate * rows < 1:
            message = f"{self.rate:g} of {rows:,} training rows is less than one row: expected {1 / rows:.3g} or more"
            found.append(Problem((*PLACE, "rate"), message))
        if self.label is not None and not classes:
            found.append(Problem((*PLACE, "label"), "there are no labels: name their column by data.target"))
        elif self.label is not None and self.label not in classes:
            message = f"no row has the label {self.label!r}{nearest(self.label, classes)} There are: "
            found.append(Problem((*PLACE, "label"), message + ", ".join(classes[:20])))
        elif classes and self.outlier_class(classes) is None:
            message = f"is missing: {len(classes)} labels ({', '.join(classes[:5])}); say which is that of outliers"
            found.append(Problem((*PLACE, "label"), message))
        return found


class Detecting(Unlabelled):
    """A procedure whose model tells how unusual a row is."""

    outliers: Outliers | None = Field(
        default=None,
        description="Calls unusual rows outliers: `predict` then writes a score, larger for more unusual rows, and "
        "whether it is above the threshold, and `evaluate` compares that with labels where there are any.",
    )

    def unusual(self, model: Model, outputs: "Floats") -> "Floats":
        """Return how unusual rows are [n] by the procedure's own columns [n, k]: larger for more unusual ones."""
        raise TypeError(f"{type(self).__name__} does not say how unusual rows are")

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit, also of outliers."""
        own = [] if self.outliers is None else self.outliers.problems(pipeline)
        return [*super().problems(plan, pipeline, loop), *own]

    def written(self, model: Model, pipeline: Pipeline) -> list[OutputColumn]:
        """Return the columns, and score and flag behind them."""
        return [*super().written(model, pipeline), *(COLUMNS if self.outliers else ())]

    def reported(
        self, model: Model, pipeline: Pipeline, outputs: "Floats", truth: "NDArray[np.int64] | None"
    ) -> dict[str, float]:
        """Return the scores, the share of outliers, and how well they are those of the labels."""
        if self.outliers is None:
            return super().reported(model, pipeline, outputs, truth)
        own, scores, flags = outputs[:, :-2], outputs[:, -2], outputs[:, -1].astype("int64")
        found = super().reported(model, pipeline, own, None) | {SHARE: float(flags.mean())}
        chosen = self.outliers.outlier_class(pipeline.classes)
        if truth is None or chosen is None:
            return found
        known = truth >= 0
        return found | detection((truth[known] == chosen).astype("int64"), scores[known], flags[known])

    def reported_goals(self) -> dict[str, Goal]:
        """Return the goals of scores, and of finding outliers."""
        if self.outliers is None:
            return super().reported_goals()
        return {**super().reported_goals(), SHARE: "min", **dict.fromkeys(DETECTION, "max")}


def threshold(procedure: Detecting, model: Model, forward: Forward, train: "Dataset") -> "NDArray[np.float32]":
    """Return the least score [1] that at most the share ``outliers.rate`` of the training rows is above."""
    import numpy as np

    assert procedure.outliers is not None  # noqa: S101 - the caller looked
    scores = np.sort(procedure.unusual(model, forward.outputs(train, 0)).astype(np.float32))
    above = int(procedure.outliers.rate * len(scores))
    return np.nan_to_num(scores[len(scores) - above - 1 :][:1])


class Flagging:
    """Adds score and flag to the columns of a procedure."""

    def __init__(self, forward: Forward, unusual: "Callable[[Floats], Floats]", threshold: float) -> None:
        self._forward = forward
        self._unusual = unusual
        self._threshold = threshold

    def outputs(self, rows: "Dataset", start: int) -> "Floats":
        """Return the columns of rows, their scores, and 1 where one is above the threshold, else 0."""
        import numpy as np

        found = self._forward.outputs(rows, start)
        with np.errstate(over="ignore"):
            scores = self._unusual(found).astype(np.float32).astype(np.float64)
        # Written so that a score that is no number is above.
        return np.column_stack([found, scores, ~(scores <= self._threshold)])
