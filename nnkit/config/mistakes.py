"""Mistakes in words: pydantic's errors said in the terms of the spec, one for each thing to mend."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from nnkit.config.spelling import nearest
from nnkit.config.words import FAMILY, KEY, Schema, choices_of, expected, found, inner

WORDED = "nnkit"
"""The error type of a mistake that is in words already."""
MISSING = "nnkit_missing"
"""The same for a missing option: the last part of its location is not in the spec."""
UNKNOWN = "nnkit_unknown"
"""The same for an unknown option: its context holds the options that there are."""

Location: TypeAlias = tuple[str | int, ...]
Sited: TypeAlias = tuple[Location, ErrorDetails]
"""An error and where it is in the value, without the names of union members that pydantic puts into its location."""


def mistake(
    loc: Location, value: object, message: str, kind: str = WORDED, context: Mapping[str, Any] | None = None
) -> InitErrorDetails:
    """Return an error in words; the message travels as context, since braces in it would upset a template."""
    error = PydanticCustomError(kind, "{message}", {**(context or {}), "message": message})
    return InitErrorDetails(type=error, loc=loc, input=value)


def in_words(error: ValidationError, kind: type[BaseModel], value: object) -> ValidationError:
    """Return the errors of decoding ``value`` as ``kind`` with those of its own options in words."""
    sited = _sited(error.errors(include_url=False), value, 0)
    meant = _misspelt(kind, sited)
    told = [each for each in sited if not (each[1]["type"] == "missing" and each[0][-1:] in meant)]
    return ValidationError.from_exception_data(kind.__name__, [_worded(kind, *each) for each in told])


def _misspelt(kind: type[BaseModel], sited: Iterable[Sited]) -> set[Location]:
    """Return the options that unknown ones were meant for: they are not missing besides."""
    unknown = [str(site[-1]) for site, error in sited if error["type"] == "extra_forbidden"]
    return {(name,) for word in unknown for name in _names(kind) if f"{name!r}" in nearest(word, _names(kind))}


def _sited(errors: Iterable[ErrorDetails], value: object, depth: int) -> list[Sited]:
    """Find where errors are in ``value``, and keep of each union the errors of the member that was meant."""
    here: list[Sited] = []
    below: dict[str | int, list[ErrorDetails]] = {}
    for error in errors:
        rest = error["loc"][depth:]
        if not rest or (len(rest) == 1 and error["type"] in (MISSING, "missing")):
            here.append((rest, error))
        else:
            below.setdefault(rest[0], []).append(error)
    members = []
    for part, nested in below.items():
        if (child := _child(value, part)) is not _ABSENT:
            here += [((part, *site), error) for site, error in _sited(nested, child, depth + 1)]
        else:
            members.append(_sited(nested, value, depth + 1))
    return here + _meant(members)


_ABSENT = object()


def _child(value: object, part: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(part, _ABSENT)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return _ABSENT


def _meant(members: list[list[Sited]]) -> list[Sited]:
    """Return the errors of the union member that fits best: one that took the value's kind, with the fewest errors."""
    fitting = [errors for errors in members if all(site for site, _ in errors)]
    if fitting:
        return min(fitting, key=len)
    return [min((sited for errors in members for sited in errors), key=_vagueness)] if members else []


def _vagueness(sited: Sited) -> tuple[bool, bool]:
    site, error = sited
    return bool(site), not (error["type"].startswith(WORDED) and isinstance(error["input"], (str, Mapping)))


def _worded(kind: type[BaseModel], site: Location, error: ErrorDetails) -> InitErrorDetails:
    value, name, context = error["input"], error["type"], error.get("ctx", {})
    if name == UNKNOWN:
        return _unknown(site, value, context["owner"], [*context["options"], *_beside(kind, site, error["loc"])])
    if name.startswith(WORDED):
        return mistake(site, value, error["msg"], name)
    if name == "extra_forbidden":
        return _unknown(site, value, getattr(kind, "type_name", ""), _names(kind))
    if name == "missing":
        schema = inner(schema_of(kind), site)
        hint = f": {schema['description']}" if "description" in schema else ""
        return mistake(site, value, f"this option is missing; expected {expected(schema)}{hint}", MISSING)
    if "error" in context:
        return mistake(site, value, str(context["error"]))
    if not site:
        message = f"expected a mapping of options, found {found(value)}. {_options('', _names(kind))}"
        return mistake(site, value, message)
    return mistake(site, value, _unfit(inner(schema_of(kind), site), value) or f"{error['msg']}; found {found(value)}")


def _unknown(site: Location, value: object, owner: str, options: Sequence[str]) -> InitErrorDetails:
    message = f"unknown option{nearest(str(site[-1]), options)} {_options(owner, options)}"
    return mistake(site, value, message, UNKNOWN, {"owner": owner, "options": list(options)})


def _options(owner: str, options: Sequence[str]) -> str:
    whose = f"of {owner}" if owner else "here"
    return f"The options {whose}: {', '.join(options)}" if options else f"There are no options {whose}"


def _beside(kind: type[BaseModel], site: Location, loc: Location) -> list[str]:
    """Return the options of ``kind`` itself where those of a piece in it stand in the same mapping."""
    return [name for name in _names(kind) if name not in loc] if len(site) == 1 < len(loc) else []


def _names(kind: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def _unfit(schema: Schema, value: object) -> str:
    """Say what ``schema`` expects; empty where the schema doesn't tell."""
    if not schema:
        return ""
    message = f"expected {expected(schema)}, found {found(value)}"
    choices = choices_of(schema)
    if isinstance(value, str) and choices:
        return message + nearest(value, choices).removesuffix(".")
    if expected(schema).startswith("text") and isinstance(value, (bool, int, float)):
        return f"{message}; in quotes it is text"
    return message


@cache
def schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a mapping of options, as pydantic writes it, with nnkit's marks also at references."""
    schema = kind.model_json_schema()
    definitions = schema.get("$defs", {})
    if "$ref" in schema:  # so a mapping that can hold itself is written
        schema = {"$defs": definitions, **definitions[schema["$ref"].rpartition("/")[2]]}
    marked: dict[str, Any] = _marked(schema, definitions)
    return marked


def _marked(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_marked(member, definitions) for member in schema]
    if not isinstance(schema, Mapping):
        return schema
    target = definitions.get(str(schema.get("$ref", "")).rpartition("/")[2], {})
    marks = {key: target[key] for key in (FAMILY, KEY) if key in target}
    return marks | {key: _marked(value, definitions) for key, value in schema.items()}
