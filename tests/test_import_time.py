"""Commands that need no tensors don't load what has them."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnkit.engine.native import kernel
from tests.commands.pictures import picture_spec

HEAVY = (
    "torch",
    "numpy",
    "pandas",
    "sklearn",
    "matplotlib",
    "scipy",
    "pyarrow",
    "safetensors",
    "PIL",
    "soundfile",
    "soxr",
    "tokenizers",
)

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
        ["show", "augmentations", "rotate"],
        ["show", "sources", "audio"],
        ["show", "layers", "mfcc"],
        ["preview", "--help"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_talk_of_what_there_is_loads_nothing_heavy(arguments: list[str]) -> None:
    probe(HEAVY, arguments)


def test_check_does_without_torch(root: Path) -> None:
    probe(("torch",), ["check", str(root / "experiments" / "bank_churn.yaml")])


def test_check_of_augmentation_does_without_torch(tmp_path: Path) -> None:
    probe(("torch",), ["check", str(picture_spec(tmp_path, ["rotate", "brightness", "mixup"]))])


def test_check_of_sound_does_without_torch(root: Path) -> None:
    probe(("torch", "matplotlib"), ["check", str(root / "experiments" / "whistles.yaml")])


WITHOUT_TORCH = ("torch", "pandas", "sklearn", "scipy", "pyarrow")


@pytest.mark.skipif(kernel() is None, reason="nnkit was installed without its native engine")
def test_a_small_run_trains_and_is_used_without_torch_pandas_and_sklearn(root: Path, tmp_path: Path) -> None:
    spec, brief = str(root / "experiments" / "bank_churn.yaml"), ["--set", "training.epochs=1", "-q"]
    probe(WITHOUT_TORCH, ["train", spec, "--out", str(tmp_path), *brief])
    [run] = map(str, (tmp_path / "bank-churn").iterdir())
    probe(WITHOUT_TORCH, ["evaluate", run])
    probe((*WITHOUT_TORCH, "matplotlib"), ["evaluate", run, str(root / "data" / "bank_churn.csv")])
    probe((*WITHOUT_TORCH, "matplotlib"), ["predict", run, str(root / "data" / "bank_churn.csv"), "-q"])
    probe((*WITHOUT_TORCH, "matplotlib"), ["train", spec, "--out", str(tmp_path), "--seeds", "0,1", *brief])


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def test_help_takes_at_most_two_and_a_half_times_the_import_of_typer() -> None:
    pairs = [(seconds("-m", "nnkit", "--help"), seconds("-c", "import typer")) for _ in range(5)]
    help_times, import_times = zip(*pairs, strict=True)
    assert min(help_times) <= 2.5 * min(import_times)
