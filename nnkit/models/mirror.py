"""The mirror of an encoder: a decoder that undoes its layers, from the last to the first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from nnkit.activations import Activation
from nnkit.errors import Problem, SpecError
from nnkit.layers.base import LAYERS, LINEAR, Activated, Layer, ShapeError
from nnkit.layers.conv import Conv
from nnkit.layers.conv_transpose import ConvTranspose
from nnkit.layers.dense import ActivationLayer, Dense
from nnkit.layers.node import Node
from nnkit.layers.norm import Norm
from nnkit.layers.pool import GlobalPool, Pool
from nnkit.layers.recurrent import RecurrentLayer
from nnkit.layers.regularize import Noise, Rated
from nnkit.layers.reshape import Flatten, Reshape
from nnkit.layers.spatial import Crop, Upsample, ZeroPad
from nnkit.models.plan import Plan, PlannedNode
from nnkit.shapes import Shape, show


class NoMirrorError(Exception):
    """A layer has no mirror; the message says why."""


@dataclass(frozen=True)
class Mirrored:
    """A layer of the decoder, and the layer of the encoder whose kernel it may share, where it may share one."""

    layer: Layer
    of: PlannedNode | None = None


def mirrored(encoder: Plan, output: Activation, code: Shape | None = None) -> list[Mirrored]:
    """Return the layers that undo those of ``encoder``; the last has the activation ``output``.

    ``code`` is the shape that the decoder reads where that is not what the encoder gives. Dense undoes dense, a
    transposed convolution a convolution, an upsampling a pool, and so on; each has the activation of the layer whose
    output it gives back. Norms come again where they were; layers that only disturb are left out. Raises ``SpecError``
    at each layer that has no mirror.
    """
    _check_chain(encoder)
    below = [node for node in encoder.nodes if not isinstance(node.layer, Rated | Noise)]
    problems: list[Problem] = []
    layers: list[Mirrored] = []
    if code is not None and code != encoder.output_shape:
        layers.append(Mirrored(Dense(units=encoder.output_shape[-1] or 1, activation=_activation(below))))
    while below:
        node = below.pop()
        if isinstance(node.layer, ActivationLayer | Norm):
            continue
        try:
            layers += _undone(node, below, output)
        except (NoMirrorError, ShapeError) as error:
            message = f"{node.name} ({node.layer.type_name}) has no mirror: {error}; give the decoder's layers"
            problems.append(Problem(node.path, message))
    if problems:
        raise SpecError(problems)
    return layers


def _check_chain(encoder: Plan) -> None:
    """Raise ``SpecError`` where layers do not read each the one before."""
    above = None
    for node in encoder.nodes:
        if len(node.reads) > 1 or (above is not None and node.reads != (above,)):
            message = f"{node.name} does not read the layer above alone, so it has no mirror; give the decoder's layers"
            raise SpecError([Problem(node.path, message)])
        above = node.name


def _activation(below: Sequence[PlannedNode]) -> Activation:
    """Return the activation of what the last of some layers gives."""
    for node in reversed(below):
        if isinstance(node.layer, ActivationLayer):
            return node.layer.activation
        if node.weights and not isinstance(node.layer, Norm):
            return node.layer.activation if isinstance(node.layer, Activated) else LINEAR
    return LINEAR


def _norms(node: PlannedNode, below: Sequence[PlannedNode]) -> list[Layer]:
    """Return the norms, with the activations beside them, of what a layer reads, through pools: they come again."""
    found: list[Layer] = []
    if not isinstance(node.layer, Dense | Conv | ConvTranspose):
        return []
    for other in reversed(below):
        if isinstance(other.layer, ActivationLayer | Norm):
            found.insert(0, other.layer)
        elif found or not isinstance(other.layer, Pool | Upsample | ZeroPad | Crop):
            break
    return found if any(isinstance(layer, Norm) for layer in found) else []


def _undone(node: PlannedNode, below: Sequence[PlannedNode], output: Activation) -> list[Mirrored]:
    """Return the layers that undo a layer which reads what ``below`` gives; raises ``NoMirrorError``."""
    is_first = not any(other.weights and not isinstance(other.layer, Norm) for other in below)
    norms = [] if is_first else _norms(node, below)
    activation = output if is_first else _activation(below)
    if any(isinstance(layer, ActivationLayer) for layer in norms):
        activation = LINEAR
    rule = next((rule for kinds, rule in RULES if isinstance(node.layer, kinds)), None)
    if rule is None:
        raise NoMirrorError("it cannot be undone")
    return [*rule(node, activation, below), *map(Mirrored, norms)]


def _dense(node: PlannedNode, activation: Activation, below: Sequence[PlannedNode]) -> Iterator[Mirrored]:
    layer: Any = node.layer
    units = node.inputs[0][-1]
    made = Dense(units=units or 1, activation=activation, use_bias=layer.use_bias, init=layer.init)
    yield Mirrored(made, node)


def _conv(node: PlannedNode, activation: Activation, below: Sequence[PlannedNode]) -> Iterator[Mirrored]:
    layer: Any = node.layer
    if layer.groups > 1:
        raise NoMirrorError("a transposed convolution has no groups")
    if layer.padding == "causal":
        raise NoMirrorError("a transposed convolution is not causal")
    axes = node.inputs[0][:-1]
    options = _same(layer) | {"type": f"{layer.type_name}_transpose", "filters": node.inputs[0][-1]}
    strides = layer.axes("strides")
    extras: Iterator[list[int] | None] = iter([None, *map(list, product(*map(range, strides)))])
    for extra in extras:
        made = LAYERS.decode({**options, "output_padding": extra, "activation": activation})
        if made.out_shape(node.output)[:-1] == axes:
            yield Mirrored(made, node)
            return
    raise NoMirrorError(f"no transposed convolution makes {show(axes)} of {show(node.output[:-1])}")


def _same(layer: Any) -> dict[str, Any]:
    names = ("kernel_size", "strides", "padding", "dilation_rate", "use_bias")
    return {name: getattr(layer, name) for name in names} | {"init": layer.init}


def _transposed(node: PlannedNode, activation: Activation, below: Sequence[PlannedNode]) -> Iterator[Mirrored]:
    layer: Any = node.layer
    kind = layer.type_name.removesuffix("_transpose")
    made = LAYERS.decode({**_same(layer), "type": kind, "filters": node.inputs[0][-1], "activation": activation})
    if made.out_shape(node.output) != node.inputs[0]:
        raise NoMirrorError(f"no convolution makes {show(node.inputs[0])} of {show(node.output)}")
    yield Mirrored(made, node)


def _pool(node: PlannedNode, activation: Activation, below: Sequence[PlannedNode]) -> Iterator[Mirrored]:
    layer: Any = node.layer
    wanted, given = node.inputs[0][:-1], node.output[:-1]
    factors = list(layer.geometry(len(wanted))[1])
    yield Mirrored(Upsample(size=factors))
    made = [(axis or 0) * factor for axis, factor in zip(given, factors, strict=True)]
    less = [[0, max(0, size - (axis or 0))] for size, axis in zip(made, wanted, strict=True)]
    more = [[0, max(0, (axis or 0) - size)] for size, axis in zip(made, wanted, strict=True)]
    if any(end for _, end in less):
        yield Mirrored(Crop(cropping=_pads(less)))
    if any(end for _, end in more):
        yield Mirrored(ZeroPad(padding=_pads(more)))


def _pads(pads: list[list[int]]) -> Any:
    return pads if len(pads) > 1 else pads[0]


def _global_pool(node: PlannedNode, activation: Activation, below: Sequence[PlannedNode]) -> Iterator[Mirrored]:
    *axes, channels = node.inputs[0]
    yield Mirrored(Reshape(shape=[*[1] * len(axes), channels or 1]))
    yield Mirrored(Upsample(size=[axis or 1 for axis in axes]))


def _shape(node: PlannedNode, activation: Activation, below: Sequence[PlannedNode]) -> Iterator[Mirrored]:
    yield Mirrored(Reshape(shape=[axis or 1 for axis in node.inputs[0]]))


def _upsample(node: PlannedNode, activation: Activation, below: Sequence[PlannedNode]) -> Iterator[Mirrored]:
    layer: Any = node.layer
    yield Mirrored(LAYERS.decode({"type": "average_pool", "pool_size": layer.size}))


def _pad(node: PlannedNode, activation: Activation, below: Sequence[PlannedNode]) -> Iterator[Mirrored]:
    layer: Any = node.layer
    yield Mirrored(Crop(cropping=layer.padding))


def _crop(node: PlannedNode, activation: Activation, below: Sequence[PlannedNode]) -> Iterator[Mirrored]:
    layer: Any = node.layer
    yield Mirrored(ZeroPad(padding=layer.cropping))


def _recurrent(node: PlannedNode, activation: Activation, below: Sequence[PlannedNode]) -> Iterator[Mirrored]:
    """Yield a recurrent layer of as many units, over as many steps; before the data, a dense layer that gives them."""
    layer: Any = node.layer
    steps, features = node.inputs[0]
    if not layer.return_sequences:
        yield Mirrored(LAYERS.decode({"type": "repeat_vector", "n": steps}))
    yield Mirrored(layer.model_copy(update={"return_sequences": True, "stateful": False, "go_backwards": False}))
    if not below or not isinstance(below[-1].layer, RecurrentLayer):
        yield Mirrored(Dense(units=features or 1, activation=activation))


Rule: TypeAlias = Callable[[PlannedNode, Activation, Sequence[PlannedNode]], Iterator[Mirrored]]
RULES: tuple[tuple[Any, Rule], ...] = (
    (Dense, _dense),
    (Conv, _conv),
    (ConvTranspose, _transposed),
    (Pool, _pool),
    (GlobalPool, _global_pool),
    ((Flatten, Reshape), _shape),
    (Upsample, _upsample),
    (ZeroPad, _pad),
    (Crop, _crop),
    (RecurrentLayer, _recurrent),
)


def as_nodes(layers: Sequence[Mirrored]) -> list[Node]:
    """Return the layers as a list of a spec."""
    return [Node(layer=mirror.layer) for mirror in layers]
