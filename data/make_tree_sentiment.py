"""Write tree_sentiment.txt: made-up sentences about things, as binary trees with a sentiment from 0 to 4 at each node.

Run ``python data/make_tree_sentiment.py`` to write the file again, byte for byte. The sentiment follows from rules: an
adjective has its own, `very` takes it to the end of its side, `not` turns it round and makes it weaker, `but` lets what
comes after it win, and a thing that nobody praises or blames is neutral.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

TREES = 900
SEED = 5
GOOD = {"fine": 3, "nice": 3, "funny": 3, "great": 4, "superb": 4}
BAD = {"dull": 1, "weak": 1, "slow": 1, "awful": 0, "dreadful": 0}
ADJECTIVES = tuple(GOOD | BAD)
SENTIMENT = GOOD | BAD
THINGS = ("film", "plot", "cast", "song", "book", "meal", "trip")
ARTICLES = ("the", "this", "our")


class Node(NamedTuple):
    """A tree in brackets, and its sentiment."""

    text: str
    sentiment: int


def leaf(word: str, sentiment: int = 2) -> Node:
    """Return a word as a tree."""
    return Node(f"({sentiment} {word})", sentiment)


def join(left: Node, right: Node, sentiment: int) -> Node:
    """Return two trees as one."""
    return Node(f"({sentiment} {left.text} {right.text})", sentiment)


def intensified(sentiment: int) -> int:
    """Return what `very` makes of a sentiment."""
    return 2 if sentiment == 2 else 4 if sentiment > 2 else 0


def negated(sentiment: int) -> int:
    """Return what `not` makes of a sentiment: the other side, weakly; not great is still bad, not awful hardly good."""
    return {0: 3, 1: 3, 2: 2, 3: 1, 4: 1}[sentiment]


class Draw:
    """Choices by raw bits, which no numpy release may change."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.Philox(seed)

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count - 1``."""
        return int(self._bits.random_raw()) % count

    def phrase(self) -> Node:
        """Return an adjective, perhaps with `very` before it, perhaps with `not` before that."""
        word = ADJECTIVES[self.below(len(ADJECTIVES))]
        found = leaf(word, SENTIMENT[word])
        for before, change in (("very", intensified), ("not", negated)):
            if self.below(10) < 4:
                found = join(leaf(before), found, change(found.sentiment))
        return found

    def clause(self) -> Node:
        """Return that a thing is so."""
        thing = join(leaf(ARTICLES[self.below(len(ARTICLES))]), leaf(THINGS[self.below(len(THINGS))]), 2)
        phrase = self.phrase()
        return join(thing, join(leaf("is"), phrase, phrase.sentiment), phrase.sentiment)

    def sentence(self) -> Node:
        """Return a clause, or two of which the second one wins, and a full stop."""
        found = self.clause()
        if self.below(10) < 4:
            second = self.clause()
            found = join(found, join(leaf("but"), second, second.sentiment), second.sentiment)
        return join(found, leaf("."), found.sentiment)


def as_text(trees: int = TREES, seed: int = SEED) -> bytes:
    """Return the trees, each in a line."""
    draw = Draw(seed)
    return "".join(f"{draw.sentence().text}\n" for _ in range(trees)).encode()


if __name__ == "__main__":
    Path(__file__).with_name("tree_sentiment.txt").write_bytes(as_text())
