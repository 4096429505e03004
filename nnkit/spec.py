"""The experiment: a whole spec, loaded, checked against its data, and written out again."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from nnkit.callbacks import CallbackChoice, Checkpoints, Goal
from nnkit.config.decode import decode, locate
from nnkit.config.document import Document, dump_yaml, load_document
from nnkit.config.piece import Options
from nnkit.config.spelling import nearest
from nnkit.data.augmentations import unfit
from nnkit.data.known import Known
from nnkit.data.prepare import Prepared, preparation, prepare, prepare_folds
from nnkit.data.spec import Data
from nnkit.engines import NOT_BUILT, EngineChoice, Wanted, built, choose_engine, obstacle
from nnkit.errors import DataError, Problem, ResourceError, RunError, SpecError
from nnkit.models.base import ModelChoice
from nnkit.models.plan import Plan, check_memory
from nnkit.models.vectors import filled, word_vectors
from nnkit.procedures.base import Loop, ProcedureChoice
from nnkit.shapes import show

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Device = Literal["auto", "cpu", "cuda", "mps"]


class Training(Loop):
    """How the model is trained."""

    procedure: ProcedureChoice = Field(description="The way of training; must fit the model.")
    callbacks: list[CallbackChoice] = Field(default=[], description="What happens between epochs.")
    device: Device = Field(
        default="auto",
        description="Where tensors live: auto takes CUDA where there is one, but for what the native engine trains.",
    )
    engine: Wanted = Field(
        default="auto",
        description="What computes: `native` is a kernel for small dense networks on the CPU, `torch` does everything; "
        "auto takes the faster one, and `nnkit check` says which and why.",
    )


class Experiment(Options):
    """A whole experiment: data, model and training."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$",
        description="Names the folder of the runs: letters, digits, `_`, `-` and `.`.",
    )
    description: str = Field(default="", description="A sentence for the run's README.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Everything random in a run follows from it.")
    data: Data = Field(description="What the model learns from.")
    model: ModelChoice = Field(description="What is trained.")
    training: Training = Field(description="How it is trained.")


@dataclass(frozen=True)
class Start:
    """What a training begins with instead of chance: weights by full name, and the inputs that they were made for."""

    weights: "Mapping[str, NDArray[np.generic]]"
    inherited: Known | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    """Where the weights of each pretrained layer are from, in words, by its name."""
    absent: frozenset[str] = frozenset()
    """Pretrained layers whose weights were not asked for."""
    worded: frozenset[str] = frozenset()
    """Layers that begin with vectors of words, which follow from the vocabulary of the training rows."""

    @property
    def shared(self) -> "Start | None":
        """What trainings on different rows have in common, if anything."""
        if not self.worded:
            return self
        origin = {name: text for name, text in self.origin.items() if name not in self.worded}
        weights = {name: array for name, array in self.weights.items() if name.split(".")[0] not in self.worded}
        return replace(self, weights=weights, origin=origin, worded=frozenset()) if origin else None

    def of(self, plan: Plan) -> "Start":
        """Return it without weights that ``plan`` does not have; raises ``RunError`` where any is not as there."""
        expected = {
            f"{node.name}.{name}": weight.shape
            for node in plan.nodes
            if node.name.split("/")[0] in self.origin
            for name, weight in node.weights.items()
        }
        wrong = [
            f"{name} is {show(self.weights[name].shape)}, expected {show(shape)}"
            if name in self.weights
            else f"{name} is missing"
            for name, shape in expected.items()
            if name not in self.weights or self.weights[name].shape != shape
        ]
        if wrong:
            listed = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
            raise RunError(f"{'; '.join(self.origin.values())}: not the weights of these layers: {listed}")
        return replace(self, weights={name: self.weights[name].astype("float32") for name in expected})


@dataclass(frozen=True)
class Loaded:
    """An experiment, the document that it was read from, and what its training begins with."""

    experiment: Experiment
    document: Document
    start: Start | None = None


@dataclass(frozen=True)
class Ready:
    """An experiment that nothing stands against: its data prepared, its network planned."""

    experiment: Experiment
    prepared: Prepared
    plan: Plan
    start: Start | None = None

    def initial_weights(self) -> "dict[str, NDArray[Any]]":
        """Return the weights that training begins with: those of pretrained layers, others drawn from the seed."""
        procedure = self.experiment.training.procedure
        drawn = procedure.trained(self.plan).initial_weights(self.experiment.seed)
        return drawn | filled(self.plan, self.start.weights, drawn) if self.start else drawn

    @property
    def notes(self) -> list[str]:
        """What a person should know of the data, and of what the procedure will make of it."""
        return [*self.prepared.notes, *self.experiment.training.procedure.notes(self.plan, self.prepared)]

    @property
    def engine(self) -> EngineChoice:
        """What will compute the training, and why."""
        training, augmented = self.experiment.training, bool(self.prepared.augment)
        return choose_engine(training.engine, training.device, training.procedure, self.plan, training, augmented)


def load(path: Path, overrides: Sequence[str] = ()) -> Loaded:
    """Read a spec with ``key=value`` overrides; raises ``SpecError`` with every mistake in it."""
    document = load_document(path).override(overrides)
    return Loaded(decode(Experiment, document), document)


def dump(experiment: Experiment) -> str:
    """Write an experiment as YAML with every default; loading it gives the same experiment."""
    return dump_yaml(experiment.model_dump(mode="json"))


def ready(loaded: Loaded) -> Ready:
    """Check an experiment against its data; raises ``SpecError`` with every mistake, or ``DataError``."""
    return next(iter(ready_folds(loaded)))


def ready_folds(loaded: Loaded) -> Iterator[Ready]:
    """Check and yield the experiment once for each fold of the split, or once where there are no folds."""
    experiment, procedure = loaded.experiment, loaded.experiment.training.procedure
    found = _Problems(loaded.document)
    found.add(unfit_pair(experiment))
    with found.collecting():
        splits = prepare_folds if experiment.data.split.folds else _prepare_once
        arguments = (experiment.data, procedure.task, experiment.seed, _inherited(loaded), procedure.quantiles)
        for prepared in splits(*arguments):
            yield _checked(loaded, experiment, prepared, found)


class Seeds:
    """An experiment to be trained with several seeds: its data is read once, and split once if no seed changes that.

    Raises as ``ready`` does.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._found = _Problems(loaded.document)
        self._found.add(unfit_pair(loaded.experiment))
        with self._found.collecting():
            procedure = loaded.experiment.training.procedure
            self._preparation = preparation(
                loaded.experiment.data, procedure.task, _inherited(loaded), procedure.quantiles
            )
        self._last: Ready | None = None

    def ready(self, seed: int) -> Ready:
        """Return the experiment with ``seed``."""
        experiment = self._loaded.experiment.model_copy(update={"seed": seed})
        last = self._last
        if last is not None and (last.experiment.seed == seed or not experiment.data.split.drawn):
            return replace(last, experiment=experiment)
        with self._found.collecting():
            self._last = _checked(self._loaded, experiment, self._preparation.once(seed), self._found)
        return self._last


def _inherited(loaded: Loaded) -> Known | None:
    return loaded.start.inherited if loaded.start else None


def _checked(loaded: Loaded, experiment: Experiment, prepared: Prepared, found: "_Problems") -> Ready:
    found.add(_unknown_monitors(experiment, prepared))
    shapes, batch_size = prepared.pipeline.input_shapes, experiment.training.batch_size
    found.add(unfit(prepared.augment, shapes, prepared.train, batch_size))
    plan = _plan(experiment, prepared, found)
    start = loaded.start and loaded.start.of(plan)
    with found.collecting():
        vectors = word_vectors(plan, prepared.pipeline, start.origin if start else ())
    if not vectors.weights:
        return Ready(experiment, prepared, plan, start)
    before = start or Start({})
    start = replace(
        before,
        weights={**before.weights, **vectors.weights},
        origin={**before.origin, **vectors.origin},
        worded=frozenset(vectors.origin),
    )
    return Ready(experiment, replace(prepared, notes=[*prepared.notes, *vectors.notes]), plan, start)


def _prepare_once(*arguments: object) -> Iterator[Prepared]:
    yield prepare(*arguments)  # type: ignore[arg-type]


def _plan(experiment: Experiment, prepared: Prepared, found: "_Problems") -> Plan:
    with found.collecting():
        plan = experiment.model.plan_for(prepared.pipeline)
        training = experiment.training
        procedure = training.procedure
        if not unfit_pair(experiment):
            problems = procedure.problems(plan, prepared.pipeline, training)
            if not (problems or found.problems):
                problems = procedure.row_problems(plan, prepared, training, experiment.seed)
            found.add(problems or _engine_problems(experiment, plan))
        check_memory(plan, training.batch_size, physical_memory())
    return plan


def _engine_problems(experiment: Experiment, plan: Plan) -> list[Problem]:
    """Return why the native engine cannot do what is asked of it; raises ``ResourceError`` where it was not built."""
    training, augmented = experiment.training, bool(experiment.data.augment)
    if training.engine != "native":
        return []
    if reason := obstacle(training.device, training.procedure, plan, training, augmented):
        message = f"the native engine cannot train this: {reason}; set training.engine: auto, or torch"
        return [Problem(("training", "engine"), message)]
    if not built():
        raise ResourceError(f"training.engine: native: {NOT_BUILT}; or set training.engine: auto")
    return []


@dataclass
class _Problems:
    """Gathers mistakes from several checks, so that all of them are told at once."""

    document: Document
    problems: list[Problem] = field(default_factory=list)

    def add(self, problems: Sequence[Problem]) -> None:
        self.problems += problems

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Raise all that was found so far, at the end of the block or with the first check that raises."""
        try:
            yield
        except SpecError as error:
            self.problems += [problem for problem in error.problems if problem not in self.problems]
        except DataError:
            # A spec that is wrong by itself is told first: it may be why the data does not fit.
            if not self.problems:
                raise
        if self.problems:
            raise locate(self.document, SpecError(self.problems))


def unfit_pair(experiment: Experiment) -> list[Problem]:
    """Return that the procedure does not train such a model, where that is so."""
    model, procedure = experiment.model.type_name, experiment.training.procedure
    if model in procedure.models:
        return []
    fitting = ", ".join(procedure.models)
    message = f"{procedure.type_name} trains {fitting}; model.type is {model}: choose a pair that fits"
    return [Problem(("training", "procedure"), message)]


def _unknown_monitors(experiment: Experiment, prepared: Prepared) -> list[Problem]:
    training, problems = experiment.training, []
    names = training.procedure.history_names(training, prepared.validation is not None)
    splits = ("train", "validation") if prepared.validation is not None else ("train",)
    names += [f"{split}_{name}" for split in splits for name in experiment.model.told]
    for index, callback in enumerate(training.callbacks):
        if callback.watched is None or callback.watched in names:
            continue
        path = ("training", "callbacks", index, "monitor")
        problems.append(Problem(path, _monitor_message(callback.watched, names, prepared.validation is not None)))
    return problems


def _monitor_message(monitor: str, names: Sequence[str], validation: bool) -> str:
    if monitor.startswith("validation_") and not validation:
        return f"{monitor} needs validation rows: set data.split.validation, or monitor: train_loss"
    return f"the history has no {monitor!r}{nearest(monitor, names)} It has: {', '.join(names)}"


def goal_of(monitor: str, training: Training) -> Goal:
    """Return whether a larger or a smaller value of ``monitor`` is better."""
    key = monitor.split("_", 1)[-1]
    usual: Goal = "max" if key in training.procedure.rising else "min"
    return next((metric.goal for metric in training.metrics if metric.key == key), usual)


def checkpoints(training: Training) -> Checkpoints:
    """Return the checkpoint options of a run: the spec's, or the defaults."""
    return next((callback for callback in training.callbacks if isinstance(callback, Checkpoints)), Checkpoints())


def physical_memory() -> int:
    """Return the machine's memory in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
