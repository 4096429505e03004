"""Trees in the Penn format: what is read, and what is said of all that is none."""

import io
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkit.data.sources import SOURCES
from nnkit.errors import DataError
from nnkit.frames.brackets import DEPTH_LIMIT, TreeReader
from nnkit.frames.table import BadRow
from nnkit.frames.trees import Trees, concatenate

SIMPLE = "(3 (2 a) (4 (3 very) (4 good)))"


def read(text: str, labels: list[str] | None = None) -> tuple[Trees, list[int], list[BadRow]]:
    reader = TreeReader("t.txt", labels)
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        reader.feed(line, number)
    reader.finish()
    return reader.take()


def test_a_tree_is_flat_with_children_first() -> None:
    trees, lines, bad = read(SIMPLE)
    assert (lines, bad, len(trees)) == ([1], [], 1)
    assert trees.left.tolist() == [-1, -1, -1, 1, 0]
    assert trees.right.tolist() == [-1, -1, -1, 2, 3]
    assert trees.heights.tolist() == [0, 0, 0, 1, 2]
    assert [trees.names[label] for label in trees.labels.tolist()] == ["2", "3", "4", "4", "3"]
    assert [trees.vocabulary[word] for word in trees.words.tolist() if word >= 0] == ["a", "very", "good"]


def test_a_tree_may_stand_in_one_line_or_in_several() -> None:
    trees, lines, bad = read("\n(3\n  (2 a)\n  (4 good)\n)\n(1 x) (2 y)\n")
    assert (trees.tolist(), bad) == (["(3 (2 a) (4 good))", "(1 x)", "(2 y)"], [])
    assert lines == [2, 6, 6]


def test_words_stay_as_they_are() -> None:
    text = "(2 (2 -LRB-) (2 (2 8\N{NO-BREAK SPACE}1\\/2) (2 caf\N{LATIN SMALL LETTER E WITH ACUTE})))"
    assert read(text)[0].tolist() == [text]


def random_tree(draw: random.Random, leaves: int) -> str:
    label = draw.randrange(5)
    if leaves == 1:
        return f"({label} {draw.choice('abcdef')})"
    first = draw.randrange(1, leaves)
    return f"({label} {random_tree(draw, first)} {random_tree(draw, leaves - first)})"


def test_what_is_read_is_written_again() -> None:
    draw = random.Random(1)
    texts = [random_tree(draw, draw.randrange(1, 30)) for _ in range(200)]
    trees, _, _ = read("\n".join(texts))
    assert trees.tolist() == texts
    rows = [7, 3, 3, 199]
    assert trees[rows].tolist() == [texts[row] for row in rows]
    assert trees[10:20].tolist() == texts[10:20]
    parts = [read("\n".join(texts[start : start + 50]))[0] for start in range(0, 200, 50)]
    together = concatenate(parts)
    assert together.tolist() == texts
    assert len(set(together.vocabulary)) == len(together.vocabulary)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(3 (2 a) (2 b)", "the tree that begins here is never closed: 1 bracket still open"),
        ("(3 (2 a) (2 b", "never closed: 2 brackets still open"),
        ("(3 (2 a) (2 b))) ", "a closing bracket that no bracket opens"),
        ("()", "empty brackets: a sentence has at least one word"),
        ("(3 () (2 a))", "empty brackets"),
        ("(3)", "the node with the label '3' has no word"),
        ("(3 (2 a) (2 b) (2 c))", "the node with the label '3' has 3 children, and trees must be binary"),
        ("(3 (2 a))", "the node with the label '3' has one child, and trees must be binary"),
        ("(3 New York)", "the node with the label '3' has 2 words"),
        ("(3 word (2 a) (2 b))", "has words and trees in it"),
        ("((2 a) (2 b))", "a node without a label"),
        ("(7 (2 a) (2 b))", "the label '7' is none of the source's labels: 0, 1, 2, 3, 4"),
        ("(3 (x a) (2 b))", "the label 'x' is none of the source's labels"),
        ("A fine film.", "a plain sentence needs a parser to become a tree, and nnkit has none"),
    ],
)
def test_what_is_no_binary_tree_is_refused_with_line_and_reason(text: str, reason: str) -> None:
    trees, _, bad = read(f"{SIMPLE}\n{text}\n", ["0", "1", "2", "3", "4"])
    assert trees.tolist()[0] == SIMPLE
    assert [row.line for row in bad] == [2]
    assert reason in bad[0].reason


def test_a_bad_tree_loses_no_other() -> None:
    trees, lines, bad = read(f"{SIMPLE}\n(3 (2 a))\nplain words\n{SIMPLE}\n()\n{SIMPLE}")
    assert trees.tolist() == [SIMPLE] * 3
    assert lines == [1, 4, 6]
    assert [(row.line, row.text) for row in bad] == [(2, "(3 (2 a))"), (3, "plain words"), (5, "()")]


def test_a_place_in_a_tree_of_several_lines_is_the_nodes() -> None:
    [bad] = read("(3\n (2 a)\n (2 (2 b)))")[2]
    assert bad.line == 3


def test_very_deep_brackets_are_an_error_with_its_place() -> None:
    deep = f"{SIMPLE}\n" + "(2 " * 100_000 + "a" + ")" * 100_000
    with pytest.raises(DataError, match=r"t\.txt:2: brackets nested deeper than 1,000"):
        read(deep)
    chain = "(2 (2 a) " * (DEPTH_LIMIT - 1) + "(2 b)" + ")" * (DEPTH_LIMIT - 1)
    trees, _, bad = read(chain)
    assert (int(trees.heights.max()), bad) == (DEPTH_LIMIT - 1, [])


@given(st.text(alphabet="()ab12 \n\t", max_size=60), st.data())
def test_whatever_is_read_each_tree_is_whole_and_each_fault_has_its_line(text: str, data: st.DataObject) -> None:
    trees, lines, bad = read(text)
    count = len(text.splitlines())
    assert all(1 <= line <= count for line in [*lines, *(row.line for row in bad)])
    assert len(trees) == len(lines)
    again, _, worse = read("\n".join(trees.tolist()))
    assert (again.tolist(), worse) == (trees.tolist(), [])
    inner = trees.left >= 0
    assert bool((trees.left[inner] < trees.right[inner]).all())
    if text.count("(") != text.count(")"):
        assert bad
    if len(trees):
        row = data.draw(st.integers(0, len(trees) - 1))
        assert trees[row : row + 1].tolist() == [trees.tolist()[row]]


@given(st.binary(max_size=80))
def test_any_bytes_give_trees_or_an_error(content: bytes) -> None:
    source = SOURCES.decode({"type": "trees", "path": "t.txt"}, {"base": Path()})
    parts, message = [], "t.txt"
    try:
        parts = list(source.chunks_of(io.BytesIO(content), "t.txt"))
    except DataError as error:
        message = str(error)
    assert message.startswith("t.txt")
    assert all(len(part.cells["tree"]) == len(part.lines) for part in parts)
