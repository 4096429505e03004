"""The error family: one class for each exit code, so that one place can turn any of them into a message and a code."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

Path: TypeAlias = tuple[str | int, ...]


def show_path(path: Path) -> str:
    """Write a path in a spec the way ``--set`` takes it: ``model.layers[2].units``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


class NnkitError(Exception):
    """A mistake that nnkit can explain; ``exit_code`` is what the process ends with."""

    exit_code: ClassVar[int] = 1


class UsageError(NnkitError):
    """The command line asks for something that cannot be."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One mistake in a spec: where it is, what is wrong, what was expected and the way out."""

    path: Path
    message: str
    place: str = ""
    """``file:line``, or ``--set key=value``; empty until a document has located the path."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, show_path(self.path), self.message) if part)


class SpecError(NnkitError):
    """A spec has one or more mistakes; the message is one line for each."""

    exit_code = 3

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class DataError(NnkitError):
    """A data file is missing, unreadable or does not hold what the spec says."""

    exit_code = 4


class RunError(NnkitError):
    """A run folder or a model file is missing, incomplete, changed or from a newer version."""

    exit_code = 5


class DivergedError(NnkitError):
    """Training produced a loss or a weight that is not a finite number."""

    exit_code = 6


class ResourceError(NnkitError):
    """Disk, memory, device or an optional package is not there."""

    exit_code = 7


class GateError(NnkitError):
    """A gate such as ``--fail-under`` was not met."""

    exit_code = 8


class InterruptError(NnkitError):
    """The run was asked to stop and left a checkpoint to go on from.

    ``signal_number`` is 2 for Ctrl-C (exit code 130) and 15 for SIGTERM (exit code 143).
    """

    def __init__(self, message: str, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(message)


class Terminated(BaseException):
    """SIGTERM came, and nothing that runs has its own way of stopping."""


def explained(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the message of whatever ended a command."""
    match error:
        case InterruptError():
            return 128 + error.signal_number, str(error)
        case NnkitError():
            return error.exit_code, str(error)
        case KeyboardInterrupt():
            return 128 + signal.SIGINT, "interrupted"
        case Terminated():
            return 128 + signal.SIGTERM, "ended by SIGTERM"
        case OSError():
            return ResourceError.exit_code, f"{error.filename or 'output'}: {error.strerror or error}"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return ResourceError.exit_code, "out of memory; a smaller training.batch_size or model needs less"
    return 1, (
        f"nnkit has a bug, sorry: {type(error).__name__}: {error}\n"
        "Please report it, with what the same command says under NNKIT_DEBUG=1."
    )
