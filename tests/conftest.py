"""What all tests share: one thread, a clean environment, and the developers' data where it is there."""

import os
import signal
from pathlib import Path

import pytest

# Set before anything imports torch, and inherited by the processes that tests start: many small tests are faster
# on one thread, and sums don't depend on how many cores a machine has.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", MPLBACKEND="Agg")

# A shell tells a job in the background to ignore Ctrl-C, and children inherit that; tests send it on purpose.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the developer's shell sets for nnkit and for colours out of the tests."""
    for name in list(os.environ):
        if name.startswith("NNKIT_") or name in {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"}:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data sets that developers keep beside the repository; skips where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the developers' data folder ../shared/data is not beside the repository")
    return folder
