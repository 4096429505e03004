"""Changes of a spec in tests, by name: ``a__b=c`` changes a.b."""

from collections.abc import Mapping
from typing import Any


def change(spec: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Set values deep inside a spec."""
    for name, value in changes.items():
        *parents, last = name.split("__")
        place = spec
        for parent in parents:
            place = place[parent]
        place[last] = value
