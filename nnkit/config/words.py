"""Plain words for what an option takes and what was found, from the option's JSON Schema."""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

KEY = "x-words"
"""In a JSON Schema: what a value is called, where the schema itself doesn't tell."""
FAMILY = "x-family"
"""In a JSON Schema: the family of pieces that a value is chosen from."""

_NOUNS = {
    "integer": ("a whole number", "whole numbers"),
    "number": ("a number", "numbers"),
    "string": ("text", "texts"),
    "boolean": ("true or false", "true or false"),
    "null": ("null", "nulls"),
}
_BOUNDS = {
    "exclusiveMinimum": "greater than {}",
    "gt": "greater than {}",
    "minimum": "of at least {}",
    "ge": "of at least {}",
    "exclusiveMaximum": "less than {}",
    "lt": "less than {}",
    "maximum": "of at most {}",
    "le": "of at most {}",
}
"""Keywords of JSON Schema, and those that pydantic writes beside a union."""


def expected(schema: Schema, plural: bool = False) -> str:
    """Return what ``schema`` takes: ``a whole number greater than 0``, ``a list of texts or null``."""
    if KEY in schema:
        return _plural(str(schema[KEY])) if plural else str(schema[KEY])
    if members := _members(schema):
        return " or ".join(dict.fromkeys(expected(member, plural) for member in members))
    if choices := choices_of(schema):
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    kind = schema.get("type")
    if kind == "array":
        return ("lists of " if plural else _list(schema)) + expected(schema.get("items", {}), True)
    if kind == "object" or "$ref" in schema:
        return _mapping(schema, plural)
    noun = _NOUNS.get(str(kind), ("a value", "values"))[plural]
    return f"{noun}{_range(schema)}" if kind in ("integer", "number") else f"{noun}{_form(schema)}"


def choices_of(schema: Schema) -> list[str]:
    """Return the words that a choice allows, also those of a union's members."""
    if "const" in schema:
        return [str(schema["const"])]
    if "enum" in schema:
        return [str(choice) for choice in schema["enum"]]
    return [choice for member in _members(schema) for choice in choices_of(member)]


def inner(schema: Schema, path: tuple[str | int, ...]) -> Schema:
    """Return the schema of what is at ``path`` in a value of ``schema``; an empty one where that cannot be told."""
    definitions = schema.get("$defs", {})
    for part in path:
        schema = next(_nested(schema, part, definitions), {})
    return schema


def _nested(schema: Schema, part: str | int, definitions: Schema) -> Any:
    schema = definitions.get(schema.get("$ref", "").removeprefix("#/$defs/"), schema)
    for member in _members(schema) or [schema]:
        if isinstance(part, int) and "items" in member:
            yield member["items"]
        elif part in member.get("properties", {}):
            yield member["properties"][part]
        elif isinstance(part, str) and isinstance(member.get("additionalProperties"), Mapping):
            yield member["additionalProperties"]
        elif member is not schema:
            yield from _nested(member, part, definitions)


def _members(schema: Schema) -> list[Schema]:
    """Return a union's members, each with the bounds that pydantic writes beside the union."""
    bounds = {key: schema[key] for key in _BOUNDS if key in schema}
    return [{**member, **bounds} for member in schema.get("anyOf") or schema.get("oneOf") or []]


def _list(schema: Schema) -> str:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if most is not None:
        return f"a list of {least} " if least == most else f"a list of {least} to {most} "
    return "a list of " if least == 0 else "a list of one or more " if least == 1 else f"a list of at least {least} "


def _mapping(schema: Schema, plural: bool) -> str:
    noun = "mappings" if plural else "a mapping"
    if "$ref" in schema or "properties" in schema:
        return f"{noun} of options"
    values = schema.get("additionalProperties")
    return f"{noun} from names to {expected(values, True) if isinstance(values, Mapping) else 'values'}"


def _range(schema: Schema) -> str:
    if schema.get("type") == "integer" and "exclusiveMinimum" in schema and "maximum" in schema:
        schema = {"minimum": schema["exclusiveMinimum"] + 1, "maximum": schema["maximum"]}
    if "minimum" in schema and "maximum" in schema:
        return f" from {number(schema['minimum'])} to {number(schema['maximum'])}"
    parts = [text.format(number(schema[key])) for key, text in _BOUNDS.items() if key in schema]
    return f" {' and '.join(parts)}" if parts else ""


def _form(schema: Schema) -> str:
    if "pattern" in schema:
        return f" that matches {schema['pattern']}"
    if "maxLength" in schema:
        return f" of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return " that is not empty" if schema.get("minLength") else ""


def number(value: float) -> str:
    """Write a number without a needless fraction: ``1`` for 1.0."""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else f"{value}"


def _plural(words: str) -> str:
    noun = words.removeprefix("an ").removeprefix("a ")
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def found(value: object) -> str:
    """Return what stands in the spec: ``'six' (text)``, ``3.5``, ``a list of 3``."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return str(value).lower()
        case str():
            return f"{short(value)!r} (text)"
        case Mapping():
            return "a mapping"
        case list():
            return f"a list of {len(value)}"
        case float() if not math.isfinite(value):
            return "a number that is not finite"
        case float() if value.is_integer() and abs(value) < 1e15:
            return f"{value} (with a fraction)"
    return short(str(value))


def short(text: str) -> str:
    """Return ``text``, cut where it is long."""
    return str(text) if len(text) <= 40 else f"{text[:37]}..."
