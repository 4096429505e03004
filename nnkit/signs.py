"""Text for people's eyes, with nothing in it that a terminal would obey or that would hide what follows."""

import re

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What controls a terminal, and what turns the direction of the text (Boucher and Anderson, 2021: Trojan Source)."""
_BREAKS = re.compile("[\t\n]")


def harmless(text: str) -> str:
    r"""Return text with what a terminal would obey written as ``\x1b`` or ``\u202e``; line breaks and tabs stay."""
    return _OBEYED.sub(_written, text)


def one_line(text: str) -> str:
    """Return text as ``harmless`` does, in one line."""
    return _BREAKS.sub(_written, harmless(text))


def _written(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
