"""Codes' arithmetic against torch's distributions, closed forms, numpy loops, and finite differences of gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from nnkit.nn.codes import (
    DEAD,
    Codebook,
    drawn,
    jacobian_norm,
    kl_to_normal,
    log_bernoulli,
    log_normal,
    moments,
    sparsity,
)
from nnkit.nn.random import GeneratorDraws


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_divergence_and_likelihoods_are_those_of_torch() -> None:
    mean, log_variance, rows = random(4, 2, 3), random(4, 2, 3, seed=1), random(4, 2, 3, seed=2)
    normal = Normal(mean, (0.5 * log_variance).exp())
    kl = kl_divergence(normal, Normal(torch.zeros(()), torch.ones(())))
    torch.testing.assert_close(kl_to_normal(mean, log_variance), kl.sum((1, 2)))
    torch.testing.assert_close(log_normal(rows, mean, log_variance), normal.log_prob(rows).sum((1, 2)))  # type: ignore[no-untyped-call]
    torch.testing.assert_close(log_normal(rows, 0.0, 0.0), Normal(0, 1).log_prob(rows).sum((1, 2)))  # type: ignore[no-untyped-call]
    ones = (rows > 0).double()
    torch.testing.assert_close(log_bernoulli(mean, ones), Bernoulli(logits=mean).log_prob(ones).sum((1, 2)))  # type: ignore[no-untyped-call]


def test_a_drawn_code_has_the_moments_that_it_is_drawn_by() -> None:
    mean, log_variance = moments(torch.tensor([1.0, -2.0, 0.0, np.log(9.0)]).double().expand(200_000, 4))
    codes = drawn(mean, log_variance, random(200_000, 2))
    np.testing.assert_allclose(codes.mean(0), [1, -2], atol=0.02)
    np.testing.assert_allclose(codes.std(0), [1, 3], rtol=0.01)


@pytest.mark.parametrize(
    "function",
    [
        kl_to_normal,
        lambda a, b: log_normal(a, b, a * b),
        lambda a, b: log_bernoulli(a, b.sigmoid()),
        lambda a, b: sparsity(a.sigmoid(), 0.1),
        lambda a, b: drawn(a, b, torch.ones_like(a)),
        lambda a, b: jacobian_norm((a.sigmoid() * 2).tanh(), a),
    ],
)
def test_gradients_are_the_finite_differences(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    a, b = random(3, 4).requires_grad_(), random(3, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(function, (a, b), check_batched_grad=False)


def test_sparsity_is_ngs_formula() -> None:
    codes = random(50, 3).sigmoid()
    total = 0.0
    for unit in range(3):
        mean = float(codes[:, unit].mean())
        total += 0.05 * np.log(0.05 / mean) + 0.95 * np.log(0.95 / (1 - mean))
    assert float(sparsity(codes, 0.05)) == pytest.approx(total)
    assert float(sparsity(torch.full((4, 2), 0.05), 0.05)) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(float(sparsity(torch.zeros(4, 2), 0.05)))


def test_the_norm_of_a_sigmoid_layers_slopes_is_rifais_formula() -> None:
    rows, kernel = random(5, 6).requires_grad_(), random(6, 3, seed=1)
    codes = (rows @ kernel).sigmoid()
    wanted = ((codes * (1 - codes)) ** 2 * (kernel**2).sum(0)).sum(1)
    torch.testing.assert_close(jacobian_norm(codes, rows), wanted)


def test_the_norm_of_slopes_is_the_sum_of_finite_differences() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3)).double()
    rows = random(2, 1, 4, 4).requires_grad_()
    found = jacobian_norm(network(rows), rows).detach()
    for row in range(2):
        total = 0.0
        for place in range(16):
            step = torch.zeros(16, dtype=torch.float64)
            step[place] = 1e-5
            with torch.no_grad():
                more, less = (network(rows[row : row + 1] + sign * step.view(1, 1, 4, 4)) for sign in (1, -1))
            total += float((((more - less) / 2e-5) ** 2).sum())
        assert float(found[row]) == pytest.approx(total, rel=1e-6)


def codebook(codes: int, size: int, decay: float | None) -> Codebook:
    module = Codebook(codes, size, decay)
    module.draws, module.name = GeneratorDraws(torch.Generator().manual_seed(3)), "codebook"
    with torch.no_grad():
        module.vectors.copy_(torch.randn(codes, size, generator=torch.Generator().manual_seed(4)))
    return module


def test_each_vector_becomes_the_nearest_one_and_gradients_go_straight_through() -> None:
    module = codebook(5, 3, None)
    x = random(4, 2, 3).float().requires_grad_()
    found = module.quantise(x)
    vectors = module.vectors.detach().numpy()
    for place in np.ndindex(4, 2):
        distances = ((x.detach().numpy()[place] - vectors) ** 2).sum(1)
        assert int(found.numbers[place]) == distances.argmin()
        np.testing.assert_allclose(found.vectors.detach().numpy()[place], vectors[distances.argmin()], rtol=1e-6)
    slopes = random(4, 2, 3, seed=9).float()
    (found.vectors * slopes).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(x.grad, slopes)
    assert isinstance(module.vectors, nn.Parameter)
    assert module.vectors.grad is None or not module.vectors.grad.any()


def test_commitment_pulls_the_codes_and_the_codebooks_loss_pulls_its_vectors() -> None:
    module = codebook(3, 2, None)
    x = random(6, 2).float().requires_grad_()
    found = module.quantise(x)
    taken = module.vectors.detach()[found.numbers]
    torch.testing.assert_close(found.commitment.detach(), (x.detach() - taken).square().mean(1))
    found.commitment.sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(x.grad, x.detach() - taken)
    x.grad = None
    module.quantise(x).codebook.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is None
    assert isinstance(module.vectors, nn.Parameter)
    wanted = torch.zeros(3, 2).index_add_(0, found.numbers, taken - x.detach())
    torch.testing.assert_close(module.vectors.grad, wanted)


def test_the_moving_mean_is_that_of_a_loop() -> None:
    module = codebook(4, 2, 0.9)
    module.counts.fill_(1)
    module.sums.copy_(module.vectors)
    counts, sums, vectors = (t.numpy().copy() for t in (module.counts, module.sums, module.vectors))
    for step in range(5):
        x = random(12, 2, seed=step).float()
        module.quantise(x)
        numbers = [int(((row - vectors) ** 2).sum(1).argmin()) for row in x.numpy()]
        for code in range(4):
            mine = x.numpy()[[number == code for number in numbers]]
            counts[code] = 0.9 * counts[code] + 0.1 * len(mine)
            sums[code] = 0.9 * sums[code] + 0.1 * mine.sum(0)
        total = counts.sum()
        vectors = sums / ((counts + 1e-5) / (total + 4e-5) * total)[:, None]
        np.testing.assert_allclose(module.vectors, vectors, rtol=1e-4, atol=1e-6)
    assert (module.counts > DEAD).all()


def test_unused_vectors_start_again_at_rows_of_the_batch_in_training_only() -> None:
    module = codebook(4, 2, 0.9)
    before = module.vectors.clone()
    x = random(30, 2).float() + 100
    module.eval()
    module.quantise(x)
    assert torch.equal(module.vectors, before)
    module.train()
    module._revive(x)
    rows = {tuple(row) for row in x.tolist()}
    assert all(tuple(vector) in rows for vector in module.vectors.tolist())
    assert module.counts.tolist() == [1] * 4
    kept: Any = module.vectors.clone()
    module.counts[2] = DEAD / 2
    module._revive(x)
    assert torch.equal(module.vectors[[0, 1, 3]], kept[[0, 1, 3]])
    assert float(module.counts[2]) == 1
