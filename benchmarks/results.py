"""From runs to results: medians with least and most, and how many times as long as nnkit each row took."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

from benchmarks.judge import problems
from benchmarks.measure import Process
from benchmarks.rows import Kind, Report, Workload
from benchmarks.schedule import Track


@dataclass(frozen=True)
class Spread:
    """Median, least and most of several runs."""

    median: float
    least: float
    most: float


@dataclass(frozen=True)
class Result:
    """A line of the table; None where there is nothing to say.

    ``wall`` and ``cpu`` are seconds of the whole process, ``peak`` MiB, ``rate`` in the workload's unit, ``slower``
    how many times nnkit's wall time and ``rate_slower`` how many times nnkit's rate is better.
    """

    name: str
    kind: Kind
    wall: Spread | None = None
    cpu: Spread | None = None
    peak: Spread | None = None
    rate: Spread | None = None
    slower: float | None = None
    rate_slower: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    runs: int = 0
    problem: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Section:
    """The results of a workload; ``flops`` are the floating-point operations of one step or item, 0 where unknown."""

    name: str
    title: str
    work: str
    unit: str | None
    flops: float
    more_is_better: bool
    results: list[Result]

    @property
    def ours(self) -> Result | None:
        """Return nnkit's first row that ran: the others are compared with it."""
        return next((result for result in self.results if result.kind == "nnkit" and result.wall), None)


def spread(values: Sequence[float]) -> Spread | None:
    """Return the spread of values; None where there are none."""
    return Spread(median(values), min(values), max(values)) if values else None


def whole(process: Process, report: Report) -> float:
    """Return seconds of the whole process, had a row that does a part of the work done all of it."""
    return process.wall + report.unmeasured


def section(workload: Workload, tracks: Sequence[Track]) -> Section:
    """Return the results of a workload; a row whose work is not the same has a problem and no figures."""
    wrong = problems(workload, {track.row.name: track.reports for track in tracks if not track.problem})
    plain = [_result(workload, track, wrong.get(track.row.name)) for track in tracks]
    rate = workload.rate
    bare = Section(
        workload.name,
        workload.title,
        workload.work,
        rate.unit if rate else None,
        rate.flops if rate else 0.0,
        bool(rate and rate.more_is_better),
        plain,
    )
    return with_ratios(bare)


def with_ratios(bare: Section) -> Section:
    """Return the section with each row compared with nnkit's."""
    ours = bare.ours
    results = [replace(result, **_ratios(result, ours, bare.more_is_better)) for result in bare.results]
    return replace(bare, results=results)


def _ratios(result: Result, ours: Result | None, more_is_better: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if ours and ours.wall and result.wall:
        found["slower"] = result.wall.median / ours.wall.median
    if ours and ours.rate and result.rate:
        times = result.rate.median / ours.rate.median
        found["rate_slower"] = 1 / times if more_is_better else times
    return found


def _result(workload: Workload, track: Track, wrong: str | None) -> Result:
    row, problem = track.row, track.problem or wrong
    if problem:
        return Result(row.name, row.kind, runs=len(track.processes), problem=problem, note=row.note)
    pairs = list(zip(track.processes, track.reports, strict=True))
    rates = [workload.rate.of(report) for report in track.reports] if workload.rate else []
    return Result(
        row.name,
        row.kind,
        wall=spread([whole(process, report) for process, report in pairs]),
        cpu=None if any(report.scale != 1 for report in track.reports) else spread([p.cpu for p, _ in pairs]),
        peak=spread([process.peak for process, _ in pairs]),
        rate=spread([rate for rate in rates if rate is not None]),
        loss=_median([report.loss for report in track.reports]),
        accuracy=_median([report.accuracy for report in track.reports]),
        runs=len(pairs),
        note=row.note,
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def to_json(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Return sections as plain dictionaries."""
    return [asdict(item) for item in sections]


def from_json(documents: Sequence[dict[str, Any]]) -> list[Section]:
    """Return the sections that ``to_json`` made dictionaries of."""
    return [Section(**{**item, "results": list(map(_result_from, item["results"]))}) for item in documents]


def _result_from(document: dict[str, Any]) -> Result:
    spreads = {name: Spread(**document[name]) for name in ("wall", "cpu", "peak", "rate") if document[name]}
    return Result(**{**document, **spreads})
