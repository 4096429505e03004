"""Commands that need no tensors don't load what has them."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = ("torch", "numpy", "pandas", "sklearn", "matplotlib", "scipy", "pyarrow", "safetensors")

PROBE = """
import sys
from nnkit import cli
code = cli.run(sys.argv[2:])
loaded = sorted(set(sys.argv[1].split(",")) & set(sys.modules))
sys.exit(f"loaded {loaded}" if loaded else code)
"""


def probe(forbidden: tuple[str, ...], arguments: list[str]) -> None:
    command = [sys.executable, "-c", PROBE, ",".join(forbidden), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["predict", "--help"],
        ["plot", "--help"],
        ["list"],
        ["list", "layers"],
        ["list", "metrics", "--json"],
        ["show", "layers", "dense"],
        ["show", "transforms", "one_hot"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_talk_of_what_there_is_loads_nothing_heavy(arguments: list[str]) -> None:
    probe(HEAVY, arguments)


def test_check_does_without_torch(root: Path) -> None:
    probe(("torch",), ["check", str(root / "experiments" / "bank_churn.yaml")])


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def test_help_takes_at_most_two_and_a_half_times_the_import_of_typer() -> None:
    pairs = [(seconds("-m", "nnkit", "--help"), seconds("-c", "import typer")) for _ in range(5)]
    help_times, import_times = zip(*pairs, strict=True)
    assert min(help_times) <= 2.5 * min(import_times)
