"""Scalars by the core schema of YAML 1.2."""

import math

import pytest

from nnkit.config.scalars import Scalar, ScalarError, is_text, resolve, tagged


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-0.0", -0.0),
        ("012", 12),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("1e999", math.inf),
        ("true", True),
        ("False", False),
        ("", None),
        ("~", None),
        ("NULL", None),
    ],
)
def test_words_that_stand_for_something_else(text: str, value: Scalar) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)
    assert not is_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "yes",
        "on",
        "off",
        "y",
        "n",
        "2020-01-01",
        "12:30:45",
        "190:20:30",
        "1_000",
        "0b11",
        "0o8",
        "0xG",
        "1e",
        "1e+",
        ".",
        "-",
        "+",
        ".e3",
        "inf",
        "nan",
        "nUll",
        "<<",
        "=",
        "1,5",
    ],
)
def test_words_that_yaml_1_1_or_a_hurried_reader_takes_for_something_else_are_words(text: str) -> None:
    assert resolve(text) == text
    assert is_text(text)


def test_not_a_number() -> None:
    value = resolve(".NaN")
    assert isinstance(value, float)
    assert math.isnan(value)


def test_tags() -> None:
    core = "tag:yaml.org,2002:"
    assert tagged(core + "str", "12") == "12"
    assert tagged("!", "12") == "12"
    assert tagged(core + "int", "0x10") == 16
    value = tagged(core + "float", "12")
    assert (value, type(value)) == (12.0, float)
    with pytest.raises(ScalarError, match=r"!!int does not fit '1\.5'"):
        tagged(core + "int", "1.5")
    for tag in ("python/name:os.system", "timestamp", "binary"):
        with pytest.raises(ScalarError, match=f"!!{tag} is not allowed"):
            tagged(core + tag, "x")
    with pytest.raises(ScalarError, match="!mine is not allowed"):
        tagged("!mine", "x")


@pytest.mark.parametrize("text", ["9" * 5000, str(2**64), "-" + str(2**64), "0x1" + "0" * 16, "0o" + "7" * 300])
def test_endless_whole_numbers_are_refused(text: str) -> None:
    with pytest.raises(ScalarError, match="beyond 64 bits"):
        resolve(text)
    assert resolve(str(2**64 - 1)) == 2**64 - 1
