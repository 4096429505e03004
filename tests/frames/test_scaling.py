import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import preprocessing

from nnkit.frames import scaling

COLUMN = arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e6, 1e6) | st.sampled_from([0.1, 1e5]))


@given(COLUMN)
def test_standard_is_scikit_learns_also_for_constant_columns(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    oracle = preprocessing.StandardScaler().fit(values[:, None])
    assert scaling.standard(values) == pytest.approx((oracle.mean_[0], oracle.scale_[0]), rel=1e-6, abs=1e-9)


def test_rounding_is_no_deviation() -> None:
    assert scaling.standard(np.full(7, 0.1))[1] == 1.0
    assert scaling.min_max(np.full(7, 0.1)) == (0.1, 1.0)
    assert scaling.robust(np.full(7, 0.1), 25, 75) == (0.1, 1.0)


def test_buckets_are_the_same_on_every_machine() -> None:
    assert [scaling.bucket(text, 1000) for text in ("", "Bern", "Genève")] == [756, 795, 709]
