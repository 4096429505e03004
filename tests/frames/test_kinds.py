import math
from typing import Any

import numpy as np
import pytest

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


def test_booleans() -> None:
    result = typed(["true", "FALSE", "", "1", "maybe"], "boolean", PLAIN)
    assert result.values[:2].tolist() == [1.0, 0.0]
    assert math.isnan(result.values[2])
    assert result.bad == {4: "'maybe' is neither true nor false"}


def test_labels_and_their_order() -> None:
    assert [label(1.0), label(-2), label(0.5)] == ["1", "-2", "0.5"]
    assert in_order({"10", "9", "-1"}) == ["-1", "9", "10"]
    assert in_order({"b", "a", "10"}) == ["10", "a", "b"]
    assert typed([1, 1.0, "1", True, None], "category", PLAIN).values.tolist() == ["1", "1", "1", "true", None]
