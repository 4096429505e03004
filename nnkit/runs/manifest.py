"""The manifest: what a run was made of and with, and the hash of every file in its folder."""

import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, ValidationError

import nnkit
from nnkit.config.piece import Options
from nnkit.data.split import MAX_FOLDS
from nnkit.errors import RunError

FORMAT_VERSION = 1
"""The version of the run folder's layout; a reader refuses a newer one."""

LIBRARIES = ("torch", "numpy", "pandas", "scikit-learn", "safetensors", "pillow")

FOLDS = "folds"
SEEDS = "seeds"

Status: TypeAlias = Literal["running", "interrupted", "diverged", "finished"]


def _plain_name(name: str) -> str:
    """Refuse a name that could mean anything outside the run folder."""
    parts = name.split("/")
    if not all(parts) or any(part in (".", "..") for part in parts) or any(sign in name for sign in "\\:\0"):
        raise ValueError("expected the name of a file inside the run folder")
    return str(PurePosixPath(name))


FileName: TypeAlias = Annotated[str, AfterValidator(_plain_name)]
Hash: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(Options):
    """What manifest.json holds; all times are UTC in ISO 8601."""

    format_version: Literal[1] = 1
    name: str
    status: Status
    created: str
    finished: str | None = None
    nnkit: str
    python: str
    libraries: dict[str, str]
    command: list[str]
    seed: int
    threads: int
    device: str
    engine: Literal["native", "torch"] = "torch"
    """What computed the training, and computes predictions."""
    folds: Annotated[int, Field(ge=2, le=MAX_FOLDS)] | None = None
    """How many runs of a k-fold split are in ``folds/``; None for a run that has a model of its own."""
    seeds: list[Annotated[int, Field(ge=0)]] | None = None
    """The seeds of the runs in ``seeds/``, in the order that was asked for; ``seed`` is then that of the spec."""
    pretrained: dict[str, str] = Field(default={})
    """Where the weights of pretrained layers are from, in words, by the layer's name."""
    data: dict[str, Hash] = Field(default={})
    """SHA-256 of each data file, by its path as the spec has it."""
    files: dict[FileName, Hash] = Field(default={})
    """SHA-256 of each file of the folder, by its name in it."""

    @property
    def members(self) -> list[str]:
        """The folders of the runs that this run consists of: its folds or its seeds."""
        if self.seeds is not None:
            return [f"{SEEDS}/{seed}" for seed in self.seeds]
        return [f"{FOLDS}/{number}" for number in range(1, (self.folds or 0) + 1)]


def new_manifest(name: str, command: Sequence[str], seed: int, threads: int, device: str) -> Manifest:
    """Return the manifest of a run that starts now, with the versions of all that may compute in it."""
    return Manifest(
        name=name,
        status="running",
        created=now(),
        nnkit=nnkit.__version__,
        python=platform.python_version(),
        libraries={library: version(library) for library in LIBRARIES},
        command=list(command),
        seed=seed,
        threads=threads,
        device=device,
    )


def now() -> str:
    """Return the time in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def parse_manifest(path: Path, data: bytes) -> Manifest:
    """Read a manifest; raises ``RunError`` for a newer format, and for anything that is not a manifest."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: cut short or changed: not JSON ({error}); copy the run folder again") from error
    found = tree.get("format_version") if isinstance(tree, dict) else None
    if isinstance(found, int) and found > FORMAT_VERSION:
        raise RunError(
            f"{path}: the run folder has format {found} and this nnkit {nnkit.__version__} reads up to "
            f"{FORMAT_VERSION}; update nnkit"
        )
    try:
        return Manifest.model_validate(tree)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise RunError(f"{path}: not the manifest of a run ({wrong}); copy the run folder again") from error
