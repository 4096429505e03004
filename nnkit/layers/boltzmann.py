"""The layers of Boltzmann machines and deep belief nets; a model lays them out, a spec doesn't name them."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from nnkit.initializers import INITIALIZERS, InitializerChoice
from nnkit.layers.base import Kernels, Layer, Weight, fixed
from nnkit.shapes import Shape, size

if TYPE_CHECKING:
    import torch

ZEROS = INITIALIZERS.decode("zeros")

Visible: TypeAlias = Literal["bernoulli", "gaussian"]
Hidden: TypeAlias = Literal["bernoulli", "rectified"]
Threshold: TypeAlias = Annotated[float, Field(gt=0, le=1)]


class Boltzmann(Layer):
    """Units that follow from all values of a row, and the values from them."""

    units: int = Field(gt=0, description="Number of hidden units.")
    visible: Visible = Field(description="What kind of units the values are.")
    hidden: Hidden = Field(description="What kind of units the hidden ones are.")
    init: InitializerChoice = Field(description="How the kernel is drawn before training.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return a number for each hidden unit."""
        fixed(self, inputs)
        return (self.units,)

    def _kernel(self, inputs: tuple[Shape, ...]) -> Weight:
        values = size(fixed(self, inputs))
        return Weight((values, self.units), self.init, values, self.units)


def _zeros(count: int | None, trained: bool = False) -> Weight:
    shape = () if count is None else (count,)
    return Weight(shape, ZEROS, 1, 1, trained)


class Rbm(Boltzmann):
    """A machine: `kernel` (visible x hidden), `visible_bias`, `hidden_bias`, and what its partition function needs."""

    type_name = "rbm"

    binarise: Threshold | Literal["sample"] | None = Field(description="How values become 0 or 1.")

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return what is trained, the mean of the training rows, and the logarithm of the partition function."""
        kernel = self._kernel(inputs)
        return {
            "kernel": kernel,
            "visible_bias": _zeros(kernel.shape[0], trained=True),
            "hidden_bias": _zeros(self.units, trained=True),
            "visible_mean": _zeros(kernel.shape[0]),
            "log_partition": _zeros(None),
        }

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import rbm

        return rbm.Rbm(size(fixed(self, inputs)), self.units, self.visible, self.hidden, self.binarise)


class Stage(Boltzmann):
    """A layer of a deep belief net: `kernel` and `bias` upwards, and what pretraining left for the way downwards.

    That is `down_kernel` (visible x hidden), `visible_bias`, `hidden_bias` and `visible_mean`, the mean of what the
    layer saw; fine-tuning leaves them as they are.
    """

    type_name = "stage"
    kernels: ClassVar[Kernels] = {"kernel": (-1,)}

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return what goes up, and what goes down."""
        kernel = self._kernel(inputs)
        return {
            "kernel": kernel,
            "bias": _zeros(self.units, trained=True),
            "down_kernel": Weight(kernel.shape, ZEROS, 1, 1, trained=False),
            "visible_bias": _zeros(kernel.shape[0]),
            "hidden_bias": _zeros(self.units),
            "visible_mean": _zeros(kernel.shape[0]),
        }

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import rbm

        return rbm.Stage(size(fixed(self, inputs)), self.units, self.visible, self.hidden)
