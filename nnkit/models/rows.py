"""What generative models ask of data: one input whose rows have one shape, and labels where they are conditional."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnkit.errors import Problem, SpecError
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    from nnkit.data.pipeline import Pipeline

ROWS, LABEL, TIME = "input", "label", "time"
"""What the layers of generative models read: ``input``, ``input.label``, ``input.time``."""


def row_shape(model: str, inputs: Mapping[str, Shape]) -> tuple[int, ...]:
    """Return the shape of a row of the data; raises ``SpecError`` where there are several inputs, or axes that vary."""
    if len(inputs) > 1:
        message = f"{model} takes one input, found {', '.join(inputs)}: leave data.inputs out"
        raise SpecError([Problem(("data", "inputs"), message)])
    [shape] = inputs.values()
    sizes = tuple(axis for axis in shape if axis is not None)
    if len(sizes) < len(shape):
        message = f"{model} makes rows of one shape, and those of the data are {show(shape)}; choose other data"
        raise SpecError([Problem(("model", "type"), message)])
    return sizes


def label_shape(model: str, pipeline: "Pipeline") -> dict[str, Shape]:
    """Return the input of labels, a one among zeros; raises ``SpecError`` where the data has none."""
    if not pipeline.classes:
        message = f"{model} learns rows by their label; name its column in data.target, or leave conditional out"
        raise SpecError([Problem(("model", "conditional"), message)])
    return {LABEL: (len(pipeline.classes),)}


def is_picture(pipeline: "Pipeline") -> bool:
    """Tell whether the rows are pictures, whose values lie from 0 to 1."""
    [columns] = pipeline.known.features.values()
    return pipeline.known.columns.get(columns[0]) == "image"
