"""The lower part of a list of layers: all up to one of them that it depends on, each with its name written out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nnkit.layers.node import Node
from nnkit.layers.repeat import Block, Composite, Repeat


@dataclass(frozen=True)
class Named:
    """A layer of a list with the name that it has there, and what it reads; None where its own layers say that."""

    name: str
    node: Node
    reads: tuple[str, ...] | None


def named(nodes: Sequence[Node], above: str | None) -> list[Named]:
    """Return the layers of a list that is laid out without mistakes; ``above`` is what the first one reads."""
    found: list[Named] = []
    counts: dict[str, int] = {}
    for node in nodes:
        kind = node.layer.type_name
        counts[kind] = counts.get(kind, 0) + 1
        reads = tuple(node.inputs) if node.inputs else (above,) if above else None
        above = node.name or f"{kind}_{counts[kind]}"
        found.append(Named(above, node, reads))
    return found


def endings(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the names by which ``lower`` can be told where to end."""
    for layer in named(nodes, "input"):
        yield layer.name
        if isinstance(layer.node.layer, Block):
            yield from (f"{layer.name}/{name}" for name in endings(layer.node.layer.layers))
        elif isinstance(layer.node.layer, Repeat):
            yield from (f"{layer.name}/{number}" for number in range(1, layer.node.layer.times + 1))


def names_of(nodes: Sequence[Node]) -> list[str]:
    """Return the names that the layers of a list have there."""
    return [layer.name for layer in named(nodes, "input")]


def below_last(nodes: Sequence[Node]) -> str | None:
    """Return the only layer that the last one reads; None where that is the data, or several."""
    *below, last = named(nodes, "input")
    names = [layer.name for layer in below]
    return last.reads[0] if last.reads and len(last.reads) == 1 and last.reads[0] in names else None


def lower(nodes: Sequence[Node], until: str, above: str | None) -> list[Node]:
    """Return the layers that ``until`` depends on and it itself, names and inputs written out.

    ``until`` is a layer of the list, a layer of a block (``block/layer``) or how often to repeat (``repeat/2``).
    Raises ``LookupError`` where there is none of that name.
    """
    layers = {layer.name: layer for layer in named(nodes, above)}
    last = layers[until] if until in layers else _cut(layers, until)
    layers[last.name] = last
    kept: set[str] = set()
    waiting = [last.name]
    while waiting:
        name = waiting.pop()
        if name in layers and name not in kept:
            kept.add(name)
            waiting += layers[name].reads or ()
    return [_written_out(layer) for name, layer in layers.items() if name in kept]


def _cut(layers: dict[str, Named], until: str) -> Named:
    """Return the composite whose name ``until`` begins with, without what comes after the part that it names."""
    name, _, rest = until.partition("/")
    found = layers[name]
    composite = found.node.layer
    if isinstance(composite, Block):
        inner = lower(composite.layers, rest, None if found.reads is None else "input")
        shorter: Composite = composite.model_copy(update={"layers": inner})
    elif isinstance(composite, Repeat) and rest.isdecimal() and 1 <= int(rest) <= composite.times:
        shorter = composite.model_copy(update={"times": int(rest)})
    else:
        raise LookupError(until)
    return Named(name, found.node.model_copy(update={"layer": shorter}), found.reads)


def _written_out(layer: Named) -> Node:
    inputs = None if layer.reads is None else list(layer.reads)
    return layer.node.model_copy(update={"name": layer.name, "inputs": inputs})


def taken_over(node: Node, trainable: bool) -> Node:
    """Return a layer without weights by hand, which its trained ones replace, and trained or frozen as asked for."""
    if isinstance(node.layer, Composite):
        layers = [taken_over(inner, trainable) for inner in node.layer.layers]
        return node.model_copy(update={"layer": node.layer.model_copy(update={"layers": layers})})
    plain = {"weights": None, "trainable": trainable}
    return node.model_copy(update=plain if trainable else plain | {"l1": 0.0, "l2": 0.0, "max_norm": None})


def data_names(nodes: Sequence[Node]) -> set[str]:
    """Return the inputs of the network that layers name, also those inside others: ``input``, ``input.NAME``."""
    found = {name for node in nodes for name in node.inputs or () if name == "input" or name.startswith("input.")}
    inside = (data_names(node.layer.layers) for node in nodes if isinstance(node.layer, Composite))
    return found.union(*inside)
