"""A text cut into streams: each step once, and each row goes on where the row a batch before ended."""

import numpy as np
import pytest

from nnkit.engine.ragged import Ragged
from nnkit.engine.streams import LEAST_WINDOWS, MOST, places, side_by_side, usual
from nnkit.frames.running import windows


def texts(total: int, length: int) -> tuple[Ragged, Ragged]:
    return windows(np.arange(100, 100 + total), length)


@pytest.mark.parametrize("total", [2, 3, 9, 50, 101])
@pytest.mark.parametrize("length", [1, 4, 16])
@pytest.mark.parametrize("streams", [1, 2, 3, 7])
def test_streams_are_stretches_of_the_text(total: int, length: int, streams: int) -> None:
    inputs, targets = texts(total, length)
    streams = min(streams, len(inputs))
    rows, after = (side_by_side(part, streams, length) for part in (inputs, targets))
    assert len(rows) % streams == 0
    read = [np.concatenate([rows.row(number) for number in range(i, len(rows), streams)]) for i in range(streams)]
    assert np.array_equal(np.concatenate(read), np.arange(100, 100 + total - 1))
    assert all(len(part) <= -(-(total - 1) // streams) for part in read)
    assert all(np.array_equal(rows.row(number) + 1, after.row(number)) for number in range(len(rows)))
    assert rows.lengths.max() <= length


@pytest.mark.parametrize(("total", "streams"), [(50, 3), (101, 7), (9, 1)])
def test_places_say_where_a_step_is_in_the_text(total: int, streams: int) -> None:
    inputs, targets = texts(total, 4)
    for text in (inputs, targets):
        rows = side_by_side(text, streams, 4)
        assert np.array_equal(text.flat()[places(rows, text)], rows.flat())


def test_the_streams_of_an_evaluation_follow_from_the_text_alone() -> None:
    assert [usual(count, 1024) for count in (1, 2 * LEAST_WINDOWS - 1, 2 * LEAST_WINDOWS, 10**6)] == [1, 1, 2, MOST]
    assert usual(10**6, 4) == 4
