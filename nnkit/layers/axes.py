"""What layers over axes of space share: options with a number for each axis, and what their inputs must be."""

from math import isqrt
from typing import Annotated, TypeAlias

from pydantic import Field

from nnkit.layers.base import Layer, ShapeError, last_axis, one
from nnkit.shapes import Shape, show

Size: TypeAlias = Annotated[int, Field(gt=0)]
Sizes: TypeAlias = Size | Annotated[list[Size], Field(min_length=1, max_length=3)]
"""A number for all axes, or a list of one for each."""
Extra: TypeAlias = Annotated[int, Field(ge=0)]
Extras: TypeAlias = Extra | Annotated[list[Extra], Field(min_length=1, max_length=3)]
"""The same, of numbers that may be 0."""

RANKS = (1, 2, 3)
AXES = {1: "steps", 2: "height x width", 3: "depth x height x width"}


def spatial(layer: Layer, inputs: tuple[Shape, ...], ranks: tuple[int, ...] = RANKS) -> tuple[Shape, int]:
    """Return the axes of space of the only input and its channels; raises ``ShapeError`` where it has other axes.

    ``ranks`` are the numbers of axes of space that the layer takes.
    """
    shape = one(layer, inputs)
    if len(shape) - 1 not in ranks:
        needed = " or ".join(f"{AXES[rank]} x channels" for rank in ranks)
        raise ShapeError(f"{layer.type_name} needs {needed}, got {show(shape)}{_way_out(layer, shape, ranks)}")
    channels = last_axis(layer, inputs)
    return shape[:-1], channels


def _way_out(layer: Layer, shape: Shape, ranks: tuple[int, ...]) -> str:
    rank, found = 2 if 2 in ranks else ranks[0], len(shape) - 1
    if found > rank:
        other = f"{layer.type_name}".replace(f"{rank}d", f"{found}d", 1)
        known = found in RANKS and other != layer.type_name
        return f"; for {AXES[found]} x channels there is {other}" if known else "; take axes away by reshape"
    if len(shape) == rank and rank > 1 and None not in shape[1:] and shape[0] is None:
        layer_text = f"{{type: reshape, shape: [{_listed(shape[1:])}, 1]}}"
        return f"; add the axis of channels above it by {{type: time_distributed, layer: {layer_text}}}"
    if len(shape) == rank and None not in shape:
        return f"; add the axis of channels above it by {{type: reshape, shape: [{_listed(shape)}, 1]}}"
    if found == 0 and shape[0] is not None:
        return f"; give the rows their axes above it by {{type: reshape, shape: [{_unrolled(shape[0], rank)}]}}"
    return f"; give the rows their axes above it by reshape: {AXES[rank]} x channels"


def _unrolled(size: int, rank: int) -> str:
    """Return axes that ``size`` values may have had: those of a square picture, grey or of three colours."""
    for channels in (1, 3):
        side = isqrt(size // channels)
        if rank == 2 and side > 1 and side * side * channels == size:
            return f"{side}, {side}, {channels}"
    return f"{AXES[rank].replace(' x ', ', ')}, channels"


def _listed(shape: Shape) -> str:
    return ", ".join(map(str, shape))


def per_axis(layer: Layer, option: str, value: int | list[int], rank: int) -> tuple[int, ...]:
    """Return an option's number for each of ``rank`` axes; raises ``ShapeError`` where its list has other numbers."""
    values = [value] * rank if isinstance(value, int) else value
    if len(values) != rank:
        raise ShapeError(wrong_count(layer, option, len(values), rank))
    return tuple(values)


def wrong_count(layer: Layer, option: str, found: int, rank: int) -> str:
    """Say that a list has not one entry for each axis."""
    axes = f"the axis {AXES[1]}" if rank == 1 else f"each of {AXES[rank]}"
    return f"{layer.type_name} takes {option} as one number, or a list of one for {axes}; found a list of {found}"


def check_windows(layer: Layer, option: str, windows: tuple[int, ...], sizes: Shape) -> None:
    """Raise ``ShapeError`` where windows without padding are larger than the axes they are to move on."""
    if any(size is not None and window > size for window, size in zip(windows, sizes, strict=True)):
        raise ShapeError(
            f"{layer.type_name} has a {option} that covers {show(windows)}, more than its input of {show(sizes)}; "
            f"make it smaller, or set padding: same"
        )
