from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

Bytes = bytes | bytearray | memoryview
Offsets = NDArray[Any]

def split(data: Bytes, delimiter: int, quote: int, width: int, starts: Offsets, ends: Offsets, /) -> int: ...
def numbers(
    data: Bytes, starts: Offsets, ends: Offsets, point: int, refuse_zeros: bool, values: Offsets, odd: Offsets, /
) -> int: ...
def codes(data: Bytes, starts: Offsets, ends: Offsets, codes: Offsets, /) -> list[str]: ...
def texts(data: Bytes, starts: Offsets, ends: Offsets, /) -> list[str]: ...
def lines(
    rows: int, between: list[bytes], columns: Sequence[tuple[Offsets, list[bytes]] | tuple[Bytes, Offsets, Offsets]], /
) -> str: ...
