"""Lists of seeds as the command line takes them; random streams are tested where they are used."""

import pytest

from nnkit.errors import UsageError
from nnkit.seeds import MOST, parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0..3", [0, 1, 2, 3]),
        ("1,5,9", [1, 5, 9]),
        ("7", [7]),
        ("9,0..2, 4 .. 5 ", [9, 0, 1, 2, 4, 5]),
        ("3..3", [3]),
        (str(2**63 - 1), [2**63 - 1]),
    ],
)
def test_ranges_and_lists(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--seeds : expected whole numbers and ranges, such as 0..39 or 1,5,9 or 0..4,10, found ''"),
        ("1,,2", "found ''"),
        ("0-3", "found '0-3'"),
        ("-1", "found '-1'"),
        ("1.5", "found '1.5'"),
        ("0..", r"found '0\.\.'"),
        ("²", "found '²'"),
        ("9" * 5000, "expected whole numbers"),
        ("5..3", r"--seeds 5\.\.3: the range 5\.\.3 is empty; its smaller end comes first"),
        ("0..3,2", r"--seeds 0\.\.3,2: names the seed 2 twice"),
        (str(2**63), r"expected seeds below 2\*\*63"),
        (f"0..{MOST}", "expected at most 10,000 seeds"),
        (f"0..{2**63 - 1}", "expected at most 10,000 seeds"),
        (f"0..{MOST - 1},{MOST}", "expected at most 10,000 seeds"),
    ],
)
def test_anything_else_says_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_seeds(text)
