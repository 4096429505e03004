"""What supervised training does otherwise where every word of a sentence has a tag."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nnkit.data.pipeline import Pipeline
from nnkit.errors import Problem
from nnkit.metrics import Metric, compute_all
from nnkit.models.plan import STEPS, Plan
from nnkit.procedures.base import Arrays, Loop, Place
from nnkit.procedures.forward import in_float64

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.engine.scoring import Finish, Score, Truth


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


class TagForward:
    """A torch network that gives the tags of a sentence's words.

    It computes in float64, of which predictions keep the digits of a float32: so a sentence has the same tags whatever
    sentences go through the network beside it, and these can be of about one length.
    """

    def __init__(self, plan: Plan, weights: Arrays, finish: "Finish", place: Place) -> None:
        self._finish = finish
        self._device, self._network = in_float64(plan, weights, place)
        self._words = plan.block_rows * STEPS
        self._tags = plan.output_shape[-1] or 0

    def outputs(self, rows: "Dataset", start: int) -> "NDArray[np.float64]":
        """Return the finished outputs for the words of all ``rows``, sentence after sentence: [words, tags]."""
        import numpy as np
        import torch

        from nnkit.engine.batches import floats
        from nnkit.engine.ragged import Ragged

        lengths = rows.lengths
        if not len(lengths):
            return np.empty((0, self._tags))
        order = np.argsort(lengths, kind="stable")
        parts = []
        with torch.inference_mode():
            for part in _together(order, lengths, self._words):
                inputs = {name: floats(x[part], self._device, torch.float64) for name, x in rows.inputs.items()}
                outputs = self._network(inputs)
                inside = np.arange(outputs.shape[1]) < lengths[part][:, None]
                parts.append(self._finish(outputs[torch.from_numpy(inside).to(self._device)]))
        ends = np.empty_like(lengths)
        ends[order] = lengths[order].cumsum()
        return Ragged(np.concatenate(parts), lengths, ends).flat()


def _together(order: "NDArray[np.int64]", lengths: "NDArray[np.int64]", most: int) -> "Iterator[NDArray[np.int64]]":
    """Yield rows in ``order``, which is by length, in parts of ``most`` steps with padding, one row at least."""
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * int(lengths[order[end]]) <= most:
            end += 1
        yield order[start:end]
        start = end
