"""Tokens: texts cut into characters or words, and their numbers in a vocabulary."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.ragged import Ragged
from nnkit.frames.cells import Words

UNKNOWN = 0
"""The number of every token that is not in the vocabulary."""
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
"""Letters and digits with apostrophes between them, or one sign."""


def words(text: str) -> list[str]:
    """Cut a text into words and signs; blanks only part them."""
    return _WORD.findall(text)


def characters(text: str) -> list[str]:
    """Cut a text into its characters."""
    return list(text)


def vocabulary(texts: Iterable[tuple[Sequence[str], int]], max_size: int | None, min_count: int) -> list[str]:
    """Return the tokens that come ``min_count`` times or more, frequent ones first, at most ``max_size``.

    ``texts`` are the tokens of each text and how often the text comes.
    """
    counts: Counter[str] = Counter()
    for tokens, times in texts:
        for token, count in Counter(tokens).items():
            counts[token] += count * times
    known = sorted((token for token, count in counts.items() if count >= min_count), key=lambda t: (-counts[t], t))
    return known[:max_size]


def numbered(
    texts: Words,
    cut: Callable[[str], Sequence[str]],
    number: Callable[[Sequence[str]], NDArray[np.int32]],
    most: int | None,
) -> Ragged:
    """Return the numbers (int32) of each text's tokens, of the first ``most`` of them; a missing text has none.

    ``number`` gives the numbers of what a text was cut into, one for each, or more.
    """
    distinct = [number(cut(text)[:most])[:most] for text in texts.words]
    nothing = np.empty(0, np.int32)
    lengths = np.array([*map(len, distinct), 0], np.int64)
    ends = np.cumsum(lengths)
    return Ragged(np.concatenate([*distinct, nothing]), lengths[texts.codes], ends[texts.codes])


def numbers_of(tokens: Sequence[str], index: Mapping[str, int]) -> NDArray[np.int32]:
    """Return the number of each token, 0 for one that has none."""
    return np.fromiter((index.get(token, UNKNOWN) for token in tokens), np.int32, len(tokens))


CLOSING = frozenset(".,;:!?)]}»%…”’")
OPENING = frozenset("([{«„“‘¿¡")


def joined_word(before: str, token: str) -> str:
    """Return a token of ``words`` as it is written behind a text: signs stand close to their words."""
    if not before or before[-1].isspace() or before[-1] in OPENING or token in CLOSING:
        return token
    opens = before[-1] in "\"'" and (len(before) == 1 or before[-2].isspace())
    return token if opens or "-" in (before[-1], token) else f" {token}"


RUN = 4
"""Signs of a kind in a row that a word's shape keeps."""
_RUNS = re.compile(rf"(.)\1{{{RUN},}}", re.DOTALL)


def word_shape(word: str) -> str:
    """Return a word with X for capital letters, x for others, d for digits, and at most ``RUN`` of a kind in a row."""
    kinds = ("X" if sign.isupper() else "x" if sign.isalpha() else "d" if sign.isdigit() else sign for sign in word)
    return _RUNS.sub(lambda run: run[1] * RUN, "".join(kinds))
