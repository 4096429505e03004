"""``nnkit list``, ``show`` and ``schema``: what a spec can be made of."""

from collections.abc import Iterable
from typing import Any

from nnkit.config.reference import Entry, doc, entry, json_schema
from nnkit.config.spelling import nearest
from nnkit.errors import UsageError
from nnkit.families import FAMILIES


def families() -> dict[str, str]:
    """Return the families with what each is, in a line."""
    return {family: _line(registry.base) for family, registry in FAMILIES.items()}


def names(family: str) -> dict[str, str]:
    """Return a family's pieces with what each does, in a line; raises ``UsageError`` for a family there is not."""
    _known("family", "families", family, FAMILIES)
    return {name: _line(kind) for name, kind in FAMILIES[family].entries.items()}


def show(family: str, name: str) -> Entry:
    """Return what there is to say about a piece; raises ``UsageError`` where there is none."""
    _known("family", "families", family, FAMILIES)
    _known(FAMILIES[family].noun, family, name, FAMILIES[family].entries)
    return entry(FAMILIES, family, name)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a spec."""
    from nnkit.spec import Experiment

    return {"title": "nnkit experiment", **json_schema(Experiment, FAMILIES)}


def _known(noun: str, plural: str, name: str, choices: Iterable[str]) -> None:
    if name not in choices:
        raise UsageError(f"unknown {noun} {name!r}{nearest(name, choices)} The {plural}: {', '.join(choices)}")


def _line(kind: type) -> str:
    return doc(kind).partition("\n")[0]
