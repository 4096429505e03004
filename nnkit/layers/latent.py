"""What stands between an encoder and a decoder; a model lays it out, a spec does not name it."""

from typing import TYPE_CHECKING

from pydantic import Field

from nnkit.initializers import INITIALIZERS
from nnkit.layers.base import Layer, OneInput, Weight, last_axis
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import torch

ZEROS = INITIALIZERS.decode("zeros")


class CodebookLayer(OneInput):
    """Takes for each vector the nearest of a learned list.

    Weights: `vectors` (codes x size); where the list follows a moving mean, also `counts` (codes) and `sums`
    (codes x size).
    """

    type_name = "codebook"

    codes: int = Field(gt=0, description="Length of the list.")
    decay: float | None = Field(description="Of the moving mean; null: the list is learned by gradients.")

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the list, and the moving sums that it comes from."""
        size = last_axis(self, inputs)
        if self.decay is None:
            near = 1 / self.codes
            start = INITIALIZERS.decode({"type": "uniform", "minval": -near, "maxval": near})
            return {"vectors": Weight((self.codes, size), start, size, size)}
        shapes = {"vectors": (self.codes, size), "counts": (self.codes,), "sums": (self.codes, size)}
        return {name: Weight(shape, ZEROS, size, size, trained=False) for name, shape in shapes.items()}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import codes

        return codes.Codebook(self.codes, last_axis(self, inputs), self.decay)


class ScalarLayer(Layer):
    """One learned number, whatever it reads. Weight: `value`."""

    type_name = "number"

    start: float = Field(description="What it starts from.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of one number."""
        return ()

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the number."""
        start = INITIALIZERS.decode({"type": "constant", "value": self.start})
        return {"value": Weight((), start, 1, 1)}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import codes

        return codes.Scalar()
