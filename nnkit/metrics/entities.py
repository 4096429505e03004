"""Entities that tags mark: found by the rules of the standard scorer, and counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from nnkit.tasks import Scheme

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

OUTSIDE = "O"
MARKS: dict[Scheme, str] = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES", "none": ""}
"""The letters that tags of a scheme begin with, but for the tag O of words that belong to no entity."""


@dataclass(frozen=True)
class Sentences:
    """How words that have tags follow each other: the words of each sentence [n], the tags by index, their scheme."""

    lengths: "Numbers"
    tags: Sequence[str]
    scheme: Scheme

    @property
    def types(self) -> list[str]:
        """The types of entities, in order."""
        return sorted({type_of(tag) for tag in self.tags} - {""})


class EntityCounts(NamedTuple):
    """By type of entity, in the order of ``Sentences.types``: how many are found right, are found, and there are."""

    hits: "Numbers"
    predicted: "Numbers"
    true: "Numbers"


class Entities(NamedTuple):
    """Entities [n]: the places of their first and last words among all words, and their types."""

    first: "Numbers"
    last: "Numbers"
    type: "Numbers"


def misfit(tag: str, scheme: Scheme) -> str | None:
    """Return why a tag is none of the scheme, in words, or None."""
    marks = MARKS[scheme]
    if scheme == "none" or tag == OUTSIDE or (tag[:1] in marks and tag[1:2] == "-" and tag[2:]):
        return None
    listed = ", ".join(f"{mark}-TYPE" for mark in marks)
    return f"the tag {tag!r:.60} is none of {scheme}, whose tags are {listed} and {OUTSIDE}"


def type_of(tag: str) -> str:
    """Return the type of entity that a tag of any scheme speaks of; nothing where it is of none."""
    return "" if tag == OUTSIDE else tag[2:]


def entities(tags: "NDArray[np.generic]", sentences: Sentences) -> Entities:
    """Return the entities that tags [words], by index, mark: as conlleval of the shared tasks CoNLL-2000 to 2003.

    An entity begins with B or S, after E, S or O, at the start of a sentence, and where the type is another one: so an
    I that continues nothing begins an entity, in BIO too. It ends before the next one, before O and with its sentence.
    """
    import numpy as np

    types = {name: number for number, name in enumerate(sentences.types)}
    kinds = np.array([types.get(type_of(tag), -1) for tag in sentences.tags], np.int64)[tags]
    marks = np.array([ord(tag[0]) for tag in sentences.tags], np.int64)[tags]
    initial = np.zeros(len(kinds) + 1, bool)
    initial[np.concatenate((np.zeros(1, np.int64), sentences.lengths.cumsum()))] = True
    before = np.where(initial[:-1], -1, np.roll(kinds, 1))
    anew = _are(marks, "BS") | np.roll(_are(marks, "ES"), 1)
    first = (kinds >= 0) & ((before != kinds) | anew)
    goes_on = np.append((kinds >= 0) & ~first, False)[1:]
    starts, ends = np.flatnonzero(first), np.flatnonzero((kinds >= 0) & ~goes_on)
    return Entities(starts, ends, kinds[starts])


def _are(marks: "Numbers", letters: str) -> "Flags":
    import numpy as np

    return np.isin(marks, list(map(ord, letters)))


def entity_counts(truth: "NDArray[np.generic]", decided: "NDArray[np.generic]", sentences: Sentences) -> EntityCounts:
    """Count entities; one is found right where its type and both its ends are those of the truth."""
    import numpy as np

    there, found = entities(truth, sentences), entities(decided, sentences)
    _, ours, theirs = np.intersect1d(there.first, found.first, assume_unique=True, return_indices=True)
    same = (there.last[ours] == found.last[theirs]) & (there.type[ours] == found.type[theirs])
    count = len(sentences.types)
    types = (there.type[ours][same], found.type, there.type)
    return EntityCounts(*(np.bincount(each, minlength=count) for each in types))
