import numpy as np
import pytest

from nnkit.engine.order import RowDraws, RowOrder, in_streams, shuffled, threshold
from nnkit.seeds import bits


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 9, 1000, 1024, 1025])
def test_an_order_has_each_row_once_and_follows_from_seed_and_epoch(rows: int) -> None:
    order = RowOrder(rows, 3, "phase")
    first = order.of(0)
    np.testing.assert_array_equal(np.sort(first), np.arange(rows))
    np.testing.assert_array_equal(order.of(0), first)
    if rows > 8:
        assert not np.array_equal(order.of(1), first)
        assert not np.array_equal(RowOrder(rows, 4, "phase").of(0), first)


def test_every_order_comes_as_often() -> None:
    counts: dict[tuple[int, ...], int] = {}
    draw = bits(0, "test")
    for _ in range(6000):
        order = tuple(shuffled(draw, 3).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert all(850 < count < 1150 for count in counts.values())  # 1,000 each, give or take five deviations


def test_chances_draw_with_replacement_in_proportion() -> None:
    chances = np.array([1.0, 3.0, 0.0])
    rows = np.concatenate([RowOrder(3, 0, "p", chances).of(epoch) for epoch in range(2000)])
    np.testing.assert_allclose(np.bincount(rows, minlength=3) / len(rows), [0.25, 0.75, 0.0], atol=0.03)


@pytest.mark.parametrize("values", [1, 7, 2000])
def test_a_rows_numbers_do_not_depend_on_what_is_drawn_with_them(values: int) -> None:
    whole = RowDraws(1, "p").numbers("layer", 2, 0, 2500, values)
    draws = RowDraws(1, "p")
    for start, rows in ((0, 10), (5, 1), (1000, 100), (1023, 2), (2040, 460), (0, 2500)):
        np.testing.assert_array_equal(draws.numbers("layer", 2, start, rows, values), whole[start : start + rows])
    assert not np.array_equal(draws.numbers("other", 2, 0, 2500, values), whole)
    assert not np.array_equal(draws.numbers("layer", 3, 0, 2500, values), whole)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.999])
def test_values_drop_out_as_often_as_the_rate_says(rate: float) -> None:
    numbers = RowDraws(0, "p").numbers("layer", 0, 0, 5000, 40)
    assert (numbers < threshold(rate)).mean() == pytest.approx(rate, abs=0.005)


def test_rows_of_other_lengths_have_other_numbers_of_draws() -> None:
    draws = RowDraws(1, "p")
    assert [draws.numbers("dropout", 0, start, 2, values).shape for start, values in ((0, 6), (2, 3), (4, 6))] == [
        (2, 6),
        (2, 3),
        (2, 6),
    ]
    assert np.array_equal(draws.numbers("dropout", 0, 0, 2, 6), RowDraws(1, "p").numbers("dropout", 0, 0, 2, 6))


def test_in_streams_a_row_follows_the_same_row_of_the_batch_before() -> None:
    order = RowOrder(14, 1, "p", batch=4, streams=True)
    assert order.of(0).tolist() == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 12, 13]
    assert order.of(1).tolist() == order.of(0).tolist()
    assert in_streams(3, 4).tolist() == [0, 1, 2]
