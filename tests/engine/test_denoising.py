"""The phase of diffusion: its loss, its average, and wherever it is stopped."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.checkpoint import Checkpoint
from nnkit.engine.denoising import DenoisingObjective, DenoisingPhase, Noising, made_rows, probed
from nnkit.engine.draws import PlacedDraws
from nnkit.engine.gradient import StepOptions
from nnkit.engine.objective import Seen
from nnkit.engine.order import RowDraws, RowOrder
from nnkit.engine.phase import Phase
from nnkit.engine.state import Arrays
from nnkit.engine.trainer import Stop, Trainer
from nnkit.errors import InterruptError
from nnkit.models.base import MODELS
from nnkit.models.diffusion import DiffusionPlan
from tests.engine.test_trainer import without_times
from tests.engine.toy import FolderStore

LAYERS = [
    {"name": "when", "type": "time_embedding", "units": 4, "inputs": ["input.time"]},
    {"type": "concatenate", "inputs": ["input", "when"]},
    {"type": "dense", "units": 8, "activation": "silu"},
    {"type": "dropout", "rate": 0.1},
    {"type": "dense", "units": 2},
]


def plan_of() -> DiffusionPlan:
    plan = MODELS.decode({"type": "diffusion", "layers": LAYERS, "steps": 20}).plan({"input": (2,)})
    assert isinstance(plan, DiffusionPlan)
    return plan


def data(rows: int = 23, seed: int = 0) -> Batch:
    x = np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)
    return Batch({"input": torch.from_numpy(x)}, torch.arange(rows))


def phase(average: float | None = 0.9, fresh: bool = False) -> DenoisingPhase:
    plan = plan_of()
    network = plan.build()
    network.load_arrays(plan.initial_weights(1))
    draws = PlacedDraws(RowDraws(3, "denoising"))
    network.set_draws(draws)
    noising = Noising(plan.row, plan.steps, plan.schedule)
    return DenoisingPhase(
        name="denoising",
        epochs=3,
        network=network,
        objective=DenoisingObjective(network, noising, torch.device("cpu"), torch.float32),
        optimizer=torch.optim.Adam(network.parameters(), 0.02),
        data=RowBatches(data(), 5, RowOrder(23, 3, "denoising")),
        validation=data(9, 1),
        options=StepOptions(5),
        draws=draws,
        lr_factor=lambda epoch: 1.0,
        noising=noising,
        average=average,
        seed=5,
        sample_steps=4,
        fresh=fresh,
    )


def fit_until(stop_at: int, store: FolderStore, at: Checkpoint | None, average: float | None) -> Arrays | None:
    stop, looks, trained = Stop(), itertools.count(), phase(average)

    def clock() -> float:
        if next(looks) == stop_at:
            stop.signal_number = 15
        return float(next(looks))

    def phases() -> Iterator[Phase]:
        yield trained
        trained.finish()

    try:
        Trainer([], store, stop=stop, clock=clock, checkpoint_seconds=1e9).fit(phases(), at)
    except InterruptError:
        return None
    return {name: tensor.detach().numpy().copy() for name, tensor in trained.network.state_dict().items()}


@pytest.mark.parametrize("average", [0.9, None])
def test_resume_is_byte_equal_wherever_the_run_was_stopped(average: float | None, tmp_path: Path) -> None:
    whole = FolderStore(tmp_path)
    expected = fit_until(-1, whole, None, average)
    assert expected is not None
    assert {"train_loss", "validation_loss"} <= whole.history[0].keys()
    interrupted = 0
    for stop_at in range(0, 70, 2):
        store = FolderStore(tmp_path)
        weights = fit_until(stop_at, store, None, average)
        if weights is None:
            interrupted += 1
            weights = fit_until(-1, store, Checkpoint.load(store.path), average)
        assert weights is not None
        assert all(np.array_equal(weights[key], expected[key]) for key in expected)
        assert without_times(store.history) == without_times(whole.history)
    assert interrupted > 10


def test_the_loss_is_the_error_of_the_noise() -> None:
    shares = Noising((2,), 20, "cosine").shares
    seen: list[dict[str, Any]] = []

    class Zero:
        def __call__(self, inputs: Any) -> torch.Tensor:
            seen.append(inputs)
            return torch.zeros_like(inputs["input"])

    rows = torch.full((1000, 2), 0.75)
    draws = PlacedDraws(RowDraws(0, "x"))
    noising = Noising((2,), 20, "cosine", bounds=(0.0, 1.0))
    objective = DenoisingObjective(Zero(), noising, torch.device("cpu"), torch.float32)  # type: ignore[arg-type]
    loss = objective(Seen({"input": rows}, torch.arange(1000), draws, 0))["loss"]
    assert float(loss.mean()) == pytest.approx(1, abs=0.1)
    steps = (seen[0]["time"] * 20).round().long().flatten()
    assert sorted(set(steps.tolist())) == list(range(1, 21))
    share = torch.from_numpy(shares)[steps].float().unsqueeze(1)
    noise = (seen[0]["input"] - share.sqrt() * 0.5) / (1 - share).sqrt()
    torch.testing.assert_close(noise.square().mean(1), loss, rtol=1e-3, atol=1e-4)


def test_a_network_that_knows_the_noise_has_no_error_and_makes_the_row() -> None:
    point = torch.tensor([0.25, 0.75])
    noising = Noising((2,), 20, "linear", bounds=(0.0, 1.0))

    class Knowing:
        def __call__(self, inputs: Any) -> torch.Tensor:
            steps = (inputs["time"] * 20).round().long().flatten()
            share = torch.from_numpy(noising.shares)[steps].float().unsqueeze(1)
            rest: torch.Tensor = (inputs["input"] - share.sqrt() * (2 * point - 1)) / (1 - share).sqrt()
            return rest

    network: Any = Knowing()
    assert float(probed(network, noising, point.expand(3, 2), None, 4).max()) < 1e-5
    for fresh in (False, True):
        made = made_rows(network, noising, 300, 0, 7, fresh, None, torch.empty(0))
        assert made.shape == (300, 2)
        torch.testing.assert_close(made, point.expand(300, 2), rtol=1e-3, atol=1e-3)


def test_samples_are_the_same_every_time_and_of_fewer_the_first() -> None:
    for fresh in (False, True):
        trained = phase(fresh=fresh)
        many = trained.samples(300)
        assert np.array_equal(trained.samples(300), many)
        np.testing.assert_allclose(trained.samples(3), many[:3], rtol=1e-4, atol=1e-5)


def test_weights_are_the_average() -> None:
    trained = phase(0.9)
    for batch in trained.batches(0, 0):
        trained.step(batch)
    live = trained.network.state_dict()["dense_1.kernel"].numpy().copy()
    averaged = trained.weights()["dense_1.kernel"]
    assert not np.array_equal(live, averaged)
    assert np.array_equal(trained.state()["weights"]["dense_1.kernel"], live)
    trained.finish()
    assert np.array_equal(trained.network.state_dict()["dense_1.kernel"].numpy(), averaged)
