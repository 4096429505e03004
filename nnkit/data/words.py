"""Options that several pieces of data have: a class as a label, the encoding of a text."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema


def _as_label(value: object) -> object:
    """Take the class 1 for the class "1": classes are text."""
    from nnkit.frames.kinds import as_text

    return as_text(value) or value


Label: TypeAlias = Annotated[
    str,
    BeforeValidator(_as_label),
    WithJsonSchema({"type": ["string", "number", "boolean"], "x-words": "a class"}),
]

Value: TypeAlias = Annotated[
    str,
    BeforeValidator(_as_label),
    WithJsonSchema({"type": ["string", "number", "boolean"], "x-words": "a value"}),
]
"""A value that a column has in some rows."""


def _known(encoding: str) -> str:
    try:
        "a".encode(encoding)  # A codec that is not for text, such as base64, raises LookupError too.
    except (LookupError, ValueError) as error:
        raise ValueError(f"expected the name of an encoding, such as utf-8 or latin-1; found {encoding!r}") from error
    return encoding


Encoding: TypeAlias = Annotated[str, AfterValidator(_known)]
