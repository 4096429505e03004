"""What a trained autoencoder says of rows, draws, and is drawn as."""

from typing import TYPE_CHECKING, Any

from nnkit.data.pipeline import Pipeline
from nnkit.data.restoring import restore
from nnkit.data.visible import picture_shapes, shades
from nnkit.errors import UsageError
from nnkit.models.autoencoder import DECODER, AutoencoderPlan
from nnkit.models.codes import VariationalCode
from nnkit.predictions import OutputColumn
from nnkit.procedures.base import Arrays, Place
from nnkit.procedures.forward import BlockForward
from nnkit.procedures.outputs import apply, to_float64
from nnkit.seeds import generator
from nnkit.shapes import size

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset

    Floats = NDArray[np.float64]

ERROR, BOUND, ESTIMATE = "error", "bound", "log_likelihood"
GIVEN = "reconstruction_"
SHOWN = 10
"""Pictures in a row of those that the run folder gets."""


def is_told(pipeline: Pipeline) -> bool:
    """Tell whether what is given back is written as columns: pictures are not, they would be thousands."""
    return "image" not in pipeline.known.columns.values()


def given_columns(pipeline: Pipeline) -> list[OutputColumn]:
    """Return the columns of what is given back, in the data's own units and words."""
    import numpy as np

    from nnkit.frames.table import flat_columns

    if not is_told(pipeline):
        return []
    [(name, shape)] = pipeline.input_shapes.items()
    frame = restore(pipeline, {name: np.zeros((0, *(axis or 0 for axis in shape)))}).frame
    return [OutputColumn(f"{GIVEN}{part}", words) for part, _, words in flat_columns(frame)]


class Judged:
    """What a trained autoencoder says of rows: the error, for a variational one the bound, and what is given back.

    The error is the mean squared one, in the network's units. The bound's draws follow from a row's number in its
    stream, and so are the same however the rows are cut.
    """

    def __init__(
        self, plan: AutoencoderPlan, trained: AutoencoderPlan, weights: Arrays, pipeline: Pipeline, place: Place
    ) -> None:
        """Make it; ``trained`` is the plan without the activation that the loss absorbs."""
        self._pipeline = pipeline
        [self._name] = pipeline.input_shapes
        self._shape = tuple(axis or 0 for axis in pipeline.input_shapes[self._name])
        self._told = is_told(pipeline)
        self._code, self._head = plan.code, plan.head if trained is not plan else None
        self._latent = tuple(axis or 0 for axis in plan.parts[DECODER].inputs["code"])
        self._forward = BlockForward(trained, weights, place, self._judge)

    def outputs(self, rows: "Dataset", start: int) -> "Floats":
        """Return the columns of rows [n, k]."""
        import numpy as np

        from nnkit.frames.table import flat_columns

        found = self._forward.outputs(rows, start)
        if not self._told:
            return found
        judged, given = np.split(found, [found.shape[1] - size(self._shape)], axis=1)
        frame = restore(self._pipeline, {self._name: given.reshape(-1, *self._shape)}).frame
        return np.column_stack([judged, *(numbers for _, numbers, _ in flat_columns(frame))])

    def _judge(self, network: Any, inputs: Any) -> "Floats":
        import torch

        from nnkit.engine.autoencoding import Networks

        [rows] = inputs.values()
        networks = Networks(network)
        raw = networks.given_back(rows)
        given = (raw if self._head is None else apply(self._head, raw)).flatten(1)
        columns = [(given - rows.flatten(1)).square().mean(1, keepdim=True)]
        if isinstance(self._code, VariationalCode):
            columns += self._bounds(networks, rows, self._code)
        return to_float64(torch.cat([*columns, *([given] if self._told else [])], 1))

    def _bounds(self, networks: Any, rows: "torch.Tensor", code: VariationalCode) -> "list[torch.Tensor]":
        import numpy as np
        import torch

        from nnkit.engine.autoencoding import bounds

        draws = code.importance or 1
        noise = generator(0, "bound").standard_normal((draws, len(rows), *self._latent), np.float32)
        given = torch.from_numpy(noise).to(rows.device, rows.dtype)
        bound, estimate = bounds(networks, rows, code.likelihood.log, given)
        return [bound[:, None], *([estimate[:, None]] if code.importance else [])]


def encoded(network: Any, inputs: Any) -> "Floats":
    """Return the codes of rows [n, numbers]."""
    from nnkit.engine.autoencoding import Networks

    [rows] = inputs.values()
    return to_float64(Networks(network).code(rows).reshape(len(rows), -1))


class VariationalSampler:
    """Draws codes from the standard normal distribution, and gives what the decoder makes of them."""

    def __init__(self, plan: AutoencoderPlan, weights: Arrays, pipeline: Pipeline, place: Place) -> None:
        [self._name] = pipeline.input_shapes
        self._latent, self._block = plan.parts[DECODER].inputs["code"], plan.block_rows
        self._decoder = BlockForward(plan, weights, place, self._decoded)

    def sample(self, count: int, seed: int, label: str | None, steps: int | None) -> "dict[str, NDArray[np.float32]]":
        """Return ``count`` rows; raises ``UsageError`` for a label or steps, of which it has none."""
        import numpy as np

        from nnkit.data.dataset import Dataset

        if label is not None:
            raise UsageError(f"--label {label}: the autoencoder has learned without labels; leave --label out")
        if steps is not None:
            raise UsageError(f"--steps {steps}: an autoencoder draws in one step; leave --steps out")
        shape = tuple(axis or 0 for axis in self._latent)
        codes = generator(seed, "generate").standard_normal((count, *shape), np.float32)
        rows = self._decoder.outputs(Dataset({"code": codes}, np.arange(count)), 0)
        return {self._name: rows.astype(np.float32)}

    def _decoded(self, network: Any, inputs: Any) -> "Floats":
        from nnkit.engine.autoencoding import Networks

        return to_float64(Networks(network).decoded(inputs["code"]))


def pictures_of(
    plan: AutoencoderPlan, weights: Arrays, pipeline: Pipeline, place: Place, rows: "Dataset"
) -> dict[str, bytes]:
    """Return pictures of rows and of what is given back, and of drawn ones; nothing where rows are no pictures."""
    import numpy as np

    from nnkit.data.dataset import Dataset
    from nnkit.figures.pictures import Tile, picture_grid

    shapes = picture_shapes(pipeline)
    if not shapes or not len(rows):
        return {}
    [(name, shape)] = shapes.items()

    def tiles(values: Any) -> list[Tile | None]:
        return [Tile(picture) for picture in shades(values, shape)]

    def given(network: Any, inputs: Any) -> "Floats":
        from nnkit.engine.autoencoding import Networks

        return to_float64(Networks(network).given_back(inputs[name]))

    count = min(2 * SHOWN, len(rows))
    first = np.asarray(rows.inputs[name][:count])
    originals = first / np.float32(255 if first.dtype == np.uint8 else 1)
    back = BlockForward(plan, weights, place, given).outputs(Dataset({name: first}, np.arange(count)), 0)
    lines = []
    for start in range(0, count, SHOWN):
        lines += [tiles(originals[start : start + SHOWN]), tiles(back[start : start + SHOWN])]
    drawn = {"reconstructions.png": picture_grid(lines, [], "rows, and below each what the autoencoder gives back")}
    if isinstance(plan.code, VariationalCode):
        samples = VariationalSampler(plan, weights, pipeline, place).sample(SHOWN * 6, 0, None, None)[name]
        made = [tiles(samples[start : start + SHOWN]) for start in range(0, len(samples), SHOWN)]
        drawn["samples.png"] = picture_grid(made, [], "drawn from the model")
    return drawn
