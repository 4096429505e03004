"""Pools over [n, *axes, channels] with one to three axes."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional

from nnkit.nn.sequence import Lengths, SequenceModule, first, together
from nnkit.nn.spatial import channels_first, channels_last, check_room, lengthened, pad, planar
from nnkit.nn.windows import padding

Functions = dict[int, Callable[..., Tensor]]
"""By the number of axes of what they take, batch and channels included."""

MAX: Functions = {4: functional.max_pool2d, 5: functional.max_pool3d}
AVERAGE: Functions = {4: functional.avg_pool2d, 5: functional.avg_pool3d}
ADAPTIVE_MAX: Functions = {4: functional.adaptive_max_pool2d, 5: functional.adaptive_max_pool3d}
ADAPTIVE_AVERAGE: Functions = {4: functional.adaptive_avg_pool2d, 5: functional.adaptive_avg_pool3d}


class Pool(SequenceModule):
    """The largest value of each window, or the mean of those that are not padding: [n, *axes, c] -> [n, *axes, c].

    Rows that end where their lengths say have only whole windows.
    """

    def __init__(self, largest: bool, size: Sequence[int], strides: Sequence[int], same: bool) -> None:
        super().__init__()
        self.largest = largest
        self.size = tuple(size)
        self.strides = tuple(strides)
        self.same = same

    def out_lengths(self, lengths: Lengths) -> Tensor | None:
        """Return how many windows lie in each row."""
        ends = first(lengths)
        return None if ends is None else ((ends - self.size[0]) // self.strides[0] + 1).clamp(min=0)

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Pool; rows in which no window fits have no steps any more."""
        if x.shape[1] < self.size[0] and not self.same:
            return self.forward(lengthened(x, self.size[0]))[:, :0]
        sizes = x.shape[1:-1]
        before, skipped = self._same(sizes) if self.same else self._valid(sizes)
        y = channels_first(x)
        size, strides, pads = planar(self.size), planar(self.strides), planar(before, 0)
        if self.largest:
            y = MAX[y.dim()](y, size, strides, pads, ceil_mode=self.same)
        elif y.dim() == 5 and any(axis < window for axis, window in zip(sizes, self.size, strict=True)):
            return self._average_of_few(y)
        else:
            y = AVERAGE[y.dim()](y, size, strides, pads, ceil_mode=self.same, count_include_pad=False)
        for axis, skip in enumerate(planar(skipped, 0), 2):
            y = y.narrow(axis, skip, y.shape[axis] - skip) if skip else y
        return channels_last(y, len(sizes))

    def _average_of_few(self, x: Tensor) -> Tensor:
        """Average windows that are larger than a volume, which torch refuses: sums over counts."""
        places = zip(x.shape[2:], self.size, self.strides, strict=True)
        pads = [padding(size, window, stride, "same") for size, window, stride in places]
        values, counts = pad(x, pads), pad(x.new_ones(1, 1, *x.shape[2:]), pads)
        return channels_last(
            functional.avg_pool3d(values, self.size, self.strides)
            / functional.avg_pool3d(counts, self.size, self.strides),
            len(self.size),
        )

    def _valid(self, sizes: Sequence[int]) -> tuple[list[int], list[int]]:
        check_room(sizes, self.size)
        return [0] * len(sizes), [0] * len(sizes)

    def _same(self, sizes: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return the padding that torch puts on both sides of each axis, and how many windows to skip at its start.

        Where one more belongs behind than before, torch's ceil_mode lets the last window hang over. With a stride of 1
        there is no window to hang over, so one more is put on both sides and the first window is left out.
        """
        pads, skipped = [], []
        for size, window, stride in zip(sizes, self.size, self.strides, strict=True):
            before, after = padding(size, window, stride, "same")
            skipped.append(after - before if stride == 1 else 0)
            pads.append(after if stride == 1 else before)
        return pads, skipped


class GlobalPool(SequenceModule):
    """The largest value or the mean of each channel: [n, *axes, c] -> [n, c], or [n, 1, ..., c]."""

    def __init__(self, largest: bool, keepdims: bool) -> None:
        super().__init__()
        self.largest = largest
        self.keepdims = keepdims

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Pool; a row without steps gives zeros."""
        axes = tuple(range(1, x.dim() - 1))
        if first(lengths) is not None or not x.shape[1]:
            x = together(x, first(lengths), "max" if self.largest else "mean").unsqueeze(1)
        return x.amax(axes, self.keepdims) if self.largest else x.mean(axes, self.keepdims)


class AdaptivePool(nn.Module):
    """Pools by windows that are as large as it takes to get ``size`` of them: [n, *axes, c] -> [n, *size, c]."""

    def __init__(self, largest: bool, size: Sequence[int]) -> None:
        super().__init__()
        self.functions = ADAPTIVE_MAX if largest else ADAPTIVE_AVERAGE
        self.size = tuple(size)

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        x = channels_first(x)
        return channels_last(self.functions[x.dim()](x, planar(self.size)), len(self.size))
