"""Words as numbers: which are known, how they are looked up."""

from pathlib import Path

import pytest

from nnkit.data.transforms import TRANSFORMS
from nnkit.data.transforms.base import Notes
from nnkit.data.transforms.tokens import LONGEST, Vocabulary
from nnkit.frames.brackets import TreeReader
from nnkit.frames.table import Column, Frame

TEXT = "(2 (2 The) (2 (2 film) (2 (2 the) (2 film))))\n(2 (2 a) (2 (2 the) (2 film)))"


def frame(text: str = TEXT) -> Frame:
    reader = TreeReader("t")
    for line in text.splitlines():
        reader.feed(line, 1)
    return {"tree": Column(reader.take()[0], "tree")}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["film", "the"]),
        ({"min_count": 1}, ["film", "the", "The", "a"]),
        ({"min_count": 1, "max_words": 3}, ["film", "the", "The"]),
        ({"lowercase": True, "min_count": 1}, ["film", "the", "a"]),
    ],
)
def test_known_are_the_frequent_words(options: dict[str, object], words: list[str]) -> None:
    transform = TRANSFORMS.decode({"type": "vocabulary", **options}, {"base": Path()})
    [state] = transform.fit(frame(), ()).values()
    assert isinstance(state, Vocabulary)
    assert state.tokens == words


def test_words_that_a_run_could_not_keep_are_unknown() -> None:
    fitting, endless = "o" * LONGEST, "x" * (LONGEST + 1)
    transform = TRANSFORMS.decode({"type": "vocabulary", "min_count": 1}, {"base": Path()})
    [state] = transform.fit(frame(f"(2 (2 {endless}) (2 {fitting}))"), ()).values()
    assert isinstance(state, Vocabulary)
    assert state.tokens == [fitting]


def test_unknown_words_have_the_number_0_and_keep_their_text() -> None:
    transform = TRANSFORMS.decode({"type": "vocabulary", "lowercase": True})
    fresh = frame("(2 (2 FILM) (2 (2 unheard) (2 The)))")
    trees = transform.apply(fresh, {"tree": Vocabulary(tokens=["film", "the"])}, Notes("ignore"))["tree"].values
    leaves = trees.coded.words[trees.heights == 0]
    assert leaves.tolist() == [1, 0, 2]
    assert trees.width == 3
    assert trees.tolist() == ["(2 (2 FILM) (2 (2 unheard) (2 The)))"]
