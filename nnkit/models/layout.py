"""From a list of nodes to a plan: names, what reads what, shapes; every mistake is collected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from nnkit.config.spelling import nearest
from nnkit.errors import Path, Problem, SpecError, show_path
from nnkit.layers.base import Layer, ShapeError, Weight
from nnkit.layers.node import Node, array_shape
from nnkit.layers.repeat import Composite
from nnkit.models.plan import SECONDS, STEPS, Plan, PlannedNode, value_name
from nnkit.shapes import Shape, show

MAX_NODES = 100_000
MAX_LISTED = 20
ROOT: Path = ("model", "layers")


@dataclass
class Scope:
    """The names that a list of layers may read, and what each of them means."""

    values: dict[str, str]
    prefix: str = ""
    above: str | None = None
    """What the next layer reads if it names nothing; None before the first where there are several inputs."""
    counts: dict[str, int] = field(default_factory=dict)


def lay_out(
    nodes: Sequence[Node],
    inputs: Mapping[str, Shape],
    vocabularies: Mapping[str, int] = MappingProxyType({}),
    root: Path = ROOT,
    first: str | None = None,
    spare: str | None = "take it out of data.inputs",
    sample_rate: int | None = None,
) -> Plan:
    """Return the plan of a network; raises ``SpecError`` with every mistake.

    ``vocabularies`` says how many tokens there are in each input of tokens, ``root`` where the list is in the spec.
    The first layer reads the input ``first`` where it names none, or the only one. ``spare`` says what else to do about
    an input that nobody reads. ``sample_rate`` is that of sounds.
    """
    names = {name: value_name(name) for name in inputs}
    layout = _Layout(
        {names[name]: shape for name, shape in inputs.items()},
        {names[name]: count for name, count in vocabularies.items()},
        root,
        sample_rate,
    )
    above = names[first] if first else next(iter(names.values())) if len(names) == 1 else None
    layout.add_list(nodes, Scope({value: value for value in names.values()}, above=above), root)
    layout.check_unread(spare)
    if layout.problems:
        raise SpecError(layout.problems)
    return Plan(tuple(layout.nodes), dict(inputs), layout.usual)


class _Layout:
    """The network as far as it has been read."""

    def __init__(
        self, inputs: Mapping[str, Shape], vocabularies: Mapping[str, int], root: Path, sample_rate: int | None
    ) -> None:
        self.root = root
        self.inputs = tuple(inputs)
        self.vocabularies = vocabularies
        self.sample_rate = sample_rate
        self.usual = STEPS if sample_rate is None else SECONDS * sample_rate
        self.steps = dict.fromkeys(inputs, self.usual)
        self.sizes = dict(vocabularies)
        """How many tokens there are in each value that is still one of tokens."""
        self.shapes: dict[str, Shape | None] = dict(inputs)
        self.nodes: list[PlannedNode] = []
        self.paths: dict[str, Path] = {}
        self.read: set[str] = set()
        self.unknown: set[str] = set()
        self.problems: list[Problem] = []

    def add_list(self, nodes: Sequence[Node], scope: Scope, path: Path) -> None:
        """Add the layers of a list, each at its path in the spec."""
        for index, node in enumerate(nodes):
            if len(self.paths) >= MAX_NODES:
                raise SpecError([Problem(path, f"the network has more than {MAX_NODES} layers")])
            self.add(node, scope, (*path, index))

    def add(self, node: Node, scope: Scope, path: Path) -> None:
        """Add a layer, or the layers that a composite stands for."""
        name = self.name(node, scope, path)
        reads = self.reads(node, scope, path)
        value = scope.prefix + name
        while value in self.paths:  # twice the same name, which is a problem by now
            value += "'"
        self.paths[value] = path
        self.shapes[value] = None
        if isinstance(node.layer, Composite):
            value = self.add_composite(node, node.layer, value, reads, path)
        else:
            self.add_layer(node, value, reads, path)
        scope.values[name], scope.above = value, value

    def name(self, node: Node, scope: Scope, path: Path) -> str:
        """Return the node's name, or its type and number; a name that is taken is a problem."""
        kind = node.layer.type_name
        scope.counts[kind] = scope.counts.get(kind, 0) + 1
        name = node.name or f"{kind}_{scope.counts[kind]}"
        if name == "input":
            self.problem((*path, "name"), "input is what the data is called; choose another name")
        elif name in scope.values:
            self.read.add(scope.values[name])
            first = show_path(self.paths[scope.prefix + name])
            self.problem(
                (*path, "name"), f"two layers are called {name!r}, this one and one above ({first}); rename one"
            )
        return name

    def reads(self, node: Node, scope: Scope, path: Path) -> tuple[str, ...] | None:
        """Return the values that the node reads; None where that is a problem."""
        if node.inputs is None:
            if scope.above is None and isinstance(node.layer, Composite):
                return ()  # Its layers say by themselves which of several inputs they read.
            if scope.above is None:
                known = ", ".join(scope.values)
                self.problem(path, f"the first layer must say by inputs which of several it reads: {known}")
                self.unknown.update(scope.values)
                return None
            self.read.add(scope.above)
            return (scope.above,)
        unknown = [(number, name) for number, name in enumerate(node.inputs) if name not in scope.values]
        for number, name in unknown:
            self.problem((*path, "inputs", number), _unknown_input(name, scope))
        self.unknown.update(name for _, name in unknown)
        found = tuple(scope.values[name] for name in node.inputs if name in scope.values)
        self.read.update(found)
        return None if unknown else found

    def add_composite(
        self, node: Node, composite: Composite, name: str, reads: tuple[str, ...] | None, path: Path
    ) -> str:
        """Add a composite's layers as often as it says, or once where there are mistakes; returns the last's name."""
        title = "a " + composite.type_name
        if node.weights or node.l1 or node.l2 or node.max_norm or not node.trainable:
            self.problem(path, f"{title} takes name and inputs alone; set the others on the layers in it")
        if reads and len(reads) > 1:
            self.problem((*path, "inputs"), f"{title} reads one layer, found {len(reads)}")
        self.read.add(name)  # It stands for its layers, of which the last is read by its name.
        received = name if reads is None or len(reads) > 1 else reads[0] if reads else None
        data = {value: value for value in self.inputs if value != "input"}
        problems = len(self.problems)
        for prefix in composite.prefixes(name):
            values = data if received is None else {**data, "input": received}
            scope = Scope(values, prefix, received)
            known = received is None or self.shapes[received] is not None
            self.add_list(composite.layers, scope, (*path, "layers"))
            received = scope.above or received
            if not known or len(self.problems) > problems:
                break
        return received or name

    def add_layer(self, node: Node, name: str, reads: tuple[str, ...] | None, path: Path) -> None:
        """Add one layer with its output shape, which stays unknown where there is a mistake."""
        self.check_regularized(node, path)
        shapes = [self.shapes[value] for value in reads or ()]
        known = tuple(shape for shape in shapes if shape is not None)
        if reads is None or len(known) < len(shapes):
            return
        if reads and reads[0] in self.sizes:
            node = node.model_copy(update={"layer": node.layer.for_vocabulary(self.sizes[reads[0]])})
            if node.layer.keeps_tokens:
                self.sizes[name] = self.sizes[reads[0]]
        if len(self.vocabularies) == 1:
            node = node.model_copy(update={"layer": node.layer.of_tokens(*self.vocabularies.values())})
        try:
            if self.sample_rate is not None:
                node = node.model_copy(update={"layer": node.layer.at_rate(self.sample_rate)})
            output = node.layer.out_shape(*known)
            weights = node.layer.weights(*known)
        except ShapeError as error:
            sources = " and ".join(f"{value} ({show(shape)})" for value, shape in zip(reads, known, strict=True))
            self.problem(path, f"{name} reads {sources}: {error}")
            return
        self.check_weights(node, weights, path)
        self.shapes[name] = output
        self.steps[name] = node.layer.usual_steps(max(self.steps[value] for value in reads))
        self.nodes.append(PlannedNode(name, node, reads, known, output, path, weights, self.steps[name]))

    def check_weights(self, node: Node, weights: Mapping[str, Weight], path: Path) -> None:
        """Compare the weights that are set by hand with those that the layer has."""
        for name, value in (node.weights or {}).items():
            place = (*path, "weights", name)
            if name not in weights:
                known = ", ".join(weights) or "none"
                self.problem(
                    place, f"{_title(node.layer)} has no weight {name!r}{nearest(name, weights)} It has: {known}"
                )
            elif array_shape(value) != weights[name].shape:
                given, needed = show(array_shape(value)), show(weights[name].shape)
                self.problem(place, f"{name} is {given}, and {_title(node.layer)} needs {needed} here")

    def check_regularized(self, node: Node, path: Path) -> None:
        """Refuse what acts on kernels where the layer has none, or where training leaves them alone."""
        for option in ("l1", "l2", "max_norm"):
            if getattr(node, option) and not node.layer.kernels:
                self.problem(
                    (*path, option), f"{_title(node.layer)} has no kernel for {option} to act on; leave it out"
                )
            elif getattr(node, option) and not node.trainable:
                self.problem((*path, option), f"{option} does nothing where trainable is false; leave out one of them")

    def check_unread(self, spare: str | None) -> None:
        """Report inputs that nobody reads, and layers but the last, which is the output; those of a repeat once."""
        way_out = "name it in a layer's inputs" + (f", or {spare}" if spare else "")
        for value in self.unread(self.inputs):
            self.problem(self.root, f"nothing reads {value}; {way_out}")
        layers: dict[Path, str] = {}
        for value in self.unread(list(self.paths)[:-1]):
            layers.setdefault(self.paths[value], value)
        for path, value in layers.items():
            self.problem(path, f"nothing reads the layer {value}; name it in another layer's inputs, or take it out")

    def unread(self, values: Sequence[str]) -> list[str]:
        """Return the values that no layer reads, or tries to read by another spelling."""
        never = [value for value in values if value not in self.read]
        return [
            value for value in never if all(nearest(name, [value.rpartition("/")[2]]) == "." for name in self.unknown)
        ]

    def problem(self, path: Path, message: str) -> None:
        """Keep a mistake."""
        self.problems.append(Problem(path, message))


def _title(layer: Layer) -> str:
    return f"the layer {layer.type_name}"


def _unknown_input(name: str, scope: Scope) -> str:
    if name == "input" and any(value.startswith("input.") for value in scope.values):
        known = ", ".join(value for value in scope.values if value.startswith("input."))
        return f"the data has several inputs; read one of them: {known}"
    above = list(scope.values)
    more = "..., " if len(above) > MAX_LISTED else ""
    return (
        f"there is no layer {name!r} above this one{nearest(name, above)} "
        f"Above are: {more}{', '.join(above[-MAX_LISTED:])}"
    )
