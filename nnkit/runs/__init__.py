"""Run folders: their layout, their manifest, and how they are written, checked and read."""

from nnkit.runs.card import model_card
from nnkit.runs.folder import RunFolder
from nnkit.runs.folds import combine_folds, combine_seeds
from nnkit.runs.manifest import Manifest, Status, new_manifest

__all__ = ["Manifest", "RunFolder", "Status", "combine_folds", "combine_seeds", "model_card", "new_manifest"]
