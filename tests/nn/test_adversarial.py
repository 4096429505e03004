"""Losses of adversarial nets against torch's own, sums by hand and finite differences."""

from typing import get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from nnkit.nn.adversarial import (
    AdversarialLoss,
    discriminator_losses,
    generator_losses,
    gradient_penalties,
    threshold,
)

LOSSES: tuple[AdversarialLoss, ...] = get_args(AdversarialLoss)


def scores(rows: int = 7) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(3)
    real = torch.randn(rows, generator=draw, dtype=torch.float64) * 2
    return real.requires_grad_(), (torch.randn(rows, generator=draw, dtype=torch.float64) * 2).requires_grad_()


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_finite_differences(loss: AdversarialLoss) -> None:
    real, generated = scores()
    smoothing = 0.1 if loss in ("minimax", "non_saturating", "least_squares") else 0.0
    assert torch.autograd.gradcheck(lambda a, b: discriminator_losses(loss, a, b, smoothing), (real, generated))
    assert torch.autograd.gradcheck(lambda b: generator_losses(loss, b), (generated,))


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_discriminator_s_cross_entropy_is_torch_s(loss: AdversarialLoss, smoothing: float) -> None:
    real, generated = scores()
    ones = torch.full_like(real, 1 - smoothing)
    expected = binary_cross_entropy_with_logits(real, ones, reduction="none") + binary_cross_entropy_with_logits(
        generated, torch.zeros_like(generated), reduction="none"
    )
    torch.testing.assert_close(discriminator_losses(loss, real, generated, smoothing), expected)


def test_the_generator_s_losses_are_those_of_the_papers() -> None:
    _, generated = scores()
    chance = torch.sigmoid(generated)
    torch.testing.assert_close(generator_losses("minimax", generated), torch.log(1 - chance))
    torch.testing.assert_close(generator_losses("non_saturating", generated), -torch.log(chance))
    ones = torch.ones_like(generated)
    torch.testing.assert_close(generator_losses("least_squares", generated).mean(), mse_loss(generated, ones) / 2)
    for loss in ("hinge", "wasserstein"):
        torch.testing.assert_close(generator_losses(loss, generated), -generated)


def test_losses_by_hand() -> None:
    real, generated = torch.tensor([0.25, 2.0]), torch.tensor([-3.0, 0.5])
    assert discriminator_losses("hinge", real, generated).tolist() == [0.75, 1.5]
    assert discriminator_losses("wasserstein", real, generated).tolist() == [-3.25, -1.5]
    assert discriminator_losses("least_squares", real, generated).tolist() == [(0.5625 + 9) / 2, (1 + 0.25) / 2]


def test_the_penalty_of_a_straight_score_follows_from_its_slope() -> None:
    slope = torch.tensor([[1.0, 2.0], [2.0, 0.0]], dtype=torch.float64)
    draw = torch.Generator().manual_seed(0)
    real, generated = (torch.randn(5, 2, 2, generator=draw, dtype=torch.float64) for _ in range(2))
    shares = torch.rand(5, 1, generator=draw, dtype=torch.float64)
    found = gradient_penalties(lambda rows: (rows * slope).flatten(1).sum(1), real, generated, shares)
    torch.testing.assert_close(found, torch.full((5,), 4.0, dtype=torch.float64))


def test_the_penalty_is_taken_between_the_rows() -> None:
    seen: list[Tensor] = []
    real, generated = torch.ones(2, 3), torch.zeros(2, 3)

    def score(rows: Tensor) -> Tensor:
        seen.append(rows.detach())
        return rows.sum(1)

    gradient_penalties(score, real, generated, torch.tensor([[0.25], [1.0]]))
    assert seen[0].tolist() == [[0.25] * 3, [1.0] * 3]


def test_the_penalty_s_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    real, generated = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    shares = torch.rand(4, 1, dtype=torch.float64)
    names = [name for name, _ in net.named_parameters()]

    def penalty(*weights: Tensor) -> Tensor:
        named = dict(zip(names, weights, strict=True))

        def score(rows: Tensor) -> Tensor:
            found: Tensor = torch.func.functional_call(net, named, (rows,))
            return found.flatten()

        return gradient_penalties(score, real, generated, shares)

    weights = tuple(weight.detach().clone().requires_grad_() for weight in net.parameters())
    assert torch.autograd.gradcheck(penalty, weights)


def test_a_flat_discriminator_has_a_penalty_of_one_and_no_nan() -> None:
    weight = torch.zeros(3, requires_grad=True)
    penalty = gradient_penalties(lambda rows: rows @ weight, torch.ones(2, 3), torch.zeros(2, 3), torch.ones(2, 1) / 2)
    penalty.sum().backward()  # type: ignore[no-untyped-call]
    assert penalty.tolist() == pytest.approx([1, 1], abs=1e-5)
    assert weight.grad is not None
    assert bool(torch.isfinite(weight.grad).all())


def test_where_a_row_counts_as_real() -> None:
    real, generated = torch.tensor([3.0, 5.0]), torch.tensor([-2.0, 0.0])
    found = {loss: float(threshold(loss, real, generated)) for loss in LOSSES}
    assert found == {"minimax": 0, "non_saturating": 0, "least_squares": 0.5, "hinge": 0, "wasserstein": 1.5}
