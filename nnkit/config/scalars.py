"""Scalars of YAML 1.2: what a plain word stands for by the core schema (yaml.org/spec/1.2.2, section 10.3)."""

import re
from collections.abc import Callable
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

MAX_BITS = 64
"""Size of a whole number: no option needs more, and arithmetic with endless ones would take endless time."""

PREFIX = "tag:yaml.org,2002:"


class ScalarError(Exception):
    """A scalar cannot be what its tag says; the message says why."""


def _infinity(text: str) -> float:
    return float("-inf") if text.startswith("-") else float("inf")


_RULES: tuple[tuple[str, re.Pattern[str], Callable[[str], Scalar]], ...] = (
    ("null", re.compile(r"(?:null|Null|NULL|~|)"), lambda text: None),
    ("bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)"), lambda text: text.lower() == "true"),
    ("int", re.compile(r"[-+]?[0-9]+"), int),
    ("int", re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    ("int", re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
    ("float", re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
    ("float", re.compile(r"[-+]?\.(?:inf|Inf|INF)"), _infinity),
    ("float", re.compile(r"\.(?:nan|NaN|NAN)"), lambda text: float("nan")),
)


def resolve(text: str) -> Scalar:
    """Return what a plain scalar stands for: a number, true or false, null, or else the text itself."""
    return _resolve(text)[1]


def is_text(text: str) -> bool:
    """Return whether a plain scalar stands for itself, and not for a number, true, false or null."""
    return not any(pattern.fullmatch(text) for _, pattern, _ in _RULES)


def tagged(tag: str, text: str) -> Scalar:
    """Return what a scalar with a tag stands for; raises ``ScalarError`` for a tag outside the core schema."""
    if tag in ("!", PREFIX + "str"):
        return text
    wanted = tag.removeprefix(PREFIX)
    if wanted not in ("null", "bool", "int", "float"):
        raise ScalarError(f"the tag {shown(tag)} is not allowed; a spec holds plain text, numbers, lists and mappings")
    kind, value = _resolve(text)
    if kind == "int" and wanted == "float":
        return float(text)
    if kind != wanted:
        raise ScalarError(f"the tag !!{wanted} does not fit {text[:40]!r}")
    return value


def shown(tag: str) -> str:
    """Write a tag the way people do: ``!!python/name``."""
    return "!!" + tag.removeprefix(PREFIX) if tag.startswith(PREFIX) else tag


def _resolve(text: str) -> tuple[str, Scalar]:
    for kind, pattern, convert in _RULES:
        if pattern.fullmatch(text):
            return kind, convert(text) if kind != "int" else _bounded(text, convert)
    return "str", text


def _bounded(text: str, convert: Callable[[str], Scalar]) -> Scalar:
    value = convert(text) if len(text) < 4 * MAX_BITS else None
    if not isinstance(value, int) or value.bit_length() > MAX_BITS:
        raise ScalarError(f"the whole number {text[:20]}... of {len(text)} digits is beyond {MAX_BITS} bits")
    return value
