import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from nnkit.engine.checkpoint import Checkpoint, Position
from nnkit.engine.gradient import StepOptions
from nnkit.engine.hooks import BestWeights, EarlyStopping, Hook, ReduceOnPlateau, TimeLimit, Watch, read
from nnkit.engine.listener import Record
from nnkit.engine.phase import Phase
from nnkit.engine.state import Arrays
from nnkit.engine.trainer import Stop, Trainer, check_weights
from nnkit.errors import DivergedError, InterruptError
from tests.engine.toy import FolderStore, data, phase, row_loss


def hooks() -> list[Hook]:
    return [
        EarlyStopping(Watch("validation_loss", "min", 0.0), patience=1, restore_best=True, start_epoch=1),
        ReduceOnPlateau(Watch("train_mae", "min", 0.0), factor=0.5, patience=0, cooldown=1, min_scale=0.1),
    ]


def without_times(history: list[Record]) -> list[Record]:
    return [
        {key: value for key, value in record.items() if key not in ("seconds", "rows_per_second")} for record in history
    ]


def fit_until(stop_at: int, store: FolderStore, checkpoint: Checkpoint | None) -> Arrays | None:
    """Train two phases; the clock asks for a stop at its ``stop_at``-th look. Returns the weights if it never does."""
    stop, looks = Stop(), itertools.count()

    def clock() -> float:
        if next(looks) == stop_at:
            stop.signal_number = 15
        return float(next(looks))

    first, second = phase(3, name="first"), phase(4, name="second")

    def phases() -> Iterator[Phase]:
        yield first
        second.set_weights(first.weights())
        yield second

    trainer = Trainer(hooks(), store, stop=stop, clock=clock, checkpoint_seconds=1e9)
    try:
        trainer.fit(phases(), checkpoint)
    except InterruptError:
        return None
    return second.weights()


def test_resume_is_byte_equal_wherever_the_run_was_stopped(tmp_path: Path) -> None:
    whole = FolderStore(tmp_path)
    expected = fit_until(-1, whole, None)
    assert expected is not None
    interrupted = 0
    for stop_at in range(0, 200, 2):
        store = FolderStore(tmp_path)
        weights = fit_until(stop_at, store, None)
        if weights is None:
            interrupted += 1
            weights = fit_until(-1, store, Checkpoint.load(store.path))
        assert weights is not None
        assert all(np.array_equal(weights[name], expected[name]) for name in expected)
        assert without_times(store.history) == without_times(whole.history)
    assert interrupted > 20


def test_loss_curve_is_a_plain_torch_loops(tmp_path: Path) -> None:
    toy, store = phase(3, batch_size=4), FolderStore(tmp_path)
    plain = phase(3, batch_size=4)
    net, rows = plain.network, data()
    optimizer = torch.optim.Adam([parameter for _, parameter in net.named_parameters()], 0.05)
    expected = []
    for epoch in range(3):
        order = torch.from_numpy(plain._data.order(epoch))
        total = 0.0
        for part in torch.split(order, 4):
            batch = rows.at(part)
            outputs, targets, _ = batch.aligned(net(batch.floats(torch.float32)))
            loss = row_loss(outputs, targets).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(part)
        expected.append(total / len(order))
    Trainer([], store).fit([toy])
    assert [record["train_loss"] for record in store.history] == pytest.approx(expected, abs=1e-6)


def test_accumulated_parts_give_the_gradient_of_the_whole_batch() -> None:
    def stepped(part: int) -> Arrays:
        toy = phase(1, batch_size=12, options=StepOptions(part))
        toy.network.train(False)  # no dropout, whose masks depend on the parts
        toy.step(data())
        return toy.weights()

    whole, parts = stepped(23), stepped(4)
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-6, rtol=0)


def test_clipping_bounds_what_the_optimizer_sees() -> None:
    def gradient(options: StepOptions) -> torch.Tensor:
        toy = phase(1, options=options)
        toy.network.train(False)
        toy.step(data())
        return torch.cat([p.grad.flatten() for _, p in toy.network.named_parameters() if p.grad is not None])

    free = gradient(StepOptions(99))
    assert float(free.norm()) > 0.1
    assert float(gradient(StepOptions(99, clip_norm=0.1)).norm()) == pytest.approx(0.1, rel=1e-4)
    assert torch.equal(gradient(StepOptions(99, clip_value=0.01)), free.clamp(-0.01, 0.01))


def test_early_stopping_goes_back_to_the_best_weights(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    kept: Arrays = {}
    toy = phase(50)

    def keep(weights: Arrays) -> None:
        kept.clear()
        kept.update(weights)

    best = BestWeights(Watch("validation_loss", "min", 0.0), keep)
    Trainer([EarlyStopping(Watch("validation_loss", "min", 0.0), 2, True, 0), best], store).fit([toy])
    losses = [read(record, "validation_loss") for record in store.history]
    assert len(losses) < 50
    assert len(losses) - 1 - int(np.argmin(losses)) == 3
    assert all(np.array_equal(tensor, kept[name]) for name, tensor in toy.weights().items())


def test_plateau_lowers_the_rate_down_to_its_least(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    watch = Watch("lr", "max", 0.0)  # the rate never rises, so every epoch is a plateau
    Trainer([ReduceOnPlateau(watch, 0.5, patience=0, cooldown=0, min_scale=0.2)], store).fit([phase(6)])
    assert [record["lr"] for record in store.history] == pytest.approx([0.05, 0.05, 0.025, 0.0125, 0.01, 0.01])


def test_schedule_is_applied_by_epoch_or_by_step(tmp_path: Path) -> None:
    by_epoch, by_step = FolderStore(tmp_path), FolderStore(tmp_path)
    Trainer([], by_epoch).fit([phase(3, lr_factor=lambda epoch: 1 / (1 + epoch))])
    Trainer([], by_step).fit([phase(3, lr_factor=lambda epoch: 1 / (1 + epoch), lr_per_step=True)])
    assert [record["lr"] for record in by_epoch.history] == pytest.approx([0.05, 0.025, 0.05 / 3])
    assert [record["lr"] for record in by_step.history] == pytest.approx([0.05 / (1.8 + n) for n in range(3)])


def test_time_limit_counts_the_time_before_a_resume() -> None:
    hook = TimeLimit(100.0)
    toy = phase(1)
    record: Record = {"epoch": 1}
    assert hook.epoch_ended(toy, record) is None
    hook.load({"spent": 100.0})
    assert hook.epoch_ended(toy, record) == "the time limit of 100 s is over"


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    def diverge(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, 2.0, momentum=0.9)

    store = FolderStore(tmp_path)
    with pytest.raises(DivergedError, match=r"the loss of toy became (inf|nan) in epoch \d+, step \d+; lower"):
        Trainer([], store, checkpoint_seconds=0.0).fit([phase(40, make_optimizer=diverge)])
    weights = Checkpoint.load(store.path).state["phase"]["weights"]
    assert all(np.isfinite(array).all() for array in weights.values())


def test_bf16_autocast_keeps_float32_weights() -> None:
    toy = phase(1, options=StepOptions(99, autocast=torch.bfloat16))
    toy.step(data())
    assert {array.dtype for array in toy.weights().values()} == {np.dtype(np.float32)}


def test_weights_that_are_not_finite_are_named() -> None:
    toy = phase(1)
    with torch.no_grad():
        toy.network.state_dict()["first.bias"][0] = torch.inf
    with pytest.raises(DivergedError, match=r"the weights first\.bias are not finite"):
        check_weights(toy, Position(0, 2, 3))


def test_best_weights_wait_for_a_moment_but_for_no_longer_than_a_checkpoint_or_the_end(tmp_path: Path) -> None:
    saved: list[Arrays] = []
    watch = Watch("train_loss", "min", 0.0)
    hook, toy = BestWeights(watch, saved.append, seconds=1e9), phase(3)
    losses: list[Record] = [{"epoch": 1, "train_loss": 3.0}, {"epoch": 2, "train_loss": 2.0}]
    hook.epoch_ended(toy, losses[0])
    assert len(saved) == 0
    hook.state()
    assert len(saved) == 1
    toy.set_weights({name: array + 1 for name, array in toy.weights().items()})
    hook.epoch_ended(toy, losses[1])
    assert len(saved) == 1
    hook.state()
    assert len(saved) == 2
    assert all(np.array_equal(array, saved[1][name]) for name, array in toy.weights().items())
    hook.close()
    assert len(saved) == 2


def test_what_waits_is_saved_where_training_diverges(tmp_path: Path) -> None:
    saved: list[Arrays] = []
    hook = BestWeights(Watch("train_loss", "min", 0.0), saved.append, seconds=1e9)
    hook._saved_at = np.inf  # As if something had been saved just now: only the end can save.
    with pytest.raises(DivergedError):
        Trainer([hook], FolderStore(tmp_path)).fit([phase(40, make_optimizer=lambda p: torch.optim.SGD(p, 2.0, 0.9))])
    assert len(saved) == 1
