"""Layers in which steps look at other steps."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nnkit.initializers import INITIALIZERS, InitializerChoice
from nnkit.layers.base import LAYERS, Example, Kernels, Layer, ShapeError, Weight
from nnkit.layers.recurrent import steps_and_features
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch

ZEROS = INITIALIZERS.decode("zeros")


class Attending(Layer):
    """A layer whose inputs are queries, values and keys, each `steps x features`."""

    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the attention weights that are 0 in training."
    )
    causal: bool = Field(
        default=False, description="Let a step look only at itself and earlier ones, as a language model must."
    )

    def sequences(self, inputs: tuple[Shape, ...]) -> list[tuple[int | None, int]]:
        """Return steps and features of queries, values and keys; keys are the values where there is no third input."""
        found = [steps_and_features(self, shape) for shape in inputs]
        if len(found) == 3 and found[2][0] != found[1][0]:
            raise ShapeError(
                f"{self.type_name} needs a key for each value, got {show(inputs[2])} and {show(inputs[1])}; "
                f"the order of inputs is query, value, key"
            )
        return [*found, found[-1]] if len(found) == 2 else found


@LAYERS.register("attention")
class Attention(Attending):
    """Lets each query take its share of the values: softmax(query @ key') @ value (Luong and others, 2015).

    Inputs in Keras' order: query `queries x size`, value `steps x out` and, where keys are others than the values,
    key `steps x size`. Output `queries x out`. Weight with `use_scale`: `scale`, one number.
    """

    example = Example({}, ((4, 5), (3, 5)))

    use_scale: bool = Field(default=False, description="Multiply the products by one learned number.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the queries, and the features of the values."""
        if len(inputs) not in (2, 3):
            raise ShapeError(
                f"attention takes query, value and, if it is another, key, and gets {len(inputs)} input(s); name them "
                f"in inputs, as inputs: [query, value], or take multi_head_attention for a sequence's look at itself"
            )
        (queries, size), (_, out), (_, keys) = self.sequences(inputs)
        if size != keys:
            raise ShapeError(
                f"attention multiplies query and key, which need as many features, got {size} and {keys}; "
                f"put a dense layer behind one of them"
            )
        return (queries, out)

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the scale, where there is one."""
        return {"scale": Weight((), INITIALIZERS.decode("ones"), 1, 1)} if self.use_scale else {}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import attention

        return attention.Attention(self.use_scale, self.causal, self.dropout)


HEADS: Kernels = {
    **{f"{name}.kernel": (-2, -1) for name in ("query", "key", "value")},
    "attention_output.kernel": (-1,),
}
"""The kernels of an attention with heads, and their axes that count units."""


def head_weights(
    sizes: tuple[int, int, int], heads: int, key: int, value: int, init: InitializerChoice, bias: bool
) -> dict[str, Weight]:
    """Return the weights of an attention of several heads to queries, values and keys of these sizes.

    A kernel is drawn by what it connects: all features with all heads.
    """
    queries, values, keys = sizes
    shapes = {
        "query": ((queries, heads, key), (queries, heads * key)),
        "key": ((keys, heads, key), (keys, heads * key)),
        "value": ((values, heads, value), (values, heads * value)),
        "attention_output": ((heads, value, queries), (heads * value, queries)),
    }
    weights = {}
    for name, (shape, fans) in shapes.items():
        weights[f"{name}.kernel"] = Weight(shape, init, *fans)
        if bias:
            own = shape[1:] if name != "attention_output" else shape[2:]
            weights[f"{name}.bias"] = Weight(own, ZEROS, fans[1], fans[1])
    return weights


def check_rotary(layer: Layer, size: int) -> None:
    """Raise ``ShapeError`` where values of this number make no pairs to turn."""
    if size % 2:
        raise ShapeError(f"{layer.type_name} with rotary turns pairs of values, and a head has {size}; make that even")


@LAYERS.register("multi_head_attention")
class MultiHeadAttention(Attending):
    """Lets each step look at steps of the same sequence, or of a second input (Vaswani and others, 2017).

    Inputs: `steps x features`; with more, in Keras' order, query, value and, where keys are others, key. Output: as the
    query. Weights: `query.kernel` (features x heads x key_dim), `key.kernel`, `value.kernel`, `attention_output.kernel`
    (heads x value_dim x features), and a `bias` for each.
    """

    kernels: ClassVar[Kernels] = HEADS
    example = Example({"num_heads": 2, "key_dim": 4}, ((4, 6),), misfit=((4, 6),) * 4)

    num_heads: int = Field(gt=0, description="How many times, each in its own way, a step looks.")
    key_dim: int = Field(gt=0, description="Size of a query and of a key in each head.")
    value_dim: int | None = Field(default=None, gt=0, description="Size of a value in each head; default: key_dim.")
    use_bias: bool = Field(default=True, description="Add learned numbers to queries, keys, values and output.")
    rotary: bool = Field(
        default=False, description="Turn queries and keys by their places, so that distances count (Su, 2021)."
    )
    init: InitializerChoice = Field(
        default=INITIALIZERS.decode("glorot_uniform"), description="How the kernels are drawn before training."
    )

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the queries."""
        self._sizes(inputs)
        if self.rotary:
            check_rotary(self, self.key_dim)
        return inputs[0]

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the kernels and biases of the heads."""
        sizes = self._sizes(inputs)
        return head_weights(
            sizes, self.num_heads, self.key_dim, self.value_dim or self.key_dim, self.init, self.use_bias
        )

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import attention

        return attention.MultiHeadAttention(
            self._sizes(inputs),
            self.num_heads,
            self.key_dim,
            self.value_dim or self.key_dim,
            self.use_bias,
            self.dropout,
            self.causal,
            self.rotary,
        )

    def _sizes(self, inputs: tuple[Shape, ...]) -> tuple[int, int, int]:
        """Return the features of queries, values and keys."""
        if len(inputs) > 3:
            raise ShapeError(
                f"multi_head_attention takes one sequence, or query, value and key, and gets {len(inputs)} inputs"
            )
        found = self.sequences(inputs if len(inputs) > 1 else inputs * 2)
        return found[0][1], found[1][1], found[2][1]
