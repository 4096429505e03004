"""Predictions that a run has in its folder."""

from nnkit.predictions import Layout, Predictions, read_predictions
from nnkit.runs.folder import NODES, PREDICTIONS, RunFolder


def stored_predictions(folder: RunFolder, layout: Layout) -> Predictions:
    """Return the predictions that a run reports, of trees with those of all nodes; raises ``RunError``."""
    found = read_predictions(folder.read(PREDICTIONS), str(folder.path / PREDICTIONS), layout)
    if not (folder.path / NODES).exists() and NODES not in folder.manifest.files:
        return found
    return found.with_nodes(read_predictions(folder.read(NODES), str(folder.path / NODES), layout))
