"""What is different where a network learns the next token of a text."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from nnkit.data.pipeline import Pipeline
from nnkit.data.sources.text import TextFile
from nnkit.errors import Problem
from nnkit.models.plan import Plan
from nnkit.procedures.base import Loop, Work

if TYPE_CHECKING:
    from nnkit.data.dataset import Dataset
    from nnkit.engine.gradient import StepOptions
    from nnkit.engine.scoring import Keep

BLIND = frozenset(
    {"embedding", "dense", "lstm", "gru", "simple_rnn", "dropout", "spatial_dropout", "layer_norm", "activation", "add"}
)
"""Layers that never look ahead, unless they read backwards."""


def is_language(pipeline: Pipeline) -> bool:
    """Tell whether the next token of a text is asked for."""
    return pipeline.task == "next"


def window(pipeline: Pipeline) -> int:
    """Return the steps of a window."""
    return cast(TextFile, pipeline.known.source).length


def problems(plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
    """Return what does not fit: metrics, a network that sees ahead, or knows too few places."""
    found = [
        Problem(("training", "metrics", index), reason)
        for index, metric in enumerate(loop.metrics)
        if (reason := unfit_metric(metric.type_name, pipeline))
    ]
    for node in plan.nodes:
        places = getattr(node.layer, "max_length", None)
        if places is not None and places < window(pipeline):
            message = (
                f"knows {places} places, and a window has {window(pipeline)} steps; set max_length, or source.length"
            )
            found.append(Problem((*node.path, "max_length"), message))
    if not found and _sees_ahead(plan, pipeline):
        found.append(Problem(("model", "layers"), SEES_AHEAD))
    return found


SEES_AHEAD = (
    "the network sees the tokens that it shall foretell; set causal: true in attention and transformer blocks, "
    "padding: causal in convolutions, and use no bidirectional layer, no go_backwards and no pool over the steps"
)


def unfit_metric(name: str, pipeline: Pipeline) -> str | None:
    """Return why a metric is not for the tokens of this text, or None."""
    if name != "bits_per_character" or not is_language(pipeline) or pipeline.tokenizer.type_name == "characters":
        return None
    return f"bits_per_character is for characters; these tokens are {pipeline.tokenizer.type_name}: use perplexity"


def _sees_ahead(plan: Plan, pipeline: Pipeline) -> bool:
    if all(node.layer.type_name in BLIND and not getattr(node.layer, "go_backwards", False) for node in plan.nodes):
        return False
    import torch

    from nnkit.engine.reading import sees_ahead

    network = plan.build()
    network.load_arrays(plan.initial_weights(0))
    return sees_ahead(network.to(torch.float64).eval(), len(pipeline.classes), min(16, window(pipeline)))


def carries(work: Work) -> bool:
    """Tell whether windows follow each other from step to step, as the network's state goes on from one to the next."""
    return is_language(work.prepared.pipeline) and work.plan.stateful is not None


def in_streams(work: Work, options: "StepOptions") -> "tuple[Work, StepOptions]":
    """Return the work with validation windows side by side, as in every evaluation, and the options for that.

    So a step has the next window of each stream. In training the order of rows sees to that.
    """
    from nnkit.engine.streams import usual

    validation = work.prepared.validation
    if validation is None:
        return work, options
    at_once = usual(len(validation), work.plan.block_rows)
    made = replace(work.prepared, validation=_streams(validation, at_once, window(work.prepared.pipeline)))
    return replace(work, prepared=made), replace(options, evaluation_part=at_once)


def _streams(rows: "Dataset", streams: int, length: int) -> "Dataset":
    import numpy as np

    from nnkit.engine.streams import side_by_side

    inputs = {name: side_by_side(text, streams, length) for name, text in rows.inputs.items()}
    targets = side_by_side(rows.targets, streams, length)
    return replace(rows, inputs=inputs, targets=targets, truth=targets, rows=np.arange(len(targets)))


def keep(pipeline: Pipeline) -> "Keep | None":
    """Return what is kept of a step's outputs, which for every token of a vocabulary would be too many."""
    if not is_language(pipeline):
        return None
    from nnkit.engine.reading import judged

    return judged
