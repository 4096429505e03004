"""Judge whether the rows of a workload did the same work: steps, final loss, final accuracy."""

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.measure import Process
from benchmarks.rows import Report, Workload


def problems(workload: Workload, reports: Mapping[str, Sequence[Report]]) -> dict[str, str]:
    """Return why rows don't count, by their names; a row that counts is not in it.

    Loss and accuracy are compared with the median over rows of each row's median.
    """
    checks = {name: _alone(workload, found) for name, found in reports.items()}
    sound = {name: found for name, found in reports.items() if checks[name] is None}
    usual_loss = _middle([_middle([report.loss for report in found]) for found in sound.values()])
    usual_accuracy = _middle([_middle([report.accuracy for report in found]) for found in sound.values()])
    for name, found in sound.items():
        loss = _middle([report.loss for report in found])
        accuracy = _middle([report.accuracy for report in found])
        if far(loss, usual_loss, workload.loss_within * (usual_loss or 0)):
            checks[name] = f"test loss {loss:.4g}, the others' {usual_loss:.4g}"
        elif far(accuracy, usual_accuracy, workload.accuracy_within):
            checks[name] = f"test accuracy {accuracy:.4g}, the others' {usual_accuracy:.4g}"
    return {name: problem for name, problem in checks.items() if problem}


def _alone(workload: Workload, reports: Sequence[Report]) -> str | None:
    for report in reports:
        if report.problem:
            return report.problem
        if workload.steps is not None and report.steps is not None and report.steps * report.scale != workload.steps:
            return f"{report.steps * report.scale:,.0f} steps, expected {workload.steps:,}"
    return None


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def far(value: float | None, usual: float | None, distance: float) -> bool:
    """Tell whether a value is further from the usual one than allowed; a value that isn't there is not."""
    return value is not None and usual is not None and not abs(value - usual) <= distance


def broken(process: Process) -> str | None:
    """Return why a process failed, with the last line it said; None where it ended well."""
    if process.code == 0:
        return None
    last = process.complaint.splitlines()[-1] if process.complaint else "nothing on stderr"
    return f"exit code {process.code}: {last}"
