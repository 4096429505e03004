"""How far the rows are from what the machine can do: floating-point operations done a second against its peak."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence

from benchmarks.results import Result, Section
from benchmarks.settings import HERE, python
from benchmarks.table import grid, shown

Peak = Mapping[str, float]


def peaks(seconds: float) -> dict[str, Peak]:
    """Measure GFLOP/s (float32) and GB/s of one core and of all, in four times so many seconds."""
    cores = len(os.sched_getaffinity(0))
    return {"one core": _peak(1, seconds), "all cores": _peak(cores, seconds)}


def _peak(threads: int, seconds: float) -> Peak:
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [python("nnkit"), str(HERE / "helpers" / "measure_peak.py"), str(seconds)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **limits}).stdout
    found: dict[str, float] = json.loads(said)
    return found


def achieved(section: Section, result: Result) -> float | None:
    """Return a row's GFLOP/s in its training loop; None where the workload's operations are not counted."""
    if not (section.flops and result.rate):
        return None
    rate = result.rate.median
    a_second = rate if section.more_is_better else 1e6 / rate
    return section.flops * a_second / 1e9


def lines(peak: Mapping[str, Peak], sections: Sequence[Section]) -> list[str]:
    """Return the share of all cores' peak that each row reaches, as Markdown lines; none without figures."""
    head = ["", "", "GFLOP/s", "of the peak"]
    most = peak["all cores"]["gflops"]
    rows = [
        [section.title, result.name, shown(done), f"{done / most:.2%}"]
        for section in sections
        for result in section.results
        if (done := achieved(section, result)) is not None
    ]
    if not rows:
        return []
    said = [f"{name}: {shown(p['gflops'])} GFLOP/s, {shown(p['gbytes'])} GB/s" for name, p in peak.items()]
    intro = f"Measured peak of a product of matrices in float32, and of a copy in memory: {'; '.join(said)}."
    return ["## Roofline", "", intro, "[How to read it](../ROOFLINE.md).", "", *grid(head, rows), ""]
