"""Tags: a class for each word of a sentence."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nnkit.errors import Problem, SpecError
from nnkit.metrics.entities import misfit
from nnkit.tasks import Scheme, Task

if TYPE_CHECKING:
    from nnkit.data.known import Known
    from nnkit.data.spec import Data
    from nnkit.engine.ragged import Ragged
    from nnkit.frames.table import Column, Frame, Raw

SHOWN = 8
"""Tags that a message names, of those that a model knows."""


def has_tags(data: "Data", raw: "Raw") -> bool:
    """Tell whether a target is a list of tags in each row."""
    from nnkit.frames.lists import Lists

    return any(isinstance(raw.cells[name], Lists) for name in data.targets)


def check_tags(data: "Data", task: Task) -> None:
    """Raise ``SpecError`` for what does not go with a tag for each word; ``task`` is what the loss means."""
    split, scheme, found = data.split, data.source.tag_scheme, list[Problem]()
    if task != "multiclass":
        message = (
            "a tag for each word takes a loss for several classes, such as categorical_cross_entropy, and one target"
        )
        found.append(Problem(("data", "target"), message))
    for option in ("stratify", "train_per_class"):
        if getattr(split, option):
            message = "needs a class for each row, and a sentence has many tags; leave it out"
            found.append(Problem(("data", "split", option), message))
    for part in ("validation", "test"):
        own = getattr(getattr(split, part), "tag_scheme", scheme)
        if own != scheme:
            message = f"is {own}, expected {scheme} as in data.source"
            found.append(Problem(("data", "split", part, "scheme"), message))
    if found:
        raise SpecError(found)


def encode_tags(column: "Column", tags: Sequence[str]) -> "tuple[Ragged, dict[int, str]]":
    """Return the place in ``tags`` of each word's tag (int64), and the rows with a tag that is none of them."""
    import numpy as np

    index = {tag: place for place, tag in enumerate(tags)}
    found = column.values.numbered(lambda tag: index.get(tag, -1))
    known = ", ".join(tags[:SHOWN]) + (", ..." if len(tags) > SHOWN else "")
    bad: dict[int, str] = {}
    for row, step, tag in _odd_tags(column, lambda tag: tag not in index):
        bad.setdefault(row, f"the {column.source} of word {step + 1} is {tag!r:.60}; the model's are {known}")
    return replace(found, values=np.maximum(found.values, 0).astype(np.int64)), bad


def misfits(column: "Column", scheme: Scheme, lines: Sequence[int]) -> dict[int, str]:
    """Return the rows that have a tag outside of the scheme, and why; ``lines`` [rows] are those of first words."""
    bad: dict[int, str] = {}
    for row, step, tag in _odd_tags(column, lambda tag: misfit(tag, scheme)):
        bad.setdefault(row, f"in line {lines[row] + step}, {misfit(tag, scheme)}; change it, or the source's scheme")
    return bad


def _odd_tags(column: "Column", is_odd: Callable[[str], object]) -> Iterator[tuple[int, int, str]]:
    """Yield row and step of the tags that are odd, with the tag."""
    import numpy as np

    lists = column.values
    if not any(map(is_odd, lists.used())):
        return
    places = np.flatnonzero(lists.numbered(lambda tag: bool(is_odd(tag))).flat())
    ends = lists.lengths.cumsum()
    rows = np.searchsorted(ends, places, side="right")
    for place, row, code in zip(places.tolist(), rows.tolist(), lists.codes.flat()[places].tolist(), strict=True):
        yield row, place - int(ends[row] - lists.lengths[row]), lists.words[code]


def word_marks(frame: "Frame", rows: Any) -> dict[str, list[str]]:
    """Return what tells the words of some rows apart: the step in the sentence, and the word in the first column."""
    sentences = next(column.values for column in frame.values() if column.is_list)[rows]
    steps = [str(step) for length in sentences.lengths.tolist() for step in range(length)]
    return {"step": steps, "word": sentences.flat()}


def tags_words(known: "Known") -> bool:
    """Tell whether all inputs of a run have a step for each word, and all tags are of its scheme."""
    kinds, scheme = {*known.columns.values(), *known.target_kinds.values()}, known.source.tag_scheme
    whole = kinds == {"list"} and all(shape and shape[0] == 0 for shape in known.shapes.values())
    return whole and not any(misfit(tag, scheme) for tag in known.target.classes)
