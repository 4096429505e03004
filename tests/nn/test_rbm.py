"""Restricted Boltzmann machines against sums over all their states, and against scikit-learn's."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.neural_network import BernoulliRBM

from nnkit.engine.draws import PlacedDraws
from nnkit.engine.order import RowDraws
from nnkit.nn.rbm import Annealing, Binarise, Hidden, Machine, Visible, odds, softplus_steps


def machine(
    visible: Visible = "bernoulli", hidden: Hidden = "bernoulli", v: int = 5, h: int = 4, scale: float = 1.0
) -> Machine:
    draw = torch.Generator().manual_seed(3)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw, dtype=torch.float64)

    return Machine(some(v, h) * scale, some(v), some(h), visible, hidden)


def states(units: int) -> NDArray[np.float64]:
    return np.array(list(itertools.product((0.0, 1.0), repeat=units)))


def energies(m: Machine, v: NDArray[np.float64], h: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the energy of each pair [v, h], by the definition."""
    kernel, a, b = m.kernel.numpy(), m.visible_bias.numpy(), m.hidden_bias.numpy()
    own = ((v - a) ** 2).sum(1) / 2 if m.visible == "gaussian" else -(v @ a)
    result: NDArray[np.float64] = own[:, None] - (h @ b)[None] - v @ kernel @ h.T
    return result


def exact_log_partition(m: Machine) -> float:
    """Return log Z by a sum over all hidden states, each with its sum or integral over visible ones."""
    kernel, a, b = m.kernel.numpy(), m.visible_bias.numpy(), m.hidden_bias.numpy()
    h = states(len(b))
    top = h @ kernel.T
    if m.visible == "bernoulli":
        inner = np.logaddexp(0, a + top).sum(1)
    else:
        inner = ((a + top) ** 2 - a**2).sum(1) / 2 + len(a) / 2 * math.log(2 * math.pi)
    return float(logsumexp(h @ b + inner))


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_free_energy_is_a_sum_over_all_hidden_states(visible: Visible) -> None:
    m = machine(visible)
    v = states(5) if visible == "bernoulli" else np.random.default_rng(0).normal(size=(7, 5))
    expected = -logsumexp(-energies(m, v, states(4)), axis=1)
    assert m.free_energy(torch.from_numpy(v)).numpy() == pytest.approx(expected, rel=1e-12)


def test_the_means_of_units_are_those_of_all_states() -> None:
    m, v, h = machine(), states(5), states(4)
    weights = np.exp(-energies(m, v, h))
    given_v = (weights @ h) / weights.sum(1, keepdims=True)
    given_h = (weights.T @ v) / weights.sum(0)[:, None]
    x = m.hidden_input(torch.from_numpy(v))
    assert m.hidden_mean(x).numpy() == pytest.approx(given_v, rel=1e-12)
    assert m.visible_mean(torch.from_numpy(h)).numpy() == pytest.approx(given_h, rel=1e-12)


def test_rectified_units_are_many_bernoulli_units() -> None:
    x = torch.linspace(-30, 40, 1001, dtype=torch.float64)
    copies = torch.arange(1, 200, dtype=torch.float64) - 0.5
    expected = torch.nn.functional.softplus(x[:, None] - copies).sum(1)
    assert softplus_steps(x).numpy() == pytest.approx(expected.numpy(), abs=1e-4)
    m = machine(hidden="rectified")
    on = torch.sigmoid(x[:, None] - copies).sum(1)
    assert m.hidden_mean(x).numpy() == pytest.approx(on.numpy(), abs=0.02)


def test_pseudo_likelihood_is_that_of_scikit_learn() -> None:
    m = machine()
    v = states(5)
    model = BernoulliRBM(4, random_state=8)
    model.components_, model.intercept_hidden_ = m.kernel.numpy().T, m.hidden_bias.numpy()
    model.intercept_visible_, model.n_features_in_ = m.visible_bias.numpy(), 5
    flips = np.random.RandomState(8).randint(0, 5, len(v))
    ours = m.pseudo_likelihood(torch.from_numpy(v), torch.from_numpy(flips))
    assert ours.numpy() == pytest.approx(model.score_samples(v), rel=1e-10)


def annealed(m: Machine, base: torch.Tensor, chains: int, steps: int, seed: int = 0) -> tuple[float, float]:
    draws = PlacedDraws(RowDraws(seed, "annealing"))
    annealing = Annealing.start(m, base, chains, draws)
    for number in range(steps):
        draws.seek(0, (number + 1) * chains)
        annealing.step(number / steps, (number + 1) / steps, draws)
    return annealing.result()


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("seed", range(3))
def test_annealing_finds_the_partition_function_of_twelve_hidden_units(visible: Visible, seed: int) -> None:
    m = machine(visible, v=20, h=12, scale=1.0 if visible == "bernoulli" else 0.3)
    exact = exact_log_partition(m)
    found, error = annealed(m, torch.zeros_like(m.visible_bias), 100, 1000, seed)
    assert found == pytest.approx(exact, rel=0.01)
    assert abs(found - exact) < max(5 * error, 0.05)
    assert error < 0.2


def test_annealing_by_too_few_steps_says_so_by_its_error() -> None:
    m = machine(v=20, h=12, scale=2.0)
    few, many = (annealed(m, torch.zeros_like(m.visible_bias), 100, steps)[1] for steps in (3, 1000))
    assert few > 3 * many


def test_independent_units_need_no_annealing() -> None:
    m = replace(machine(), kernel=torch.zeros(5, 4, dtype=torch.float64))
    found, error = annealed(m, m.visible_bias, 10, 1)
    assert found == pytest.approx(exact_log_partition(replace(m, hidden_bias=m.hidden_bias)), rel=0.2)
    still = replace(m, hidden_bias=torch.zeros(4, dtype=torch.float64))
    found, error = annealed(still, still.visible_bias, 10, 1)
    assert found == pytest.approx(exact_log_partition(still), rel=1e-12)
    assert error == pytest.approx(0, abs=1e-12)


def test_a_long_chain_has_the_machine_s_means() -> None:
    m = machine()
    draws = PlacedDraws(RowDraws(0, "gibbs"))
    v = torch.zeros(4000, 5, dtype=torch.float64)
    for number in range(100):
        draws.seek(0, number * len(v))
        h = m.hidden_sample(m.hidden_input(v), draws, "hidden")
        v = m.visible_sample(h, draws, "visible")
    every = states(5)
    logs = -m.free_energy(torch.from_numpy(every)).numpy()
    expected = np.exp(logs - logsumexp(logs)) @ every
    assert v.mean(0).numpy() == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(("x", "mean", "deviation"), [(9.0, 9.0, 1.0), (-9.0, 0.0, 0.0), (0.0, 0.282, 0.413)])
def test_rectified_units_are_drawn_as_the_paper_says(x: float, mean: float, deviation: float) -> None:
    """At 0 what is drawn is half of a normal distribution of variance 1/2."""
    draws = PlacedDraws(RowDraws(0, "x"))
    drawn = machine(hidden="rectified").hidden_sample(torch.full((20_000, 4), x), draws, "hidden")
    assert float(drawn.min()) >= 0
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.01)
    assert float(drawn.std()) == pytest.approx(deviation, abs=0.01)


def test_gaussian_units_are_drawn_around_their_means() -> None:
    m = machine("gaussian")
    h = torch.ones(20_000, 4, dtype=torch.float64)
    drawn = m.visible_sample(h, PlacedDraws(RowDraws(0, "x")), "visible")
    assert drawn.mean(0).numpy() == pytest.approx((m.visible_bias + m.kernel.sum(1)).numpy(), abs=0.05)
    assert drawn.std(0).numpy() == pytest.approx(1, abs=0.03)


def test_odds_give_the_mean_and_stay_finite() -> None:
    mean = torch.tensor([0.0, 0.3, 1.0])
    assert torch.sigmoid(odds(mean, "bernoulli")).tolist() == pytest.approx([0.01, 0.3, 0.99])
    assert odds(mean, "gaussian").tolist() == mean.tolist()


@pytest.mark.parametrize(
    ("how", "expected"), [(None, [0.2, 0.5, 0.9]), (0.5, [0, 1, 1]), (0.95, [0, 0, 0]), ("sample", [0, 1, 1])]
)
def test_values_become_binary_as_asked(how: Any, expected: list[float]) -> None:
    assert Binarise(how)(torch.tensor([[[0.2], [0.5], [0.9]]])).tolist() == [pytest.approx(expected)]


def test_values_drawn_in_training_have_their_chances() -> None:
    x = torch.tensor([[0.0, 0.2, 1.0]]).expand(10_000, 3)
    drawn = Binarise("sample").drawn(x, PlacedDraws(RowDraws(0, "x")))
    assert set(drawn.flatten().tolist()) == {0.0, 1.0}
    assert drawn.mean(0).tolist() == pytest.approx([0, 0.2, 1], abs=0.02)
