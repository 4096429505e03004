"""What can be written in a spec, from the classes themselves: the JSON Schema, and rows for help and pages."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic.json_schema import models_json_schema
from pydantic_core import to_jsonable_python

from nnkit.config.document import dump_yaml
from nnkit.config.mistakes import schema_of
from nnkit.config.piece import Options, Piece
from nnkit.config.registry import Registry
from nnkit.config.words import FAMILY, KEY, expected
from nnkit.errors import SpecError

Families: TypeAlias = Mapping[str, Registry[Any]]
Json: TypeAlias = dict[str, Any]

BESIDE = "x-beside"
"""In a JSON Schema beside ``FAMILY``: more options, by name, that stand beside those of whichever piece is chosen."""

_REF = "#/$defs/"
_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}


@dataclass(frozen=True)
class Option:
    """An option as help shows it: its name, what it takes, its default as YAML (None: required), what it does."""

    name: str
    takes: str
    default: str | None
    description: str


@dataclass(frozen=True)
class Entry:
    """A piece as help shows it."""

    family: str
    name: str
    text: str
    options: tuple[Option, ...]
    example: str

    @property
    def summary(self) -> str:
        """The first line of the text."""
        return self.text.partition("\n")[0]

    def to_json(self) -> Json:
        """Return the entry as plain values."""
        return asdict(self)


def entry(families: Families, family: str, name: str) -> Entry:
    """Return what there is to say about one piece of a family."""
    kind = families[family].entries[name]
    return Entry(family, name, doc(kind), describe(kind), example(families, family, name))


def doc(kind: type) -> str:
    """Return a class's own docstring, in Markdown."""
    return inspect.cleandoc(kind.__doc__ or "").replace("``", "`")


def describe(kind: type[Options]) -> tuple[Option, ...]:
    """Return a row for each option of a piece or of another mapping of the spec."""
    schema = schema_of(kind)
    properties = schema.get(BESIDE, schema.get("properties", {}))
    return tuple(
        Option(name, expected(properties[name]), _default_text(field), field.description or "")
        for name, field in _named_fields(kind)
        if name in properties
    )


def _named_fields(kind: type[Options]) -> Iterable[tuple[str, Any]]:
    return [(field.alias or name, field) for name, field in kind.model_fields.items()]


def _default_text(field: Any) -> str | None:
    return None if field.is_required() else dump_yaml(_default(field), one_line=True).strip()


def _default(field: Any) -> Any:
    """Return a default as a spec would write it: a piece whose options are all defaults is a bare word."""
    return _plain(field.get_default(call_default_factory=True))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, Options):
        return to_jsonable_python(value)
    given = {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    changed = {name: given[name] for name, field in _named_fields(type(value)) if given[name] != _default(field)}
    if not isinstance(value, Piece):
        return changed
    return {"type": value.type_name, **changed} if changed else value.type_name


def example(families: Families, family: str, name: str) -> str:
    """Return the shortest way to write a piece in a spec: a bare word, or its required options with likely values."""
    return dump_yaml(_example(families, family, name), one_line=True).strip()


def _example(families: Families, family: str, name: str) -> Any:
    kind: type[Piece] = families[family].entries[name]
    properties = schema_of(kind).get("properties", {})
    needed, others = _needed(kind), [option for option in properties if option not in _needed(kind)]
    # Some pieces need one of several options, none of which is required by itself.
    for extra in ([], *([option] for option in others)):
        options = {option: _sample(families, properties[option], option) for option in (*needed, *extra)}
        if _decodes(kind, options):
            return {"type": name, **options} if options else name
    raise ValueError(f"{family}: no example of {name} can be made; give its options defaults or plain constraints")


def _needed(kind: type[Options]) -> list[str]:
    return [name for name, field in _named_fields(kind) if field.is_required()]


def _decodes(kind: type[Options], options: Mapping[str, Any]) -> bool:
    try:
        kind.model_validate(options)
    except (ValidationError, SpecError):
        return False
    return True


def _sample(families: Families, schema: Mapping[str, Any], name: str) -> Any:
    """Return a value that ``schema`` takes; ``name`` stands for any text."""
    if "examples" in schema:
        return schema["examples"][0]
    if FAMILY in schema:
        entries = families[schema[FAMILY]].entries
        return _example(families, schema[FAMILY], min(entries, key=lambda piece: len(_needed(entries[piece]))))
    if members := schema.get("anyOf"):
        return _sample(families, members[0], name)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema.get("type") == "array":
        item = _sample(families, schema.get("items", {}), name.removesuffix("s"))
        return [item] * max(1, schema.get("minItems", 1))
    if schema.get("type") == "object":
        return {"name": _sample(families, schema.get("additionalProperties", {}), name)}
    return _scalar(schema, name)


def _scalar(schema: Mapping[str, Any], name: str) -> Any:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    if schema.get("type") == "integer":
        return int(min(max(8, low + 1), schema.get("maximum", 8)))
    return {"number": low + 0.5, "boolean": True}.get(str(schema.get("type")), name)


def json_schema(root: type[Options], families: Families) -> Json:
    """Return the JSON Schema (draft 2020-12) of ``root``, with a definition for each family and each of its pieces."""
    pieces = {
        f"{family}.{name}": kind for family, registry in families.items() for name, kind in registry.entries.items()
    }
    references, pool = models_json_schema([(kind, "validation") for kind in (root, *pieces.values())])
    names = {_target(references[kind, "validation"]): name for name, kind in pieces.items()}
    definitions = {names.get(name, name): schema for name, schema in pool["$defs"].items()}
    definitions |= {name: _piece(kind, definitions[name]) for name, kind in pieces.items()}
    definitions |= {family: _choice(registry, family) for family, registry in families.items()}
    definitions |= _beside(families, definitions)
    definitions = {name: _tidy(schema, names) for name, schema in sorted(definitions.items())}
    top = definitions.pop(_target(references[root, "validation"]))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top, "$defs": definitions}


def _target(reference: Mapping[str, Any]) -> str:
    return str(reference["$ref"]).removeprefix(_REF)


def _piece(kind: type[Piece], schema: Json) -> Json:
    """Return the schema of a piece as a mapping with ``type``."""
    summary = doc(kind).partition("\n")[0]
    properties = {"type": {"const": kind.type_name, "description": summary}, **schema.get("properties", {})}
    for name, field in _named_fields(kind):
        if not field.is_required():
            properties[name] = {**properties[name], "default": _default(field)}
    required = ["type", *schema.get("required", [])]
    return {**schema, "description": doc(kind), "properties": properties, "required": required}


def _choice(registry: Registry[Any], definition: str) -> Json:
    """Return the schema of a family: a bare word where the piece needs no option, or a mapping of its options."""
    words = [
        {"const": name, "description": doc(kind).partition("\n")[0]}
        for name, kind in registry.entries.items()
        if _decodes(kind, {})
    ]
    mappings = [{"$ref": f"{_REF}{definition}.{name}"} for name in registry.entries]
    return {"description": doc(registry.base), "anyOf": [*words, *mappings]}


def _beside(families: Families, definitions: Mapping[str, Json]) -> Json:
    """Return the definitions for what takes a piece's options and some more in one mapping."""
    made: Json = {}
    for owner, schema in definitions.items():
        if BESIDE not in schema:
            continue
        family = schema[FAMILY]
        made[owner] = {**_choice(families[family], owner), "description": schema.get("description", "")}
        for name in families[family].entries:
            piece = definitions[f"{family}.{name}"]
            own = piece["properties"]
            beside = {option: of for option, of in schema[BESIDE].items() if option not in own}
            made[f"{owner}.{name}"] = {**piece, "properties": {**own, **beside}}
    return made


def _tidy(schema: Any, names: Mapping[str, str]) -> Any:
    """Return a schema with nnkit's own marks turned into JSON Schema and pydantic's titles left out."""
    if isinstance(schema, list):
        return [_tidy(member, names) for member in schema]
    if not isinstance(schema, Mapping):
        return schema
    tidy: Json = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "patternProperties"):
            tidy[key] = {name: _tidy(member, names) for name, member in value.items()}
        elif key in ("default", "const", "enum", "examples"):
            tidy[key] = value
        elif key == "$ref":
            tidy[key] = _REF + names.get(_target(schema), _target(schema))
        elif key == FAMILY:
            tidy["$ref"] = _REF + value
        elif key not in ("title", KEY, *_BOUNDS):
            tidy[key] = _tidy(value, names)
    return _bounded(tidy, {_BOUNDS[key]: schema[key] for key in _BOUNDS if key in schema})


def _bounded(schema: Json, bounds: Json) -> Json:
    """Move the bounds that pydantic writes beside a union to the numbers in it."""
    if bounds:
        numbers = ("integer", "number")
        members = [{**member, **bounds} if member.get("type") in numbers else member for member in schema["anyOf"]]
        return {**schema, "anyOf": members}
    return schema
