"""The JSON Schema and the reference rows, from a small spec language."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from nnkit.config.decode import decode
from nnkit.config.document import parse_document
from nnkit.config.pages import mappings, pages, plain_text
from nnkit.config.reference import describe, entry, json_schema
from nnkit.errors import SpecError
from tests.config.toys import FRUIT, Basket, Label

FAMILIES = {"fruit": FRUIT}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema(Basket, FAMILIES)


def test_it_is_a_schema_without_loose_ends(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["$defs"]) == {"fruit", "fruit.apple", "fruit.cherry", "fruit.salad", "Label"}
    assert "x-" not in str(schema)
    assert "title" not in str(schema)


SPECS = [
    "name: a",
    "name: a\nfruit: [apple, {type: cherry, count: 2, beside: {type: apple, colour: green}}]",
    "name: a\nfruit: [cherry]",
    "name: a\nbest: {type: salad, of: [apple]}",
    "name: a\nbest: {type: salad, of: []}",
    "name: a\nbest: {colour: red}",
    "name: a\nlabel: {text: b, size: 3}",
    "name: a\nlabel: {text: b, size: 0}",
    "name: a\nlabel: {text: b, size: auto}",
    "name: a\nlabel: {txt: b}",
    "name: A",
    "fruit: []",
    "name: a\nsource: x.csv",
    "name: a\nsizes: [1]",
    "name: a\nsizes: [x]",
    "name: a\nprices: {0: 1.5}",
    "name: a\nbest: pear",
]


@pytest.mark.parametrize("text", SPECS)
def test_it_takes_what_decoding_takes(schema: dict[str, Any], text: str) -> None:
    document = parse_document(text, "s.yaml", Path())
    try:
        decode(Basket, document)
        right = True
    except SpecError:
        right = False
    assert Draft202012Validator(schema).is_valid(document.tree) is right


def test_editors_are_told_what_things_are(schema: dict[str, Any]) -> None:
    assert schema["properties"]["best"] == {
        "$ref": "#/$defs/fruit",
        "description": "What lies on top.",
    }
    family = schema["$defs"]["fruit"]
    assert family["description"] == "Something sweet."
    assert family["anyOf"][0] == {"const": "apple", "description": "Grows on trees."}
    assert {"const": "cherry"}.items() <= schema["$defs"]["fruit.cherry"]["properties"]["type"].items()
    assert not any(member.get("const") == "cherry" for member in family["anyOf"])
    assert schema["$defs"]["fruit.apple"]["properties"]["weight"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.2,
        "description": "In kilograms.",
    }
    assert schema["$defs"]["fruit.salad"]["properties"]["dressing"]["default"] == {"type": "apple", "colour": "green"}


def test_rows_of_options() -> None:
    rows = {row.name: (row.takes, row.default) for row in describe(Basket)}
    assert rows == {
        "name": ("text that matches ^[a-z]+$", None),
        "fruit": ("a list of fruits", "[]"),
        "best": ("a fruit", "apple"),
        "label": ("a mapping of options or null", "null"),
        "prices": ("a mapping from names to numbers or free", "free"),
        "sizes": ("a list of whole numbers or a whole number or null", "null"),
        "grid": ("a list of lists of numbers", "[]"),
        "shut": ("true or false", "false"),
        "source": ("a path or null", "null"),
    }


@pytest.mark.parametrize(
    ("name", "example"),
    [("apple", "apple"), ("cherry", "{type: cherry, count: 8}"), ("salad", "{type: salad, of: [apple]}")],
)
def test_examples_are_short_and_right(name: str, example: str) -> None:
    assert entry(FAMILIES, "fruit", name).example == example
    assert decode(Basket, parse_document(f"name: a\nbest: {example}", "", Path())).best.type_name == name


def test_text_for_the_shell() -> None:
    assert (
        plain_text(entry(FAMILIES, "fruit", "apple"))
        == """\
apple (fruit)

Grows on trees.

In `autumn`.

Options:

  weight: a number greater than 0 and less than 1; default 0.2
      In kilograms.

  colour: one of red, green; default red
      Of the skin.

Example:
  apple
"""
    )


def test_pages() -> None:
    written = pages(Basket, FAMILIES)
    assert set(written) == {"README.md", "spec.md", "fruit.md"}
    assert "| [fruit](fruit.md) | Something sweet. | [`apple`](fruit.md#apple), " in written["README.md"]
    assert "## cherry\n\nComes with others.\n\n```yaml\n{type: cherry, count: 8}\n```\n" in written["fruit.md"]
    assert "| `count` | a whole number of at least 1 | required | How many there are. |" in written["fruit.md"]
    assert "## Basket" in written["spec.md"]
    assert "## Label" in written["spec.md"]


def test_mappings_that_are_no_pieces_are_found_wherever_they_are() -> None:
    assert mappings(Basket, FAMILIES) == [Basket, Label]
