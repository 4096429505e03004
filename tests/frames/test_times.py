import pytest

from nnkit.errors import DataError
from nnkit.frames.times import times


def order(*texts: str) -> list[int]:
    points = times(texts, "t.csv: day")
    return sorted(range(len(texts)), key=points.__getitem__)


def test_iso_dates_with_and_without_a_time() -> None:
    assert order("2020-01-02 10:00", "2020-01-02", "1949-01", "2020-01-02T09:00:00+05:00") == [2, 1, 3, 0]


def test_all_dates_are_read_in_one_way() -> None:
    assert order("2/1/2024", "12/31/2023", "1/15/2024") == [1, 2, 0]
    assert order("13/01/2020", "01/02/2020", "02/01/2020") == [2, 0, 1]
    assert order("01/02/2020", "13/01/2020", "03/01/2020") == [2, 1, 0]


@pytest.mark.parametrize("texts", [["x", "y"], ["13/01/2020", "01/13/2020"], ["2020-01-01", "1/2/2020"]])
def test_what_no_way_reads_is_refused(texts: list[str]) -> None:
    with pytest.raises(DataError, match="day is neither numbers nor dates"):
        times(texts, "t.csv: day")
