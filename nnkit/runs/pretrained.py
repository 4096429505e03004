"""Opening what a spec takes over: the pretrained layers of runs and published networks, before anything is planned."""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from nnkit.config.decode import locate
from nnkit.config.spelling import nearest
from nnkit.data.known import Known
from nnkit.data.pipeline import Pipeline
from nnkit.errors import Path, Problem, RunError, SpecError, show_path
from nnkit.layers.node import Node
from nnkit.layers.pretrained import Pretrained, weights_file
from nnkit.layers.repeat import Block, Composite
from nnkit.models.autoencoder import ENCODER, Autoencoder
from nnkit.models.clusters import Clusters
from nnkit.models.codes import PlainCode
from nnkit.models.layout import MAX_LISTED, ROOT, lay_out
from nnkit.models.lower import below_last, data_names, endings, lower, names_of, taken_over
from nnkit.models.network import Network
from nnkit.models.plan import Plan
from nnkit.runs.folder import RunFolder
from nnkit.spec import Experiment, Loaded, Start, load
from nnkit.tensors import read_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]


def load_whole(spec: FilePath, overrides: Sequence[str] = (), fetch: bool = True) -> Loaded:
    """Read a spec and open the runs and files that its layers are taken from.

    What a run gives is written into the experiment as a ``block``, so that nothing needs the run any more. Without
    ``fetch`` weights that would have to be downloaded are left out. Raises ``SpecError``, ``RunError`` where a run or
    a file of weights cannot be used, and ``ResourceError`` where a package or the network is missing.
    """
    loaded = load(spec, overrides)
    model = loaded.experiment.model
    if not isinstance(model, Network | Clusters) or not any(_is_pretrained(node) for node in _all(model.layers)):
        return loaded
    try:
        return _opened(loaded, model, fetch)
    except SpecError as error:
        raise locate(loaded.document, error) from None


def _is_pretrained(node: Node) -> bool:
    return isinstance(node.layer, Pretrained)


def _all(nodes: Sequence[Node]) -> "Iterator[Node]":
    for node in nodes:
        yield node
        if isinstance(node.layer, Composite):
            yield from _all(node.layer.layers)


@dataclass
class _Found:
    """What has been opened so far."""

    layers: list[Node] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)
    inherited: Known | None = None
    origin: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)


def _opened(loaded: Loaded, model: Network | Clusters, fetch: bool) -> Loaded:
    found, count = _Found(), 0
    for index, node in enumerate(model.layers):
        path: Path = (*ROOT, index)
        if not isinstance(node.layer, Pretrained):
            _refuse_inside(node, path)
            found.layers.append(node)
            continue
        count += 1
        named = node.model_copy(update={"name": node.name or f"pretrained_{count}"})
        with _placed(loaded, (*path, "weights" if node.layer.run is None else "run")):
            if node.layer.run is not None:
                _open_run(named, node.layer, path, found)
            else:
                _open_published(named, node.layer, path, fetch, found)
    whole = model.model_copy(update={"layers": found.layers})
    start = Start(found.weights, found.inherited, found.origin, frozenset(found.absent))
    return Loaded(loaded.experiment.model_copy(update={"model": whole}), loaded.document, start)


@contextmanager
def _placed(loaded: Loaded, path: Path) -> "Iterator[None]":
    """Begin the message of a ``RunError`` with the place in the spec that names the run."""
    try:
        yield
    except RunError as error:
        raise RunError(f"{loaded.document.place(path)}: {show_path(path)}: {error}") from error


def _refuse_inside(node: Node, path: Path) -> None:
    if isinstance(node.layer, Composite) and any(_is_pretrained(inner) for inner in _all(node.layer.layers)):
        message = f"a pretrained layer stands in the network's own list, not inside a {node.layer.type_name}"
        raise SpecError([Problem(path, message)])


def _open_run(node: Node, layer: Pretrained, path: Path, found: _Found) -> None:
    """Put a run's lower layers in the place of the layer that names it."""
    if path[-1] != 0 or node.inputs is not None:
        message = "the layers of a run read the data as it did: put them first, without inputs"
        raise SpecError([Problem(path, message)])
    if node.weights or node.l1 or node.l2 or node.max_norm:
        raise SpecError([Problem(path, "pretrained takes name and trainable alone; its weights are those of the run")])
    assert layer.run is not None  # noqa: S101 - the caller looked
    run = RunFolder.open(layer.run)
    run.check_usable()
    experiment, pipeline = run.experiment(), run.pipeline()
    source = _source(experiment, layer, path)
    arrays = run.weights(_plan(run, experiment, pipeline))
    base = [_at_rate(below, pipeline) for below in _lower_part(source, layer, pipeline, path)]
    inputs = {f"input.{name}" if name != "input" else name: name for name in pipeline.input_shapes}
    used = [inputs[name] for name in inputs if name in data_names(base)]
    shapes = {name: pipeline.input_shapes[name] for name in used}
    name = str(node.name)
    weights = lay_out(base, shapes, pipeline.vocabularies, sample_rate=pipeline.known.sample_rate).weights()
    found.weights |= {f"{name}/{key}": arrays[source.prefix + key] for key in weights}
    found.inherited = pipeline.only(used)
    found.origin[name] = f"the layers of {layer.run} up to {layer.until or source.usual}"
    block = Block(layers=[taken_over(each, node.trainable) for each in base])
    found.layers.append(Node(layer=block, name=name))


def _at_rate(node: Node, pipeline: Pipeline) -> Node:
    """Return a layer that says for what rate of sounds it is made, as a source of another rate cannot feed it."""
    if pipeline.known.sample_rate is None:
        return node
    return node.model_copy(update={"layer": node.layer.at_rate(pipeline.known.sample_rate)})


@dataclass(frozen=True)
class _Source:
    """A list of layers of a run's model, up to where they are taken usually, and how the names of its weights begin."""

    layers: Sequence[Node]
    usual: str | None
    prefix: str = ""


def _source(experiment: Experiment, layer: Pretrained, path: Path) -> _Source:
    """Return the layers of a run that others can build upon; raises ``SpecError`` for a model that has none."""
    model = experiment.model
    if isinstance(model, Network):
        return _Source(model.layers, below_last(model.layers))
    if isinstance(model, Autoencoder):
        if layer.until is None and not isinstance(model.code, PlainCode):
            known = ", ".join(names_of(model.encoder))
            message = (
                f"the run's codes are {model.code.type_name}, and its encoder's layers alone do not make them; "
                f"expected plain codes, or until, the layer whose values to take: {known}"
            )
            raise SpecError([Problem((*path, "run"), message)])
        return _Source(model.encoder, names_of(model.encoder)[-1], f"{ENCODER}/")
    message = (
        f"the run's model is a {model.type_name}; expected a network or an autoencoder, of which layers can be taken"
    )
    raise SpecError([Problem((*path, "run"), message)])


def _lower_part(model: _Source, layer: Pretrained, pipeline: Pipeline, path: Path) -> list[Node]:
    until = layer.until or model.usual
    if until is None:
        message = f"until is missing: the last layer of {layer.run} does not read just one layer, which would be it"
        raise SpecError([Problem((*path, "until"), message)])
    names = ["input" if name == "input" else f"input.{name}" for name in pipeline.input_shapes]
    try:
        return lower(model.layers, until, names[0] if len(names) == 1 else None)
    except LookupError:
        known = list(endings(model.layers))
        more = ", ..." if len(known) > MAX_LISTED else ""
        message = (
            f"the run {layer.run} has no layer {until!r}{nearest(until, known)} "
            f"It has: {', '.join(known[:MAX_LISTED])}{more}"
        )
        raise SpecError([Problem((*path, "until"), message)]) from None


def _plan(run: RunFolder, experiment: Experiment, pipeline: Pipeline) -> Plan:
    try:
        return experiment.model.plan_for(pipeline)
    except SpecError as error:
        raise RunError(f"{run.path}: its pipeline and network do not fit: {error}; copy it again") from error


def _open_published(node: Node, layer: Pretrained, path: Path, fetch: bool, found: _Found) -> None:
    """Read the weights of a published network; its layer stays in its place."""
    found.layers.append(node)
    name = str(node.name)
    if layer.by_name and not fetch:
        found.absent.append(name)
        return
    arrays, _ = read_tensors(_published_file(layer, path))
    found.weights |= {f"{name}.{key}": array for key, array in arrays.items()}
    found.origin[name] = f"{layer.source} {layer.network}, weights {layer.file}"


def _published_file(layer: Pretrained, path: Path) -> FilePath:
    from nnkit.nn.public import UnfitError

    try:
        return weights_file(layer)
    except UnfitError as error:
        raise SpecError([Problem((*path, "weights"), str(error))]) from None
