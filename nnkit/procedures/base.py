"""What every procedure says of itself, and the options that all of them share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, TypeAlias

from pydantic import Field

from nnkit.config.piece import Options, Piece
from nnkit.config.registry import Registry
from nnkit.errors import Problem, UsageError
from nnkit.metrics import MetricChoice
from nnkit.predictions import OutputColumn
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.data.pipeline import Pipeline
    from nnkit.data.prepare import Prepared
    from nnkit.engine.hooks import Hook
    from nnkit.engine.native import NativeNetwork
    from nnkit.engine.order import RowOrder
    from nnkit.engine.phase import Phase
    from nnkit.engine.scoring import Finish
    from nnkit.losses import Function
    from nnkit.models.plan import Plan
    from nnkit.nn.graph import GraphNetwork
    from nnkit.nn.parts import PartedNetwork


Arrays: TypeAlias = Mapping[str, Any]
"""Weights by name, as arrays."""


class Loop(Options):
    """The options of training that don't depend on the procedure."""

    epochs: int = Field(gt=0, description="Passes over the training rows.")
    batch_size: int = Field(default=32, gt=0, description="Rows that go through the network at once.")
    metrics: list[MetricChoice] = Field(
        default=[],
        description="Computed after every epoch on training and validation rows, and in the end on the test rows.",
    )
    clip_norm: float | None = Field(default=None, gt=0, description="Largest norm of the whole gradient.")
    clip_value: float | None = Field(default=None, gt=0, description="Largest absolute value of one gradient.")
    accumulate: int = Field(default=1, gt=0, description="Batches whose gradients one optimizer step adds up.")
    compile: bool = Field(
        default=False,
        description="Pass the network through torch.compile, which takes seconds to minutes first: for large networks "
        "on a GPU and long trainings. It needs a C++ compiler.",
    )
    precision: Literal["float32", "bfloat16", "float16", "float64"] = Field(
        default="float32",
        description="Arithmetic: float32 or float64 throughout; bfloat16 or (CUDA only) float16 with float32 weights.",
    )


@dataclass(frozen=True)
class Stage:
    """A phase as ``nnkit check`` tells it: its name, its epochs, and how many numbers it trains."""

    name: str
    epochs: int
    trained: int


@dataclass(frozen=True)
class Work:
    """All that a procedure's phases are made from."""

    plan: "Plan"
    network: "GraphNetwork | PartedNetwork | NativeNetwork"
    prepared: "Prepared"
    loop: Loop
    seed: int
    device: str


@dataclass(frozen=True)
class RowLoss:
    """A loss by its name, and what computes it: outputs [n, ...] and training targets -> [n]."""

    name: str
    function: "Function"


@dataclass(frozen=True)
class Place:
    """Where a trained model computes: ``device`` is auto, cpu, cuda or mps; ``double`` is for float64."""

    device: str
    threads: int
    double: bool = False


class Forward(Protocol):
    """What a trained model says of rows: the same for a row however the rows are cut into chunks."""

    def outputs(self, rows: "Dataset", start: int) -> "NDArray[np.float64]":
        """Return the outputs [n, ...] for ``rows``, the first of which has the number ``start`` in its stream."""


class Sampler(Protocol):
    """What draws rows from a generative model."""

    def sample(self, count: int, seed: int, label: str | None, steps: int | None) -> "dict[str, NDArray[np.float32]]":
        """Return ``count`` rows by input [count, ...], as the network takes them: pictures from 0 to 1.

        The same ``seed`` draws the same rows. ``label`` is for conditional models, ``steps`` for those that draw in
        steps, None for what is usual. Raises ``UsageError`` for one that the model has no use for.
        """


class Procedure(Piece):
    """A way to train a model."""

    models: ClassVar[tuple[str, ...]] = ()
    """The model types that the procedure can train."""
    rising: ClassVar[tuple[str, ...]] = ()
    """Values of the history, without ``train_`` and ``validation_``, that are better the larger they are."""

    @property
    def quantiles(self) -> Sequence[float]:
        """The quantiles of each target that the network gives, nothing where it gives one number."""
        return ()

    def task(self, targets: int) -> Task:
        """Return the task that a spec with so many target columns means."""
        raise TypeError(f"{type(self).__name__} does not say its task")

    def problems(self, plan: "Plan", pipeline: "Pipeline", loop: Loop) -> list[Problem]:
        """Return what does not fit between the network, the data and the procedure."""
        return []

    def row_problems(self, plan: "Plan", prepared: "Prepared", loop: Loop, seed: int) -> list[Problem]:
        """Return what of the prepared rows does not fit the network or the procedure."""
        return []

    def trained(self, plan: "Plan") -> "Plan":
        """Return the plan of the network that is trained and saved: that of the model, or one with more parts."""
        return plan

    def not_native(self, plan: "Plan", loop: Loop) -> str | None:
        """Return why the native engine cannot train ``plan`` by this procedure, or None where it can."""
        return f"it has no procedure {self.type_name}"

    def finish(self, plan: "Plan", task: Task) -> "Finish":
        """Return what turns the trained network's outputs [n, ...] into the arrays of ``nnkit.tasks``.

        It takes torch's tensors and the native engine's arrays.
        """
        raise TypeError(f"{type(self).__name__} does not say how it finishes")

    def order(self, plan: "Plan", train: "Dataset", loop: Loop, seed: int) -> "RowOrder":
        """Return the order of the training rows in each epoch of the first phase."""
        raise TypeError(f"{type(self).__name__} does not say its order")

    def row_loss(self, plan: "Plan") -> RowLoss | None:
        """Return the loss of a row by what ``trained(plan)`` gives for it; None where a row has none.

        It has no row weights, class weights or penalties in it.
        """
        return None

    def stages(self, plan: "Plan", loop: Loop) -> list[Stage]:
        """Return the phases where there are several; nothing where all epochs are alike."""
        return []

    def history_names(self, loop: Loop, validation: bool) -> list[str]:
        """Return the names of the values that the history will hold for each epoch."""
        splits = ("train", "validation") if validation else ("train",)
        return [f"{split}_{key}" for split in splits for key in ("loss", *(metric.key for metric in loop.metrics))]

    def notes(self, plan: "Plan", prepared: "Prepared") -> list[str]:
        """Return what a person should know before training, in sentences: what may be meant, and more likely is not."""
        return []

    def hooks(
        self, pipeline: "Pipeline", loop: Loop, write: Callable[[str, bytes], None], note: Callable[[str], None]
    ) -> "list[Hook]":
        """Return what looks at the procedure's phases between epochs.

        ``write`` puts a file into the run's folder, and ``note`` tells people a sentence.
        """
        return []

    def findings(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return what the model card says of a history, in sentences."""
        return []

    def code_names(self, plan: "Plan") -> list[str]:
        """Return the names of a code's numbers; nothing where the model has no codes."""
        return []

    def code_columns(self, plan: "Plan") -> list[OutputColumn]:
        """Return the columns of a code: numbers, or with words numbers of these."""
        return [OutputColumn(name) for name in self.code_names(plan)]

    def encoder(self, plan: "Plan", weights: "Arrays", pipeline: "Pipeline", place: Place) -> Forward:
        """Return what gives the codes of rows [n, len(code_names)]; raises ``UsageError`` where there are none."""
        raise UsageError(f"nothing that {self.type_name} trains has codes; nnkit predict says what the model gives")

    def sampler(self, plan: "Plan", weights: "Arrays", pipeline: "Pipeline", place: Place) -> Sampler:
        """Return what draws rows from the model; raises ``UsageError`` where it is not a generative one."""
        raise UsageError(f"nothing that {self.type_name} trains draws rows; nnkit predict says what the model gives")

    def phases(self, work: Work) -> "Iterator[Phase]":
        """Yield the phases one after the other; each may depend on what the one before has left."""
        raise TypeError(f"{type(self).__name__} does not say its phases")


PROCEDURES = Registry("procedures", "procedure", Procedure, home="nnkit.procedures")
ProcedureChoice: TypeAlias = Annotated[Procedure, PROCEDURES]
