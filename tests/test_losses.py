"""Losses against torch's own, against Keras' formulas written out, and against numbers worked out by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import mean_pinball_loss
from torch import Tensor
from torch.nn import functional

from nnkit.losses import LOSSES, Loss

ROWS = 6
HEADS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: torch.softmax(x, -1),
    "exponential": torch.exp,
}
ZEROS_AND_ONES = ("binary", "multilabel")


def loss(name: str, **options: object) -> Loss:
    return LOSSES.decode({"type": name, **options})


def scores(columns: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(ROWS, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def targets(name: str, columns: int = 3) -> Tensor:
    """Targets as the loss takes them."""
    kind = LOSSES.entries[name]
    if kind.single == "multiclass":
        return torch.tensor([0, 1, 2, 2, 1, 0])
    if kind.single in ZEROS_AND_ONES:
        return (scores(columns, 1) > 0).double()
    if name == "kl_divergence":
        return scores(columns, 1).softmax(-1)
    return scores(columns, 1).abs() + 0.5


def value(piece: Loss, outputs: Tensor, wanted: Tensor, fused: bool = False) -> Tensor:
    return piece.build(fused)(outputs, wanted)


def tensor(values: list[list[float]]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def close(a: Tensor, b: Any) -> None:
    torch.testing.assert_close(a, torch.as_tensor(b, dtype=torch.float64), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", LOSSES.entries)
def test_a_value_for_each_row_and_a_gradient_for_each_output(name: str) -> None:
    outputs = scores().requires_grad_()
    values = value(loss(name), outputs, targets(name), bool(loss(name).fused))
    assert values.shape == (ROWS,)
    assert values.dtype == torch.float64
    values.sum().backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert bool(torch.isfinite(outputs.grad).all())
    assert bool((outputs.grad != 0).any())


# The scores of categorical_hinge are the values before the softmax by definition.
@pytest.mark.parametrize("name", [n for n, kind in LOSSES.entries.items() if kind.fused and n != "categorical_hinge"])
def test_fused_equals_activation_then_loss(name: str) -> None:
    head = HEADS[LOSSES.entries[name].fused[0]]
    fused, plain = (value(loss(name), x, targets(name), f) for x, f in ((scores(), True), (head(scores()), False)))
    torch.testing.assert_close(fused, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, kind in LOSSES.entries.items() if kind.needs_fused])
def test_fused_is_finite_far_out(name: str) -> None:
    outputs = (1000 * scores()).float().requires_grad_()
    wanted = targets(name)
    values = value(loss(name), outputs, wanted if wanted.dtype == torch.int64 else wanted.float(), True)
    values.sum().backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert bool(torch.isfinite(values).all())
    assert bool(torch.isfinite(outputs.grad).all())


TORCH: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean_squared_error": functional.mse_loss,
    "mean_absolute_error": functional.l1_loss,
    "huber": functional.huber_loss,
}


@pytest.mark.parametrize("name", TORCH)
def test_regression_is_torchs(name: str) -> None:
    outputs, wanted = scores(), targets(name)
    close(value(loss(name), outputs, wanted).mean(), TORCH[name](outputs, wanted))


def test_huber_takes_its_delta() -> None:
    outputs, wanted = scores(), targets("huber")
    close(value(loss("huber", delta=0.3), outputs, wanted).mean(), functional.huber_loss(outputs, wanted, delta=0.3))
    # 0.5 * 0.2^2 and 0.3 * (2 - 0.3 / 2).
    close(value(loss("huber", delta=0.3), tensor([[0.2], [2.0]]), torch.zeros(2, 1)), [0.02, 0.555])


def test_binary_cross_entropy_is_torchs() -> None:
    outputs, wanted = scores(), targets("binary_cross_entropy")
    expected = functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="none").mean(1)
    close(value(loss("binary_cross_entropy"), outputs, wanted, True), expected)


def test_binary_cross_entropy_by_hand() -> None:
    outputs, wanted = tensor([[0.9], [0.9]]), tensor([[1.0], [0.0]])
    close(value(loss("binary_cross_entropy"), outputs, wanted), [-math.log(0.9), -math.log(0.1)])
    smoothed = value(loss("binary_cross_entropy", label_smoothing=0.2), outputs, wanted)
    close(smoothed, [-0.9 * math.log(0.9) - 0.1 * math.log(0.1), -0.1 * math.log(0.9) - 0.9 * math.log(0.1)])


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_positive_weight_is_torchs(fused: bool, smoothing: float) -> None:
    wanted = targets("binary_cross_entropy")
    smooth = wanted * (1 - smoothing) + smoothing / 2
    expected = functional.binary_cross_entropy_with_logits(
        scores(), smooth, pos_weight=torch.tensor(3.0), reduction="none"
    ).mean(1)
    piece = loss("binary_cross_entropy", pos_weight=3.0, label_smoothing=smoothing)
    given = value(piece, scores() if fused else scores().sigmoid(), wanted, fused)
    close(given, expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_categorical_cross_entropy_is_torchs(smoothing: float) -> None:
    wanted = targets("categorical_cross_entropy")
    expected = functional.cross_entropy(scores(), wanted, label_smoothing=smoothing, reduction="none")
    close(value(loss("categorical_cross_entropy", label_smoothing=smoothing), scores(), wanted, True), expected)


def test_categorical_cross_entropy_by_hand() -> None:
    outputs = tensor([[0.7, 0.2, 0.1]])
    close(value(loss("categorical_cross_entropy"), outputs, torch.tensor([1])), [-math.log(0.2)])


@pytest.mark.parametrize("alpha", [None, 0.25])
def test_binary_focal_is_keras_formula(alpha: float | None) -> None:
    wanted = targets("binary_focal").numpy()
    p = scores().sigmoid().numpy()
    truth = np.where(wanted == 1, p, 1 - p)
    balance = 1 if alpha is None else np.where(wanted == 1, alpha, 1 - alpha)
    expected = (-balance * (1 - truth) ** 1.5 * np.log(truth)).mean(1)
    close(value(loss("binary_focal", gamma=1.5, alpha=alpha), scores(), torch.from_numpy(wanted), True), expected)


def test_categorical_focal_is_keras_formula() -> None:
    wanted = targets("categorical_focal")
    p = scores().softmax(-1).numpy()[np.arange(ROWS), wanted.numpy()]
    close(value(loss("categorical_focal"), scores(), wanted, True), -0.25 * (1 - p) ** 2 * np.log(p))


@pytest.mark.parametrize("kind", ["binary", "categorical"])
def test_focal_without_focus_is_the_cross_entropy(kind: str) -> None:
    options = {"label_smoothing": 0.1, "gamma": 0.0} | ({"alpha": 1.0} if kind == "categorical" else {})
    plain = value(loss(f"{kind}_cross_entropy", label_smoothing=0.1), scores(), targets(f"{kind}_focal"), True)
    close(value(loss(f"{kind}_focal", **options), scores(), targets(f"{kind}_focal"), True), plain)


def test_focal_has_a_finite_slope_for_a_sure_row_and_a_small_gamma() -> None:
    outputs = torch.tensor([[200.0], [-200.0]], requires_grad=True)
    value(loss("binary_focal", gamma=0.5), outputs, torch.tensor([[1.0], [0.0]]), True).sum().backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert bool(torch.isfinite(outputs.grad).all())


def test_percentage_and_logarithmic_errors_are_keras_formulas() -> None:
    outputs, wanted = tensor([[3.0, 8.0]]), tensor([[2.0, 10.0]])
    close(value(loss("mean_absolute_percentage_error"), outputs, wanted), [(50 + 20) / 2])
    expected = (math.log(4 / 3) ** 2 + math.log(9 / 11) ** 2) / 2
    close(value(loss("mean_squared_logarithmic_error"), outputs, wanted), [expected])


def test_log_cosh_is_its_formula_and_does_not_overflow() -> None:
    outputs, wanted = scores(), targets("log_cosh")
    close(value(loss("log_cosh"), outputs, wanted), (outputs - wanted).cosh().log().mean(1))
    far = tensor([[1000.0], [-1000.0]])
    close(value(loss("log_cosh"), far, torch.zeros(2, 1)), [1000 - math.log(2)] * 2)


def test_several_quantiles_are_scikit_learns_mean() -> None:
    draw = np.random.default_rng(0)
    truth, outputs = draw.normal(size=(20, 2)), draw.normal(size=(20, 2, 3))
    expected = np.mean(
        [mean_pinball_loss(truth, outputs[:, :, place], alpha=alpha) for place, alpha in enumerate((0.1, 0.5, 0.9))]
    )
    built = loss("quantile", quantile=[0.1, 0.5, 0.9]).build(False)
    found = built(torch.tensor(outputs.reshape(20, 6)), torch.tensor(truth))
    assert found.shape == (20,)
    close(found.mean(), float(expected))


@pytest.mark.parametrize("quantile", [[0.5, 0.1], [0.5, 0.5], [], [0.0, 0.5], 1.0])
def test_quantiles_rise_between_0_and_1(quantile: object) -> None:
    with pytest.raises(ValidationError, match="quantile"):
        loss("quantile", quantile=quantile)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantile_is_scikit_learns(quantile: float) -> None:
    outputs, wanted = scores(), targets("quantile")
    expected = mean_pinball_loss(wanted.numpy(), outputs.numpy(), alpha=quantile)
    close(value(loss("quantile", quantile=quantile), outputs, wanted).mean(), expected)


def test_poisson_is_torchs_on_the_log_and_keras_on_the_rate() -> None:
    outputs, wanted = scores(), targets("poisson")
    close(value(loss("poisson"), outputs, wanted, True).mean(), functional.poisson_nll_loss(outputs, wanted))
    rate = outputs.exp()
    close(value(loss("poisson"), rate, wanted), (rate - wanted * (rate + 1e-7).log()).mean(1))


def test_kl_divergence_is_torchs_and_by_hand() -> None:
    wanted = targets("kl_divergence")
    expected = functional.kl_div(scores().log_softmax(-1), wanted, reduction="batchmean")
    close(value(loss("kl_divergence"), scores(), wanted, True).mean(), expected)
    half = tensor([[0.5, 0.5]])
    # A share of 0 in the target adds nothing.
    close(value(loss("kl_divergence"), half, tensor([[1.0, 0.0]])), [math.log(2)])


def test_cosine_similarity_is_torchs_embedding_loss() -> None:
    outputs, wanted = scores(), targets("cosine_similarity")
    expected = functional.cosine_embedding_loss(outputs, wanted, torch.ones(ROWS), reduction="none")
    close(value(loss("cosine_similarity"), outputs, wanted), expected)


def test_hinges_by_hand() -> None:
    outputs, wanted = tensor([[0.5, -2.0], [2.0, 0.25]]), tensor([[1.0, 0.0], [0.0, 1.0]])
    close(value(loss("hinge"), outputs, wanted), [(0.5 + 0) / 2, (3 + 0.75) / 2])
    close(value(loss("squared_hinge"), outputs, wanted), [0.25 / 2, (9 + 0.5625) / 2])


def test_categorical_hinge_is_keras_formula() -> None:
    outputs, wanted = scores(), targets("categorical_hinge")
    hot = np.eye(3)[wanted.numpy()]
    expected = np.maximum(0, ((1 - hot) * outputs.numpy()).max(1) - (hot * outputs.numpy()).sum(1) + 1)
    close(value(loss("categorical_hinge"), outputs, wanted, True), expected)


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_scores_become_probabilities_that_decide_as_the_sign_does(name: str) -> None:
    outputs = torch.tensor([-3.0, -0.5, 0.0, 0.5, 3.0])
    assert loss(name).probabilities(outputs).tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_other_losses_leave_probabilities_alone() -> None:
    outputs = scores().sigmoid()
    assert loss("binary_cross_entropy").probabilities(outputs) is outputs


@pytest.mark.parametrize(
    "name", ["binary_cross_entropy", "binary_focal", "categorical_cross_entropy", "categorical_focal"]
)
def test_sure_and_wrong_probabilities_have_finite_losses(name: str) -> None:
    """Without a fused activation a probability may be exactly 0 or 1."""
    outputs = torch.tensor([[0.0, 1.0, 0.0]], requires_grad=True)
    wanted = torch.tensor([0]) if name.startswith("categorical") else torch.tensor([[1.0, 0.0, 0.0]])
    losses = value(loss(name), outputs, wanted)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert 1 < float(losses.detach()) < 17
    assert outputs.grad is not None
    assert bool(torch.isfinite(outputs.grad).all())
