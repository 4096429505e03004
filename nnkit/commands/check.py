"""``nnkit check``: everything that training would need, looked at without training."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnkit.data.augmentations import pictures
from nnkit.data.prepare import Prepared
from nnkit.engines import Engine
from nnkit.models.plan import Row
from nnkit.procedures.base import Stage
from nnkit.runs.pretrained import load_whole
from nnkit.shapes import Shape
from nnkit.spec import Ready, ready
from nnkit.tasks import Task


@dataclass(frozen=True)
class CheckReport:
    """What an experiment comes to: its rows, its layers with shapes and parameters, its memory in bytes."""

    name: str
    task: Task
    classes: Sequence[str]
    targets: Sequence[str]
    splits: dict[str, int]
    inputs: dict[str, Shape]
    features: dict[str, list[str]]
    augmented: dict[str, list[str]]
    """The augmentations of each input that is a picture, in order; empty where there are none."""
    layers: Sequence[Row]
    parameters: int
    trainable: int
    phases: Sequence[Stage]
    """The phases of the training where there are several."""
    steps_per_epoch: int
    memory: int
    engine: Engine
    engine_reason: str
    """Why this engine will train, as the rest of a sentence."""
    notes: Sequence[str]
    """What a person should know of the data."""

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def check(spec: Path, *, overrides: Sequence[str] = ()) -> CheckReport:
    """Check a spec, its data and its shapes; raises ``SpecError`` with every mistake, or ``DataError``."""
    return report(ready(load_whole(spec, overrides, fetch=False)))


def _augmented(prepared: Prepared) -> dict[str, list[str]]:
    names = [piece.type_name for piece in prepared.augment]
    return dict.fromkeys(pictures(prepared.pipeline.input_shapes), names) if names else {}


def report(ready: Ready) -> CheckReport:
    """Say what a checked experiment comes to."""
    prepared, plan, training = ready.prepared, ready.plan, ready.experiment.training
    splits = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
    weights = plan.weights().values()
    return CheckReport(
        name=ready.experiment.name,
        task=prepared.pipeline.task,
        classes=prepared.pipeline.classes,
        targets=prepared.pipeline.targets,
        splits={name: len(rows) for name, rows in splits.items() if rows is not None},
        inputs=dict(prepared.pipeline.input_shapes),
        features=dict(prepared.pipeline.feature_names),
        augmented=_augmented(prepared),
        layers=plan.rows(),
        parameters=sum(weight.size for weight in weights),
        trainable=sum(row.trainable for row in plan.rows()),
        phases=training.procedure.stages(plan, training),
        steps_per_epoch=-(-len(prepared.train) // (training.batch_size * training.accumulate)),
        memory=plan.memory(training.batch_size),
        engine=ready.engine.engine,
        engine_reason=ready.engine.reason,
        notes=ready.notes,
    )
