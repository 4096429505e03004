"""Write pictures like MNIST's, random but learnable: ``make_pictures.py FILE ROWS``.

Ten blurred patterns, each picture one of them in noise: ``pictures`` [rows, 28, 28, 1] from 0 to 1, ``digit`` [rows].
"""

import sys

import numpy as np

SIDE = 28


def main() -> None:
    """Draw and save."""
    path, rows = sys.argv[1], int(sys.argv[2])
    draw = np.random.default_rng(0)
    coarse = draw.random((10, 7, 7), dtype=np.float32)
    patterns = np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2)
    digits = draw.integers(0, 10, rows)
    noise = draw.random((rows, SIDE, SIDE), dtype=np.float32)
    pictures = (0.3 * patterns[digits] + 0.7 * noise)[..., None]
    np.savez(path, pictures=pictures.astype(np.float32), digit=digits)


main()
