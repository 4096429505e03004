"""Training of Boltzmann machines: its statistics by loops in numpy, its chains, and how it goes on."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nnkit.engine.annealing import PartitionPhase
from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.contrastive import Contrast, ContrastivePhase
from nnkit.engine.draws import PhaseDraws, PlacedDraws
from nnkit.engine.order import RowDraws, RowOrder
from nnkit.nn.rbm import Rbm
from tests.nn.test_rbm import exact_log_partition

VISIBLE, HIDDEN, ROWS, SIZE = 6, 4, 23, 5
LR = 0.1


def rows(count: int = ROWS) -> NDArray[np.float32]:
    return (np.random.default_rng(2).random((count, VISIBLE)) < 0.4).astype(np.float32)


def batch(values: NDArray[np.float32]) -> Batch:
    return Batch({"input": torch.from_numpy(values)}, torch.arange(len(values)))


def see(part: Batch, draws: PhaseDraws | None) -> torch.Tensor:
    [values] = part.floats(torch.float64).values()
    assert isinstance(values, torch.Tensor)
    return values


def layer(visible: Any = "bernoulli", hidden: Any = "bernoulli") -> Rbm:
    made = Rbm(VISIBLE, HIDDEN, visible, hidden, None).double()
    draw = torch.Generator().manual_seed(5)
    for weight in (made.kernel, made.visible_bias, made.hidden_bias):
        weight.normal_(generator=draw)
    return made


def phase(made: Rbm, validation: bool = True, **contrast: Any) -> ContrastivePhase:
    data = RowBatches(batch(rows()), SIZE, RowOrder(ROWS, 1, "rbm"))
    held_out = batch(rows(40)[ROWS:]) if validation else None
    draws = PlacedDraws(RowDraws(1, "rbm"))
    return ContrastivePhase(
        "rbm", 3, made.machine, made, "rbm", Contrast(LR, **contrast), data, held_out, see, draws, seed=1
    )


def sigmoid(x: float) -> float:
    return 1 / (1 + float(np.exp(-x)))


def looped(v: NDArray[Any], weights: list[NDArray[Any]], u: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the statistics of CD-1 by the definition, unit by unit, with the random numbers ``u``."""
    w, a, b = weights
    kernel, visible, hidden = np.zeros_like(w), np.zeros_like(a), np.zeros_like(b)
    for r, row in enumerate(v):
        positive = [sigmoid(b[j] + sum(row[i] * w[i, j] for i in range(len(a)))) for j in range(len(b))]
        h = [float(u["hidden"][r, j] < positive[j]) for j in range(len(b))]
        means = [sigmoid(a[i] + sum(h[j] * w[i, j] for j in range(len(b)))) for i in range(len(a))]
        drawn = [float(u["visible"][r, i] < means[i]) for i in range(len(a))]
        negative = [sigmoid(b[j] + sum(drawn[i] * w[i, j] for i in range(len(a)))) for j in range(len(b))]
        for i in range(len(a)):
            visible[i] += (row[i] - drawn[i]) / len(v)
            for j in range(len(b)):
                kernel[i, j] += (row[i] * positive[j] - drawn[i] * negative[j]) / len(v)
        for j in range(len(b)):
            hidden[j] += (positive[j] - negative[j]) / len(v)
    return [kernel, visible, hidden]


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_steps_of_cd_1_are_those_of_a_loop(momentum: float) -> None:
    made, decay = layer(), 0.01
    training = phase(made, momentum=lambda epoch: momentum, weight_decay=decay)
    before = [made.kernel.numpy().copy(), made.visible_bias.numpy().copy(), made.hidden_bias.numpy().copy()]
    changes = [np.zeros_like(array) for array in before]
    draws = PlacedDraws(RowDraws(1, "rbm"))
    for number, part in enumerate(training.batches(0, 0)):
        v = see(part, None)
        draws.seek(0, number * SIZE)
        u = {name: draws.uniform(name, v, count).numpy() for name, count in (("hidden", HIDDEN), ("visible", VISIBLE))}
        moves = looped(v.numpy(), before, u)
        for k, move in enumerate(moves):
            changes[k] = momentum * changes[k] + LR * (move - (decay * before[k] if k == 0 else 0))
            before[k] = before[k] + changes[k]
        training.step(part)
        for tensor, expected in zip((made.kernel, made.visible_bias, made.hidden_bias), before, strict=True):
            assert tensor.numpy() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    norm = training.summary(0)["gradient_norm"]
    assert norm == pytest.approx(np.linalg.norm(moves[0]), rel=1e-9)
    assert training.gradient_norms() == {"rbm": norm}


def test_more_steps_draw_more_often_and_persistent_chains_stay() -> None:
    ends = []
    for steps, persistent in ((1, False), (3, False), (1, True)):
        made = layer()
        training = phase(made, steps=steps, persistent=persistent)
        chains = training.state()["chains"]
        assert (chains is not None) == persistent
        for part in training.batches(0, 0):
            training.step(part)
        ends.append(made.kernel.clone())
        if persistent:
            after = training.state()["chains"]
            assert after.shape == (SIZE, HIDDEN)
            assert set(np.unique(after)) <= {0.0, 1.0}
            assert not np.array_equal(chains, after)
    assert not any(torch.equal(one, other) for one, other in ((ends[0], ends[1]), (ends[0], ends[2])))


def test_a_machine_that_fits_the_data_stays_where_it_is() -> None:
    """Statistics of rows and draws cancel: over many rows drawn from the machine the change is small."""
    made = layer()
    draws = PlacedDraws(RowDraws(9, "gibbs"))
    v = torch.zeros(20_000, VISIBLE, dtype=torch.float64)
    for number in range(60):
        draws.seek(0, number * len(v))
        v = made.machine.visible_sample(
            made.machine.hidden_sample(made.machine.hidden_input(v), draws, "h"), draws, "v"
        )
    data = RowBatches(batch(v.float().numpy()), len(v), RowOrder(len(v), 1, "rbm"))
    training = ContrastivePhase(
        "rbm", 1, made.machine, made, "rbm", Contrast(1.0), data, None, see, PlacedDraws(RowDraws(1, "rbm")), 1
    )
    before = made.kernel.clone()
    for part in training.batches(0, 0):
        training.step(part)
    assert float((made.kernel - before).abs().max()) < 0.02


def test_a_sparsity_target_lowers_the_means_of_hidden_units() -> None:
    means = []
    for sparsity in (None, (0.05, 1.0)):
        made = layer()
        training = phase(made, sparsity=sparsity)
        for epoch in range(30):
            for part in training.batches(epoch, 0):
                training.step(part)
            training.summary(epoch)
        means.append(float(made(torch.from_numpy(rows()).double()).mean()))
    assert means[1] < means[0] / 2


def test_the_summary_says_what_the_machine_says_of_the_rows() -> None:
    made = layer()
    training = phase(made)
    values = training.summary(0)
    v, held_out = torch.from_numpy(rows()).double(), torch.from_numpy(rows(40)[ROWS:]).double()
    machine = made.machine
    assert values["train_error"] == pytest.approx(float((v - machine.reconstructed(v)).square().mean()))
    gap = float(machine.free_energy(held_out).mean() - machine.free_energy(v).mean())
    assert values["free_energy_gap"] == pytest.approx(gap)
    assert values["train_pseudo_likelihood"] < 0
    assert "validation_error" not in phase(layer(), validation=False).summary(0)


@pytest.mark.parametrize("kinds", [("gaussian", "bernoulli"), ("bernoulli", "rectified"), ("gaussian", "rectified")])
def test_other_kinds_of_units_learn(kinds: Any) -> None:
    made = layer(*kinds)
    made.kernel.mul_(0.1)
    training = phase(made)
    first = training.summary(0)["train_error"]
    for epoch in range(60):
        for part in training.batches(epoch, 0):
            training.step(part)
        values = training.summary(epoch)
    assert values["train_error"] < first
    assert ("train_pseudo_likelihood" in values) == (kinds[0] == "bernoulli")


@pytest.mark.parametrize("stop", [2, 7])
def test_a_phase_goes_on_bit_for_bit(stop: int) -> None:
    options: dict[str, Any] = {
        "persistent": True,
        "momentum": lambda epoch: 0.5,
        "sparsity": (0.1, 0.1),
        "weight_decay": 0.01,
    }
    whole, other = layer(), layer()
    training, resumed = phase(whole, **options), phase(other, **options)
    steps = [(epoch, number) for epoch in range(3) for number in range(training.steps)]
    for place, (epoch, number) in enumerate(steps):
        if place == stop:
            resumed.load(training.state())
        training.step(next(training.batches(epoch, number)))
        if place >= stop:
            resumed.step(next(resumed.batches(epoch, number)))
    assert all(np.array_equal(one, training.weights()[name]) for name, one in resumed.weights().items())
    assert np.array_equal(resumed.state()["chains"], training.state()["chains"])
    assert len(training.losses()) == len(steps)


def annealing(made: Rbm) -> PartitionPhase:
    draws = PlacedDraws(RowDraws(1, "partition"))
    return PartitionPhase("partition", made, made, 100, 300, {"train": batch(rows())}, see, draws)


def test_the_partition_phase_tells_log_likelihoods_and_goes_on_bit_for_bit() -> None:
    made, other = layer(), layer()
    for each in (made, other):
        each.visible_mean.fill_(0.4)
    training, resumed = annealing(made), annealing(other)
    for number in range(training.steps):
        if number == 100:
            resumed.load(training.state())
        training.step(next(training.batches(0, number)))
        if number >= 100:
            resumed.step(next(resumed.batches(0, number)))
    assert len(training.losses()) == 300
    values = training.summary(0)
    exact = exact_log_partition(made.machine)
    assert values["log_partition"] == pytest.approx(exact, rel=0.01)
    assert float(made.log_partition) == values["log_partition"] == resumed.summary(0)["log_partition"]
    expected = -float(made.machine.free_energy(torch.from_numpy(rows()).double()).mean()) - exact
    assert values["train_log_likelihood"] == pytest.approx(expected, abs=0.1)
    assert training.gradient_norms() == {}
