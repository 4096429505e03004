"""The phase of adversarial nets against a plain torch loop, and wherever it is stopped."""

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from nnkit.engine.adversarial import AdversarialPhase, spread
from nnkit.engine.batches import Batch
from nnkit.engine.checkpoint import Checkpoint
from nnkit.engine.hooks import Hook
from nnkit.engine.order import RowDraws
from nnkit.engine.phase import Phase
from nnkit.engine.players import Noise
from nnkit.engine.state import Arrays
from nnkit.engine.trainer import Stop, Trainer
from nnkit.errors import InterruptError
from tests.engine.games import BATCH, GENERATOR, ROWS, STEEP, conditional_plan, data, game, plan_of
from tests.engine.test_trainer import without_times
from tests.engine.toy import FolderStore

GAMES: dict[str, Callable[[], AdversarialPhase]] = {
    "averaged": lambda: game(average=0.9, smoothing=0.1),
    "steep": lambda: game(
        plan_of(discriminator=STEEP), loss="wasserstein", penalty=10.0, discriminator_steps=3, noise=Noise(2, "uniform")
    ),
    "conditional": lambda: game(conditional_plan(3), loss="hinge", classes=3, average=0.5, clip_norm=1.0),
}


def fit_until(
    make: Callable[[], AdversarialPhase], stop_at: int, store: FolderStore, at: Checkpoint | None
) -> Arrays | None:
    """Train; the clock asks for a stop at its ``stop_at``-th look. Returns the weights if it never does."""
    stop, looks, phase = Stop(), itertools.count(), make()
    hooks: list[Hook] = []

    def clock() -> float:
        if next(looks) == stop_at:
            stop.signal_number = 15
        return float(next(looks))

    def phases() -> Iterator[Phase]:
        yield phase
        phase.finish()

    try:
        Trainer(hooks, store, stop=stop, clock=clock, checkpoint_seconds=1e9).fit(phases(), at)
    except InterruptError:
        return None
    return {name: tensor.detach().numpy().copy() for name, tensor in phase.network.state_dict().items()}


@pytest.mark.parametrize("name", GAMES)
def test_resume_is_byte_equal_wherever_the_run_was_stopped(name: str, tmp_path: Path) -> None:
    whole = FolderStore(tmp_path)
    expected = fit_until(GAMES[name], -1, whole, None)
    assert expected is not None
    interrupted = 0
    for stop_at in range(0, 70, 2):
        store = FolderStore(tmp_path)
        weights = fit_until(GAMES[name], stop_at, store, None)
        if weights is None:
            interrupted += 1
            weights = fit_until(GAMES[name], -1, store, Checkpoint.load(store.path))
        assert weights is not None
        assert all(np.array_equal(weights[key], expected[key]) for key in expected)
        assert without_times(store.history) == without_times(whole.history)
    assert interrupted > 10


def test_steps_are_those_of_a_plain_torch_loop(tmp_path: Path) -> None:
    plain = [{"type": "dense", "units": 4, "activation": "tanh"}, {"type": "dense", "units": 1}]
    plan = plan_of([{"type": "dense", "units": 3}], plain)
    phase, store = game(plan, epochs=2), FolderStore(tmp_path)
    weights = {name: torch.from_numpy(array).requires_grad_() for name, array in plan.initial_weights(1).items()}
    own = [weight for name, weight in weights.items() if name.startswith("generator")]
    others = [weight for name, weight in weights.items() if name.startswith("discriminator")]
    deceiver, judge = torch.optim.Adam(own, 0.02, (0.5, 0.9)), torch.optim.Adam(others, 0.02, (0.5, 0.9))

    def score(rows: Tensor) -> Tensor:
        hidden = torch.tanh(rows @ weights["discriminator/dense_1.kernel"] + weights["discriminator/dense_1.bias"])
        return (hidden @ weights["discriminator/dense_2.kernel"] + weights["discriminator/dense_2.bias"]).flatten()

    losses = []
    for epoch in range(2):
        sums = np.zeros(2)
        for number, batch in enumerate(phase._data.epoch(epoch)):
            deceiver.param_groups[0]["lr"] = 0.02 / (1 + epoch + number / 5)
            judge.param_groups[0]["lr"] = 0.02 / (1 + epoch)
            real = batch.inputs["input"]
            assert isinstance(real, Tensor)
            shape = (len(real), 2)
            drawn = RowDraws(3, "adversarial").normal("generated/noise", epoch, number * BATCH, shape)
            made = torch.from_numpy(drawn) @ weights["generator/dense_1.kernel"] + weights["generator/dense_1.bias"]
            ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
            judge.zero_grad()
            loss = cross_entropy(score(real), ones) + cross_entropy(score(made.detach()), zeros)
            loss.backward()  # type: ignore[no-untyped-call]
            judge.step()
            deceiver.zero_grad()
            deceit = cross_entropy(score(made), ones)
            deceit.backward()  # type: ignore[no-untyped-call]
            deceiver.step()
            sums += np.array([loss.item(), deceit.item()]) * len(real)
        losses.append(sums / ROWS)
    Trainer([], store).fit([phase])
    found = [[record["train_discriminator_loss"], record["train_generator_loss"]] for record in store.history]
    np.testing.assert_allclose(np.array(found, dtype=float), losses, rtol=1e-5)
    for name, weight in phase.weights().items():
        np.testing.assert_allclose(weight, weights[name].detach().numpy(), rtol=1e-4, atol=1e-6)


def test_the_generator_learns_only_when_it_is_its_turn() -> None:
    phase = game(discriminator_steps=3)
    before = phase.weights()
    changes = []
    for batch in itertools.islice(phase.batches(0, 0), 4):
        phase.step(batch)
        after = phase.weights()
        changes.append(
            tuple(
                any(not np.array_equal(before[name], after[name]) for name in after if name.startswith(part))
                for part in ("generator/dense", "discriminator/dense")
            )
        )
        before = after
    assert changes == [(False, True), (False, True), (True, True), (False, True)]


def test_an_epoch_without_a_turn_of_the_generator_has_no_loss_of_it() -> None:
    phase = game(discriminator_steps=100)
    for batch in phase.batches(0, 0):
        phase.step(batch)
    assert math.isnan(phase.summary(0)["train_generator_loss"])


def test_weights_are_the_average_and_stay_so_in_the_end() -> None:
    phase = game(average=0.5)
    kernel = phase.network.state_dict()["generator/dense_1.kernel"]
    mean = kernel.detach().numpy().copy()
    for number, batch in enumerate(phase.batches(0, 0), 1):
        phase.step(batch)
        decay = min(0.5, (1 + number) / (10 + number))
        mean = decay * mean + (1 - decay) * kernel.detach().numpy()
    np.testing.assert_allclose(phase.weights()["generator/dense_1.kernel"], mean, rtol=1e-5)
    assert not np.allclose(kernel.detach().numpy(), mean)
    averaged = phase.weights()
    samples = phase.samples(4)
    phase.finish()
    assert all(np.array_equal(phase.network.state_dict()[name].numpy(), averaged[name]) for name in averaged)
    assert np.array_equal(phase.samples(4), samples)


def test_samples_are_of_the_same_noise_and_of_fewer_the_first() -> None:
    phase = game()
    np.testing.assert_allclose(phase.samples(3), phase.samples(600)[:3], rtol=1e-5)


def test_error_rates_are_those_of_a_discriminator_that_is_known() -> None:
    # It takes for real what lies above 2 in the first value.
    kernel = [[1.0], [0.0], [0.0]]
    judge = [{"type": "dense", "units": 1, "weights": {"kernel": kernel, "bias": [-2.0]}}]
    phase = game(plan_of(discriminator=judge), lr=1e-30)
    for batch in phase.batches(0, 0):
        phase.step(batch)
    values = phase.summary(0)
    first, unseen = data().inputs["input"], data(9, 1).inputs["input"]
    assert isinstance(first, Tensor)
    assert isinstance(unseen, Tensor)
    assert values["train_real_error"] == pytest.approx(float((first[:, 0] <= 2).double().mean()))
    assert values["validation_real_error"] == pytest.approx(float((unseen[:, 0] <= 2).double().mean()))
    assert values["train_generated_error"] == 0


def test_a_generator_that_makes_one_row_has_no_spread() -> None:
    one = [*GENERATOR[:-1], {"type": "dense", "units": 3, "weights": {"kernel": [[0.0] * 3] * 6}}]
    assert game(plan_of(one), lr=1e-30).summary(0)["train_sample_spread"] == 0


def test_the_spread_is_from_the_mean_of_each_label() -> None:
    rows = np.array([[0.0, 1.0], [2.0, 1.0], [10.0, 3.0], [10.0, 5.0]])
    assert spread(rows, np.array([0, 0, 1, 1])) == 1
    assert spread(rows) == pytest.approx(math.sqrt(((rows - rows.mean(0)) ** 2).sum() / 4))


def test_two_thirds_of_real_rows_make_samples_of_two_thirds_the_spread() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32))
    copy = [{"type": "dense", "units": 3, "use_bias": False, "weights": {"kernel": (np.eye(3) * 2 / 3).tolist()}}]
    phase = game(plan_of(copy, noise=3), rows=Batch({"input": x}, torch.zeros(400)), lr=1e-30, noise=Noise(3))
    assert phase.summary(0)["train_sample_spread"] == pytest.approx(2 / 3, abs=0.05)


def test_gradients_of_the_epoch_are_told_for_both() -> None:
    phase = game()
    for batch in phase.batches(0, 0):
        phase.step(batch)
    phase.summary(0)
    norms = phase.gradient_norms()
    assert next(iter(norms)) == "generator/dense_1"
    assert list(norms)[-1] == "discriminator/dense_2"
    assert all(norm > 0 for norm in norms.values())


def test_weights_of_other_shapes_are_refused() -> None:
    phase = game()
    weights = phase.weights() | {"generator/dense_1.kernel": np.zeros((1, 1))}
    with pytest.raises(ValueError, match=r"generator/dense_1.kernel is \(1, 1\), expected \(2, 6\)"):
        phase.set_weights(weights)
