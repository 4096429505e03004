"""What supervised training does otherwise where every word of a sentence has a tag."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nnkit.data.pipeline import Pipeline
from nnkit.errors import Problem
from nnkit.metrics import Metric, compute_all
from nnkit.models.plan import Plan
from nnkit.procedures.base import Loop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.engine.scoring import Score, Truth


def tag_problems(plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
    """Return what words with tags cannot have, or only they can."""
    if pipeline.task != "tagging":
        return []
    found = []
    if plan.stateful is not None:
        message = "a sentence does not go on where the one before ended; leave stateful out"
        found.append(Problem(plan.stateful.path, message))
    if pipeline.known.source.tag_scheme == "none":
        found += [
            Problem(("training", "metrics", index), f"{metric.key} is for tags that mark entities; set source.scheme")
            for index, metric in enumerate(loop.metrics)
            if metric.of_entities
        ]
    return found


def tag_score(metrics: Sequence[Metric], pipeline: Pipeline) -> "Score":
    """Return what makes values of the tags of words."""
    from nnkit.engine.ragged import Ragged

    def score(truth: "Truth", outputs: "NDArray[np.float64]") -> dict[str, float]:
        assert isinstance(truth, Ragged)  # noqa: S101 - each word has a tag
        sentences = pipeline.sentences(truth.lengths)
        return compute_all(metrics, truth.flat(), outputs, pipeline.task, sentences=sentences)

    return score
