"""Convolutions over [n, *axes, channels] with one to three axes; kernels are kept in Keras' layout."""

from dataclasses import replace

from torch import Tensor, nn

from nnkit.nn.basic import Function, empty
from nnkit.nn.sequence import Lengths, SequenceModule, first, zeroed
from nnkit.nn.spatial import FORMATS, channels_first, channels_last, check_room, lengthened, pad, planar
from nnkit.nn.windows import Window, transposed

CONVOLVE = {4: nn.functional.conv2d, 5: nn.functional.conv3d}
TRANSPOSE = {4: nn.functional.conv_transpose2d, 5: nn.functional.conv_transpose3d}


def torch_kernel(kernel: Tensor) -> Tensor:
    """Return Keras' [*size, a, b] as torch's [b, a, *size], in the memory format of the quick convolutions."""
    kernel = kernel.unsqueeze(0) if kernel.dim() == 3 else kernel
    last = kernel.dim() - 1
    # A copy, or torch would make one in the forward pass and another in the backward pass; and clone, since contiguous
    # leaves the strides of axes of 1 as they are, at which torch's gradient of a single filter fails.
    return kernel.permute(last, last - 1, *range(last - 1)).clone(memory_format=FORMATS[kernel.dim()])


def depthwise_kernel(kernel: Tensor) -> Tensor:
    """Return Keras' [*size, channels, multiplier] as torch's [channels * multiplier, 1, *size]."""
    return torch_kernel(kernel.flatten(-2).unsqueeze(-2))


def without_lone_strides(x: Tensor, window: Window) -> tuple[Tensor, Window]:
    """Return input and window with no stride along axes where the window has one place only, for the same result.

    With one channel, oneDNN (as of torch 2.13) gives wrong values at a stride along such an axis.
    """
    pads = window.pads(x.shape[1:-1])
    places = zip(x.shape[1:-1], pads, window.extents, window.strides, strict=True)
    lone = [stride > 1 and size + sum(ends) - width < stride for size, ends, width, stride in places]
    if not any(lone):
        return x, window
    x = pad(x, [*pads, (0, 0)])
    for axis, alone in enumerate(lone):
        x = x.narrow(axis + 1, 0, window.extents[axis]) if alone else x
    strides = tuple(1 if alone else stride for alone, stride in zip(lone, window.strides, strict=True))
    return x, replace(window, strides=strides, padding="valid")


def convolve(x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window, groups: int) -> Tensor:
    """Convolve [n, *axes, c] by a kernel in torch's layout; returns [n, *axes, filters]."""
    least = window.extents[0] if window.padding == "valid" else 1
    if x.shape[1] < least:  # A batch of rows that are too short gives what these give in one with longer rows.
        return convolve(lengthened(x, least), kernel, bias, window, groups)[:, :0]
    if window.padding == "valid":
        check_room(x.shape[1:-1], window.extents)
    if x.shape[-1] == 1:
        x, window = without_lone_strides(x, window)
    rank, pads = len(window.kernel), window.pads(x.shape[1:-1])
    x = channels_first(x)
    before = [first for first, _ in pads]
    if any(first != second for first, second in pads):  # torch pads both sides alike
        x, before = pad(x, pads), [0] * rank
    y = CONVOLVE[x.dim()](x, kernel, bias, planar(window.strides), planar(before, 0), planar(window.dilation), groups)
    return channels_last(y, rank)


class Moving(SequenceModule):
    """A module whose window moves along the axes of [n, *axes, c]; rows end where their lengths say."""

    window: Window

    def out_lengths(self, lengths: Lengths) -> Tensor | None:
        """Return how many places of the window lie in each row."""
        ends = first(lengths)
        return None if ends is None else counts(ends, self.window)


def counts(ends: Tensor, window: Window) -> Tensor:
    """Return how many windows lie on first axes of these lengths [n]."""
    if window.padding == "valid":
        ends = ends - window.extents[0] + 1
    return ((ends + window.strides[0] - 1) // window.strides[0]).clamp(min=0)


class Conv(Moving):
    """activation(convolution of x by kernel + bias): [n, *axes, c] -> [n, *axes, filters]."""

    def __init__(
        self, window: Window, channels: int, filters: int, groups: int, use_bias: bool, activation: Function | None
    ) -> None:
        super().__init__()
        self.kernel = empty(*window.kernel, channels // groups, filters)
        self.bias = empty(filters) if use_bias else None
        self.window = window
        self.groups = groups
        self.activation = activation

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute the layer."""
        x = zeroed(x, first(lengths))
        y = convolve(x, torch_kernel(self.kernel), self.bias, self.window, self.groups)
        return y if self.activation is None else self.activation(y)


class DepthwiseConv(Moving):
    """A convolution of each channel by kernels of its own: [n, *axes, c] -> [n, *axes, c * multiplier]."""

    def __init__(
        self, window: Window, channels: int, multiplier: int, use_bias: bool, activation: Function | None
    ) -> None:
        super().__init__()
        self.kernel = empty(*window.kernel, channels, multiplier)
        self.bias = empty(channels * multiplier) if use_bias else None
        self.window = window
        self.activation = activation

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute the layer."""
        x = zeroed(x, first(lengths))
        y = convolve(x, depthwise_kernel(self.kernel), self.bias, self.window, x.shape[-1])
        return y if self.activation is None else self.activation(y)


class SeparableConv(Moving):
    """A depthwise convolution, then one that mixes the channels: [n, *axes, c] -> [n, *axes, filters]."""

    def __init__(
        self,
        window: Window,
        channels: int,
        multiplier: int,
        filters: int,
        use_bias: bool,
        activation: Function | None,
    ) -> None:
        super().__init__()
        ones = (1,) * len(window.kernel)
        self.depthwise_kernel = empty(*window.kernel, channels, multiplier)
        self.pointwise_kernel = empty(*ones, channels * multiplier, filters)
        self.bias = empty(filters) if use_bias else None
        self.window = window
        self.mixing = Window(ones, ones, ones, "valid")
        self.activation = activation

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute the layer."""
        x = zeroed(x, first(lengths))
        x = convolve(x, depthwise_kernel(self.depthwise_kernel), None, self.window, x.shape[-1])
        y = convolve(x, torch_kernel(self.pointwise_kernel), self.bias, self.mixing, 1)
        return y if self.activation is None else self.activation(y)


class ConvTranspose(nn.Module):
    """The gradient of a convolution as a layer, which makes axes longer: [n, *axes, c] -> [n, *axes, filters].

    ``extra`` is Keras' output_padding, a number for each axis, or None for the usual sizes.
    """

    def __init__(
        self,
        window: Window,
        extra: tuple[int, ...] | None,
        channels: int,
        filters: int,
        use_bias: bool,
        activation: Function | None,
    ) -> None:
        super().__init__()
        self.kernel = empty(*window.kernel, filters, channels)
        self.bias = empty(filters) if use_bias else None
        self.window = window
        self.extra = extra or (None,) * len(window.kernel)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer."""
        y = self._transposed(x)
        return y if self.activation is None else self.activation(y)

    def _transposed(self, x: Tensor) -> Tensor:
        window, sizes = self.window, x.shape[1:-1]
        places = list(zip(sizes, window.extents, window.strides, self.extra, strict=True))
        kept = [transposed(size, width, stride, window.padding, extra) for size, width, stride, extra in places]
        starts, lengths = [start for start, _ in kept], [length for _, length in kept]
        # torch takes as much off both ends, then adds to the end; what is still too long is cut below.
        ends = [
            (size - 1) * stride + width - 2 * start
            for (size, width, stride, _), start in zip(places, starts, strict=True)
        ]
        more = [max(length - end, 0) for length, end in zip(lengths, ends, strict=True)]
        x, kernel = channels_first(x), torch_kernel(self.kernel)
        geometry = (planar(window.strides), planar(starts, 0), planar(more, 0), 1, planar(window.dilation))
        y = TRANSPOSE[x.dim()](x, kernel, self.bias, *geometry)
        for axis, length in enumerate(planar(lengths), 2):
            y = y.narrow(axis, 0, length) if length < y.shape[axis] else y
        return channels_last(y, len(sizes))
