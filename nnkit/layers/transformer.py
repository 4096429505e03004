"""The blocks that transformers are made of."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nnkit.activations import ACTIVATIONS, ActivationChoice
from nnkit.initializers import INITIALIZERS, InitializerChoice
from nnkit.layers.attention import HEADS, check_rotary, head_weights
from nnkit.layers.base import LAYERS, Example, Kernels, Layer, ShapeError, Weight, one
from nnkit.layers.recurrent import steps_and_features
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import torch

    from nnkit.nn.transformer import BlockOptions

ZEROS, ONES = INITIALIZERS.decode("zeros"), INITIALIZERS.decode("ones")


class TransformerBlock(Layer):
    """Attention and two dense layers, each with dropout, a residual connection and a layer norm."""

    num_heads: int = Field(gt=0, description="Heads of the attention; they share the features, so must divide them.")
    units: int = Field(gt=0, description="Units between the two dense layers; four times the features is usual.")
    activation: ActivationChoice = Field(
        default=ACTIVATIONS.decode("relu"), description="Function between the two dense layers."
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the values that drop out in training: of attention weights, and behind each part.",
    )
    norm_first: bool = Field(
        default=False,
        description="Normalize ahead of each part, which trains deep stacks more easily, instead of behind it.",
    )
    rotary: bool = Field(
        default=False, description="Turn queries and keys by their places, so that distances count (Su, 2021)."
    )
    init: InitializerChoice = Field(
        default=INITIALIZERS.decode("glorot_uniform"), description="How the kernels are drawn before training."
    )
    epsilon: float = Field(default=1e-5, gt=0, description="Added to the variance by the norms; torch's default.")

    kernels: ClassVar[Kernels] = {
        **{f"attention.{name}": axes for name, axes in HEADS.items()},
        "hidden.kernel": (-1,),
        "output.kernel": (-1,),
    }

    def features(self, shape: Shape) -> int:
        """Return the features of a sequence; raises ``ShapeError`` where the heads don't divide them."""
        _, size = steps_and_features(self, shape)
        if size % self.num_heads:
            raise ShapeError(
                f"{self.type_name} shares the {size} features among {self.num_heads} heads, which must divide them; "
                f"choose another num_heads, or bring the features to a multiple of it by a dense layer"
            )
        if self.rotary:
            check_rotary(self, size // self.num_heads)
        if reason := self.activation.misfit((self.units,)):
            raise ShapeError(reason)
        return size

    def block_weights(self, size: int) -> dict[str, Weight]:
        """Return the weights of the self-attention, of the dense layers and of their norms."""
        units = self.units
        return {
            **self.attention_weights("attention", size, size),
            "hidden.kernel": Weight((size, units), self.init, size, units),
            "hidden.bias": Weight((units,), ZEROS, units, units),
            "output.kernel": Weight((units, size), self.init, units, size),
            "output.bias": Weight((size,), ZEROS, size, size),
            "output_norm.gamma": Weight((size,), ONES, size, size),
            "output_norm.beta": Weight((size,), ZEROS, size, size),
        }

    def attention_weights(self, name: str, size: int, values: int) -> dict[str, Weight]:
        """Return the weights of an attention to values of another size, and of its norm."""
        part = size // self.num_heads
        heads = head_weights((size, values, values), self.num_heads, part, part, self.init, True)
        return {
            **{f"{name}.{key}": weight for key, weight in heads.items()},
            f"{name}_norm.gamma": Weight((size,), ONES, size, size),
            f"{name}_norm.beta": Weight((size,), ZEROS, size, size),
        }

    def options(self, causal: bool) -> "BlockOptions":
        """Return the options as the module takes them."""
        from nnkit.nn.transformer import BlockOptions

        return BlockOptions(
            heads=self.num_heads,
            units=self.units,
            activation=None if self.activation.type_name == "linear" else self.activation.build(),
            dropout=self.dropout,
            norm_first=self.norm_first,
            causal=causal,
            rotary=self.rotary,
            epsilon=self.epsilon,
        )


@LAYERS.register("transformer_encoder")
class TransformerEncoder(TransformerBlock):
    """A block in which steps look at each other, then two dense layers act on each (Vaswani and others, 2017).

    Input and output `steps x features`; with `causal` it's the block of GPT. Weights: `attention.query.kernel` and
    others as multi_head_attention's, `hidden.kernel`, `output.kernel`, their biases, and `gamma` and `beta` of
    `attention_norm` and `output_norm`.
    """

    example = Example({"num_heads": 2, "units": 5}, ((4, 8),))

    causal: bool = Field(
        default=False, description="Let a step look only at itself and earlier ones, as a language model must."
    )

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        shape = one(self, inputs)
        self.features(shape)
        return shape

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the weights of attention, dense layers and norms."""
        return self.block_weights(self.features(one(self, inputs)))

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import transformer

        return transformer.Encoder(self.features(one(self, inputs)), self.options(self.causal))


@LAYERS.register("transformer_decoder")
class TransformerDecoder(TransformerBlock):
    """A block in which steps look at earlier ones, and at a second input such as an encoder's output.

    Inputs: `steps x features`, and for cross-attention another sequence; output as the first. Weights: those of
    transformer_encoder, and with a second input `cross_attention.query.kernel` and others, and `cross_attention_norm`.
    """

    example = Example({"num_heads": 2, "units": 5}, ((4, 8), (3, 6)), misfit=((4, 8),) * 3)

    causal: bool = Field(default=True, description="Let a step look only at itself and earlier ones.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the first input's shape."""
        self._sizes(inputs)
        return inputs[0]

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the weights of attention, dense layers and norms."""
        size, memory = self._sizes(inputs)
        cross = {} if memory is None else self.attention_weights("cross_attention", size, memory)
        return self.block_weights(size) | cross

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import transformer

        return transformer.Decoder(*self._sizes(inputs), self.options(self.causal))

    def _sizes(self, inputs: tuple[Shape, ...]) -> tuple[int, int | None]:
        if len(inputs) > 2:
            raise ShapeError(
                f"transformer_decoder takes its sequence and one that it looks at, and gets {len(inputs)} inputs; "
                f"name one or two in inputs"
            )
        size = self.features(inputs[0])
        return size, steps_and_features(self, inputs[1])[1] if len(inputs) == 2 else None
