"""Plain words for schemas and values."""

from typing import Any

import pytest

from nnkit.config.spelling import nearest
from nnkit.config.words import expected, found, inner


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "exclusiveMinimum": 0}, "a whole number greater than 0"),
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 9}, "a whole number from 1 to 9"),
        ({"type": "number", "minimum": 0.0, "maximum": 1.0}, "a number from 0 to 1"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "a number of at least 0 and less than 1"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}, "a list of 2 whole numbers"),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 2}, "a list of 0 to 2 whole numbers"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 3}, "a list of at least 3 texts"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "a list of one of a, b"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "a mapping from names to numbers"),
        ({"type": "object", "additionalProperties": True}, "a mapping from names to values"),
        ({"type": "object", "properties": {}}, "a mapping of options"),
        ({"$ref": "#/$defs/X"}, "a mapping of options"),
        ({"const": "auto"}, "auto"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}], "gt": 0}, "a number greater than 0 or null"),
        ({"type": "string", "minLength": 1, "maxLength": 3}, "text of 1 to 3 characters"),
        ({"x-words": "a loss"}, "a loss"),
        ({"type": "array", "items": {"x-words": "a loss"}}, "a list of losses"),
        ({}, "a value"),
    ],
)
def test_what_is_expected(schema: dict[str, Any], words: str) -> None:
    assert expected(schema) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing (null)"),
        (True, "true"),
        ("six", "'six' (text)"),
        ("x" * 50, f"'{'x' * 37}...' (text)"),
        (3, "3"),
        (3.0, "3.0 (with a fraction)"),
        (0.5, "0.5"),
        (float("nan"), "a number that is not finite"),
        ([1, 2], "a list of 2"),
        ({}, "a mapping"),
    ],
)
def test_what_is_found(value: object, words: str) -> None:
    assert found(value) == words


def test_schemas_of_what_is_inside() -> None:
    schema = {
        "properties": {"a": {"anyOf": [{"items": {"$ref": "#/$defs/X"}}, {"type": "null"}]}, "b": {"type": "integer"}},
        "$defs": {"X": {"additionalProperties": {"type": "number"}}},
    }
    assert inner(schema, ("b",)) == {"type": "integer"}
    assert inner(schema, ("a", 3, "key")) == {"type": "number"}
    assert inner(schema, ("a", "key")) == {}


@pytest.mark.parametrize(
    ("word", "near"), [("BatchNorm", "batch_norm"), ("batch-nrm", "batch_norm"), ("dens", "dense")]
)
def test_the_nearest_spelling(word: str, near: str) -> None:
    assert nearest(word, ["batch_norm", "dense"]) == f"; did you mean {near!r}?"


def test_no_spelling_is_near() -> None:
    assert nearest("lstm", ["dense"]) == "."
