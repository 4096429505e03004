"""Devices: which one a run uses, and what makes it repeatable there."""

import os

import torch

from nnkit.errors import ResourceError


def pick(name: str) -> torch.device:
    """Return the device ``name`` (auto, cpu, cuda or mps) asks for; raises ``ResourceError`` where it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ResourceError("--device cuda: torch finds no CUDA device here; use --device cpu, or auto")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ResourceError("--device mps: torch finds no Apple GPU here; use --device cpu, or auto")
    if name == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    return torch.device(name)


PARALLEL_WORK = 2_000_000
"""Multiplications a step from which several threads are faster than one; below, they wait for each other."""


def threads_for(work: int) -> int:
    """Return how many threads suit steps of ``work`` multiplications, at most as many as torch would take."""
    return torch.get_num_threads() if work >= PARALLEL_WORK else 1


def use_threads(count: int) -> None:
    """Compute with ``count`` threads: the last bits of a sum depend on how many there are."""
    torch.set_num_threads(count)
