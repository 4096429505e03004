"""Brackets as trees: the Penn format, read line by line and without recursion."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nnkit.engine.nodes import LEAF, starts_of
from nnkit.errors import DataError
from nnkit.frames.table import BadRow
from nnkit.frames.trees import Trees

DEPTH_LIMIT = 1000
"""Brackets in brackets that are read: the deepest sentence of the Stanford Sentiment Treebank has about 30."""

_TOKEN = re.compile(r"[()]|[^\s()]+", re.ASCII)
"""A blank that does not break, as the treebank has in 8 1/2, is a letter of its word."""


@dataclass
class _Open:
    """A bracket that is not yet closed: its line, what came in it so far."""

    line: int
    atoms: list[str] = field(default_factory=list)
    children: list[int] = field(default_factory=list)


class TreeReader:
    """Reads trees in the Penn format line by line, each in a line or over several.

    What is no binary tree with a label at every node becomes a bad row; the next tree begins in the line after it, or
    where its brackets close. ``name`` is what messages call the text.
    """

    def __init__(self, name: str, labels: Sequence[str] | None = None) -> None:
        """``labels`` are those that nodes may have, or None for any."""
        self._name = name
        self._allowed = None if labels is None else dict.fromkeys(labels)
        self._open: list[_Open] = []
        self._lines: list[str] = []
        self._fault: BadRow | None = None
        self._words: dict[str, int] = {}
        self._labels: dict[str, int] = {}
        self._clear()

    def _clear(self) -> None:
        self._nodes: list[tuple[int, int, int, int, int]] = []
        self._sizes: list[int] = []
        self.places: list[int] = []
        self.bad: list[BadRow] = []
        self._first = 0

    def __len__(self) -> int:
        """How many trees and bad rows wait to be taken."""
        return len(self._sizes) + len(self.bad)

    def feed(self, line: str, number: int) -> None:
        """Read the line with this number (from 1); raises ``DataError`` where brackets are nested too deep."""
        if self._open:
            self._lines.append(line)
        for match in _TOKEN.finditer(line):
            text = match[0]
            if text == "(":
                if not self._open:
                    self._lines = [line]
                self._begin(number)
            elif not self._open:
                self.bad.append(BadRow(number, _outside(text), line.strip()))
                return
            elif text == ")":
                self._end(number)
            else:
                self._open[-1].atoms.append(text)

    def _begin(self, number: int) -> None:
        if len(self._open) == DEPTH_LIMIT:
            raise DataError(
                f"{self._name}:{number}: brackets nested deeper than {DEPTH_LIMIT:,}, as in no sentence; "
                "take the tree out, or is this another format?"
            )
        if self._open and not self._open[-1].atoms:
            self._blame(number, "a node without a label: expected (LABEL WORD) or (LABEL TREE TREE)")
        self._open.append(_Open(number))

    def _end(self, number: int) -> None:
        """Close a bracket, and with the last one the tree."""
        bracket = self._open.pop()
        if reason := self._reason(bracket):
            self._blame(bracket.line, reason)
        label = self._labels.setdefault(bracket.atoms[0] if bracket.atoms else "", len(self._labels))
        place = len(self._nodes) - self._first
        if len(bracket.children) == 2:
            left, right = bracket.children
            height = 1 + max(self._nodes[self._first + left][4], self._nodes[self._first + right][4])
            self._nodes.append((left, right, LEAF, label, height))
        else:
            word = self._words.setdefault(bracket.atoms[-1] if bracket.atoms else "", len(self._words))
            self._nodes.append((LEAF, LEAF, word, label, 0))
        if self._open:
            self._open[-1].children.append(place)
        else:
            self._close(bracket.line)

    def _reason(self, bracket: _Open) -> str | None:
        """Return what is wrong with a node."""
        atoms, children = bracket.atoms, len(bracket.children)
        if not atoms and not children:
            return "empty brackets: a sentence has at least one word, as (LABEL WORD)"
        label = f"the node with the label {atoms[0]!r:.40}" if atoms else "a node"
        if children == 0:
            if len(atoms) == 2:
                return self._label_fault(atoms[0])
            return f"{label} has {'no word' if len(atoms) < 2 else f'{len(atoms) - 1} words'}; expected (LABEL WORD)"
        if len(atoms) > 1:
            return f"{label} has words and trees in it; expected (LABEL WORD) or (LABEL TREE TREE)"
        if children != 2:
            many = "one child" if children == 1 else f"{children} children"
            return f"{label} has {many}, and trees must be binary: a word, or two trees; binarize them first"
        return self._label_fault(atoms[0]) if atoms else None

    def _label_fault(self, label: str) -> str | None:
        if self._allowed is None or label in self._allowed:
            return None
        return f"the label {label!r:.40} is none of the source's labels: {', '.join(self._allowed)}"

    def _blame(self, line: int, reason: str) -> None:
        """Keep the first thing that is wrong with a tree."""
        self._fault = self._fault or BadRow(line, reason, "")

    def _close(self, line: int) -> None:
        """End a tree: keep it, or refuse it."""
        if self._fault is None:
            self._sizes.append(len(self._nodes) - self._first)
            self.places.append(line)
        else:
            del self._nodes[self._first :]
            self.bad.append(replace(self._fault, text=" ".join("".join(self._lines).split())))
        self._first, self._fault = len(self._nodes), None

    def finish(self) -> None:
        """Say that no line follows: a tree that is open is a bad row."""
        if self._open:
            count = f"{len(self._open)} bracket{'s' if len(self._open) > 1 else ''}"
            reason = f"the tree that begins here is never closed: {count} still open at the end"
            self.bad.append(BadRow(self._open[0].line, reason, " ".join("".join(self._lines).split())[:1000]))
            self._open = []

    def take(self) -> tuple[Trees, list[int], list[BadRow]]:
        """Return the trees read so far, the line of each, and the bad rows; forgets them."""
        whole = self._nodes[: self._first]
        table = np.array(whole, dtype=np.int32).reshape(-1, 5).T.copy()
        left, right, words, labels, heights = table
        sizes = np.array(self._sizes, dtype=np.int64)
        trees = Trees(starts_of(sizes), left, right, words, heights, labels, list(self._words), list(self._labels))
        rest, lines, bad = self._nodes[self._first :], self.places, self.bad
        self._clear()
        self._nodes = rest
        return trees, lines, bad


def _outside(text: str) -> str:
    if text == ")":
        return "a closing bracket that no bracket opens"
    return (
        f"expected a tree, which begins with a bracket, found {text!r:.40}; "
        "a plain sentence needs a parser to become a tree, and nnkit has none"
    )
