"""Paths in a spec: relative to the spec's folder, or to the current folder where they came from the command line."""

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from nnkit.config.nodes import CommandLineText


def resolve_path(value: object, info: ValidationInfo) -> Path:
    """Return a path of a spec as an absolute one; raises pydantic's errors."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise PydanticCustomError("path_type", "expected a path")
    base = Path() if isinstance(value, CommandLineText) else Path((info.context or {}).get("base", "."))
    try:
        path = Path.cwd() / base / Path(value).expanduser()
        # Only a path with .. needs resolving; any other keeps the names of symbolic links, as people know them.
        return path.resolve() if ".." in path.parts else path
    except (OSError, RuntimeError) as error:  # an unknown ~user; a loop of links; no current folder
        raise PydanticCustomError("nnkit", "{message}", {"message": f"{value!r} is no path: {error}"}) from None


SpecPath: TypeAlias = Annotated[
    Path,
    BeforeValidator(resolve_path),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "x-words": "a path", "minLength": 1}),
]
"""A file or folder named in a spec, made absolute when it is decoded; written out again as the absolute path."""
