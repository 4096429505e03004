"""Write seven_segments.csv: noisy readings of a seven-segment display, and three yes-or-no facts about its digit.

Run ``python data/make_seven_segments.py`` to write the file again, byte for byte. The digits are those of a pocket
calculator; segment a is the top bar, b to f go round clockwise, g is the bar in the middle.
"""

from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

ROWS = 600
SEED = 7
NOISE = 0.35
SEGMENTS = "abcdefg"
LIT = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
PRIMES = (2, 3, 5, 7)


def uniform(bits: np.random.Philox, count: int) -> NDArray[np.float64]:
    """Draw from the open interval (0, 1), from raw bits, which no numpy release may change."""
    return ((bits.random_raw(count) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def row(digit: int, noise: NDArray[np.float64]) -> str:
    """Return a line: seven readings (0 dark, 1 lit, plus noise), then whether the digit is even, prime, above four."""
    readings = [float(segment in LIT[digit]) + error for segment, error in zip(SEGMENTS, noise, strict=True)]
    facts = (digit % 2 == 0, digit in PRIMES, digit > 4)
    return ",".join([*(f"{reading:.2f}" for reading in readings), *(str(int(fact)) for fact in facts)])


def as_csv(rows: int = ROWS, seed: int = SEED) -> bytes:
    """Return the table as CSV with a line feed after each row."""
    bits = np.random.Philox(seed)
    digits = (10 * uniform(bits, rows)).astype(int)
    normal = NormalDist(0, NOISE)
    noise = np.array([normal.inv_cdf(value) for value in uniform(bits, rows * 7)]).reshape(rows, 7)
    lines = [row(int(digit), errors) for digit, errors in zip(digits, noise, strict=True)]
    return "\n".join([",".join([*SEGMENTS, "even", "prime", "above_four"]), *lines, ""]).encode()


if __name__ == "__main__":
    Path(__file__).with_name("seven_segments.csv").write_bytes(as_csv())
