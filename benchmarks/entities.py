"""Named entities by looking them up: ``python -m benchmarks.entities TRAIN TEST [RUN]``.

The baseline of `experiments/named_entities.yaml`: a dictionary of the entities of TRAIN, each with its most frequent
type, of which the longest that fits is taken at each word of TEST; once as they are written, once in small letters.
With the folder of a RUN its model is scored on the same sentences by the same scorer, that of the standard (conlleval).
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nnkit.commands.evaluate import evaluate
from nnkit.data.sources import SOURCES
from nnkit.frames.lists import Lists
from nnkit.metrics.entities import EntityCounts, Sentences, entities, entity_counts

Phrase: TypeAlias = tuple[str, ...]
Tagged: TypeAlias = tuple[list[list[str]], list[list[str]]]
"""Sentences as words, and their tags."""


def read(path: Path) -> Tagged:
    """Return the sentences of a file with the columns token and tag."""
    cells = SOURCES.decode({"type": "conll", "path": str(path)}, context={"base": Path()}).whole().cells
    return cells["token"].tolist(), cells["tag"].tolist()


def phrases(words: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> Iterator[tuple[Phrase, str]]:
    """Yield the words and the type of each entity."""
    lists = Lists.of(tags)
    sentences = Sentences(lists.lengths, lists.words, "BIO")
    flat = [word for sentence in words for word in sentence]
    for first, last, kind in zip(*(each.tolist() for each in entities(lists.codes.flat(), sentences)), strict=True):
        yield tuple(flat[first : last + 1]), sentences.types[kind]


def learned(words: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> dict[Phrase, str]:
    """Return the dictionary: each entity with its most frequent type, of several the first in order."""
    types: defaultdict[Phrase, Counter[str]] = defaultdict(Counter)
    for phrase, kind in phrases(words, tags):
        types[phrase][kind] += 1
    return {phrase: min(found, key=lambda kind: (-found[kind], kind)) for phrase, found in types.items()}


def looked_up(sentence: Sequence[str], known: Mapping[Phrase, str]) -> list[str]:
    """Return the tags of a sentence: at each word the longest entry that begins there, from left to right."""
    longest = max(map(len, known), default=0)
    tags: list[str] = []
    while len(tags) < len(sentence):
        start = len(tags)
        ends = range(min(len(sentence), start + longest), start, -1)
        end = next((end for end in ends if tuple(sentence[start:end]) in known), None)
        if end is None:
            tags.append("O")
        else:
            kind = known[tuple(sentence[start:end])]
            tags += [f"B-{kind}", *([f"I-{kind}"] * (end - start - 1))]
    return tags


def spelled(words: Sequence[Sequence[str]], spelling: Callable[[str], str]) -> list[list[str]]:
    """Return sentences with every word as ``spelling`` writes it."""
    return [list(map(spelling, sentence)) for sentence in words]


def scored(truth: Sequence[Sequence[str]], decided: Sequence[Sequence[str]]) -> EntityCounts:
    """Compare tags with the truth."""
    both = Lists.of([*truth, *decided])
    sentences = Sentences(both.lengths[: len(truth)], both.words, "BIO")
    return entity_counts(both[: len(truth)].codes.flat(), both[len(truth) :].codes.flat(), sentences)


def line(name: str, counts: Sequence[int]) -> str:
    """Write precision, recall and F1 of hits, entities found and entities there."""
    hits, found, there = counts
    shares = (hits / max(found, 1), hits / max(there, 1), 2 * hits / max(found + there, 1))
    return f"{name:<16}" + "".join(f"{share:10.4f}" for share in shares)


def main(train: Path, test: Path, run: Path | None = None) -> None:
    """Print what the dictionary scores, and what a run does."""
    (train_words, train_tags), (words, tags) = read(train), read(test)
    print(f"{'':<16}{'precision':>10}{'recall':>10}{'F1':>10}")
    for name, spelling in (("as written", str), ("small letters", str.lower)):
        known = learned(spelled(train_words, spelling), train_tags)
        counts = scored(tags, [looked_up(sentence, known) for sentence in spelled(words, spelling)])
        print(line(name, [int(np.sum(each)) for each in counts]))
    if run is not None:
        values = evaluate(run, test, fail_under=["entity_f1=0", "entity_precision=0", "entity_recall=0"]).values
        shares = (values[f"entity_{name}"] or 0.0 for name in ("precision", "recall", "f1"))
        print(f"{'model':<16}" + "".join(f"{share:10.4f}" for share in shares))


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit("usage: python -m benchmarks.entities TRAIN TEST [RUN]")
    main(*map(Path, sys.argv[1:]))
