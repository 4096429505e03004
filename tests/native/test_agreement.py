"""The native engine computes what torch computes: as near to float64 as torch's own float32 is."""

import os
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from nnkit.activations import ACTIVATIONS as ACTIVATION_PIECES
from nnkit.engine.native import activated, kernel
from tests.native.experiments import ACTIVATIONS, Case, Made, cases, result

pytestmark = pytest.mark.skipif(kernel() is None, reason="nnkit was installed without its native engine")

EXAMPLES = int(os.environ.get("NNKIT_TEST_SPECS", "500"))
ROUNDING = 2e-5
"""What float32 may lose at numbers of size 1, after some steps."""
ROUNDED = ("tanh_shrink", "squareplus", "gelu", "hard_sigmoid", "hard_silu", "soft_shrink")
"""Activations whose formula itself takes the difference of numbers that are nearly alike, in torch as well."""
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
    sizes = np.abs([*torch64.losses, *torch64.values.values()])
    if not np.isfinite(torch32.losses).all() or sizes.max() > 1e3:
        return  # It diverges, and then every bit counts.
    assert near(native.losses, torch32.losses, torch64.losses), (native.losses, torch32.losses, torch64.losses)
    for name, expected in torch64.weights.items():
        assert near(native.weights[name], torch32.weights[name], expected), name
    assert native.values.keys() == torch64.values.keys()
    for key in torch64.values:
        found, float32, float64 = (np.array([run.values[key]]) for run in (native, torch32, torch64))
        assert near(found, float32, float64), (key, found, float32, float64)


VALUES = np.concatenate([np.linspace(-30.01, 30.02, 20_001), np.geomspace(1e-8, 80, 500), -np.geomspace(1e-8, 80, 500)])


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if "softmax" not in str(a)], ids=str)
def test_an_activation_has_the_digits_of_a_float32(activation: Any) -> None:
    """Small values keep their digits, too: a loss may take the logarithm of them."""
    module, piece = kernel(), ACTIVATION_PIECES.decode(activation)
    assert module is not None
    found = activated(piece.type_name, piece.native(), VALUES[:, None].astype(np.float32))[:, 0]
    expected = piece.build()(torch.from_numpy(VALUES.astype(np.float32)).double()).numpy()
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=4e-6 if piece.type_name in ROUNDED else 1e-30)
