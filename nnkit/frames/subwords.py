"""Sub-words: pieces of words learned from texts by the library tokenizers, and texts as the numbers of these pieces."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnkit.errors import ResourceError

UNKNOWN = "<unknown>"
"""What stands for a character that no sub-word has; no text is cut to it."""
INSIDE = "##"
"""What a sub-word of ``word_piece`` begins with where it does not begin a word; no word begins so."""
LONGEST_WORD = 100
CACHED = 500_000
"""Words whose sub-words are remembered."""
AT_ONCE = 1000
"""Times that a word is given to the library at once."""

_WORD = re.compile(rf" ?\w{{1,{LONGEST_WORD}}}| ?[^\w\s#]{{1,{LONGEST_WORD}}}| ?#|[^\S ]| +(?= )| ")
"""A word, signs, or white space, a blank before a word with it; all of a text is in one of these, and `#` by itself."""


def words_and_blanks(text: str) -> list[str]:
    """Cut a text into words and signs with the blank before them; put together they are the text."""
    return _WORD.findall(text)


def learn(
    texts: Iterable[tuple[Sequence[str], int]], kind: str, size: int, min_count: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return at most ``size`` sub-words of texts, the most frequent first, and for ``bpe`` how they are put together.

    ``texts`` are the words of each text and how often the text comes. Characters have at most half of the vocabulary,
    and those that come less than ``min_count`` times have no place in it. The same texts give the same sub-words.
    """
    counts: Counter[str] = Counter()
    for words, times in texts:
        for word, count in Counter(words).items():
            counts[word] += count * times
    characters = _characters(counts, size, min_count)
    known = {word: count for word, count in sorted(counts.items()) if characters.issuperset(word)}
    if not known:
        return [], []
    tokens, merges = _trained(known, kind, size, min_count)
    used: Counter[str] = Counter()
    coder = Coder(kind, tokens, merges)
    for numbers, count in zip(coder.numbers_of_each(list(counts)), counts.values(), strict=True):
        for number in numbers:
            used[tokens[number - 1] if number else UNKNOWN] += count
    return sorted(tokens, key=lambda token: (-used[token], token)), merges


def _characters(counts: Mapping[str, int], size: int, min_count: int) -> set[str]:
    found: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            found[character] += count
    ranked = sorted(found, key=lambda character: (-found[character], character))
    return {character for character in ranked[: max(1, size // 2)] if found[character] >= min_count}


def _trained(words: Mapping[str, int], kind: str, size: int, min_count: int) -> tuple[list[str], list[tuple[str, str]]]:
    library = _library()
    options = {"vocab_size": size + 1, "min_frequency": min_count, "show_progress": False}
    if kind == "bpe":
        model = library.models.BPE(unk_token=UNKNOWN)
        trainer = library.trainers.BpeTrainer(special_tokens=[UNKNOWN], **options)
    else:
        # Named beforehand, these have numbers that do not depend on the order in which words are met.
        inside = sorted({INSIDE + character for word in words for character in word[1:]})
        model = library.models.WordPiece(unk_token=UNKNOWN, max_input_chars_per_word=2 * LONGEST_WORD)
        special = [UNKNOWN, *inside]
        trainer = library.trainers.WordPieceTrainer(special_tokens=special, continuing_subword_prefix=INSIDE, **options)
    tokenizer = library.Tokenizer(model)
    tokenizer.train_from_iterator(_repeated(words), trainer)
    numbers: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    tokens = [token for token in sorted(numbers, key=numbers.__getitem__) if token != UNKNOWN]
    return tokens, _merges(tokenizer) if kind == "bpe" else []


def _merges(tokenizer: Any) -> list[tuple[str, str]]:
    import json

    return [(first, second) for first, second in json.loads(tokenizer.to_str())["model"]["merges"]]


def _repeated(words: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield each word as often as it comes."""
    for word, count in words.items():
        for start in range(0, count, AT_ONCE):
            yield [word] * min(AT_ONCE, count - start)


class Coder:
    """Cuts words into sub-words by a vocabulary and, for ``bpe``, the order in which pieces are put together."""

    def __init__(self, kind: str, tokens: Sequence[str], merges: Sequence[Sequence[str]]) -> None:
        library = _library()
        numbers = {UNKNOWN: 0} | {token: number for number, token in enumerate(tokens, 1)}
        model = (
            library.models.BPE(numbers, [(first, second) for first, second in merges], unk_token=UNKNOWN)
            if kind == "bpe"
            else library.models.WordPiece(numbers, unk_token=UNKNOWN, max_input_chars_per_word=2 * LONGEST_WORD)
        )
        self._tokenizer = library.Tokenizer(model)
        self._known: dict[str, list[int]] = {}

    def numbers(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Return the numbers of the sub-words of words that follow each other, 0 for what none has."""
        return np.fromiter(chain.from_iterable(self.numbers_of_each(words)), np.int32)

    def numbers_of_each(self, words: Sequence[str]) -> list[list[int]]:
        """Return the numbers of each word's sub-words."""
        new = [word for word in dict.fromkeys(words) if word not in self._known]
        if len(self._known) + len(new) > CACHED:
            self._known.clear()
            new = list(dict.fromkeys(words))
        if new:
            found = self._tokenizer.encode_batch(new, add_special_tokens=False)
            self._known.update((word, encoding.ids) for word, encoding in zip(new, found, strict=True))
        return [self._known[word] for word in words]

    def pieces(self, word: str) -> list[str]:
        """Return the parts of a word that its numbers stand for."""
        return [word[start:end] for start, end in self._tokenizer.encode(word, add_special_tokens=False).offsets]


def _library() -> Any:
    """Return the library; it is told to use one thread, for the same result in forked processes too."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import tokenizers
    except ImportError as error:
        raise ResourceError("the transform subwords needs tokenizers; run: pip install 'nnkit[subwords]'") from error
    return tokenizers
