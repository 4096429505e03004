"""The one map of families: what a spec chooses from by ``type``, under the names of the command line."""

from typing import Any

from nnkit.activations import ACTIVATIONS
from nnkit.callbacks import CALLBACKS
from nnkit.config.registry import Registry
from nnkit.data.augmentations import AUGMENTATIONS
from nnkit.data.sources import SOURCES
from nnkit.data.transforms import TRANSFORMS
from nnkit.initializers import INITIALIZERS
from nnkit.layers.base import LAYERS
from nnkit.losses import LOSSES
from nnkit.metrics import METRICS
from nnkit.models.base import MODELS
from nnkit.models.codes import CODES
from nnkit.models.likelihoods import LIKELIHOODS
from nnkit.optimizers import OPTIMIZERS
from nnkit.procedures.base import PROCEDURES
from nnkit.procedures.penalties import PENALTIES
from nnkit.schedules import SCHEDULES

FAMILIES: dict[str, Registry[Any]] = {
    registry.family: registry
    for registry in (
        SOURCES,
        TRANSFORMS,
        AUGMENTATIONS,
        MODELS,
        CODES,
        LIKELIHOODS,
        LAYERS,
        ACTIVATIONS,
        INITIALIZERS,
        PROCEDURES,
        LOSSES,
        PENALTIES,
        OPTIMIZERS,
        SCHEDULES,
        METRICS,
        CALLBACKS,
    )
}
"""In the order of a spec: data, model, training."""
