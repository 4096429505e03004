"""Sub-words: learned the same in every process, put together again to the text, and as two loops by hand find them."""

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkit.errors import ResourceError
from nnkit.frames.subwords import INSIDE, UNKNOWN, Coder, learn, words_and_blanks

pytest.importorskip("tokenizers")

TEXT = "low lower lowest, new newer newest; wide wider widest. " * 7 + "the slow crow knows # now\n\n  (a) "

PROBE = """
import sys
from nnkit.frames.subwords import learn, words_and_blanks
print(learn([(words_and_blanks(sys.argv[1]), 1)], sys.argv[2], 60, 1))
"""


@given(st.text(max_size=200))
def test_words_and_blanks_are_all_of_a_text(text: str) -> None:
    words = words_and_blanks(text)
    assert "".join(words) == text
    assert not any(word.startswith(INSIDE) or word == UNKNOWN for word in words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("To be, or", ["To", " be", ",", " or"]),
        ("a   b", ["a", "  ", " b"]),
        ("\n\nX ", ["\n", "\n", "X", " "]),
        ("## Head #1", ["#", "#", " Head", " #", "1"]),
        ("x" * 150, ["x" * 100, "x" * 50]),
    ],
)
def test_where_words_are_cut(text: str, words: list[str]) -> None:
    assert words_and_blanks(text) == words


def by_hand(text: str, size: int) -> list[tuple[str, str]]:
    """Return the pairs that are put together, the most frequent first (Sennrich and others 2016, algorithm 1)."""
    words = Counter(words_and_blanks(text))
    cut = {word: list(word) for word in words}
    characters = sorted({sign for word in words for sign in word})
    merges: list[tuple[str, str]] = []
    tokens = set(characters)
    while len(tokens) < size:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in zip(cut[word], cut[word][1:], strict=False):
                pairs[pair] += count
        if not pairs:
            break
        most = max(pairs.values())
        chosen = [pair for pair, count in pairs.items() if count == most]
        if len(chosen) > 1:
            break  # Which of several comes first is the library's to say.
        [(first, second)] = chosen
        merges.append((first, second))
        tokens.add(first + second)
        for pieces in cut.values():
            place = 0
            while place < len(pieces) - 1:
                if (pieces[place], pieces[place + 1]) == (first, second):
                    pieces[place : place + 2] = [first + second]
                place += 1
    return merges


def test_pairs_are_those_of_the_algorithm() -> None:
    text = "".join(f" {'ab' * n}{'cd' * (n // 2)}" * (50 - n * n) for n in range(1, 6)) + " abcab" * 31
    expected = by_hand(text, 40)
    assert len(expected) >= 4
    _, merges = learn([(words_and_blanks(text), 1)], "bpe", 40, 1)
    assert merges[: len(expected)] == expected


def longest_first(word: str, tokens: set[str]) -> list[str]:
    """Return the longest sub-words from the start on."""
    found, start = [], 0
    while start < len(word):
        ends = [
            end for end in range(len(word), start, -1) if ("" if start == 0 else INSIDE) + word[start:end] in tokens
        ]
        if not ends:
            return [UNKNOWN]
        found.append(("" if start == 0 else INSIDE) + word[start : ends[0]])
        start = ends[0]
    return found


def test_word_pieces_are_the_longest_that_fit() -> None:
    tokens, merges = learn([(words_and_blanks(TEXT), 1)], "word_piece", 60, 1)
    coder = Coder("word_piece", tokens, merges)
    for word in [*words_and_blanks(TEXT), " slower", "news", "xylophone"]:
        expected = longest_first(word, set(tokens))
        assert [[UNKNOWN, *tokens][number] for number in coder.numbers([word])] == expected
    assert merges == []


@pytest.mark.parametrize("kind", ["bpe", "word_piece"])
def test_every_process_learns_the_same(kind: str) -> None:
    outputs = {
        subprocess.run([sys.executable, "-c", PROBE, TEXT, kind], capture_output=True, text=True, check=True).stdout
        for _ in range(4)
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("kind", ["bpe", "word_piece"])
@pytest.mark.parametrize("size", [4, 30, 200])
def test_vocabularies_keep_their_size_and_begin_with_the_frequent(kind: str, size: int) -> None:
    words = words_and_blanks(TEXT)
    tokens, merges = learn([(words, 3)], kind, size, 1)
    assert 0 < len(tokens) <= size
    assert len(set(tokens)) == len(tokens)
    counts = Counter(Coder(kind, tokens, merges).numbers(words).tolist())
    ranks = [counts[number] for number in range(1, len(tokens) + 1)]
    assert ranks == sorted(ranks, reverse=True)
    assert learn([(words, 1)] * 3, kind, size, 1) == (tokens, merges)


def test_rare_characters_are_unknown() -> None:
    tokens, merges = learn([(words_and_blanks("aab aab aab é"), 1)], "bpe", 50, 2)
    coder = Coder("bpe", tokens, merges)
    assert all("é" not in token for token in tokens)
    assert coder.numbers([" aab"]).all()
    assert coder.numbers(["é"]).tolist() == [0]
    assert coder.pieces("éba") == ["é", "b", "a"]
    assert learn([(["é"], 1)], "bpe", 50, 2) == ([], [])
    assert learn([], "bpe", 50, 2) == ([], [])


@given(st.lists(st.sampled_from([*words_and_blanks(TEXT), " known", "é#"]), max_size=30))
def test_pieces_together_are_the_words(words: list[str]) -> None:
    tokens, merges = learn([(words_and_blanks(TEXT), 1)], "bpe", 60, 1)
    coder = Coder("bpe", tokens, merges)
    pieces = [piece for word in words for piece in coder.pieces(word)]
    assert "".join(pieces) == "".join(words)
    numbers = coder.numbers(words).tolist()
    assert len(numbers) == len(pieces)
    assert all(number == 0 or tokens[number - 1] == piece for number, piece in zip(numbers, pieces, strict=True))


def test_words_without_end_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnkit.frames.subwords.CACHED", 3)
    tokens, merges = learn([(words_and_blanks(TEXT), 1)], "bpe", 60, 1)
    coder = Coder("bpe", tokens, merges)
    expected = [coder.numbers([word]).tolist() for word in words_and_blanks(TEXT)]
    assert [number for word in expected for number in word] == coder.numbers(words_and_blanks(TEXT)).tolist()


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ResourceError, match=r"pip install 'nnkit\[subwords\]'"):
        learn([(["a"], 1)], "bpe", 10, 1)
