"""Convolutions and pools over [n, *axes, c] as Keras documents them, in plain numpy, one output at a time."""

from collections.abc import Callable, Iterator
from itertools import product
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Place = tuple[int, ...]


def output_length(size: int, window: int, stride: int, padding: str) -> int:
    """Return ceil((size - window + 1) / stride) for valid, ceil(size / stride) for same and causal."""
    return ceil((size - window + 1) / stride) if padding == "valid" else ceil(size / stride)


def begin(size: int, window: int, stride: int, padding: str) -> int:
    """Return where the first window begins, which is before the axis where it is padded."""
    if padding == "valid":
        return 0
    if padding == "causal":
        return 1 - window
    missing = max((ceil(size / stride) - 1) * stride + window - size, 0)
    return -(missing // 2)


def taps(
    axes: Place, kernel: Place, strides: Place, dilation: Place, padding: str
) -> Iterator[tuple[Place, list[tuple[Place, Place]]]]:
    """Yield each place of the output, with the pairs of the kernel's places and the input's that meet there."""
    windows = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    triples = list(zip(axes, windows, strides, strict=True))
    starts = [begin(*triple, padding) for triple in triples]
    for place in product(*(range(output_length(*triple, padding)) for triple in triples)):
        meeting = []
        for tap in product(*map(range, kernel)):
            at = tuple(b + p * s + t * d for b, p, s, t, d in zip(starts, place, strides, tap, dilation, strict=True))
            if all(0 <= a < size for a, size in zip(at, axes, strict=True)):
                meeting.append((tap, at))
        yield place, meeting


def every(place: Place) -> tuple[Any, ...]:
    """Return the index of a place in every row."""
    return (slice(None), *place)


def gathered(x: Array, shape: Place, values: dict[Place, Any]) -> Array:
    y = np.zeros((len(x), *shape))
    for place, value in values.items():
        y[every(place)] = value
    return y


def conv(x: Array, kernel: Array, strides: Place, dilation: Place, padding: str, groups: int = 1) -> Array:
    """Return the sum over taps of input times kernel, each group of channels by its share of the filters."""
    axes, size = x.shape[1:-1], kernel.shape[:-2]
    inputs, filters = kernel.shape[-2], kernel.shape[-1] // groups
    values = {}
    for place, meeting in taps(axes, size, strides, dilation, padding):
        total = np.zeros((len(x), groups * filters))
        for (tap, at), group in product(meeting, range(groups)):
            own = slice(group * filters, (group + 1) * filters)
            seen = x[every(at)][:, group * inputs : (group + 1) * inputs]
            total[:, own] += seen @ kernel[tap][:, own]
        values[place] = total
    shape = tuple(np.max(list(values), axis=0) + 1)
    return gathered(x, (*shape, groups * filters), values)


def depthwise(x: Array, kernel: Array, strides: Place, dilation: Place, padding: str) -> Array:
    """Return each channel's convolution by each of its kernels; those of the first channel come first."""
    parts = [conv(x[..., c : c + 1], kernel[..., c : c + 1, :], strides, dilation, padding) for c in range(x.shape[-1])]
    return np.concatenate(parts, -1)


def conv_transpose(
    x: Array, kernel: Array, strides: Place, dilation: Place, padding: str, extra: Place | None
) -> Array:
    """Return what has ``x`` as the gradient of the convolution it undoes: each value spread over a window."""
    axes, size = x.shape[1:-1], kernel.shape[:-2]
    windows = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    lengths, starts = [], []
    for axis, (n, window, stride) in enumerate(zip(axes, windows, strides, strict=True)):
        if padding == "valid":
            length = (n - 1) * stride + (max(window, stride) if extra is None else window + extra[axis])
        else:
            length = n * stride if extra is None else (n - 1) * stride + window % 2 + extra[axis]
        missing = max((n - 1) * stride + window - length, 0)
        lengths.append(length)
        starts.append(0 if padding == "valid" else -(missing // 2))
    y = np.zeros((len(x), *lengths, kernel.shape[-2]))
    for place, tap in product(product(*map(range, axes)), product(*map(range, size))):
        at = tuple(b + p * s + t * d for b, p, s, t, d in zip(starts, place, strides, tap, dilation, strict=True))
        if all(0 <= a < length for a, length in zip(at, lengths, strict=True)):
            y[every(at)] += x[every(place)] @ kernel[tap].T
    return y


def pool(x: Array, size: Place, strides: Place, padding: str, merge: Callable[..., Any]) -> Array:
    """Return ``merge`` over the values of each window that are in the input."""
    ones = (1,) * len(size)
    values = {
        place: merge([x[every(at)] for _, at in meeting], axis=0)
        for place, meeting in taps(x.shape[1:-1], size, strides, ones, padding)
    }
    shape = tuple(np.max(list(values), axis=0) + 1)
    return gathered(x, (*shape, x.shape[-1]), values)
