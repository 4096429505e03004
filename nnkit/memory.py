"""Memory: how much of it a process can still get."""

import os
from contextlib import suppress
from pathlib import Path

MEMORY = Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Return the bytes that a process can still get: of the machine's memory, or the fewer of its control group's."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with suppress(OSError, ValueError, IndexError):
        [line] = [line for line in MEMORY.read_text().splitlines() if line.startswith("MemAvailable:")]
        found.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):  # Where there is no limit, it says max.
        most, used = (int((GROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        found.append(max(0, most - used))
    return min(found)
