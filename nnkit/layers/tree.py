"""The layers of recursive networks over trees; a model lays them out, a spec doesn't name them.

What flows on the first input is a batch of trees; a row of all other values is a node.
"""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nnkit.activations import ActivationChoice
from nnkit.initializers import INITIALIZERS, Initializer, InitializerChoice
from nnkit.layers.base import Kernels, Layer, Weight
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import numpy as np
    import torch

    from nnkit.initializers import Array

GLOROT, ZEROS = INITIALIZERS.decode("glorot_uniform"), INITIALIZERS.decode("zeros")


class LeafWords(Layer):
    """Looks up a learned vector for each leaf's word. Weight: `embeddings` (words x units)."""

    type_name = "words"
    kernels: ClassVar[Kernels] = {"embeddings": (0,)}

    units: int = Field(gt=0, description="Length of a vector.")
    init: InitializerChoice = Field(description="How the vectors are drawn before training.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the length of a vector."""
        return (self.units,)

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the vectors, one for each word that a leaf can be."""
        words = inputs[0][0] or 0
        return {"embeddings": Weight((words, self.units), self.init, words, self.units)}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import tree

        return tree.Words(inputs[0][0] or 0, self.units)


class Halves(Initializer):
    """Draws the kernel of a composition: each half the identity times ``gain`` and a little noise.

    So a new node is the sum of its children, or with a gain of 1/2 their mean, and has something to learn from. That is
    how the authors of the RNTN start theirs, with U(-l, l), l = 1 / (2 sqrt(units)).
    """

    type_name = "halves"

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Return two identities [units, units] above each other, with noise."""
        import numpy as np

        units = shape[1]
        noise = generator.uniform(-1, 1, shape) / (2 * units**0.5)
        return np.asarray(np.concatenate((np.eye(units), np.eye(units))) + noise, dtype=np.float32)


class Small(Initializer):
    """Draws the tensor of a composition from U(-l, l), l = 1 / (4 units), as the authors of the RNTN do."""

    type_name = "small"

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Draw so small numbers that the matrix' part is the larger one at first."""
        import numpy as np

        return np.asarray(generator.uniform(-1, 1, shape) / (4 * shape[2]), dtype=np.float32)


class Gates(Initializer):
    """Zeros, but ones for both forget gates, so that memories last at first (Jozefowicz and others, 2015)."""

    type_name = "gates"

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Return the bias of five gates, of which the second and the third forget."""
        import numpy as np

        return np.repeat(np.array([0, 1, 1, 0, 0], np.float32), shape[0] // 5)


class Composition(Layer):
    """Makes a vector for each node of its children's."""

    units: int = Field(gt=0, description="Length of a vector.")
    activation: ActivationChoice = Field(description="Function of the vectors.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the length of a vector."""
        return (self.units,)


class Matrix(Composition):
    """activation([left, right] @ kernel + bias). Weights: `kernel` (2 units x units), `bias` (units)."""

    type_name = "matrix"
    kernels: ClassVar[Kernels] = {"kernel": (-1,)}

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return kernel and bias."""
        d = self.units
        return {"kernel": Weight((2 * d, d), Halves(), 2 * d, d), "bias": Weight((d,), ZEROS, d, d)}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import tree

        return tree.Matrix(self.units, self.activation.build())


class TensorMatrix(Matrix):
    """A matrix, and for each unit a product of the children with each other: `tensor` (2 units x 2 units x units)."""

    type_name = "tensor"
    kernels: ClassVar[Kernels] = {"kernel": (-1,), "tensor": (-1,)}

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the matrix' weights and the tensor."""
        d = self.units
        return {**super().weights(*inputs), "tensor": Weight((2 * d, 2 * d, d), Small(), 4 * d * d, d)}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import tree

        return tree.TensorMatrix(self.units, self.activation.build())


class TreeLstm(Composition):
    """The binary Tree-LSTM: `leaf_kernel` (units x 3 units), `kernel` (2 units x 5 units) and their biases."""

    type_name = "tree_lstm"
    kernels: ClassVar[Kernels] = {"leaf_kernel": (-1,), "kernel": (-1,)}

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the kernels and biases of leaves and of inner nodes."""
        d = self.units
        return {
            "leaf_kernel": Weight((d, 3 * d), GLOROT, d, 3 * d),
            "leaf_bias": Weight((3 * d,), ZEROS, 3 * d, 3 * d),
            "kernel": Weight((2 * d, 5 * d), GLOROT, 2 * d, 5 * d),
            "bias": Weight((5 * d,), Gates(), 5 * d, 5 * d),
        }

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import tree

        return tree.TreeLstm(self.units, self.activation.build())


COMPOSITIONS: dict[str, type[Composition]] = {kind.type_name: kind for kind in (TensorMatrix, Matrix, TreeLstm)}
