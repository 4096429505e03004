"""Word vectors for the embedding layers of a plan: read from their files once the vocabularies are known."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnkit.data.pipeline import Pipeline
from nnkit.errors import DataError, Problem, SpecError
from nnkit.layers.embed import Embedding
from nnkit.models.plan import Plan, PlannedNode, value_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

WEIGHT = "embeddings"


@dataclass(frozen=True)
class WordVectors:
    """What embedding layers begin with, by the weights' full names; rows of words without a vector are not numbers.

    ``origin`` says where they are from by the layer's name, ``notes`` the same to people.
    """

    weights: "dict[str, NDArray[np.float32]]" = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def word_vectors(plan: Plan, pipeline: Pipeline, known: Collection[str]) -> WordVectors:
    """Return the vectors of all layers that take some, but for layers, also with others inside, that are ``known``.

    Raises ``SpecError`` for a layer that does not read tokens, ``DataError`` for a file that cannot be read or has none
    of the words.
    """
    wanted = [node for node in _with_vectors(plan) if node.name.split("/")[0] not in known]
    tokens = {value_name(name): words for name, words in pipeline.tokens.items()}
    if problems := [problem for node in wanted if (problem := _misplaced(node, tokens)) is not None]:
        raise SpecError(problems)
    found = WordVectors()
    for node in wanted:
        _read(node, tokens[node.reads[0]], found)
    return found


def filled(plan: Plan, begun: "Mapping[str, NDArray[Any]]", drawn: "Mapping[str, NDArray[Any]]") -> "Arrays":
    """Return the weights that layers begin with, words without a vector as they were drawn."""
    import numpy as np

    partial = {f"{node.name}.{WEIGHT}" for node in _with_vectors(plan)}
    return {
        name: np.where(np.isnan(array), drawn[name], array) if name in partial else array
        for name, array in begun.items()
    }


def _with_vectors(plan: Plan) -> list[PlannedNode]:
    return [node for node in plan.nodes if isinstance(node.layer, Embedding) and node.layer.vectors is not None]


def _misplaced(node: PlannedNode, tokens: dict[str, list[str]]) -> Problem | None:
    path = (*node.path, "vectors")
    if "/" in node.name:
        return Problem(path, "a layer with vectors stands in the network's own list, not inside another layer")
    if node.reads[0] not in tokens:
        message = (
            f"the layer reads {node.reads[0]}, which is no input of tokens; vectors are for words, as `words` cuts"
        )
        return Problem(path, message)
    if node.node.weights:
        return Problem(path, "weights and vectors both say what the layer begins with; leave one out")
    return None


def _read(node: PlannedNode, tokens: list[str], found: WordVectors) -> None:
    """Add the vectors of a layer's words to what was found."""
    import numpy as np

    from nnkit.frames.vectors import read_vectors

    layer = node.layer
    assert isinstance(layer, Embedding) and layer.vectors is not None  # noqa: S101, PT018 - the caller looked
    path, shape = Path(layer.vectors), node.weights[WEIGHT].shape
    index = {token: number for number, token in enumerate(tokens, 1) if number < shape[0]}
    vectors = read_vectors(path, index, layer.output_dim)
    if not len(vectors.numbers):
        raise DataError(
            f"{path}: has a vector for none of the {len(index):,} words of the vocabulary, which begins with "
            f"{', '.join(map(repr, tokens[:5]))}; is the file of this language, and are its "
            "capital letters as these?"
        )
    values = np.full(shape, np.nan, np.float32)
    values[vectors.numbers] = vectors.values
    count = f"{len(vectors.numbers):,} of {len(index):,} words"
    found.weights[f"{node.name}.{WEIGHT}"] = values
    found.origin[node.name] = f"the vectors of {count} from {path} (sha256 {vectors.digest})"
    found.notes.append(f"{node.name}: {path} has vectors for {count}; the others are drawn from the seed")
