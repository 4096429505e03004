"""Print what the machine can do, with as many threads as OMP_NUM_THREADS says: float32 GFLOP/s and memory GB/s.

``measure_peak.py SECONDS`` spends so many seconds on each.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np

SIDE = 2048
MIB = 2**20


def least_seconds(work: Callable[[], object], budget: float) -> float:
    """Return the seconds of the quickest of the runs that fit into the budget of seconds, after one to warm up."""
    work()
    found: list[float] = []
    while sum(found) < budget:
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def main() -> None:
    """Time a large product of matrices, and a copy of more than the caches hold (each byte is read and written)."""
    budget = float(sys.argv[1])
    left = np.ones((SIDE, SIDE), dtype=np.float32)
    product = np.empty_like(left)
    source = np.ones(256 * MIB // 4, dtype=np.float32)
    copy = np.empty_like(source)
    flops = 2 * SIDE**3 / least_seconds(lambda: np.matmul(left, left, out=product), budget)
    bandwidth = 2 * source.nbytes / least_seconds(lambda: np.copyto(copy, source), budget)
    print(json.dumps({"gflops": flops / 1e9, "gbytes": bandwidth / 1e9}))


main()
