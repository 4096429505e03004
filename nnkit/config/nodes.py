"""From YAML text to a tree of values that know their lines; nothing in the text can run code or use up memory."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import yaml

from nnkit.config.scalars import PREFIX, Scalar, ScalarError, resolve, shown, tagged
from nnkit.errors import Path, Problem, SpecError

MAX_BYTES = 2**20
MAX_DEPTH = 100
MAX_ALIASED = 100_000
"""Values that aliases may add up to when each is written out."""

_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BOMS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32"} | {
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Value: TypeAlias = Scalar | list["Value"] | dict[str, "Value"]


class CommandLineText(str):
    """Text from the command line, where a path is meant from the current folder and not from the spec's."""

    __slots__ = ()


@dataclass(frozen=True)
class Place:
    """Where a value was written: a line of a file, or (without a line) an option of the command line."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Node:
    """A value, its place (the line of its key or list item), and the nodes under it by key or index."""

    value: Value
    place: Place
    children: dict[str | int, "Node"] = field(default_factory=dict)
    count: int = 1
    height: int = 0


def container(value: "list[Value] | dict[str, Value]", place: Place, children: dict[str | int, Node]) -> Node:
    """Return the node of a list or mapping, with the size and height of what is under it."""
    count = 1 + sum(child.count for child in children.values())
    height = 1 + max((child.height for child in children.values()), default=0)
    return Node(value, place, children, count, height)


def read_nodes(text: str | bytes, source: str, *, command_line: bool = False) -> Node:
    """Read one YAML document; raises ``SpecError`` with every mistake that reading can go on after.

    With ``command_line`` the text is the value of an option: its places have no lines, its strings are marked.
    """
    builder = _Builder(source, command_line)
    plain = _decoded(text, builder)
    try:
        node = builder.document(yaml.parse(plain, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise builder.invalid(error) from None
    if builder.problems:
        raise SpecError(builder.problems)
    return node


def _decoded(text: str | bytes, builder: "_Builder") -> str:
    plain = (_from_bytes(text, builder) if isinstance(text, bytes) else text).removeprefix("\ufeff")
    if odd := _NOT_TEXT.search(plain):
        line = plain.count("\n", 0, odd.start()) + 1
        raise builder.error((), line, f"the character U+{ord(odd[0]):04X} has no place in text; is this a spec?")
    return plain


def _from_bytes(data: bytes, builder: "_Builder") -> str:
    if encoding := next((name for bom, name in _BOMS.items() if data.startswith(bom)), None):
        raise builder.error((), 1, f"the file is {encoding} text; save it as UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise builder.error((), line, f"the byte 0x{data[error.start]:02x} is not UTF-8; save it as UTF-8") from None


class _Builder:
    """Makes nodes from parser events, and keeps the mistakes after which reading can go on."""

    def __init__(self, source: str, command_line: bool) -> None:
        self.source = source
        self.command_line = command_line
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node | None] = {}
        self.aliased = 0

    def document(self, events: Iterator[yaml.Event]) -> Node:
        """Return the root of the only document."""
        self.events = events
        next(events)
        if isinstance(next(events), yaml.StreamEndEvent):
            return Node(None, self.place(1))
        root = self.node(next(events), (), 1, 0)
        next(events)
        extra = next(events)
        if not isinstance(extra, yaml.StreamEndEvent):
            raise self.error((), _line(extra), "a second document begins here; a spec is one document")
        return root

    def node(self, event: yaml.Event, path: Path, line: int | None, depth: int) -> Node:
        """Return the node that begins with ``event``; ``line`` is its key's, where it has one."""
        place = self.place(line or _line(event))
        if isinstance(event, yaml.AliasEvent):
            return replace(self.alias(event, path, depth), place=place)
        if depth > MAX_DEPTH:
            raise self.error((), _line(event), f"nested deeper than {MAX_DEPTH} levels")
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self.anchors[anchor] = None
        node = self.content(event, path, place, depth)
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def content(self, event: yaml.Event, path: Path, place: Place, depth: int) -> Node:
        """Return the node of a mapping, a list or a scalar."""
        if isinstance(event, yaml.MappingStartEvent):
            self.check_tag(event, path, "map")
            children = self.mapping(path, depth)
            return container({str(key): child.value for key, child in children.items()}, place, children)
        if isinstance(event, yaml.SequenceStartEvent):
            self.check_tag(event, path, "seq")
            children = self.sequence(path, depth)
            return container([child.value for child in children.values()], place, children)
        assert isinstance(event, yaml.ScalarEvent)  # noqa: S101 - a parser gives nothing else here
        return Node(self.scalar(event, path), place)

    def mapping(self, path: Path, depth: int) -> dict[str | int, Node]:
        """Read up to the mapping's end; a key that is written twice keeps its first value and is a problem."""
        children: dict[str | int, Node] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key, line = self.key(event, path), _line(event)
            child = self.node(next(self.events), (*path, key), line, depth + 1)
            if key in lines:
                self.add((*path, key), line, f"this key is written twice, on lines {lines[key]} and {line}; keep one")
                continue
            lines[key], children[key] = line, child
        return children

    def sequence(self, path: Path, depth: int) -> dict[str | int, Node]:
        """Read up to the list's end."""
        children: dict[str | int, Node] = {}
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            index = len(children)
            children[index] = self.node(event, (*path, index), None, depth + 1)
        return children

    def key(self, event: yaml.Event, path: Path) -> str:
        """Return a key as text: what is written, so that the class label 0 needs no quotes."""
        if not isinstance(event, yaml.ScalarEvent):
            raise self.error(path, _line(event), "a key must be text, found a list, a mapping or an alias")
        if event.tag not in (None, "!", PREFIX + "str"):
            self.add(path, _line(event), f"a key must be text, found the tag {shown(event.tag)}")
        return str(event.value)

    def scalar(self, event: yaml.ScalarEvent, path: Path) -> Scalar:
        """Return a scalar's value by its tag and the rules of YAML 1.2."""
        plain = event.implicit[0] and event.tag is None
        try:
            if event.tag is not None:
                value = tagged(event.tag, event.value)
            else:
                value = resolve(event.value) if plain else str(event.value)
        except ScalarError as error:
            self.add(path, _line(event), str(error))
            return None
        return CommandLineText(value) if self.command_line and isinstance(value, str) else value

    def alias(self, event: yaml.AliasEvent, path: Path, depth: int) -> Node:
        """Return the node that an alias means; what aliases add up to is bounded, and none contains itself."""
        line, name = _line(event), event.anchor
        if name not in self.anchors:
            raise self.error(path, line, f"the alias *{name} has no anchor &{name} above it")
        node = self.anchors[name]
        if node is None:
            raise self.error(path, line, f"the alias *{name} is inside of what it stands for: a cycle")
        self.aliased += node.count
        if self.aliased > MAX_ALIASED:
            raise self.error(path, line, f"the aliases stand for more than {MAX_ALIASED} values; write fewer")
        if depth + node.height > MAX_DEPTH:
            raise self.error(path, line, f"with its aliases nested deeper than {MAX_DEPTH} levels")
        return node

    def check_tag(self, event: yaml.CollectionStartEvent, path: Path, kind: str) -> None:
        """Note a problem where a list or mapping has a tag that is not its own."""
        if event.tag not in (None, "!", PREFIX + kind):
            self.add(path, _line(event), f"the tag {shown(event.tag)} is not allowed here")

    def place(self, line: int) -> Place:
        """Return the place of a line of this text."""
        return Place(self.source, None if self.command_line else line)

    def add(self, path: Path, line: int, message: str) -> None:
        """Keep a problem and read on."""
        self.problems.append(Problem(path, message, str(self.place(line))))

    def error(self, path: Path, line: int, message: str) -> SpecError:
        """Return the error that ends reading, with the problems found before it."""
        self.add(path, line, message)
        return SpecError(self.problems)

    def invalid(self, error: yaml.YAMLError) -> SpecError:
        """Return the error for text that is not YAML."""
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        context = getattr(error, "context", None)
        message = f"not valid YAML: {reason}" + (f" {context}" if context else "")
        return self.error((), mark.line + 1 if mark else 1, message)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
