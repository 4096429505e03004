"""Clocks against pandas and times worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from nnkit.frames.clock import Points, Step, Way, read, usual_step, written


def points(texts: list[str], way: Way | None = None) -> tuple[Points, Way]:
    found = read(texts, way)
    assert not isinstance(found, int)
    return found


@pytest.mark.parametrize(
    ("texts", "way"),
    [
        (["1949-01", "1949-02"], "iso"),
        (["2016-07-01 00:00:00", "2016-07-01T01:00:00"], "iso"),
        (["1/2/2024", "1/13/2024"], "month_first"),
        (["1/2/2024", "13/2/2024"], "day_first"),
    ],
)
def test_times_are_read_in_one_way(texts: list[str], way: str) -> None:
    found, how = points(texts)
    assert how == way
    expected = [pd.to_datetime(text, dayfirst=way == "day_first").value // 1000 for text in texts]
    assert found.tolist() == expected


def test_the_first_that_is_no_time_is_found() -> None:
    assert read(["2020-01-01", "2020-01-02", "yesterday", "2020-01-04"]) == 2
    assert read(["yesterday"]) == 0
    assert read(["13/2/2024"], "month_first") == 0


@pytest.mark.parametrize(
    ("texts", "step", "words", "after"),
    [
        (["1960-10", "1960-11", "1960-12"], Step("months", 1), "1 month", ["1961-01", "1961-02"]),
        (["2020-01-31", "2020-02-29", "2020-03-31"], Step("month_ends", 1), "1 month", ["2020-04-30", "2020-05-31"]),
        (["2019-01-01", "2019-04-01", "2019-07-01"], Step("months", 3), "3 months", ["2019-10-01", "2020-01-01"]),
        (["2019", "2020", "2021"], Step("months", 12), "12 months", ["2022", "2023"]),
        (["2020-02-27", "2020-02-28"], Step("microseconds", 86400e6), "1 day", ["2020-02-29", "2020-03-01"]),
        (["01.02.2020", "02.02.2020", "13.02.2020"], Step("microseconds", 86400e6), "1 day", ["14.02.2020"]),
        (
            ["2018-06-26 19:00:00", "2018-06-26 22:00:00"],
            Step("microseconds", 3 * 3600e6),
            "3 hours",
            ["2018-06-27 01:00:00", "2018-06-27 04:00:00"],
        ),
    ],
)
def test_steps_are_found_and_gone_on_with(texts: list[str], step: Step, words: str, after: list[str]) -> None:
    found, way = points(texts)
    usual = usual_step(found[:-1], found[1:], way)
    assert usual == step
    assert usual.words == words
    assert written(usual.after(found[-1].item(), len(after)), texts[-1], way) == after


def test_a_break_is_a_distance_of_its_own() -> None:
    found, way = points(["1949-01", "1949-02", "1949-03", "1949-05", "1949-06"])
    step = usual_step(found[:-1], found[1:], way)
    assert step == Step("months", 1)
    assert step.breaks(found[:-1], found[1:]).tolist() == [False, False, True, False]
    numbers = np.array([0.1, 0.2, 0.3, 0.5])
    tenth = usual_step(numbers[:-1], numbers[1:], "number")
    assert tenth is not None
    assert tenth.breaks(numbers[:-1], numbers[1:]).tolist() == [False, False, True]
    assert written(tenth.after(0.5, 2), "0.5", "number") == ["0.6", "0.7"]
    assert usual_step(numbers[:0], numbers[:0], "number") is None


@pytest.mark.parametrize(
    ("texts", "after"),
    [
        (["2020-01-01 13", "2020-01-01 14"], "2020-01-01T15:00:00"),
        (["2020-01-01T13:00:00+01:00", "2020-01-01T14:00:00+01:00"], "2020-01-01T14:00:00+00:00"),
    ],
)
def test_what_is_written_in_no_known_form_goes_on_in_iso(texts: list[str], after: str) -> None:
    found, way = points(texts)
    step = usual_step(found[:-1], found[1:], way)
    assert step is not None
    assert written(step.after(found[-1].item(), 1), texts[-1], way) == [after]
