"""Random generators, each with a stream of its own that follows from the seed and the purpose alone."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def key(seed: int, *purpose: str | int) -> int:
    """Return a 128-bit key for ``seed`` and ``purpose``; different purposes give unrelated keys."""
    text = "\x1f".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def generator(seed: int, *purpose: str | int) -> "np.random.Generator":
    """Return numpy's counter-based Philox generator (Salmon and others, 2011) for ``seed`` and ``purpose``.

    Since the stream depends on nothing else, drawing more in one place never changes what another place draws, and a
    resumed run draws again what the killed one drew.
    """
    import numpy as np

    return np.random.Generator(np.random.Philox(key=key(seed, *purpose)))
