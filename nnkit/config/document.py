"""A spec as a document: its tree of values, where each was written, and what ``--set`` changes in it."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml

from nnkit.config.nodes import MAX_BYTES, Node, Place, Value, container, read_nodes
from nnkit.config.scalars import is_text
from nnkit.config.words import found
from nnkit.errors import Path, Problem, SpecError, show_path
from nnkit.files import read_plain

_PART = r'(?:"[^"]+"|[^\s."\[\]=]+)'
_ASSIGNMENT = re.compile(rf"({_PART}(?:\.{_PART}|\[[0-9]{{1,9}}\])*)=(.*)", re.DOTALL)
_ODD_BREAKS = re.compile("[\r\x85\u2028\u2029]")
_PARTS = re.compile(r'"([^"]+)"|\[([0-9]+)\]|([^."\[\]=]+)')


@dataclass(frozen=True)
class Document:
    """A spec's root node, the name it goes by in messages, and the folder its paths are relative to."""

    root: Node
    name: str
    base: FilePath

    @property
    def tree(self) -> Value:
        """The plain values: dicts, lists, texts, numbers, booleans and None."""
        return self.root.value

    def find(self, path: Path) -> Node:
        """Return the deepest node on ``path``, passing over parts that the document doesn't have."""
        node = self.root
        for part in path:
            node = node.children.get(part, node)
        return node

    def place(self, path: Path) -> str:
        """Return ``file:line`` (or ``--set key=value``) of what is at ``path``; of its parent where it is missing."""
        return str(self.find(path).place)

    def clean(self, path: Path) -> Path:
        """Return ``path`` without the parts that the document doesn't have, such as the names of union members."""
        node, kept = self.root, []
        for part in path:
            if part in node.children:
                node = node.children[part]
                kept.append(part)
        return tuple(kept)

    def override(self, assignments: Sequence[str]) -> "Document":
        """Return the document with ``key=value`` assignments made in order; raises ``SpecError`` with every mistake.

        A key is a path as messages write it (``model.layers[2].units``, or ``layers.2.units``; a name with dots in
        double quotes); a value is YAML. A missing key is made; a bare word on the way becomes ``{type: word}``.
        """
        root, problems = self.root, list[Problem]()
        for assignment in assignments:
            try:
                root = _assigned(root, assignment)
            except SpecError as error:
                problems += error.problems
        if problems:
            raise SpecError(problems)
        return Document(root, self.name, self.base)


def load_document(path: FilePath) -> Document:
    """Read a spec from a file of at most 1 MiB; raises ``SpecError``, also where there is no such file."""
    return parse_document(_read(path), str(path), path.parent)


def parse_document(text: str | bytes, name: str, base: FilePath, most: int = MAX_BYTES) -> Document:
    """Read a spec from text of up to ``most`` bytes; ``name`` stands for the file in messages.

    Raises ``SpecError`` with every mistake.
    """
    size = len(text) if isinstance(text, bytes) else len(text.encode(errors="surrogatepass"))
    if size > most:
        raise _refused(name, f"{size} bytes is too large for a spec; the limit is {most}")
    root = read_nodes(text, name)
    if not isinstance(root.value, dict):
        message = f"a spec is a mapping of options such as `name: churn`, found {found(root.value)}"
        raise SpecError([Problem((), message, str(root.place))])
    return Document(root, name, base)


def _read(path: FilePath) -> bytes:
    try:
        return read_plain(path, MAX_BYTES)
    except OSError as error:
        raise _refused(str(path), f"the spec cannot be read: {error.strerror}") from error


def _refused(name: str, message: str) -> SpecError:
    return SpecError([Problem((), message, name)])


def _assigned(root: Node, assignment: str) -> Node:
    place = Place(f"--set {assignment}")
    match = _ASSIGNMENT.fullmatch(assignment)
    if not match:
        message = "expected key=value with a key such as training.epochs or model.layers[2].units"
        raise SpecError([Problem((), message, str(place))])
    parts: list[str | int] = [
        int(index) if index else quoted or plain for quoted, index, plain in _PARTS.findall(match[1])
    ]
    value = read_nodes(match[2], str(place), command_line=True)
    return _replaced(root, tuple(parts), (), value, place)


def _replaced(node: Node, ahead: Path, behind: Path, value: Node, place: Place) -> Node:
    """Return ``node`` with ``value`` at the path ``ahead``; ``behind`` is the path of ``node`` itself."""
    if not ahead:
        return value
    node = _opened(node, place)
    part = ahead[0]
    if isinstance(node.value, list):
        part = _index(part, len(node.value), behind, place)
    elif not isinstance(node.value, dict) or isinstance(part, int):
        kind = "a list" if isinstance(part, int) else "a mapping"
        raise _misplaced(behind, f"is not {kind}, so {show_path((part,))} cannot be set in it", place)
    before = node.children.get(part, Node(None, place))
    after = _replaced(before, ahead[1:], (*behind, part), value, place)
    children = {**node.children, part: after}
    values = [child.value for child in children.values()]
    changed: Any = values if isinstance(node.value, list) else dict(zip(children, values, strict=True))
    return container(changed, node.place, children)


def _opened(node: Node, place: Place) -> Node:
    """Return a mapping for what may stand for one: nothing, or the bare word that names a type."""
    if node.value is None:
        return Node({}, place)
    if isinstance(node.value, str):
        return container({"type": node.value}, node.place, {"type": node})
    return node


def _index(part: str | int, length: int, behind: Path, place: Place) -> int:
    if not str(part).isdecimal():
        raise _misplaced(behind, f"is a list; expected an index such as [0], found {part!r}", place)
    index = int(part)
    if index >= length:
        held = f"ends with the item {length - 1}" if length else "is empty"
        raise _misplaced((*behind, index), f"there is no such item; the list {held}", place)
    return index


def _misplaced(path: Path, message: str, place: Place) -> SpecError:
    return SpecError([Problem(path, message, str(place))])


class _Dumper(yaml.SafeDumper):
    """Writes block style with flow style for the innermost lists and mappings, and never an alias."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    # The emitter by itself quotes what YAML 1.1 would take for something else, and takes more for line breaks.
    style = "'" if not is_text(text) else '"' if _ODD_BREAKS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_multi_representer(str, _represent_text)


def dump_yaml(tree: object, *, one_line: bool = False) -> str:
    """Write a tree of dicts, lists, texts, numbers, booleans and None as YAML that reads back as the same tree."""
    width, flow = (sys.maxsize, True) if one_line else (110, None)
    text = yaml.dump(tree, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=width, default_flow_style=flow)
    return str(text).removesuffix("...\n")
