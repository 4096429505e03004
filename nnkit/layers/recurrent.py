"""Layers with a state that goes through the steps of a row."""

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from nnkit.activations import ACTIVATIONS, Activation, ActivationChoice
from nnkit.initializers import INITIALIZERS, Initializer, InitializerChoice
from nnkit.layers.base import LAYERS, Example, Kernels, Layer, ShapeError, Weight, one
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.nn.recurrent import RecurrentOptions

TANH, SIGMOID, RELU = (ACTIVATIONS.decode(name) for name in ("tanh", "sigmoid", "relu"))


def steps_and_features(layer: Layer, shape: Shape) -> tuple[int | None, int]:
    """Return the two axes of a sequence of vectors; raises ``ShapeError`` where the shape has others."""
    if len(shape) != 2 or shape[1] is None:
        hint = {
            0: "put a reshape in front of it",
            1: "a recurrent layer above gives all its steps with return_sequences: true; plain numbers become steps by "
            "a reshape to [steps, features], and indices vectors by an embedding",
        }.get(len(shape), "bring each step into one axis by time_distributed with flatten, or by a reshape")
        raise ShapeError(f"{layer.type_name} needs steps x features, got {show(shape)}; {hint}")
    return shape[0], shape[1]


class ForgetBias(Initializer):
    """Draws an LSTM's bias and sets that of the forget gate to 1 (Jozefowicz and others, 2015)."""

    inner: InitializerChoice = Field(description="How the bias of the other gates starts.")

    def sample(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator"
    ) -> "NDArray[np.float32]":
        """Return the bias [4 * units]."""
        bias, units = self.inner.sample(shape, fan_in, fan_out, generator), shape[0] // 4
        bias[units : 2 * units] = 1
        return bias


class RecurrentLayer(Layer):
    """A recurrent layer: `steps x inputs` becomes `steps x units`, or `units` behind the last step."""

    kernels: ClassVar[Kernels] = {"kernel": (-1,)}
    example = Example({"units": 3}, ((4, 5),))
    gates: ClassVar[int] = 1

    units: int = Field(gt=0, description="Size of the state, which is the output.")
    activation: ActivationChoice = Field(default=TANH, description="Function of the new state.")
    use_bias: bool = Field(default=True, description="Add a learned number to each gate of each unit.")
    init: InitializerChoice = Field(
        default=INITIALIZERS.decode("glorot_uniform"), description="How the inputs' kernel is drawn before training."
    )
    recurrent_init: InitializerChoice = Field(
        default=INITIALIZERS.decode("orthogonal"), description="How the state's kernel is drawn before training."
    )
    bias_init: InitializerChoice = Field(default=INITIALIZERS.decode("zeros"), description="How the bias starts.")
    return_sequences: bool = Field(
        default=False, description="Give the state at every step, as a recurrent layer above needs it, not the last."
    )
    go_backwards: bool = Field(
        default=False, description="Read each row from its own end to its start; sequences come out in that order."
    )
    stateful: bool = Field(
        default=False,
        description="In training, go on from where the same row of the batch before ended (truncated back-propagation "
        "through time). The rows then keep their order and are cut into streams, one for each row of a batch. An "
        "epoch, and a batch of another size, start from zeros; evaluation always does.",
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the inputs that are 0 in training, the same ones at all steps."
    )
    recurrent_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the state that the next step does not see in training, the same at all steps (Gal and "
        "Ghahramani, 2016). Computed step by step, which takes longer.",
    )

    @model_validator(mode="after")
    def _one_way_to_go_on(self) -> Self:
        if self.stateful and self.go_backwards:
            raise ValueError("a stateful layer goes on where the last batch ended, so it cannot go_backwards")
        return self

    @property
    def carries(self) -> bool:
        """Whether the layer is stateful."""
        return self.stateful

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (self.gates * self.units,)

    @property
    def bias_start(self) -> Initializer:
        """How the bias starts, all gates together."""
        return self.bias_init

    @property
    def gate(self) -> Activation | None:
        """The function of the gates, where the layer has some."""
        return None

    @property
    def fused(self) -> str | None:
        """The name of torch's function that computes all steps at once, or None where these options have none."""
        is_usual = self.activation == TANH and self.gate == SIGMOID
        return self.type_name if is_usual else None

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the steps and units, or the units alone; raises ``ShapeError``."""
        steps, _ = steps_and_features(self, one(self, inputs))
        if reason := self.activation.misfit((self.units,)) or (self.gate and self.gate.misfit((self.units,))):
            raise ShapeError(reason)
        return (steps, self.units) if self.return_sequences else (self.units,)

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return both kernels and the bias, the gates side by side as in Keras."""
        _, size = steps_and_features(self, one(self, inputs))
        wide = self.gates * self.units
        weights = {
            "kernel": Weight((size, wide), self.init, size, wide),
            "recurrent_kernel": Weight((self.units, wide), self.recurrent_init, self.units, wide),
        }
        return weights | ({"bias": Weight(self.bias_shape, self.bias_start, wide, wide)} if self.use_bias else {})

    def options(self) -> "RecurrentOptions":
        """Return the options as the module takes them."""
        from nnkit.nn.recurrent import RecurrentOptions

        return RecurrentOptions(
            units=self.units,
            use_bias=self.use_bias,
            activation=self.activation.build(),
            recurrent_activation=None if self.gate is None else self.gate.build(),
            fused=self.fused,
            return_sequences=self.return_sequences,
            go_backwards=self.go_backwards,
            stateful=self.stateful,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
        )


class GatedLayer(RecurrentLayer):
    """A recurrent layer with gates."""

    recurrent_activation: ActivationChoice = Field(default=SIGMOID, description="Function of the gates.")

    @property
    def gate(self) -> Activation | None:
        """The function of the gates."""
        return self.recurrent_activation


@LAYERS.register("simple_rnn")
class SimpleRnn(RecurrentLayer):
    """Feeds its state back: activation(x @ kernel + state @ recurrent_kernel + bias) (Elman, 1990).

    Weights: `kernel` (inputs x units), `recurrent_kernel` (units x units) and `bias` (units).
    """

    @property
    def fused(self) -> str | None:
        """The name of torch's function for tanh or relu."""
        return {TANH: "tanh", RELU: "relu"}.get(self.activation)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import recurrent

        return recurrent.SimpleRnn(steps_and_features(self, one(self, inputs))[1], self.options())


@LAYERS.register("lstm")
class Lstm(GatedLayer):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with a forget gate (Gers and others, 2000).

    Weights in Keras' layout, the gates in the order i, f, c, o: `kernel` (inputs x 4 units), `recurrent_kernel`
    (units x 4 units) and `bias` (4 units).
    """

    gates = 4

    unit_forget_bias: bool = Field(default=True, description="Start the bias of the forget gate at 1.")

    @property
    def bias_start(self) -> Initializer:
        """How the bias starts, the forget gate at 1 where asked for."""
        return ForgetBias(inner=self.bias_init) if self.unit_forget_bias else self.bias_init

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import recurrent

        return recurrent.Lstm(steps_and_features(self, one(self, inputs))[1], self.options())


@LAYERS.register("gru")
class Gru(GatedLayer):
    """Gated recurrent unit (Cho and others, 2014).

    Weights in Keras' layout, the gates in the order z, r, h: `kernel` (inputs x 3 units), `recurrent_kernel`
    (units x 3 units) and `bias`: (2 x 3 units), or (3 units) without `reset_after`.
    """

    gates = 3

    reset_after: bool = Field(
        default=True,
        description="Apply the reset gate behind the product with the state's kernel, as torch does and quicker; "
        "false applies it to the state, as in the paper.",
    )

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias: one for the inputs and one for the state, or one."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    @property
    def fused(self) -> str | None:
        """The name of torch's function, which resets afterwards."""
        return super().fused if self.reset_after else None

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import recurrent

        return recurrent.Gru(steps_and_features(self, one(self, inputs))[1], self.options(), self.reset_after)
