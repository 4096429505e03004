"""Trees over words with a label at every node, flat in arrays."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.nodes import LEAF, Nodes, Numbers, starts_of


@dataclass(frozen=True)
class Trees(Nodes):
    """Binary trees [n] with a label at each node; ``words`` and ``labels`` are indices into lists of distinct texts."""

    labels: Numbers
    vocabulary: Sequence[str]
    names: Sequence[str]
    """What the labels are."""
    codes: Numbers | None = None
    """What a model calls each word of ``vocabulary``; None as long as no transform has said it."""
    width: int = 0
    """How many words the model knows: every code is below."""

    by_node: ClassVar[tuple[str, ...]] = (*Nodes.by_node, "labels")
    ndim = 2

    @property
    def coded(self) -> Nodes:
        """The nodes, with codes for words; raises ``TypeError`` where there are none."""
        if self.codes is None:
            raise TypeError("no transform has given the words codes")
        return Nodes(self.starts, self.left, self.right, np.append(self.codes, LEAF)[self.words], self.heights)

    @property
    def used(self) -> list[str]:
        """The labels that some node has."""
        return [self.names[label] for label in np.unique(self.labels).tolist()]

    def classes(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return each node's place in ``classes`` [nodes]; -1 for a label that is none of them."""
        places = {name: place for place, name in enumerate(classes)}
        return np.array([places.get(name, -1) for name in self.names], dtype=np.int64)[self.labels]

    def relabelled(self, labels: Numbers, names: Sequence[str]) -> "Trees":
        """Return the trees with other labels, indices into ``names`` [nodes]."""
        return replace(self, labels=labels.astype(np.int32), names=names)

    def tolist(self) -> list[str]:
        """Return each tree in the Penn format, in one line."""
        texts: list[str] = []
        written: list[str] = []
        columns = (self.left, self.right, self.words, self.labels)
        nodes = list(zip(*(column.tolist() for column in columns), strict=True))
        for start, end in zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True):
            written.clear()
            for left, right, word, label in nodes[start:end]:
                inside = self.vocabulary[word] if left == LEAF else f"{written[left]} {written[right]}"
                written.append(f"({self.names[label]} {inside})")
            texts.append(written[-1])
        return texts


def no_trees(count: int) -> Trees:
    """Return so many trees of one leaf, in the place of what is no tree."""
    none, zeros = np.full(count, LEAF, np.int32), np.zeros(count, np.int32)
    return Trees(np.arange(count + 1), none, none, zeros, zeros, zeros, [""], [""])


def concatenate(pieces: Sequence[Trees]) -> Trees:
    """Put trees that no transform has changed behind each other."""
    words, vocabulary = _renumbered([(piece.words, piece.vocabulary) for piece in pieces])
    labels, names = _renumbered([(piece.labels, piece.names) for piece in pieces])
    left, right, heights = (np.concatenate([getattr(p, name) for p in pieces]) for name in ("left", "right", "heights"))
    sizes = np.concatenate([piece.sizes for piece in pieces])
    return Trees(starts_of(sizes), left, right, words, heights, labels, vocabulary, names)


def _renumbered(pieces: Sequence[tuple[Numbers, Sequence[str]]]) -> tuple[Numbers, list[str]]:
    index: dict[str, int] = {}
    places = [[*(index.setdefault(text, len(index)) for text in texts), LEAF] for _, texts in pieces]
    numbers = [np.array(new, np.int32)[old] for new, (old, _) in zip(places, pieces, strict=True)]
    return np.concatenate(numbers), list(index)


def counts(trees: Trees, spelling: Callable[[str], str]) -> dict[str, int]:
    """Return how often each word stands at a leaf, in the order in which they first come, as ``spelling`` writes it."""
    leaves = trees.words[trees.words != LEAF]
    found: dict[str, int] = {}
    for word, count in zip(
        trees.vocabulary, np.bincount(leaves, minlength=len(trees.vocabulary)).tolist(), strict=True
    ):
        if count:
            text = spelling(word)
            found[text] = found.get(text, 0) + count
    return found


def coded(trees: Trees, known: Iterable[str], spelling: Callable[[str], str]) -> Trees:
    """Return the trees with a code for each word: 0 for those that are not known, and from 1 on for ``known``."""
    places = {word: place for place, word in enumerate(known, 1)}
    codes = np.array([places.get(spelling(word), 0) for word in trees.vocabulary], dtype=np.int32)
    return replace(trees, codes=codes, width=len(places) + 1)
