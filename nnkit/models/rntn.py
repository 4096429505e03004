"""Recursive networks over trees."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nnkit.activations import ACTIVATIONS, ActivationChoice
from nnkit.errors import Path, Problem, SpecError
from nnkit.initializers import INITIALIZERS, InitializerChoice
from nnkit.layers.base import Layer
from nnkit.layers.dense import Dense
from nnkit.layers.node import Node
from nnkit.layers.regularize import Dropout
from nnkit.layers.tree import COMPOSITIONS, LeafWords
from nnkit.models.base import MODELS, Model
from nnkit.models.plan import Plan, PlannedNode
from nnkit.shapes import Shape

if TYPE_CHECKING:
    from nnkit.data.pipeline import Pipeline

PLACE: Path = ("model",)


@MODELS.register("rntn")
class Rntn(Model):
    """Computes a vector for each node of a tree from its children's, and from each vector the node's class.

    With `composition: tensor` the recursive neural tensor network of Socher and others, 2013; `matrix` leaves out its
    tensor, and `tree_lstm` is the binary Tree-LSTM of Tai and others, 2015. The data comes from the source `trees`, its
    words numbered by the transform `vocabulary`; the loss is a mean over all nodes.

    Weights: `words.embeddings` (words x units, the first for unknown ones); `compose.kernel` (2 units x units),
    `compose.tensor` (2 units x 2 units x units) and `compose.bias`, or of `tree_lstm` `compose.leaf_kernel` (units x 3
    units), `compose.kernel` (2 units x 5 units) and their biases; `classify.kernel` (units x classes), `classify.bias`.
    """

    units: int = Field(default=30, gt=0, description="Length of the vectors of words and of all other nodes.")
    composition: Literal["tensor", "matrix", "tree_lstm"] = Field(
        default="tensor", description="How a node's vector comes from its children's."
    )
    activation: ActivationChoice = Field(
        default=ACTIVATIONS.decode("tanh"),
        description="Function of the vectors, also of words (Tree-LSTM: of memories).",
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the values dropped, in word vectors and in what the softmax reads.",
    )
    l2: float = Field(
        default=0.0, ge=0, description="Penalty on the sum of the squares of all weights but words and biases."
    )
    words_l2: float = Field(default=0.0, ge=0, description="Penalty on the sum of the squares of the word vectors.")
    words_init: InitializerChoice = Field(
        default=INITIALIZERS.decode({"type": "normal", "stddev": 0.1}), description="How word vectors are drawn."
    )

    def plan(
        self,
        inputs: Mapping[str, Shape],
        vocabularies: Mapping[str, int] | None = None,
        sample_rate: int | None = None,
    ) -> Plan:
        """Refuse inputs without classes: the model's size follows from them."""
        raise TypeError("an rntn is laid out for data and its classes: use plan_for")

    def plan_for(self, pipeline: "Pipeline") -> Plan:
        """Lay the model out for the words and classes of a run; raises ``SpecError`` where its data is no trees."""
        name = pipeline.tree_input
        if name is None or len(pipeline.input_shapes) > 1:
            found = ", ".join(pipeline.input_shapes)
            message = f"rntn takes trees as its only input, found {found}: read them by the source trees"
            raise SpecError([Problem((*PLACE, "type"), message)])
        if reason := self.activation.misfit((self.units,)):
            raise SpecError([Problem((*PLACE, "activation"), reason)])
        return self.laid_out(name, pipeline.input_shapes[name], len(pipeline.classes))

    def laid_out(self, name: str, words: Shape, classes: int) -> Plan:
        """Return the plan for one input of trees; the shape of a leaf is how many words there are."""
        data = name if name == "input" else f"input.{name}"
        composition = COMPOSITIONS[self.composition](units=self.units, activation=self.activation)
        softmax = ACTIVATIONS.decode("softmax")
        chain = _Chain(data, words)
        chain.add("words", LeafWords(units=self.units, init=self.words_init), (data,), l2=self.words_l2)
        if self.dropout:
            chain.add("word_dropout", Dropout(rate=self.dropout), (chain.last,))
        chain.add("compose", composition, (data, chain.last), l2=self.l2)
        if self.dropout:
            chain.add("dropout", Dropout(rate=self.dropout), (chain.last,))
        chain.add("classify", Dense(units=classes, activation=softmax), (chain.last,), l2=self.l2)
        return Plan(tuple(chain.nodes), {name: words})


class _Chain:
    """Nodes, each with the shapes of what it reads."""

    def __init__(self, data: str, words: Shape) -> None:
        self.shapes: dict[str, Shape] = {data: words}
        self.nodes: list[PlannedNode] = []
        self.last = data

    def add(self, name: str, layer: Layer, reads: tuple[str, ...], l2: float = 0.0) -> None:
        """Add a layer."""
        inputs = tuple(self.shapes[value] for value in reads)
        output, node = layer.out_shape(*inputs), Node(layer=layer, name=name, l2=l2)
        self.nodes.append(PlannedNode(name, node, reads, inputs, output, PLACE, layer.weights(*inputs)))
        self.shapes[name] = output
        self.last = name
