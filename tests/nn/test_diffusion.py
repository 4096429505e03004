"""Noise schedules and samplers against the papers' formulas, and against data whose noise is known exactly."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from nnkit.nn.diffusion import NoiseSchedule, chosen_steps, denoised, noised, signal_shares, time_waves


def test_the_linear_schedule_is_the_paper_s() -> None:
    shares = signal_shares("linear", 1000)
    betas = np.linspace(1e-4, 0.02, 1000)
    assert shares[0] == 1
    np.testing.assert_allclose(shares[1:], np.cumprod(1 - betas), rtol=1e-12)
    assert shares[-1] < 1e-4


@pytest.mark.parametrize("steps", [10, 100, 1000])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_schedule_falls_from_all_to_about_nothing(schedule: NoiseSchedule, steps: int) -> None:
    shares = signal_shares(schedule, steps)
    assert len(shares) == steps + 1
    assert (np.diff(shares) < 0).all()
    assert shares[0] == 1
    assert 0 < shares[-1] < 2e-3


def test_the_cosine_schedule_is_the_paper_s_but_at_its_end() -> None:
    shares = signal_shares("cosine", 100)
    curve = [math.cos((t / 100 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(101)]
    np.testing.assert_allclose(shares[:99], np.array(curve[:99]) / curve[0], rtol=1e-9)


def test_noised_rows_keep_their_variance() -> None:
    draw = torch.Generator().manual_seed(0)
    rows, noise = (torch.randn(4000, 2, generator=draw) for _ in range(2))
    mixed = noised(rows, noise, torch.full((4000,), 0.3))
    assert float(mixed.var()) == pytest.approx(1, abs=0.05)
    torch.testing.assert_close(noised(rows, noise, torch.ones(4000)), rows)


def test_chosen_steps_reach_both_ends() -> None:
    assert chosen_steps(1000, 3) == [1000, 500, 1]
    assert chosen_steps(5, 5) == [5, 4, 3, 2, 1]
    assert chosen_steps(7, 1) == [7]


@pytest.mark.parametrize("with_fresh", [False, True])
def test_a_single_point_is_found_again(with_fresh: bool) -> None:
    point = torch.tensor([0.3, -0.7])
    shares = signal_shares("cosine", 50)
    draw = torch.Generator().manual_seed(0)

    def predict(x: Tensor, step: int) -> Tensor:
        share = float(shares[step])
        return (x - math.sqrt(share) * point) / math.sqrt(1 - share)

    fresh = (lambda x: torch.randn(x.shape, generator=draw)) if with_fresh else None
    found = denoised(predict, torch.randn(6, 2, generator=draw), shares, 50, fresh)
    torch.testing.assert_close(found, point.expand(6, 2), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("count", "with_fresh"), [(200, True), (200, False), (120, False)])
def test_samples_of_a_known_distribution_have_its_mean_and_deviation(count: int, with_fresh: bool) -> None:
    mean, deviation = 0.5, 0.4
    shares = signal_shares("linear", 200)
    draw = torch.Generator().manual_seed(0)

    def predict(x: Tensor, step: int) -> Tensor:
        """Return the mean of the noise given ``x``, which is known where rows are normal."""
        share = float(shares[step])
        variance = share * deviation**2 + 1 - share
        return math.sqrt(1 - share) / variance * (x - math.sqrt(share) * mean)

    fresh = (lambda x: torch.randn(x.shape, generator=draw)) if with_fresh else None
    found = denoised(predict, torch.randn(20_000, 1, generator=draw), shares, count, fresh)
    assert float(found.mean()) == pytest.approx(mean, abs=0.02)
    assert float(found.std()) == pytest.approx(deviation, abs=0.02)


def test_a_step_of_ddpm_is_the_paper_s() -> None:
    shares = np.array([1, 0.9, 0.6, 0.3])
    x, noise = torch.tensor([[0.8]]), torch.tensor([[0.2]])
    added: list[float] = []

    def fresh(like: Tensor) -> Tensor:
        added.append(1.0)
        return torch.full_like(like, -0.5)

    found = denoised(lambda x, step: noise, x, shares, 3, fresh)
    expected = 0.8
    for step in (3, 2, 1):
        beta = 1 - shares[step] / shares[step - 1]
        expected = (expected - beta / math.sqrt(1 - shares[step]) * 0.2) / math.sqrt(1 - beta)
        if step > 1:
            expected += math.sqrt((1 - shares[step - 1]) / (1 - shares[step]) * beta) * -0.5
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert len(added) == 2


def test_guesses_of_what_is_mostly_noise_are_cut_where_no_limit_is_known() -> None:
    shares = np.array([1, 0.5, 1e-6])
    found = denoised(lambda x, step: torch.zeros_like(x), torch.ones(1, 1), shares, 1, None)
    assert float(found) == 4
    late = denoised(lambda x, step: torch.zeros_like(x), torch.full((1, 1), 9.0), shares[:2], 1, None)
    assert float(late) == pytest.approx(9 / math.sqrt(0.5))


def test_guesses_are_cut_to_the_limit() -> None:
    shares = signal_shares("cosine", 20)
    found = denoised(lambda x, step: -5 * torch.ones_like(x), torch.zeros(4, 2), shares, 20, None, limit=1.0)
    assert float(found.abs().max()) <= 1


def test_time_waves_tell_times_apart() -> None:
    waves = time_waves(torch.tensor([[0.0], [0.5], [0.501]]), 6)
    assert waves.shape == (3, 6)
    assert waves[0].tolist() == [0, 0, 0, 1, 1, 1]
    assert waves[1, 0] == pytest.approx(math.sin(500), abs=1e-4)
    assert waves[1, 2] == pytest.approx(math.sin(0.05), abs=1e-6)
    assert float((waves[1] - waves[2]).abs().max()) > 0.5
    assert time_waves(torch.zeros(2, 1), 5).shape == (2, 5)
