"""What predictions are of, and so what their columns are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nnkit.tasks import Task

FLAGS = ("0", "1")
CLASSES = ("binary", "multiclass", "tagging")
"""Tasks in which there is one class for each row of the outputs."""
LISTED = ("regression", "tagging", "unlabelled")
"""Tasks whose predictions.csv is written cell by cell."""
Table: TypeAlias = dict[str, list[str]]
"""A table as text: a list of as many cells for each column."""


@dataclass(frozen=True)
class OutputColumn:
    """A column of what a model of unlabelled data gives: numbers, or with ``words`` numbers of these."""

    name: str
    words: Sequence[str] | None = None


@dataclass(frozen=True)
class Layout:
    """What predictions are of: the task, the labels in the model's order and the target columns."""

    task: Task
    classes: Sequence[str]
    """The labels, the positive one last of two; the target columns in multilabel; nothing in regression; tokens."""
    targets: Sequence[str]
    quantiles: Sequence[float] = ()
    """Those that outputs give of each target; nothing where each is one number."""
    marks: Sequence[str] = ()
    """What says where each row of a forecast stands: ``series``, ``time``; or a row of tags: ``step``, ``word``."""
    naive: Sequence[str] = ()
    """The naive forecasts that stand beside those of the model."""
    columns: Sequence[OutputColumn] = ()
    """Of unlabelled data what the model gives for each row."""

    @property
    def single(self) -> bool:
        """Whether there is one prediction a row, and not one for each target."""
        return self.task in (*CLASSES, "next") or (self.task == "regression" and len(self.targets) == 1)

    def names(self, what: str) -> list[str]:
        """Return the columns of something that each target has: ``truth``, or ``truth_<target>``."""
        if self.task == "unlabelled":
            return ["label"] if self.targets else []
        return [what] if self.single else [f"{what}_{target}" for target in self.targets]

    @property
    def predictions(self) -> list[str]:
        """The columns of predictions: as ``names`` has them, with quantiles ``prediction_<target>_q10``, ..."""
        names = self.names("prediction")
        return [f"{name}_{quantile}" for name in names for quantile in self.tails] if self.quantiles else names

    @property
    def tails(self) -> list[str]:
        """The quantiles as they end the names of columns: ``q10``."""
        return [f"q{100 * quantile:.6g}" for quantile in self.quantiles]

    @property
    def probabilities(self) -> list[str]:
        """The columns of probabilities: ``probability_<class>`` in the model's order; none in regression.

        Of a language model the log of the probability of what came, ``log_probability``.
        """
        if self.task == "next":
            return ["log_probability"]
        return [] if self.task == "regression" else [f"probability_{name}" for name in self.classes]

    @property
    def members(self) -> list[str]:
        """The members of a prediction in JSON Lines."""
        return self.header if self.task == "unlabelled" else ["prediction", "probabilities"]

    @property
    def header(self) -> list[str]:
        """All columns of a prediction."""
        if self.task == "unlabelled":
            return [column.name for column in self.columns]
        return [*self.predictions, *self.probabilities]
