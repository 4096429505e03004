"""CoNLL line by line, and lists of texts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkit.errors import DataError
from nnkit.frames.conll import SENTENCE_LIMIT, ConllReader
from nnkit.frames.lists import Lists, joined
from nnkit.frames.table import Raw
from nnkit.frames.tokens import word_shape

NAMES = ["token", "tag"]


def read(
    text: str,
    names: list[str] = NAMES,
    separator: str | None = None,
    comments: tuple[str, ...] = ("-DOCSTART-",),
    partial: bool = False,
) -> Raw:
    reader = ConllReader("f.conll", names, separator, comments, partial)
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        reader.feed(line, number)
    reader.finish()
    return reader.take()


def columns(raw: Raw) -> dict[str, list[list[str]]]:
    return {name: lists.tolist() for name, lists in raw.cells.items()}


def test_sentences_lie_between_blank_lines() -> None:
    raw = read("\n\nIn\tO\nBonn\tB-place\n\t\n \n\nHere\tO\r\n")
    assert columns(raw) == {"token": [["In", "Bonn"], ["Here"]], "tag": [["O", "B-place"], ["O"]]}
    assert raw.lines == [3, 8]
    assert raw.bad == []


def test_cells_are_parted_by_a_tab_or_else_by_blanks() -> None:
    assert columns(read("8 1/2\tO\n"))["token"] == [["8 1/2"]]
    assert columns(read("In   O \n"))["tag"] == [["O"]]
    assert columns(read("a\u00a0b O\n"))["token"] == [["a\u00a0b"]]  # a blank that does not break is a letter
    assert columns(read("a b|O\n", separator="|"))["token"] == [["a b"]]


def test_comments_stand_between_sentences_only() -> None:
    raw = read("-DOCSTART- -X-\n\n# sent 1\n# O\n", comments=("-DOCSTART-", "# sent"))
    assert columns(raw)["token"] == [["#"]]
    [bad] = read("a O\n-DOCSTART- O\n\nb O\n").bad
    assert (bad.line, bad.reason) == (2, "a comment within a sentence: a blank line ends the sentence before")


def test_a_sentence_with_a_wrong_line_is_refused_whole_and_the_next_is_read() -> None:
    raw = read("a O\nb\nc O O\n\nd O\n\ne\t\n")
    assert columns(raw)["token"] == [["d"]]
    assert [(bad.line, bad.reason, bad.text) for bad in raw.bad] == [
        (2, "1 cell, expected 2 (token, tag)", "b"),
        (7, "1 cell, expected 2 (token, tag)", "e\t"),
    ]
    [bad] = read("a\tO\n\tO\n").bad
    assert bad.line == 2


def test_without_the_target_the_first_line_says_how_many_columns_there_are() -> None:
    assert columns(read("a\nb\n\nc\n", partial=True)) == {"token": [["a", "b"], ["c"]]}
    assert [bad.reason for bad in read("a\nb O\n", partial=True).bad] == ["2 cells, expected 1 (token)"]
    [bad] = read("I live in Bonn\n", partial=True).bad
    assert bad.reason == "4 cells, expected at most 2 (token, tag): one word a line, and a blank line between sentences"


def test_a_sentence_without_end_is_an_error() -> None:
    with pytest.raises(
        DataError, match=r"f.conll:10002: the sentence that begins in line 2 has more than 10,000 words"
    ):
        read("\n" + "a O\n" * (SENTENCE_LIMIT + 1))
    assert len(read("a O\n" * SENTENCE_LIMIT)) == 1


def test_nothing_is_no_sentence() -> None:
    assert columns(read("")) == {"token": [], "tag": []}
    assert columns(read("\n\n")) == {"token": [], "tag": []}


texts = st.lists(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=500), min_size=1), max_size=5))


@given(texts, st.lists(st.integers(0, 100), max_size=8))
def test_lists_are_lists(rows: list[list[str]], chosen: list[int]) -> None:
    lists = Lists.of(rows)
    assert lists.tolist() == rows
    assert lists.flat() == [text for row in rows for text in row]
    assert set(lists.used()) == set(lists.flat())
    picked = [number % len(rows) for number in chosen] if rows else []
    some = lists[np.array(picked, np.int64)]
    assert some.tolist() == [rows[number] for number in picked]
    assert joined([some, lists]).tolist() == [*some.tolist(), *rows]
    lengths = some.numbered(len)
    assert [lengths.row(row).tolist() for row in range(len(some))] == [list(map(len, row)) for row in some.tolist()]


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("Paris", "Xxxxx"),
        ("Konstanz", "Xxxxx"),
        ("UK", "XX"),
        ("10-day", "dd-xxx"),
        ("1234567", "dddd"),
        ("!!!!!!", "!!!!"),
        ("Ǆ", "X"),
    ],
)
def test_shapes_of_words(word: str, shape: str) -> None:
    assert word_shape(word) == shape
