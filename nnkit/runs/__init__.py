"""Run folders: their layout, their manifest, and how they are written, checked and read."""

from nnkit.runs.card import model_card
from nnkit.runs.folder import RunFolder
from nnkit.runs.folds import combine_folds
from nnkit.runs.manifest import Manifest, Status, new_manifest

__all__ = ["Manifest", "RunFolder", "Status", "combine_folds", "model_card", "new_manifest"]
