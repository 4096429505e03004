"""A text as windows of characters and what follows each of them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.job import Job

Ids = NDArray[np.int32]


def windows(job: Job) -> tuple[Ids, Ids, int]:
    """Return characters [windows, length], the next ones, and how many different ones there are.

    The windows follow each other without overlap: first those to train on, then ``tests`` more.
    """
    told: dict[str, Any] = job.options
    count = told["steps"] * job.batch + told["tests"]
    text = Path(job.data).read_text(encoding="utf-8")[: count * told["length"] + 1]
    names = sorted(set(text))
    number = {name: index for index, name in enumerate(names)}
    ids = np.fromiter((number[name] for name in text), dtype=np.int32, count=len(text))
    shape = (count, told["length"])
    return ids[:-1].reshape(shape), ids[1:].reshape(shape), len(names)
