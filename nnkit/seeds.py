"""Seeds: random generators, each with a stream of its own, and lists of seeds as the command line takes them."""

import hashlib
import re
from typing import TYPE_CHECKING

from nnkit.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


def digest(seed: int, *purpose: str | int) -> bytes:
    """Return 128 bits for ``seed`` and ``purpose``; different purposes give unrelated ones."""
    text = "\x1f".join(map(str, (seed, *purpose)))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def key(seed: int, *purpose: str | int) -> int:
    """Return the digest of ``seed`` and ``purpose`` as a number."""
    return int.from_bytes(digest(seed, *purpose), "little")


def bits(seed: int, *purpose: str | int) -> "np.random.Philox":
    """Return the raw numbers that ``generator`` draws from, which take less time to begin."""
    import numpy as np

    return np.random.Philox(key=np.frombuffer(digest(seed, *purpose), dtype="<u8"))


def generator(seed: int, *purpose: str | int) -> "np.random.Generator":
    """Return numpy's counter-based Philox generator (Salmon and others, 2011) for ``seed`` and ``purpose``.

    Since the stream depends on nothing else, drawing more in one place never changes what another place draws, and a
    resumed run draws again what the killed one drew.
    """
    import numpy as np

    return np.random.Generator(bits(seed, *purpose))


MOST = 10_000
"""How many seeds one command takes."""

_RANGE = re.compile(r"\s*(\d{1,19})(?:\s*\.\.\s*(\d{1,19}))?\s*", re.ASCII)


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of ``0..39``, ``1,5,9`` or both mixed, in the order written; raises ``UsageError``."""
    seeds: dict[int, None] = {}
    for part in text.split(","):
        found = _range(part, text)
        if len(seeds) + found.stop - found.start > MOST:
            raise UsageError(f"--seeds {text}: expected at most {MOST:,} seeds; train the others by another command")
        for seed in found:
            if seed in seeds:
                raise UsageError(f"--seeds {text}: names the seed {seed} twice; each is trained once")
            seeds[seed] = None
    return list(seeds)


def _range(part: str, text: str) -> range:
    """Return the seeds of one part of ``text``, a number or a range with both its ends; raises ``UsageError``."""
    match = _RANGE.fullmatch(part)
    if match is None:
        raise UsageError(
            f"--seeds {text}: expected whole numbers and ranges, such as 0..39 or 1,5,9 or 0..4,10, found {part!r}"
        )
    first, last = int(match[1]), int(match[2] or match[1])
    if last >= 2**63:
        raise UsageError(f"--seeds {text}: expected seeds below 2**63, found {last}")
    if last < first:
        raise UsageError(f"--seeds {text}: the range {part.strip()} is empty; its smaller end comes first")
    return range(first, last + 1)
