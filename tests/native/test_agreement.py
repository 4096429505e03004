"""The native engine computes what torch computes: as near to float64 as torch's own float32 is."""

import math
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from nnkit.engine.native import kernel
from tests.native.experiments import Case, Made, cases, result

pytestmark = pytest.mark.skipif(kernel() is None, reason="nnkit was installed without its native engine")

EXAMPLES = int(os.environ.get("NNKIT_TEST_SPECS", "150"))
ROUNDING = 2e-5
"""What float32 may lose at numbers of size 1, after some steps."""
FACTOR = 30
"""How much farther than torch's float32 the native engine may be from float64: rounding is luck."""


def near(native: NDArray[np.float64], torch32: NDArray[np.float64], torch64: NDArray[np.float64]) -> bool:
    size = max(1.0, float(np.abs(torch64).max(initial=0)))
    allowed = FACTOR * float(np.abs(torch32 - torch64).max(initial=0)) + ROUNDING * size
    return bool(np.abs(native - torch64).max(initial=0) <= allowed)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(cases())
def test_a_random_training_is_torchs(case: Case) -> None:
    made = Made.of(case)
    native, torch32 = result(made.phase("native")), result(made.phase("torch"))
    torch64 = result(made.phase("torch", "float64"))
    if not np.isfinite(torch32.losses).all() or np.abs(torch64.losses).max() > 1e4:
        return  # It diverges, and then every bit counts.
    assert near(native.losses, torch32.losses, torch64.losses), (native.losses, torch32.losses, torch64.losses)
    for name, expected in torch64.weights.items():
        assert near(native.weights[name], torch32.weights[name], expected), name
    assert native.values.keys() == torch64.values.keys()
    for key, value in torch64.values.items():
        assert math.isclose(native.values[key], value, rel_tol=1e-3, abs_tol=1e-3), key
