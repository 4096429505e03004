"""Outputs of networks: what a task needs, what becomes of them, and how a step of training computes them."""

from typing import TYPE_CHECKING, Any

from nnkit.data.pipeline import Pipeline
from nnkit.procedures.base import Work
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.activations import Activation
    from nnkit.engine.gradient import StepOptions


def apply(activation: "Activation", outputs: Any) -> Any:
    """Apply an activation to torch's tensors or to the native engine's arrays [n, ...]."""
    import numpy as np

    if not isinstance(outputs, np.ndarray):
        return activation.build()(outputs)
    from nnkit.engine.native import activated

    return activated(activation.type_name, activation.native(), outputs)


def to_float64(values: Any) -> "NDArray[np.float64]":
    """Return the values of a tensor or an array in memory, as float64."""
    import numpy as np

    in_memory = values if isinstance(values, np.ndarray) else values.double().cpu().numpy()
    array: NDArray[np.float64] = in_memory.astype(np.float64, copy=False)
    return array


def expected_output(pipeline: Pipeline) -> tuple[Shape, str]:
    """Return the output shape that the task needs, and why, in words."""
    if pipeline.task == "binary":
        return (1,), f"two classes ({' and '.join(pipeline.classes)})"
    if pipeline.task == "multiclass":
        return (len(pipeline.classes),), f"{len(pipeline.classes)} classes"
    if pipeline.task == "tagging":
        return (None, len(pipeline.classes)), f"{len(pipeline.classes)} tags for each word"
    if pipeline.task == "next":
        count = len(pipeline.classes)
        return (None, count), f"{count} tokens, the unknown one among them, at each step"
    targets, each = len(pipeline.targets), len(pipeline.quantiles) or 1
    names = pipeline.targets if targets < 8 else [*pipeline.targets[:3], "...", pipeline.targets[-1]]
    times = f" with {each} quantiles each" if pipeline.quantiles else ""
    return (targets * each,), f"{targets} target{'s' if targets > 1 else ''}{times} ({', '.join(names)})"


def step_options(work: Work) -> "StepOptions":
    """Return the engine's options of a step."""
    import torch

    from nnkit.engine.gradient import StepOptions

    loop = work.loop
    return StepOptions(
        part=loop.batch_size,
        evaluation_part=work.plan.block_rows,
        clip_norm=loop.clip_norm,
        clip_value=loop.clip_value,
        autocast={"bfloat16": torch.bfloat16, "float16": torch.float16}.get(loop.precision),
        dtype=torch.float64 if loop.precision == "float64" else torch.float32,
    )
