"""What one call of the harness was asked for, and where things lie."""

import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ENVS = HERE / ".envs"
WORK = HERE / ".work"


@dataclass(frozen=True)
class Settings:
    """Options of one call: sizes of the work, and the data it is done on.

    ``work`` is a folder for this call alone. ``epochs`` and ``seeds`` are for the churn net, of whose file ``rows``
    train; ``sampled`` is how many of the seeds a slow peer trains before the time of the others is added;
    ``fresh_rows`` are to be predicted; ``steps`` are in an epoch of the picture net, and a third as many in one of the
    text net; ``peak_seconds`` go into each figure of the machine's peak.
    """

    work: Path
    churn: Path = ROOT / "data" / "bank_churn.csv"
    text: Path | None = None
    epochs: int = 50
    batch: int = 10
    seeds: int = 40
    sampled: int = 4
    fresh_rows: int = 1_000_000
    steps: int = 60
    rows: int = 8_000
    peak_seconds: float = 3.0

    @property
    def split(self) -> Path:
        """Return the churn file with a column that says which rows train and which test."""
        return self.work / "churn.csv"

    @property
    def churn_steps(self) -> int:
        """Return the steps of one training of the churn net."""
        return self.epochs * self.rows // self.batch


def nnkit(*arguments: str) -> list[str]:
    """Return nnkit's command line, as installed beside this Python, else as a module."""
    script = Path(sys.executable).with_name("nnkit")
    start = [str(script)] if script.exists() else [sys.executable, "-m", "nnkit"]
    return [*start, *arguments]


def python(env: str) -> str:
    """Return the Python of an environment; nnkit's is the one that runs the harness."""
    return sys.executable if env == "nnkit" else str(ENVS / env / "bin" / "python")
