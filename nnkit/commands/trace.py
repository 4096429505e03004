"""``nnkit trace``: one row forward and backward through a network, every node with its value and gradient."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from nnkit.activations import Activation
from nnkit.commands.rows import choose_row
from nnkit.commands.traced import Numbers, TracedNode, TracedWeight, TraceReport, Weights
from nnkit.config.spelling import nearest
from nnkit.data.pipeline import Pipeline
from nnkit.errors import UsageError
from nnkit.inference import plan_of
from nnkit.layers.base import Activated
from nnkit.models.plan import PartedPlan, Plan, value_name
from nnkit.procedures.base import RowLoss
from nnkit.runs.folder import RunFolder
from nnkit.runs.pretrained import load_whole
from nnkit.shapes import show
from nnkit.spec import Experiment, ready

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.nn.trace import Recorded, Traced

    Arrays: TypeAlias = dict[str, NDArray[np.generic]]

LOSS, OUTPUT, TARGET = "loss", "output", "target"
MOST_LISTED = 20


def trace(
    path: Path,
    data: Path | BinaryIO | None = None,
    *,
    row: int | None = None,
    by_hand: Sequence[str] = (),
    of: str | None = None,
    overrides: Sequence[str] = (),
) -> TraceReport:
    """Send one row through the network of a spec, with its first weights, or of a run, with its trained ones.

    It is the row with the number ``row`` (from 0; None is the first) of ``data``, or of the data of the spec or run,
    with what ``by_hand`` has as ``column=value`` in its place. The gradients are those of ``of``: `loss`, `output`, or
    any node, the sum of its numbers or the one of `node[i]`; None is the loss where there is something to train and
    the row has a target, and else the output. The network is in evaluation mode and always computed by torch.
    Raises ``SpecError``, ``DataError``, ``RunError``, and ``UsageError`` for a row or a node that is not there.
    """
    subject = _of_run(path) if is_run(path) else _of_spec(path, overrides)
    if subject.pipeline.tree_input is not None:
        raise UsageError(f"{path}: trees cannot be traced; nnkit predict --format trees tells what every node gives")
    _check_one_network(path, subject)
    chosen = choose_row(
        subject.pipeline, data, row, by_hand, subject.needs_target(of), subject.first if data is None else 0
    )
    if of is None:
        of = LOSS if subject.learns and chosen.dataset.targets is not None else OUTPUT
    values = _values(subject, of == LOSS)
    value, place = _meant(of, values)
    recorded = _recorded(subject, values, chosen.dataset, value.name, place)
    return TraceReport(
        name=subject.experiment.name,
        row=chosen.row,
        weights=subject.weights,
        seed=subject.experiment.seed,
        of=value.name if place is None else f"{value.name}{list(place)}",
        classes=subject.pipeline.classes,
        nodes=[_node(value, recorded) for value in values],
    )


def is_run(path: Path) -> bool:
    """Tell whether a path is to be read as a run's folder, and not as a spec."""
    return path.is_dir() or not (path.exists() or path.suffix in (".yaml", ".yml"))


@dataclass(frozen=True)
class _Subject:
    """A network with weights, and the pipeline of its rows."""

    experiment: Experiment
    pipeline: Pipeline
    plan: Plan
    arrays: "Arrays"
    weights: Weights
    first: int = 0
    """The number of the first row of the source that is used."""

    @property
    def dtype(self) -> "torch.dtype":
        """The numbers to compute with: float64 where training does, else float32."""
        import torch

        return torch.float64 if self.experiment.training.precision == "float64" else torch.float32

    @property
    def loss(self) -> RowLoss | None:
        """The loss of a row, where the procedure has one."""
        return self.experiment.training.procedure.row_loss(self.plan)

    @property
    def learns(self) -> bool:
        """Whether the procedure has a loss of a row, and any weight is trained by it."""
        return self.loss is not None and any(row.trainable for row in self.plan.rows())

    def needs_target(self, of: str | None) -> bool | None:
        """Return whether a row must have its target for the gradients of ``of``; None where it may."""
        if of == LOSS and self.loss is None:
            raise UsageError("--of loss: this procedure has no loss of a row; ask for --of output, or for another node")
        return of == LOSS if of is not None or not self.learns else None


def _check_one_network(path: Path, subject: _Subject) -> None:
    """Raise ``UsageError`` for several networks, and for one that reads more than a row of data."""
    plan = subject.plan
    if isinstance(plan, PartedPlan):
        raise UsageError(f"{path}: has several networks ({', '.join(plan.parts)}), and a row is traced through one")
    if beside := [name for name in plan.inputs if name not in subject.pipeline.input_shapes]:
        raise UsageError(f"{path}: reads {' and '.join(beside)} beside a row of data, and a row alone is traced")


def _of_spec(path: Path, overrides: Sequence[str]) -> _Subject:
    found = ready(load_whole(path, overrides))
    parts = [part for part in (found.prepared.train, found.prepared.validation, found.prepared.test) if part]
    first = min(int(part.rows.min()) for part in parts) if found.experiment.data.where else 0
    arrays: Arrays = {**found.initial_weights()}
    return _Subject(found.experiment, found.prepared.pipeline, found.plan, arrays, "initial", first)


def _of_run(path: Path) -> _Subject:
    run = RunFolder.open(path)
    run.check_usable()
    run.verify()
    experiment, pipeline = run.experiment(), run.pipeline()
    plan = plan_of(run, experiment, pipeline)
    return _Subject(experiment, pipeline, plan, run.weights(plan), "trained")


@dataclass(frozen=True)
class _Value:
    """A value of the computation: what it is called, what computes it and what it reads."""

    name: str
    type: str
    reads: tuple[str, ...] = ()
    module: "torch.nn.Module | None" = None
    """None for what is given: inputs and the target."""
    activation: Activation | None = None
    """The activation that the value comes out of, if any."""
    is_loss: bool = False


def _values(subject: _Subject, with_loss: bool) -> list[_Value]:
    """Return all values in the order of their computation.

    An activation that the loss takes over is a value of its own: the loss reads what is before it, as in training.
    """
    from nnkit.nn.basic import Apply

    plan = subject.experiment.training.procedure.trained(subject.plan)
    values = [_Value(value_name(name), "input") for name in plan.inputs]
    values += _of_layers(plan, subject)
    last = plan.nodes[-1].name
    if plan.head is None and (head := subject.plan.head) is not None:
        name, kind = f"{last}.{head.type_name}", head.type_name
        if plan.nodes[-1].layer.type_name == "activation":  # Without its activation it does nothing.
            (last,), name, kind = values.pop().reads, last, "activation"
        values.append(_Value(name, kind, (last,), Apply(head.build()), head))
    if with_loss and subject.loss is not None:
        taken = {value.name for value in values}
        target, loss = (f"{name}'" if name in taken else name for name in (TARGET, LOSS))
        values.append(_Value(target, TARGET))
        values.append(_Value(loss, subject.loss.name, (last, target), Apply(subject.loss.function), is_loss=True))
    return values


def _of_layers(plan: Plan, subject: _Subject) -> "Iterator[_Value]":
    """Yield the values of the layers, with modules that have their weights and are in evaluation mode."""
    network = plan.build()
    network.to(subject.dtype).train(False)
    network.load_arrays(subject.arrays)
    for node, step in zip(plan.nodes, network.steps, strict=True):
        activation = node.layer.activation if isinstance(node.layer, Activated) else None
        yield _Value(node.name, node.layer.type_name, node.reads, step.module, activation)


_PLACE = re.compile(r"(?P<name>.+?)(?:\[(?P<place>\d+(?: *, *\d+)*)\])?")


def _meant(of: str, values: Sequence[_Value]) -> tuple[_Value, tuple[int, ...] | None]:
    """Return the value that ``of`` names, and the place of the number in it; raises ``UsageError`` for what is none."""
    if of == LOSS:
        return values[-1], None
    match = _PLACE.fullmatch(of)
    name, numbers = (match["name"], match["place"]) if match else (of, None)
    known = {value.name: value for value in values}
    value = known.get(name, values[-1] if name == OUTPUT else None)
    if value is None:
        shown = ", ".join([*list(known)[:MOST_LISTED], *(["..."] if len(known) > MOST_LISTED else [])])
        raise UsageError(f"--of {of}: there is no node {name!r}{nearest(name, known)} The nodes: {shown}; or loss")
    if numbers is None and value.activation is not None and value.activation.type_name == "softmax":
        raise UsageError(
            f"--of {of}: the values of a softmax add up to 1 whatever the row is, so their sum has no gradient; "
            f"choose one, as --of '{of}[0]', or --of loss"
        )
    return value, None if numbers is None else tuple(map(int, numbers.split(",")))


def _recorded(
    subject: _Subject, values: Sequence[_Value], rows: "Dataset", of: str, place: tuple[int, ...] | None
) -> "Recorded":
    """Compute everything; raises ``UsageError`` where the value ``of`` has no number at ``place``."""
    from nnkit.engine.batches import CPU, floats
    from nnkit.engine.device import use_threads
    from nnkit.nn.trace import Part, as_target, record

    use_threads(1)
    parts = [Part(value.name, value.module, value.reads) for value in values if value.module is not None]
    # One row by itself has no padding.
    inputs = {value_name(name): cast("torch.Tensor", floats(x, CPU, subject.dtype)) for name, x in rows.inputs.items()}
    given = [value.name for value in values if value.type == TARGET]
    constants = {name: as_target(rows.targets, subject.dtype) for name in given if rows.targets is not None}
    try:
        return record(parts, inputs, constants, of, place)
    except IndexError as error:
        raise UsageError(
            f"--of {of}{list(place or ())}: {of} has the shape {show(error.args[0])}, and places count from 0"
        ) from None


def _node(value: _Value, recorded: "Recorded") -> TracedNode:
    weights = [
        TracedWeight(name, weight.trained, *_numbers(weight))
        for name, weight in recorded.weights.get(value.name, {}).items()
    ]
    both = _numbers(recorded.values[value.name])
    return TracedNode(value.name, value.type, value.reads, *both, weights, value.is_loss)


def _numbers(traced: "Traced") -> tuple[Numbers, Numbers | None]:
    return Numbers(traced.value), None if traced.gradient is None else Numbers(traced.gradient)
