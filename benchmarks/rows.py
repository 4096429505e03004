"""The words of the harness: a workload is rows doing the same work, a row is a command to time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["nnkit", "defaults", "best", "by hand", "import"]
"""Whose row: nnkit's, a peer as it comes or at its best documented setting, code of one's own, an import."""


@dataclass(frozen=True)
class Report:
    """What one run says about its work.

    ``steps`` is how many were done, ``seconds`` what they took, ``loss`` and ``accuracy`` how good the result is on
    rows that it never saw; None where the workload has no such thing. A row that does a part of the work says in
    ``scale`` how many times as much the whole is, and in ``unmeasured`` how many seconds more it would take.
    ``problem`` is why the work is not what was asked.
    """

    steps: int | None = None
    seconds: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    scale: float = 1.0
    unmeasured: float = 0.0
    problem: str | None = None


Reader = Callable[[Path], Report]
"""Reads a report from the folder that a command had for itself."""


def nothing_to_read(folder: Path) -> Report:
    """Return an empty report: the command's exit code says all."""
    return Report()


@dataclass(frozen=True)
class Row:
    """A command to time.

    ``command`` gets the run's own empty folder, ``env`` names the environment that it needs, ``slow`` rows run only
    when asked for, ``missing`` says why a row can't run.
    """

    name: str
    kind: Kind
    env: str
    command: Callable[[Path], Sequence[str]]
    read: Reader = nothing_to_read
    variables: Mapping[str, str] = field(default_factory=dict)
    stdin: Path | None = None
    slow: bool = False
    missing: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Rate:
    """A second figure beside the whole process: ``unit`` and how it follows from one run's report.

    ``flops`` are the floating-point operations of one step or item.
    """

    unit: str
    of: Callable[[Report], float | None]
    flops: float
    more_is_better: bool = False


@dataclass(frozen=True)
class Workload:
    """Rows that do the same work, and what a run must show to count.

    ``steps`` is how many are expected, ``loss_within`` the relative and ``accuracy_within`` the absolute distance
    from the rows' median, ``often`` how many runs a round has of each row.
    """

    name: str
    title: str
    work: str
    rows: Sequence[Row]
    rate: Rate | None = None
    steps: int | None = None
    loss_within: float = 0.2
    accuracy_within: float = 0.035
    often: int = 1


def microseconds_a_step(report: Report) -> float | None:
    """Return microseconds that a step took; None where the report has no steps."""
    if not report.steps or report.seconds is None:
        return None
    return report.seconds / report.steps * 1e6


def per_second(items_a_step: int, what: str, flops: float) -> Rate:
    """Return a rate of items a second, each so many floating-point operations."""

    def of(report: Report) -> float | None:
        return report.steps * items_a_step / report.seconds if report.steps and report.seconds else None

    return Rate(f"{what} a second", of, flops, more_is_better=True)
