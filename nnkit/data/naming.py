"""Names of files as data: a pattern says which parts of a name are columns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, WithJsonSchema

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,99})(?::([1-9][0-9]{0,3}))?\}")
LONGEST = 1000


@dataclass(frozen=True)
class Part:
    """A part of a name: a text that must stand there, or a column's value, of so many characters if that is said."""

    literal: str = ""
    column: str = ""
    width: int | None = None


@dataclass(frozen=True)
class Naming:
    """A pattern of file names, by folder: the last is of the name itself."""

    levels: tuple[tuple[Part, ...], ...]

    @property
    def columns(self) -> list[str]:
        """The columns that names give."""
        return [part.column for level in self.levels for part in level if part.column]

    def values(self, name: str) -> dict[str, str] | None:
        """Return the value of each column in a name with its folders; None where it does not fit the pattern."""
        levels = name.split("/")[-len(self.levels) :]
        if len(levels) < len(self.levels):
            return None
        found: dict[str, str] = {}
        for text, parts in zip(levels, self.levels, strict=True):
            if not _read(text, parts, found):
                return None
        return found


def _read(text: str, parts: Sequence[Part], found: dict[str, str]) -> bool:
    """Take the parts of a text from its start, each as short as it can be; tell whether all fit."""
    for number, part in enumerate(parts):
        if part.literal:
            if not text.startswith(part.literal):
                return False
            text = text.removeprefix(part.literal)
            continue
        end = part.width or _end(text, parts[number + 1 :])
        if not 0 < end <= len(text):
            return False
        found[part.column], text = text[:end], text[end:]
    return not text


def _end(text: str, rest: Sequence[Part]) -> int:
    """Return where the next literal begins; the last one stands at the end."""
    if not rest:
        return len(text)
    literal = rest[0].literal
    if len(rest) == 1:
        return len(text) - len(literal) if text.endswith(literal) else -1
    return text.find(literal, 1)


def naming(pattern: str) -> Naming:
    """Read a pattern, as ``cv{fold:1}{number:2}_{id}.txt``; raises ``ValueError``."""
    if not pattern or len(pattern) > LONGEST:
        raise ValueError(f"expected a pattern of 1 to {LONGEST} characters")
    found = Naming(tuple(_parts(level) for level in pattern.split("/")))
    columns = found.columns
    if not columns:
        raise ValueError(f"expected a pattern with a column in braces, such as {{fold:1}}; found {pattern!r:.200}")
    doubles = [column for column in columns if columns.count(column) > 1]
    if doubles:
        raise ValueError(f"the pattern has the column {doubles[0]} twice")
    taken = [column for column in columns if column in ("text", "file", "audio")]
    if taken:
        raise ValueError(f"{taken[0]} is a column of the source itself; call the pattern's another name")
    return found


def _parts(level: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    place = 0
    for field in _FIELD.finditer(level):
        _add_literal(parts, level[place : field.start()])
        if parts and parts[-1].column and parts[-1].width is None:
            raise ValueError(f"nothing parts {{{parts[-1].column}}} from what follows; say how long it is, as by :1")
        parts.append(Part(column=field[1], width=int(field[2]) if field[2] else None))
        place = field.end()
    _add_literal(parts, level[place:])
    if not parts:
        raise ValueError("the pattern has two slashes with nothing between them, or one at its start or end")
    return tuple(parts)


def _add_literal(parts: list[Part], text: str) -> None:
    if "{" in text or "}" in text:
        raise ValueError(f"{text!r:.100} is no column; write {{name}} or, of 2 characters, {{name:2}}")
    if text:
        parts.append(Part(literal=text))


def _checked(pattern: str) -> str:
    naming(pattern)
    return pattern


Pattern: TypeAlias = Annotated[
    str, AfterValidator(_checked), WithJsonSchema({"type": "string", "x-words": "a pattern of file names"})
]
