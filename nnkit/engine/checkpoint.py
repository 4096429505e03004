"""Checkpoints: one file that holds all a run needs to go on bit for bit, replaced in one rename."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from nnkit.engine.state import Tree, pack, unpack
from nnkit.errors import RunError
from nnkit.tensors import read_tensors, write_tensors

FORMAT_VERSION = 3
"""2: arrays throughout, the same from every engine, with what the epoch has so far. 3: the hook of gradient health."""


@dataclass
class Position:
    """Where a run stands: so many phases are done, then so many epochs of the next, then so many steps."""

    phase: int = 0
    epoch: int = 0
    step: int = 0


@dataclass
class Checkpoint:
    """A position with the state of everything there; ``state`` is a tree as in ``nnkit.engine.state``."""

    position: Position
    records: int
    """Lines of the history that belong to this checkpoint."""
    state: Tree

    def save(self, path: Path) -> None:
        """Write the checkpoint so that ``path`` holds the old one or the new one, whole, at any moment."""
        tree, arrays = pack(self.state)
        about = {"version": FORMAT_VERSION, "position": asdict(self.position), "records": self.records, "state": tree}
        write_tensors(path, arrays, {"checkpoint": json.dumps(about)})

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read a checkpoint; raises ``RunError`` where the file is not one, or from a newer version."""
        arrays, metadata = read_tensors(path)
        try:
            about = json.loads(metadata["checkpoint"])
            if about["version"] > FORMAT_VERSION:
                raise RunError(f"{path}: checkpoint format {about['version']} is newer than this nnkit's; update nnkit")
            if about["version"] < FORMAT_VERSION:
                raise RunError(f"{path}: checkpoint format {about['version']} is an older nnkit's; start the run anew")
            state = unpack(about["state"], arrays)
            return cls(Position(**about["position"]), int(about["records"]), state)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise RunError(f"{path}: not a checkpoint of nnkit ({error}); start the run anew from its spec") from error
