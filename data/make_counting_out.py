"""Write counting_out.txt: lines of a rhyme that counts animals, with a grammar small enough to see it learned.

Run ``python data/make_counting_out.py`` to write the file again, byte for byte. One cat sits and two cats sit: whether
a verb has an s follows from the number at the start of its line, and where it is done from the verb.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

LINES = 900
SEED = 11
NUMBERS = ("one", "two", "three", "four", "five", "six")
COLOURS = ("grey", "old", "small", "white", "sleepy")
ANIMALS = ("cat", "owl", "hen", "goat", "duck", "frog")
PLACES = {
    "sit": "on the garden wall",
    "sing": "for one and all",
    "run": "when the apples fall",
    "hide": "behind the hall",
}


def draws(bits: np.random.Philox) -> Iterator[int]:
    """Yield whole numbers from raw bits, which no numpy release may change."""
    while True:
        yield int(bits.random_raw() >> np.uint64(11))


def line(draw: Iterator[int]) -> str:
    """Return a line: how many, of which colour, what animals, what they do and where."""

    def choice(words: Sequence[str]) -> str:
        return words[next(draw) % len(words)]

    number, colour, animal, verb = (choice(words) for words in (NUMBERS, COLOURS, ANIMALS, tuple(PLACES)))
    several = number != "one"
    return f"{number.capitalize()} {colour} {animal}{'s' * several} {verb}{'s' * (not several)} {PLACES[verb]}."


def as_text(lines: int = LINES, seed: int = SEED) -> bytes:
    """Return the text, an empty line after each four."""
    draw = draws(np.random.Philox(seed))
    verses = [[line(draw) for _ in range(4)] for _ in range(lines // 4)]
    return "\n".join("\n".join([*verse, ""]) for verse in verses).encode()


if __name__ == "__main__":
    Path(__file__).with_name("counting_out.txt").write_bytes(as_text())
