"""What procedures have in common whose models make rows."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nnkit.data.pipeline import Pipeline
from nnkit.data.visible import picture_shapes, shades
from nnkit.errors import DataError, Problem, UsageError
from nnkit.models.plan import Plan
from nnkit.models.rows import LABEL, ROWS
from nnkit.procedures.base import Arrays, Loop, Place, Work
from nnkit.procedures.forward import BlockForward
from nnkit.procedures.unlabelled import Unlabelled
from nnkit.schedules import ScheduleChoice

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.data.prepare import Prepared
    from nnkit.engine.batches import Batch
    from nnkit.engine.hooks import Hook

FOLDER, PICTURE = "samples", "samples.png"
SHOWN = 64
"""Samples in a picture."""
PICTURES = 10
"""Pictures of samples in a training, about, where the spec does not say."""


class Generative(Unlabelled):
    """A way to train a model that makes rows."""

    ema: float | None = Field(
        default=0.999,
        gt=0,
        lt=1,
        description="Decay of the moving average of the weights that make samples, which the run keeps; null: none.",
    )
    sample_every: int | None = Field(
        default=None,
        gt=0,
        description="Epochs between pictures of samples, always of the same noise, in the run's folder `samples`; "
        "default: a tenth of all.",
    )

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit: metrics, torch.compile, weights of rows."""
        found = super().problems(plan, pipeline, loop)
        if loop.compile:
            found.append(Problem(("training", "compile"), f"{self.type_name} has no compiled form; leave it out"))
        return found

    def hooks(
        self, pipeline: Pipeline, loop: Loop, write: Callable[[str, bytes], None], note: Callable[[str], None]
    ) -> "list[Hook]":
        """Return what draws samples while training goes on, where they are pictures."""
        from nnkit.engine.game import SamplePictures

        every = self.sample_every or max(1, loop.epochs // PICTURES)
        shapes = picture_shapes(pipeline)
        if not shapes:
            return []
        [shape] = shapes.values()

        def save(epoch: int, rows: "NDArray[np.float32]") -> None:
            write(f"{FOLDER}/epoch_{epoch:04d}.png", _grid(rows, shape))

        return [SamplePictures(every, SHOWN, save)]

    def pictures(
        self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place, rows: "Dataset"
    ) -> "dict[str, bytes]":
        """Return a grid of samples, where they are pictures."""
        drawn = self.sampler(plan, weights, pipeline, place).sample(SHOWN, 0, None, None)
        grids = [_grid(drawn[name], shape) for name, shape in picture_shapes(pipeline).items()]
        return {PICTURE: grids[0]} if grids else {}


def _grid(rows: "NDArray[Any]", shape: tuple[int, int, int]) -> bytes:
    from nnkit.frames.mosaics import as_pixels, mosaic, png

    return png(mosaic(as_pixels(shades(rows, shape))))


def labelled(rows: "Dataset", work: Work, conditional: bool) -> "Batch":
    """Return rows on the device as ``input``, and of a conditional model their labels [n] as ``label`` and targets.

    Raises ``DataError`` where a row has no label.
    """
    import numpy as np
    import torch

    from nnkit.engine.batches import to_batch

    [values] = rows.inputs.values()
    inputs, targets = {ROWS: values}, np.arange(len(rows))
    if conditional:
        assert rows.truth is not None  # noqa: S101 - the model asked for labels
        if (rows.truth < 0).any():
            row = int(rows.rows[np.argmin(rows.truth)])
            raise DataError(f"row {row} has no label, and a conditional model learns rows by it; take such rows out")
        inputs[LABEL] = targets = rows.truth
    dtype = torch.float64 if work.loop.precision == "float64" else torch.float32
    return to_batch(inputs, targets, rows.weights, torch.device(work.device), dtype)


def label_rows(truth: "NDArray[np.int64] | None", count: int, classes: int) -> "NDArray[np.float32]":
    """Return labels [count, classes]: a one among zeros, or the same share of each where the label is not known."""
    import numpy as np

    labels = np.full((count, classes), 1 / classes, dtype=np.float32)
    if truth is not None:
        known = truth >= 0
        labels[known] = np.eye(classes, dtype=np.float32)[truth[known]]
    return labels


def chosen_labels(count: int, label: str | None, classes: Sequence[str]) -> "NDArray[np.int64] | None":
    """Return the labels of samples [count]: all one, or each in its turn; None where ``classes`` are none.

    Raises ``UsageError`` for a label that the model does not know.
    """
    import numpy as np

    if not classes:
        if label is not None:
            raise UsageError(f"--label {label}: the model learned rows without their labels; leave --label out")
        return None
    if label is None:
        return np.arange(count) % len(classes)
    if label not in classes:
        raise UsageError(f"--label {label}: there is no such label; those of the model: {', '.join(classes)}")
    return np.full(count, list(classes).index(label))


def factor_of(schedule: ScheduleChoice | None, epochs: int) -> Callable[[float], float]:
    """Return the factor on the learning rate at a place in the training, in epochs."""
    return lambda epoch: schedule.factor(epoch, epochs) if schedule else 1.0


def data_bounds(prepared: "Prepared", most: int = 2000) -> tuple[float, float]:
    """Return the least and the largest value of some training rows, as the network takes them."""
    import numpy as np

    [values] = prepared.train.inputs.values()
    places = np.unique(np.linspace(0, len(prepared.train) - 1, min(most, len(prepared.train))).astype(np.int64))
    some = np.asarray(values[places])
    scale = 255.0 if some.dtype == np.uint8 else 1.0
    return float(some.min()) / scale, float(some.max()) / scale


def first_input(pipeline: Pipeline) -> str:
    """Return the name of the data's only input."""
    [name] = pipeline.input_shapes
    return name


def network_of(plan: Plan, weights: Arrays, place: Place) -> "tuple[Any, torch.Tensor]":
    """Return a trained network ready to compute, and an empty tensor on its device and of its type."""
    import torch

    from nnkit.engine.device import pick, use_threads

    device, dtype = pick(place.device), torch.float64 if place.double else torch.float32
    use_threads(place.threads)
    network = plan.build()
    network.load_arrays(weights)
    return network.to(device, dtype).eval(), torch.empty(0, dtype=dtype, device=device)


class Conditioned:
    """What a network that may read labels says of rows; one without a known label counts under the mean of all."""

    def __init__(self, forward: BlockForward, name: str, classes: int | None) -> None:
        """Ask ``forward`` of the rows of the input ``name``, with their labels where there are ``classes``."""
        self._forward = forward
        self._name = name
        self._classes = classes

    def outputs(self, rows: "Dataset", start: int) -> "NDArray[np.float64]":
        """Return the outputs [n, 1]."""
        inputs = {ROWS: rows.inputs[self._name]}
        if self._classes is not None:
            inputs[LABEL] = label_rows(rows.truth, len(rows), self._classes)
        return self._forward.outputs(replace(rows, inputs=inputs), start)
