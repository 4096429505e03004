"""Figures: pictures for a report, each drawn by a function that returns PNG bytes."""

from nnkit.figures.branches import trees
from nnkit.figures.curves import precision_recall, roc
from nnkit.figures.depth import gradients
from nnkit.figures.horizon import forecasts
from nnkit.figures.matrix import confusion_matrix
from nnkit.figures.progress import history
from nnkit.figures.quality import calibration, residuals

__all__ = [
    "calibration",
    "confusion_matrix",
    "forecasts",
    "gradients",
    "history",
    "precision_recall",
    "residuals",
    "roc",
    "trees",
]
