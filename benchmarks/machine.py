"""What the figures were measured on: processor, cores, memory, system, commit, date."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.settings import ROOT


def described() -> dict[str, str]:
    """Return the machine, its load by other work before the first row, the commit and the time, in words."""
    return {
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "commit": commit(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def processor() -> str:
    """Return the model of the processor, and the widest vectors that it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    vectors = next((name for name in ("avx512f", "avx2", "avx", "sse2") if name in flags), "no vectors")
    return f"{facts.get('model name', platform.machine())} ({vectors})"


def commit() -> str:
    """Return the commit that is checked out, with a plus sign where files differ from it."""
    try:
        name = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
        changes = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return name.stdout.strip() + ("+" if changes.stdout.strip() else "") if name.returncode == 0 else "unknown"
