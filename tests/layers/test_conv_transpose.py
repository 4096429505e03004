from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.layers.oracles import compare, first, last
from tests.layers.test_conv import each, extents, windows

quick = settings(max_examples=80, deadline=None)
TRANSPOSE: dict[int, Any] = {
    1: nn.functional.conv_transpose1d,
    2: nn.functional.conv_transpose2d,
    3: nn.functional.conv_transpose3d,
}


def kept(size: int, window: int, stride: int, how: str, extra: int | None) -> tuple[int, int]:
    """Return where Keras' result begins in the full one and how long it is.

    For ``same`` the layer is the gradient of a convolution of an axis of that length, which TensorFlow pads with what
    its windows need beyond it, the smaller half before it.
    """
    if how == "valid":
        return 0, (size - 1) * stride + (max(window, stride) if extra is None else window + extra)
    length = size * stride if extra is None else (size - 1) * stride + window % 2 + extra
    return max((size - 1) * stride + window - length, 0) // 2, length


@quick
@given(data=st.data(), rank=st.integers(1, 3), channels=st.integers(1, 3), filters=st.integers(1, 3))
def test_conv_transpose_is_a_part_of_torchs(data: Any, rank: int, channels: int, filters: int) -> None:
    options, _ = data.draw(windows(rank))
    strides, reach = each(options["strides"], rank), extents(options, rank)
    axes = [data.draw(st.integers(2, 5)) for _ in range(rank)]
    extra = data.draw(st.none() | st.just([data.draw(st.integers(0, stride - 1)) for stride in strides]))

    def oracle(x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        weight = kernel.movedim(-1, 0).movedim(-1, 1).contiguous()
        y = TRANSPOSE[rank](first(x), weight, None, strides, dilation=each(options["dilation_rate"], rank))
        y = nn.functional.pad(y, [0, 9] * rank)
        for axis, (size, window, stride) in enumerate(zip(axes, reach, strides, strict=True)):
            start, length = kept(size, window, stride, options["padding"], extra and extra[axis])
            y = y.narrow(axis + 2, start, length)
        return last(y) if bias is None else last(y) + bias

    layer = {"type": f"conv{rank}d_transpose", "filters": filters, **options, "output_padding": extra}
    compare(layer, (*axes, channels), oracle)
