"""Cores that may be used: of the affinity, of control groups' quotas, and of OMP_NUM_THREADS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnkit.engine import threads
from nnkit.engine.threads import PARALLEL_WORK, cpu_quota, most_threads, threads_for, usable_cores


def groups(folder: Path, own: str, files: dict[str, str]) -> float | None:
    """Return the quota of a made-up control group."""
    (folder / "own").write_text(own)
    for name, text in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return cpu_quota(folder / "cgroup", folder / "own")


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        ("", {"cpu.max": "150000 100000\n"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3.0),
        ("0::/a/b\n", {"a/b/cpu.max": "100000 100000\n", "a/cpu.max": "300000 100000\n"}, 1.0),
        ("0::/not/in/the/container\n", {"cpu.max": "200000 100000\n"}, 2.0),
        (
            "4:cpu,cpuacct:/job\n3:memory:/x\n",
            {"cpu,cpuacct/job/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n"},
            0.5,
        ),
        ("1:cpu:/job\n", {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.5),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("1:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("0::/\n", {"cpu.max": "what is this"}, None),
    ],
)
def test_the_quota_of_control_groups(tmp_path: Path, own: str, files: dict[str, str], expected: float | None) -> None:
    assert groups(tmp_path, own, files) == expected


@pytest.mark.parametrize(
    ("affinity", "quota", "omp", "cores", "most"),
    [
        (8, None, None, 8, 8),
        (8, 2.5, None, 3, 3),
        (2, 6.0, None, 2, 2),
        (8, 0.2, None, 1, 1),
        (8, None, "3", 8, 3),
        (8, 2.0, "3", 2, 2),
        (8, None, "4,2", 8, 4),
        (8, None, "0", 8, 8),
        (8, None, "many", 8, 8),
    ],
)
def test_the_smallest_bound_counts(
    monkeypatch: pytest.MonkeyPatch, affinity: int, quota: float | None, omp: str | None, cores: int, most: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(affinity)), raising=False)
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    monkeypatch.delenv("OMP_NUM_THREADS")
    if omp is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", omp)
    assert (usable_cores(), most_threads()) == (cores, most)
    assert threads_for(PARALLEL_WORK) == most
    assert threads_for(PARALLEL_WORK - 1) == 1


def test_without_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setattr(threads, "cpu_quota", lambda: None)
    assert usable_cores() == 5


PROBE = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from nnkit.engine.threads import threads_for, usable_cores
print(usable_cores(), threads_for(10**9), "torch" in sys.modules)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_bound_to_one_core_uses_one() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "1 1 False\n"


def test_torch_never_gets_more_threads_than_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from nnkit.engine import device

    monkeypatch.setattr(device, "most_threads", lambda: 2)
    before = torch.get_num_threads()
    try:
        device.use_threads(64)
        assert torch.get_num_threads() == 2
        device.use_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
