"""The run folder: made once, written file by file, sealed with a manifest, and never trusted when read."""

import hashlib
import json
import secrets
import shutil
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnkit.config.decode import decode
from nnkit.config.document import parse_document
from nnkit.data.pipeline import Pipeline
from nnkit.errors import ResourceError, RunError, SpecError
from nnkit.files import (
    atomic_write,
    disk_errors,
    make_folder,
    most_text,
    read_history,
    read_plain,
    remove_leftovers,
    sha256_file,
)
from nnkit.models.plan import Plan
from nnkit.runs.checks import misfits, refuse_strange, strange
from nnkit.runs.manifest import Manifest, Status, now, parse_manifest
from nnkit.spec import Experiment, Loaded, Start, physical_memory
from nnkit.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPEC = "spec.yaml"
RESOLVED = "resolved.yaml"
MANIFEST = "manifest.json"
PIPELINE = "pipeline.json"
WEIGHTS = "weights.safetensors"
HISTORY = "history.jsonl"
METRICS = "metrics.json"
CONFUSION = "confusion_matrix.csv"
CONFUSION_PICTURE = "confusion_matrix.png"
HISTORY_PICTURE = "history.png"
GRADIENTS_PICTURE = "gradients.png"
PREDICTIONS = "predictions.csv"
NODES = "nodes.csv"
TREES = "trees.txt"
CARD = "README.md"
PRETRAINED_WEIGHTS = "pretrained/weights.safetensors"
PRETRAINED_PIPELINE = "pretrained/pipeline.json"
CHECKPOINTS = "checkpoints"
LAST = "checkpoints/last.safetensors"
BEST = "checkpoints/best.safetensors"

THRESHOLD = "threshold"
"""What the weights have beside those of the network in a run that looks for outliers; no weight has a name so short."""

FIXED = frozenset({SPEC, RESOLVED, PIPELINE, PRETRAINED_WEIGHTS, PRETRAINED_PIPELINE})
"""What is written before training and never changes."""
RESOLVED_BYTES = 2**26
"""Limit on a resolved spec: every default written out, a spec of the largest size takes some 30 MB."""
NEEDED = frozenset({SPEC, RESOLVED, METRICS})
"""What every finished run has; one that is not split into folds also has a pipeline and weights."""


class RunFolder:
    """``runs/<name>/<UTC time>-<4 letters>/`` and the plain files in it."""

    def __init__(self, path: Path, durable: bool = True) -> None:
        """``durable`` says whether what is written waits for the disk, so that a power cut loses none of it."""
        self.path = path
        self.durable = durable

    @classmethod
    def create(cls, out: Path, name: str) -> "RunFolder":
        """Make a new folder under ``out/name``; two that start in the same second get two folders.

        Raises ``ResourceError`` where the folder cannot be made.
        """
        make_folder(out / name)
        for _ in range(100):
            letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(4))
            path = out / name / f"{_stamp()}-{letters}"
            try:
                with disk_errors(path):
                    path.mkdir()
            except ResourceError as error:
                if not isinstance(error.__cause__, FileExistsError):
                    raise
            else:
                return cls(path)
        raise ResourceError(
            f"{out / name}: every name tried for the run's folder is taken; set --out to another folder"
        )

    @classmethod
    def usable(cls, path: Path) -> "RunFolder":
        """Open a run that has a model of its own and is as its manifest says; raises ``RunError``."""
        run = RunFolder.open(path)
        run.check_usable()
        run.verify()
        return run

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open a run that is there, whatever its status; raises ``RunError``."""
        if not path.is_dir():
            kind = "a file" if path.exists() else "missing"
            raise RunError(f"{path}: {kind}; expected a run folder, as nnkit train prints it")
        run = cls(path)
        if not (path / MANIFEST).exists():
            inside = sorted(entry.parent.name for entry in path.glob(f"*/{MANIFEST}"))
            hint = f"it holds runs, such as {path / inside[-1]}" if inside else "it is not a run, or was cut short"
            raise RunError(f"{path}: has no {MANIFEST}: {hint}; give the folder that nnkit train printed")
        refuse_strange(path)
        _ = run.manifest
        return run

    @cached_property
    def manifest(self) -> Manifest:
        """What manifest.json holds; raises ``RunError``."""
        return parse_manifest(self.path / MANIFEST, self._bytes(MANIFEST))

    @property
    def finished(self) -> bool:
        """Whether the run is over and whole; raises ``RunError`` where its manifest cannot be read."""
        return (self.path / MANIFEST).exists() and self.manifest.status == "finished"

    def member(self, name: str) -> "RunFolder":
        """Return the run of a fold or a seed by its folder, such as ``folds/1``; it is made where it is not there.

        What it writes does not wait for the disk: this run brings all of it there at once, before its own last seal.
        """
        path = self.path / name
        make_folder(path)
        return RunFolder(path, durable=False)

    def members(self) -> "list[RunFolder]":
        """Return the runs that this run consists of: its folds or its seeds, none where it is a run by itself."""
        return [RunFolder(self.path / name) for name in self.manifest.members]

    def write(self, name: str, data: bytes | str) -> None:
        """Put a file into the folder in one rename; raises ``ResourceError``."""
        make_folder((self.path / name).parent)
        atomic_write(self.path / name, data, self.durable)

    def write_json(self, name: str, value: object) -> None:
        """Put a value into the folder as JSON that people can read; numbers must be finite."""
        self.write(name, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def write_weights(self, arrays: "Mapping[str, NDArray[Any]]") -> None:
        """Put the model's weights into the folder; the same weights give the same bytes."""
        write_tensors(self.path / WEIGHTS, arrays, {}, self.durable)

    def seal(self, manifest: Manifest, status: Status) -> None:
        """Write the manifest with ``status``, the time and the hash of every file.

        A run that is not over still changes all but its spec and pipeline: the other hashes come with the last seal.
        """
        over = status in ("finished", "diverged")
        if over:
            for folder in (self.path, self.path / CHECKPOINTS):
                remove_leftovers(folder)
        fixed = (name for name in sorted(FIXED) if (self.path / name).exists())
        files = {name: sha256_file(self.path / name) for name in (self._names(manifest.members) if over else fixed)}
        finished = None if status == "running" else now()
        sealed = manifest.model_copy(update={"status": status, "finished": finished, "files": files})
        self.write_json(MANIFEST, sealed.model_dump(mode="json"))
        self.__dict__["manifest"] = sealed

    def _names(self, members: Sequence[str]) -> list[str]:
        """Return the files that are hashed: of a member its manifest, which has the hashes of its other files."""
        paths = (path for path in self.path.rglob("*") if path.is_file() and not path.is_symlink())
        names = (path.relative_to(self.path).as_posix() for path in paths)
        manifests = {f"{member}/{MANIFEST}" for member in members}
        folders = tuple({member.split("/")[0] + "/" for member in members})
        own = (name for name in names if name in manifests or not name.startswith(folders))
        return sorted(name for name in own if name != MANIFEST and not name.rsplit("/", 1)[-1].startswith("."))

    def drop_broken_members(self) -> list[str]:
        """Make members that are not as their manifests say begin again, and return them.

        So a power cut leaves a member whose files had not come to the disk; training it again loses nothing. One that
        was not over keeps its checkpoint, and goes on from there.
        """
        broken = [name for name in self.manifest.members if _is_broken(self.path / name)]
        for name in broken:
            (self.path / name / MANIFEST).unlink()
            if not (self.path / name / LAST).exists() or (self.path / name / METRICS).exists():
                shutil.rmtree(self.path / name)
        return broken

    def verify(self) -> None:
        """Compare every file with the manifest, but for what people may edit or throw away to save space.

        Those are the model card, the pictures and the checkpoints. Raises ``RunError`` naming every file that is
        missing, cut short or changed, also in the runs of folds and seeds.
        """
        if problems := self._problems():
            raise RunError("\n".join(problems))

    def _problems(self) -> list[str]:
        if self.manifest.status == "finished":
            needed = NEEDED if self.manifest.members else NEEDED | {PIPELINE, WEIGHTS}
            missing = sorted(needed - self.manifest.files.keys())
            if missing:
                return [f"{self.path / MANIFEST}: lists no {', '.join(missing)}; copy the run folder again"]
        problems = [problem for name in self.manifest.files if not _spare(name) and (problem := self._problem(name))]
        if problems:
            return problems
        begun = (member for member in self.members() if (member.path / MANIFEST).exists())
        return [problem for member in begun for problem in member._problems()]

    def _problem(self, name: str) -> str | None:
        try:
            self.check(name)
        except RunError as error:
            return str(error)
        return None

    def check(self, name: str) -> Path:
        """Return where a file is, however large; raises ``RunError`` where it is not what the manifest says."""
        expected = self.manifest.files.get(name)
        with self._readable(name) as path:
            if expected is not None and path.stat().st_size > physical_memory():
                raise RunError(f"{path}: larger than this machine's memory, as no file of a run is; copy the run again")
            self._compare(name, expected and sha256_file(path))
        return path

    def read(self, name: str) -> bytes:
        """Return a file's content; raises ``RunError`` where it is missing or not what the manifest says."""
        data = self._bytes(name)
        self._compare(name, hashlib.sha256(data).hexdigest())
        return data

    def _compare(self, name: str, found: str | None) -> None:
        if self.manifest.files.get(name, found) != found:
            raise RunError(
                f"{self.path / name}: cut short or changed after the run was made: its content is not the one that "
                f"{MANIFEST} names; copy the run folder again, or train the run again from its {SPEC}"
            )

    def _bytes(self, name: str) -> bytes:
        with self._readable(name) as path:
            return read_plain(path, most_text())

    @contextmanager
    def _readable(self, name: str) -> Iterator[Path]:
        """Give the path of a file in the folder; what goes wrong while it is read becomes a ``RunError``."""
        path = self.path
        for part in name.split("/"):
            path = path / part
            if path.is_symlink():
                raise strange(path)
        try:
            yield path
        except OSError as error:
            reason = "missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
            raise RunError(f"{path}: {reason}; copy the run folder again") from error

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.path / name}: not JSON ({error}); copy the run folder again") from error

    def check_usable(self) -> None:
        """Raise ``RunError`` with the way out unless the run has a model of its own to use."""
        manifest = self.manifest
        if members := manifest.members:
            word, example = members[0].split("/")[0], self.path / members[0]
            raise RunError(f"{self.path}: has {len(members)} {word}, each with its own model; choose one, as {example}")
        self._check_has(WEIGHTS, "weights")

    def check_over(self) -> None:
        """Raise ``RunError`` with the way out unless the run has metrics: its own, or those of its folds or seeds."""
        if self.manifest.members:
            self._check_has(METRICS, "metrics")
        else:
            self._check_has(WEIGHTS, "weights")

    def _check_has(self, name: str, word: str) -> None:
        manifest = self.manifest
        if name not in manifest.files and manifest.status != "finished":
            way_out = "train anew with a lower learning rate, or training.clip_norm"
            if manifest.status != "diverged":
                way_out = f"finish it with: nnkit train --resume {self.path}"
            raise RunError(f"{self.path}: has no {word}: its status is {manifest.status}; {way_out}")

    def loaded(self) -> Loaded:
        """Return the experiment, and what its training began with; raises ``RunError``."""
        return replace(self._loaded(), start=self._start())

    def _loaded(self) -> Loaded:
        """Return the experiment as resolved.yaml has it, every default written out."""
        path = self.path / RESOLVED
        try:
            document = parse_document(self.read(RESOLVED), str(path), self.path, RESOLVED_BYTES)
            return Loaded(decode(Experiment, document), document)
        except SpecError as error:
            raise RunError(f"{error}\n{path}: changed after the run, or not of this version of nnkit") from error

    def experiment(self) -> Experiment:
        """Return the experiment of the run; raises ``RunError``."""
        return self._loaded().experiment

    def write_start(self, start: Start) -> None:
        """Keep what training begins with, so that nothing else is needed to go on with it."""
        make_folder((self.path / PRETRAINED_WEIGHTS).parent)
        write_tensors(self.path / PRETRAINED_WEIGHTS, start.weights, start.origin, self.durable)
        if start.inherited is not None:
            self.write_json(PRETRAINED_PIPELINE, start.inherited.model_dump(mode="json"))

    def _start(self) -> Start | None:
        """Return what ``write_start`` has kept, if anything."""
        if PRETRAINED_WEIGHTS not in self.manifest.files:
            return None
        weights, origin = read_tensors(self.check(PRETRAINED_WEIGHTS))
        inherits = PRETRAINED_PIPELINE in self.manifest.files
        return Start(weights, self.pipeline(PRETRAINED_PIPELINE).known if inherits else None, origin)

    def pipeline(self, name: str = PIPELINE) -> Pipeline:
        """Return the fitted transforms and what they know of classes and columns; raises ``RunError``."""
        value = self._json(name)
        try:
            return Pipeline.from_json(value)
        except RunError as error:
            raise RunError(f"{self.path}: {error}") from error

    def metrics(self) -> dict[str, Any]:
        """Return what metrics.json holds: values by split and metric; raises ``RunError``."""
        metrics = self._json(METRICS)
        if not isinstance(metrics, dict):
            raise RunError(f"{self.path / METRICS}: expected a JSON object; copy the run folder again")
        return metrics

    def history(self) -> list[dict[str, Any]]:
        """Return the records of history.jsonl, a line cut short left out; raises ``RunError``."""
        return read_history(self.path / HISTORY)

    def weights(self, plan: Plan) -> "dict[str, NDArray[np.generic]]":
        """Return the model's weights by name, each as ``plan`` has it; raises ``RunError`` for any that is not."""
        arrays, _ = read_tensors(self.check(WEIGHTS))
        arrays.pop(THRESHOLD, None)
        problems = misfits(plan, arrays)
        if problems:
            listed = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
            raise RunError(f"{self.path / WEIGHTS}: not the weights of this run's network: {listed}")
        return arrays

    def threshold(self) -> float:
        """Return the score above which rows are outliers; raises ``RunError`` where the weights have none."""
        arrays, _ = read_tensors(self.check(WEIGHTS))
        found = arrays.get(THRESHOLD)
        if found is None or found.shape != (1,) or found.dtype.kind != "f":
            raise RunError(f"{self.path / WEIGHTS}: has no {THRESHOLD} of outliers; copy the run folder again")
        return float(found[0])


def _is_broken(member: Path) -> bool:
    if not (member / MANIFEST).exists():
        return False
    try:
        RunFolder(member).verify()
    except RunError:
        return True
    return False


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _spare(name: str) -> bool:
    parts = name.split("/")
    return parts[-1] == CARD or parts[-1].endswith(".png") or CHECKPOINTS in parts[:-1]
