import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkit.frames.kinds import Spelling, in_order, infer, label, typed

PLAIN = Spelling()


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", " -3e2 "], "number"),
        (["1", "", "NA", "?"], "number"),
        (["", ""], "number"),
        (["01234", "55555"], "category"),
        (["0", "0.5", "-0.25"], "number"),
        (["France", "NA"], "category"),
        (["1_000", "2"], "category"),
        (["1,008.64"], "category"),
        (["inf", "1"], "category"),
        (["true", "False", ""], "boolean"),
        ([True, False, None], "boolean"),
        ([1, 2.5, None], "number"),
        ([1, True], "category"),
        ([1, "x"], "category"),
        ([1.5, float("nan"), " NA "], "number"),
        ([b"1", b"2"], "category"),
        ([[1], {}], "category"),
        (np.zeros((2, 3)), "array"),
        (np.zeros(2), "number"),
    ],
)
def test_kinds_are_what_all_cells_are(cells: Any, kind: str) -> None:
    assert infer(cells, PLAIN) == kind


def test_na_is_namibia_in_text_and_missing_among_numbers() -> None:
    assert typed(["NA", "DE", ""], "category", PLAIN).values.tolist() == ["NA", "DE", None]
    numbers = typed(["NA", "1", ""], "number", PLAIN)
    assert np.isnan(numbers.values).tolist() == [True, False, True]
    assert numbers.bad == {}
    own = Spelling(missing=frozenset({"-99"}))
    assert np.isnan(typed(["-99", "1"], "number", own).values).tolist() == [True, False]
    assert typed(["NA", "-99"], "category", own).values.tolist() == ["NA", None]


def test_what_is_no_number_is_told_by_row() -> None:
    result = typed(["1", "x", "1_0", "inf", True, [1], 10**400], "number", PLAIN)
    assert result.bad.keys() == {1, 2, 3, 4, 5, 6}
    assert result.bad[1] == "'x' is not a number"
    assert typed([True, 1], "number", PLAIN).bad.keys() == {0}


def test_numbers_of_other_countries() -> None:
    german = Spelling(decimal=",", thousands=".")
    assert typed(["1.008,64", "-2,5"], "number", german).values.tolist() == [1008.64, -2.5]
    assert typed(["1,008.64"], "number", Spelling(thousands=",")).values.tolist() == [1008.64]
    assert typed(["1.5"], "number", Spelling(decimal=",")).bad == {0: "'1.5' is not a number"}


def test_marks_between_thousands_stand_where_they_belong() -> None:
    spelling = Spelling(thousands=",")
    cells = ["1,7", "17,00", "1,00,000", "-12,345,678.5", "1.5,000", "1234"]
    result = typed(cells, "number", spelling)
    assert result.bad.keys() == {0, 1, 4}
    assert result.values[[2, 3, 5]].tolist() == [100_000, -12_345_678.5, 1234]
    assert infer(["1,7", "2,8"], spelling) == "category"


def test_codes_are_categories_however_their_number_is_written() -> None:
    assert typed(["1", "1.0", " 1 ", "2", "", "NA", "01"], "code", PLAIN).values.tolist() == (
        ["1", "1", "1", "2", None, "NA", "01"]
    )
    assert typed([1, 1.0, None, math.nan], "code", PLAIN).values.tolist() == ["1", "1", None, None]
    assert typed(np.array([1.0, np.nan, 2.5]), "code", PLAIN).values.tolist() == ["1", None, "2.5"]


def test_a_missing_word_is_missing_as_a_json_number_too() -> None:
    own = Spelling(missing=frozenset({"-99"}))
    assert np.isnan(typed([-99, -99.0, " -99 ", 1], "number", own).values).tolist() == [True, True, True, False]


def test_cells_that_are_no_single_value() -> None:
    cells = [[1], {"a": 1}, None]
    for kind in ("number", "category", "boolean", "code"):
        assert typed(cells, kind, PLAIN).bad.keys() == {0, 1}
    assert typed([1.0], "array", PLAIN).bad == {0: "1.0 is no array"}


def test_arrays_of_numbers() -> None:
    result = typed(np.array([1, np.inf, np.nan]), "number", PLAIN)
    assert result.bad == {1: "inf is not a finite number"}
    assert typed(np.array([0, 1, 2]), "boolean", PLAIN).bad == {2: "2 is neither true nor false"}
    assert typed(np.zeros((2, 3), dtype=np.uint8), "array", PLAIN).values.dtype == np.float32


NUMBER = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr), st.integers().map(str), st.sampled_from(["", "NA", "?"])
)


@given(st.lists(st.one_of(NUMBER, st.text(max_size=4))))
def test_a_column_is_read_as_its_cells_are_one_by_one(cells: list[str]) -> None:
    whole = typed(cells, "number", PLAIN)
    single = [typed([cell], "number", PLAIN) for cell in cells]
    np.testing.assert_array_equal(whole.values, [each.values[0] for each in single])
    assert whole.bad.keys() == {row for row, each in enumerate(single) if each.bad}
    if infer(cells, PLAIN) == "number":
        assert not whole.bad


def test_booleans() -> None:
    result = typed(["true", "FALSE", "", "1", "maybe"], "boolean", PLAIN)
    assert result.values[:2].tolist() == [1.0, 0.0]
    assert math.isnan(result.values[2])
    assert result.bad == {4: "'maybe' is neither true nor false"}


def test_labels_and_their_order() -> None:
    assert [label(1.0), label(-2), label(0.5)] == ["1", "-2", "0.5"]
    assert in_order({"10", "9", "-1"}) == ["-1", "9", "10"]
    assert in_order({"b", "a", "10"}) == ["10", "a", "b"]
    assert in_order({"nan", "2", "1"}) == ["1", "2", "nan"]
    assert typed([10**400], "category", PLAIN).values.tolist() == [str(10**400)]
    assert typed([1, 1.0, "1", True, None], "category", PLAIN).values.tolist() == ["1", "1", "1", "true", None]
