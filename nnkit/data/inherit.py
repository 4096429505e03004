"""Inheriting: rows of other data go through the transforms of an earlier run, as that run fitted them."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nnkit.data.dataset import shape_of
from nnkit.data.known import Known
from nnkit.data.pipeline import Pipeline
from nnkit.data.spec import Data
from nnkit.errors import DataError, Path, Problem, SpecError
from nnkit.shapes import show

if TYPE_CHECKING:
    from nnkit.frames.kinds import Kind
    from nnkit.frames.table import Raw

CELLS = ("array", "image", "audio")
"""The kinds of columns whose cells have a shape."""
DECLARED = {"code": "category"}
"""What the spec calls a kind where it has another word for it."""


def inherited_kinds(data: Data, known: Known, raw: "Raw", kinds: "Mapping[str, Kind]") -> "dict[str, Kind]":
    """Return the kinds of columns, those that ``known`` has as it has them.

    Raises ``SpecError`` for what the spec says of columns that is the earlier run's to say, and ``DataError`` where
    the rows lack a column or its cells have another shape.
    """
    if problems := [*_options(data), *_columns(data, known, raw.cells)]:
        raise SpecError(problems)
    if lacking := [name for name in known.columns if name not in raw.cells]:
        raise DataError(
            f"{data.source.title}: lacks the columns {', '.join(lacking)}, which the pretrained layers take; it has: "
            f"{', '.join(raw.cells):.500}"
        )
    shapes = Pipeline(known).cell_shapes()
    for name, kind in known.columns.items():
        if (kind in CELLS or kinds[name] in CELLS) and (kind, shapes[name]) != (kinds[name], shape_of(raw.cells[name])):
            found, wanted = _words(kinds[name], shape_of(raw.cells[name])), _words(kind, shapes[name])
            raise DataError(
                f"{data.source.title}: each cell of {name} is {found}, and the pretrained layers take {wanted}; "
                "bring the source to that, or train the layers on data like this"
            )
    return {**kinds, **known.columns}


def _words(kind: "Kind", shape: Iterable[int | None]) -> str:
    article = "an" if kind in CELLS else "a"
    return f"{article} {kind} of {show(tuple(shape))}" if kind in CELLS else f"{article} {kind}"


def _options(data: Data) -> list[Problem]:
    """Return the options that say again what the earlier run has said."""
    reason = "the pretrained layers take their input as their own run made it"
    found = []
    if data.transforms:
        message = f"{reason}: its transforms, as they were fitted there, are used again; leave data.transforms out"
        found.append(Problem(("data", "transforms"), message))
    if data.inputs is not None:
        message = f"{reason}: its inputs and their columns are used again; leave data.inputs out"
        found.append(Problem(("data", "inputs"), message))
    return found


def _columns(data: Data, known: Known, cells: Iterable[str]) -> list[Problem]:
    """Return the columns whose part in the spec is not the one that they had in the earlier run."""
    others = {*data.targets, *data.split.uses, data.weight, *data.drop}
    found = [
        Problem(
            _place(data, name), f"the pretrained layers take {name} as an input; it cannot be left out or predicted"
        )
        for name in known.columns
        if name in others
    ]
    aside = {name for name in data.source.aside if name not in data.types}
    extra = [name for name in cells if name not in others | aside and name not in known.columns]
    if extra:
        message = f"the pretrained layers do not take {', '.join(extra):.300}; name what is not used in data.drop"
        found.append(Problem(("data", "drop"), message))
    for name, kind in data.types.items():
        if name in known.columns and kind != DECLARED.get(known.columns[name], known.columns[name]):
            message = f"{name} is a {known.columns[name]} to the pretrained layers; take it out of data.types"
            found.append(Problem(("data", "types", name), message))
    return found


def _place(data: Data, name: str) -> Path:
    if name in data.drop:
        return ("data", "drop", data.drop.index(name))
    if name in data.targets:
        return ("data", "target")
    return ("data", "weight") if name == data.weight else ("data", "split")
