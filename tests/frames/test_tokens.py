from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnkit.frames.cells import Words
from nnkit.frames.tokens import characters, numbered, numbers_of, vocabulary, words


def test_words_keep_their_apostrophes_and_signs_stand_alone() -> None:
    assert words("Don't stop, it's 5 o'clock!") == ["Don't", "stop", ",", "it's", "5", "o'clock", "!"]
    assert words("  'Größe' …\n") == ["'", "Größe", "'", "…"]


@given(st.lists(st.text("abc", max_size=6), min_size=1))
def test_a_vocabulary_has_the_frequent_tokens_first(texts: list[str]) -> None:
    counts = Counter("".join(texts))
    found = vocabulary([(characters(text), 1) for text in texts], None, 2)
    assert set(found) == {token for token, count in counts.items() if count >= 2}
    assert [counts[token] for token in found] == sorted((counts[token] for token in found), reverse=True)
    assert vocabulary([(characters(text), 3) for text in texts], 2, 2) == vocabulary(
        [(characters(text), 1) for text in texts * 3], 2, 2
    )


@given(st.lists(st.none() | st.text("abcd", max_size=6)))
def test_numbers_stand_for_tokens_and_0_for_unknown_ones(texts: list[str | None]) -> None:
    index = {"a": 1, "b": 2, "c": 3}
    found = numbered(Words.of(texts), characters, lambda tokens: numbers_of(tokens, index), 4)
    assert len(found) == len(texts)
    for row, text in enumerate(texts):
        assert found.row(row).tolist() == [index.get(token, 0) for token in (text or "")[:4]]
    assert found.values.dtype == np.int32
