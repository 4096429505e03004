"""Devices: which one a run uses, and what makes it repeatable there."""

import os

import torch

from nnkit.engine.threads import most_threads
from nnkit.errors import ResourceError


def pick(name: str, precision: str = "float32") -> torch.device:
    """Return the device ``name`` (auto, cpu, cuda or mps) asks for.

    Raises ``ResourceError`` where it is not there, or has no arithmetic of ``precision``.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ResourceError("--device cuda: torch finds no CUDA device here; use --device cpu, or auto")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ResourceError("--device mps: torch finds no Apple GPU here; use --device cpu, or auto")
    if name == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    device = torch.device(name)
    check_precision(precision, device)
    return device


def check_precision(precision: str, device: torch.device) -> None:
    """Raise ``ResourceError`` where a device has no arithmetic of a precision."""
    if precision == "float16" and device.type != "cuda":
        raise ResourceError(f"training.precision: float16 needs CUDA, and the run is on {device}; use bfloat16")
    if precision == "float64" and device.type == "mps":
        raise ResourceError("training.precision: an Apple GPU has no float64; use float32, or --device cpu")


def use_threads(count: int) -> None:
    """Compute with ``count`` threads, or as many as may be used here: the last bits of a sum depend on how many."""
    torch.set_num_threads(min(count, most_threads()))
