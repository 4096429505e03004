"""JSON Lines: an object a line."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, FileSource

if TYPE_CHECKING:
    from nnkit.frames.lines import Lines
    from nnkit.frames.table import Raw


@SOURCES.register("jsonl")
class JsonLines(FileSource):
    """Reads JSON Lines: a JSON object a line, whose values are numbers, text, true, false or null.

    Columns are the keys of all objects; an object that lacks one has a missing value there.
    """

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the rows of an open file."""
        from nnkit.frames.lines import Lines, unpacked
        from nnkit.frames.table import Raw

        lines = Lines(unpacked(file, name), "utf-8", name)
        some = False
        while part := _filled(lines, chunk_rows):
            some = True
            yield parse_objects(part)
        if not some:
            yield Raw({}, [], complete=False)


def _filled(lines: "Lines", count: int) -> list[tuple[int, str]]:
    """Return the next lines that are not blank, with their numbers, up to the end of a block; none at the end."""
    found: list[tuple[int, str]] = []
    for line in lines:
        if line.strip():
            found.append((lines.number, line))
        if len(found) == count or (found and lines.is_between_blocks):
            break
    return found


def parse_objects(part: list[tuple[int, str]]) -> "Raw":
    """Return the objects of numbered lines as columns; lines that are no objects become bad rows."""
    from nnkit.frames.table import BadRow, Raw

    objects: list[dict[str, Any]] = []
    lines: list[int] = []
    bad: list[BadRow] = []
    for number, line in part:
        try:
            value = json.loads(line, object_pairs_hook=_without_doubles)
            if "\\ud" in line.lower():  # Half of a character that takes two, which no file can hold.
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            bad.append(BadRow(number, f"not JSON ({error})", line.rstrip("\r\n")))
            continue
        if isinstance(value, dict):
            objects.append(value)
            lines.append(number)
        else:
            bad.append(BadRow(number, "expected a JSON object", line.rstrip("\r\n")))
    names = dict.fromkeys(name for value in objects for name in value)
    return Raw({name: [value.get(name) for value in objects] for name in names}, lines, bad, complete=False)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key comes twice")
    return value
