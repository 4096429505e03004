"""Cores: how many this process may use, and how many threads suit a training. Needs no torch."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PARALLEL_WORK = 2_000_000
"""Multiplications a step from which several threads are faster than one; below, they wait for each other."""

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Return how many cores this process may use: those of its affinity, or the fewer of its control groups' quota."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it, macOS not.
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = cpu_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def most_threads() -> int:
    """Return how many threads one training may have: the usable cores, or the fewer that OMP_NUM_THREADS says."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(usable_cores(), int(wanted)) if wanted.isdecimal() and int(wanted) else usable_cores()


def threads_for(work: int) -> int:
    """Return how many threads suit steps of ``work`` multiplications."""
    return most_threads() if work >= PARALLEL_WORK else 1


def cpu_quota(root: Path = CGROUPS, own: Path = OWN_CGROUPS) -> float | None:
    """Return the smallest CPU quota, in cores, of the control groups (v1 and v2) that this process is in, or None.

    Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and Documentation/scheduler/sched-bwc.rst.
    """
    quotas = (_quota(folder) for folder in _folders(root, own))
    return min((quota for quota in quotas if quota is not None), default=None)


def _folders(root: Path, own: Path) -> Iterator[Path]:
    """Yield the folders of the process's groups and of all groups above; in a container some are not there."""
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mounts = [root, root / "unified"]
        elif "cpu" in controllers.split(","):
            mounts = [root / controllers, root / "cpu"]
        else:
            continue
        inside = PurePosixPath(path.lstrip("/"))
        yield from (mount / part for mount in mounts for part in (inside, *inside.parents))


def _quota(folder: Path) -> float | None:
    """Return the quota that a group's files say, in cores; None where there is none."""
    words = _text(folder / "cpu.max").split() or [
        _text(folder / "cpu.cfs_quota_us").strip(),
        _text(folder / "cpu.cfs_period_us").strip(),
    ]
    if len(words) != 2 or not all(word.isdecimal() and int(word) for word in words):
        return None  # No such files, `max`, or the -1 by which v1 says the same.
    return int(words[0]) / int(words[1])


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
