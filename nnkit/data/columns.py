"""The columns of a source: which rows of them are used, what kinds they are, and whether they are as the spec says."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nnkit.config.spelling import nearest
from nnkit.data.spec import Data
from nnkit.data.target import CLASSIFY
from nnkit.errors import DataError, Path, Problem, SpecError
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.kinds import Kind
    from nnkit.frames.table import Frame, Raw

WORDS = {"array": "arrays", "image": "pictures", "audio": "sounds", "tree": "trees", "list": "lists"}
"""What messages call the cells of columns that only features can be."""


def rows_where(raw: "Raw", where: Mapping[str, Sequence[str]], title: str) -> "tuple[Raw, NDArray[np.int64]]":
    """Return the rows that have one of the values in each column of ``where``, and their numbers.

    Raises ``DataError`` where no row has a value, or none has all that are asked for.
    """
    import numpy as np

    from nnkit.frames.kinds import as_labels, in_order, is_single
    from nnkit.frames.table import pick

    keep = np.ones(len(raw), dtype=bool)
    for column, values in where.items():
        if column not in raw.cells:
            raise DataError(f"{title}: lacks the column {column}, which data.where is about")
        if not is_single(raw.cells[column]):
            raise DataError(f"{title}: a cell of {column}, which data.where is about, is no single value")
        labels = as_labels(raw.cells[column])
        known = set(labels.used())
        strange = [value for value in values if value not in known]
        if strange:
            listed = ", ".join(in_order(known)[:20])
            raise DataError(
                f"{title}: data.where.{column}: no row has {', '.join(strange)}{nearest(strange[0], known)} "
                f"There are: {listed}"
            )
        wanted = np.array([*(word in values for word in labels.words), False])
        keep &= wanted[labels.codes]
    if not keep.any():
        raise DataError(f"{title}: no row has all that data.where asks for; take a column out of it")
    rows = np.flatnonzero(keep)
    return (pick(raw, rows) if where else raw), rows


def check_columns(data: Data, raw: "Raw") -> None:
    """Raise ``SpecError`` for every column that the spec names and the source lacks."""
    problems: list[Problem] = []
    named: list[tuple[Path, str]] = [(("data", "drop", index), name) for index, name in enumerate(data.drop)]
    if isinstance(data.target, str):
        named.append((("data", "target"), data.target))
    else:
        named += [(("data", "target", index), name) for index, name in enumerate(data.targets)]
    named += [(("data", "types", name), name) for name in data.types]
    named += [(("data", "where", name), name) for name in data.where]
    named += [(("data", "weight"), data.weight)] if data.weight else []
    for option in ("group", "column", "order"):
        value = getattr(data.split, option)
        named += [(("data", "split", option), value)] if isinstance(value, str) else []
    for option in ("time", "series"):
        value = getattr(data.windows, option, None)
        named += [(("data", "windows", option), value)] if value else []
    hint = "; is the source's delimiter right?" if len(raw.cells) == 1 else ""
    for path, name in named:
        if name not in raw.cells:
            listed = ", ".join(list(raw.cells)[:40])
            message = f"{data.source.title} has no column {name!r}{nearest(name, raw.cells)} It has: {listed}{hint}"
            problems.append(Problem(path, message))
    if problems:
        raise SpecError(problems)


def infer_kinds(data: Data, raw: "Raw", task: Task) -> dict[str, "Kind"]:
    """Return the kind of each column: declared, or what all its cells are; columns that are dropped are left out.

    Where true and false are classes they keep their names. Raises ``SpecError`` where arrays cannot be what is said.
    """
    others = [*data.targets, *data.uses, *([data.weight] if data.weight else [])]
    left_out = {*data.drop, *(name for name in data.source.aside if name not in data.types)}
    kinds = {name: _kind(data, raw, name, task) for name in raw.cells if name not in left_out or name in others}
    arrays = {name: WORDS[kind] for name, kind in kinds.items() if kind in WORDS}
    tags = data.targets if task == "tagging" else []
    problems = [
        Problem(("data",), f"{name} holds {what}; only features can")
        for name, what in arrays.items()
        if name in others and name not in tags
    ]
    problems += [
        Problem(("data", "types", name), f"holds {what}; take it out of types")
        for name, what in arrays.items()
        if name in data.types
    ]
    if problems:
        raise SpecError(problems)
    return kinds


def _kind(data: Data, raw: "Raw", name: str, task: Task) -> "Kind":
    from nnkit.frames.kinds import infer

    found = infer(raw.cells[name], data.source.spelling())
    if found in WORDS:
        return found
    if name in data.source.categories:
        return "category"
    declared = "number" if name == data.weight else data.types.get(name)
    if declared == "category" and found == "number":
        return "code"
    if declared is None and found == "boolean" and name in data.targets and task in CLASSIFY:
        return "category"
    return declared or found


def check_text(data: Data, frame: "Frame") -> None:
    """Raise ``SpecError`` naming all columns of text that no transform takes and nobody declared."""
    others = {*data.targets, *data.uses}
    consumed = {name for transform in data.transforms if transform.consumes_text for name in transform.columns or []}
    if any(transform.type_name == "select" for transform in data.transforms):
        return
    left = [name for name, column in frame.items() if column.is_text and name not in others | consumed]
    if data.inputs is not None:
        wanted = {name for names in data.inputs.values() for name in names}
        left = [name for name in left if name in wanted]
    if left:
        listed = ", ".join(left)
        message = f"{listed} hold text that no transform takes: encode them, as by one_hot, or name them in data.drop"
        raise SpecError([Problem(("data", "transforms"), message)])


def check_numbers(frame: "Frame", features: dict[str, list[str]]) -> None:
    """Raise ``SpecError`` for features that are text, or trees of words, after the transforms."""
    used = dict.fromkeys(name for names in features.values() for name in names)
    words = [name for name in used if frame[name].is_tree and frame[name].values.codes is None]
    if words:
        message = (
            f"a model takes numbers, and the trees of {', '.join(words)} are of words: add the transform vocabulary"
        )
        raise SpecError([Problem(("data", "transforms"), message)])
    lists = [name for name in used if frame[name].is_list]
    if lists:
        message = (
            f"a model takes numbers, and {', '.join(lists)} holds lists of words: add the transform words, or name "
            "what else is made of them in data.inputs"
        )
        raise SpecError([Problem(("data", "transforms"), message)])
    texts = [name for name in used if frame[name].is_text]
    if texts:
        message = f"{', '.join(texts)} still hold text after the transforms; encode them, as by one_hot, or drop them"
        raise SpecError([Problem(("data", "transforms"), message)])
