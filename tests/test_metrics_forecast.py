"""Metrics of forecasts against numbers worked out by hand, and scikit-learn's pinball loss."""

import math

import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from nnkit.evaluation import beaten, naive_values
from nnkit.metrics import METRICS, Metric, compute_all, or_defaults
from nnkit.metrics.yardstick import Yardstick

TRUTH = np.array([[1.0, 2], [3, 5]])
OUTPUTS = np.array([[2.0, 2], [3, 3]])
YARDSTICK = Yardstick(
    {"naive": np.array([[0.0, 0], [2, 2]]), "seasonal_naive": TRUTH + 1},
    {
        "naive": np.array([[0.5, 0.5], [2, 2]]),
        "seasonal_naive": np.array([[1.0, 1], [4, 4]]),
        "deviation": np.array([[1.0, 1], [2, 2]]),
    },
)
QUANTILES = (0.1, 0.4, 0.8)


def metric(name: str, **options: object) -> Metric:
    return METRICS.decode({"type": name, **options})


def value(piece: Metric, rows: slice = slice(None)) -> float:
    return compute_all([piece], TRUTH[rows], OUTPUTS[rows], "regression", yardstick=YARDSTICK[rows])[piece.key]


def test_mase_is_in_units_of_each_rows_scale() -> None:
    assert value(metric("mase")) == (1 / 0.5 + 0 + 0 + 2 / 2) / 4
    assert value(metric("mase", against="seasonal_naive")) == (1 / 1 + 0 + 0 + 2 / 4) / 4
    assert metric("mase", against="seasonal_naive").key == "mase_seasonal_naive"


def test_relative_mae_is_a_share_of_the_naive_forecasts_error() -> None:
    assert value(metric("relative_mae")) == (1 + 0 + 0 + 2) / (1 + 2 + 1 + 3)
    assert value(metric("relative_mae", against="seasonal_naive")) == (1 + 0 + 0 + 2) / 4


def test_scaled_mse_is_of_values_scaled_by_the_training_rows() -> None:
    assert value(metric("scaled_mse")) == (1 + 0 + 0 + (2 / 2) ** 2) / 4


def test_undefined_without_rows_a_scale_or_an_error_of_the_naive_forecast() -> None:
    assert math.isnan(value(metric("mase"), slice(0)))
    none = Yardstick({"naive": TRUTH}, {"naive": np.full((2, 2), np.nan)})
    for name in ("mase", "relative_mae"):
        assert not math.isfinite(compute_all([metric(name)], TRUTH, OUTPUTS, "regression", yardstick=none)[name])
        assert math.isnan(metric(name).compute(TRUTH, OUTPUTS, "regression"))


def test_quantiles_are_scikit_learns_and_the_middle_one_is_the_forecast() -> None:
    draw = np.random.default_rng(0)
    truth, spread = draw.normal(size=(50, 2)), np.sort(draw.normal(size=(50, 2, 3)), axis=-1)
    metrics = [metric(name) for name in ("pinball", "coverage", "mae")]
    found = compute_all(metrics, truth, spread.reshape(50, 6), "regression", quantiles=QUANTILES)
    losses = [mean_pinball_loss(truth, spread[..., place], alpha=alpha) for place, alpha in enumerate(QUANTILES)]
    assert found["pinball"] == pytest.approx(np.mean(losses), rel=1e-12)
    inside = [low <= y <= high for y, (low, _, high) in zip(truth.ravel(), spread.reshape(-1, 3), strict=True)]
    assert found["coverage"] == pytest.approx(sum(inside) / 100)
    assert found["mae"] == pytest.approx(np.abs(spread[..., 1] - truth).mean(), rel=1e-12)


def test_rows_of_weight_zero_do_not_count() -> None:
    metrics = [metric("mase"), metric("relative_mae"), metric("scaled_mse")]
    weighed = compute_all(metrics, TRUTH, OUTPUTS, "regression", np.array([0.0, 2]), yardstick=YARDSTICK)
    assert weighed == {piece.key: value(piece, slice(1, 2)) for piece in metrics}


def test_what_a_metric_lacks_is_said() -> None:
    naive, both = ["naive"], ["naive", "seasonal_naive"]
    assert "data.windows" in (metric("mase").lacks((), ()) or "")
    assert "data.windows" in (metric("scaled_mse").lacks((), ()) or "")
    assert metric("mase").lacks(naive, ()) is None
    assert "data.windows.season" in (metric("relative_mae", against="seasonal_naive").lacks(naive, ()) or "")
    assert metric("mase", against="seasonal_naive").lacks(both, ()) is None
    assert "quantile: [0.1, 0.5, 0.9]" in (metric("pinball").lacks(both, ()) or "")
    assert metric("coverage").lacks((), QUANTILES) is None


def test_the_usual_metrics_of_forecasts_lack_nothing() -> None:
    for naive in (["naive"], ["naive", "seasonal_naive"]):
        for quantiles in ((), QUANTILES):
            usual = or_defaults([], "regression", naive, quantiles)
            assert {"mae", "mase"} < {piece.key for piece in usual}
            assert [piece.lacks(naive, quantiles) for piece in usual] == [None] * len(usual)
    assert [piece.key for piece in or_defaults([], "regression")] == ["mae", "rmse", "r2"]


def test_the_naive_forecasts_own_metrics_stand_beside_and_say_who_is_better() -> None:
    values = naive_values(TRUTH, YARDSTICK, [metric("mae"), metric("mase"), metric("relative_mae"), metric("pinball")])
    assert values == {
        "naive_mae": 7 / 4,
        "naive_mase": (1 / 0.5 + 2 / 0.5 + 1 / 2 + 3 / 2) / 4,
        "seasonal_naive_mae": 1.0,
        "seasonal_naive_mase": (1 / 0.5 + 1 / 0.5 + 1 / 2 + 1 / 2) / 4,
    }
    assert beaten({"mae": 0.75, **values}) == []
    assert beaten({"mae": 1.5, **values}) == [
        "the seasonal naive forecast (the values of a season before) is better: mae 1 against 1.5"
    ]
    assert len(beaten({"rmse": 3.0, "naive_rmse": 2.0, "seasonal_naive_rmse": 2.0})) == 2
    assert beaten({"mae": None, "naive_mae": 1.0}) == []
    assert beaten({"accuracy": 1.0}) == []
