"""The optional libraries of published networks, for the tests that need them."""

from typing import Any

import pytest

from nnkit.errors import ResourceError
from nnkit.nn.public import library


def optional(name: str) -> Any:
    """Return a library; skips where it is not installed or was built for another torch."""
    try:
        return library(name)
    except ResourceError:
        pytest.skip(f"{name} is not installed beside this torch: pip install 'nnkit[pretrained]'")
