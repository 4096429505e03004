"""What a stateful network carries is part of a phase's state: kill and resume gives the same bits."""

from pathlib import Path

import numpy as np
import torch

from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.checkpoint import Checkpoint, Position
from nnkit.engine.draws import PlacedDraws
from nnkit.engine.gradient import GradientPhase, StepOptions
from nnkit.engine.order import RowDraws, RowOrder
from nnkit.engine.scoring import Scoring
from tests.engine.toy import row_loss
from tests.models.tools import dense, filled, plan

ROWS, SIZE = 20, 4


def phase() -> GradientPhase:
    lstm = {"type": "lstm", "units": 3, "stateful": True, "recurrent_dropout": 0.3}
    network = filled(plan(lstm, dense(1), input=(5, 2)))
    draw = np.random.default_rng(0)
    x, y = (torch.from_numpy(draw.normal(size=size)).float() for size in ((ROWS, 5, 2), (ROWS, 1)))
    rows, draws = Batch({"input": x}, y), PlacedDraws(RowDraws(0, "p"))
    network.set_draws(draws)
    return GradientPhase(
        name="p",
        epochs=3,
        network=network,
        loss=row_loss,
        optimizer=torch.optim.Adam(network.parameters(), 0.05),
        data=RowBatches(rows, SIZE, RowOrder(ROWS, 3, "p")),
        validation=rows,
        scoring=Scoring(None, lambda outputs: outputs.double().numpy(), y.numpy(), y.numpy()),
        options=StepOptions(SIZE),
        draws=draws,
        lr_factor=lambda epoch: 1.0,
    )


def carried(phase: GradientPhase) -> dict[str, torch.Tensor]:
    return phase.network.carried()


def test_a_phase_goes_on_bit_for_bit_from_its_state_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    whole, killed, resumed = phase(), phase(), phase()
    for batch in whole.batches(0, 0):
        whole.step(batch)
    for number, batch in enumerate(killed.batches(0, 0)):
        if number == 2:
            break
        killed.step(batch)
    Checkpoint(Position(0, 0, 2), 0, killed.state()).save(tmp_path / "c")
    state = Checkpoint.load(tmp_path / "c").state
    assert sorted(state["carried"]) == ["lstm_1.0", "lstm_1.1"]
    resumed.load(state)
    for batch in resumed.batches(0, 2):
        resumed.step(batch)
    assert all(np.array_equal(whole.weights()[name], array) for name, array in resumed.weights().items())
    forgetful = phase()
    forgetful.load({**state, "carried": {}})
    for batch in forgetful.batches(0, 2):
        forgetful.step(batch)
    assert any(not np.array_equal(whole.weights()[name], array) for name, array in forgetful.weights().items())


def test_validation_changes_nothing_and_an_epoch_starts_anew() -> None:
    one = phase()
    for batch in one.batches(0, 0):
        one.step(batch)
    before = carried(one)
    one.summary(0)
    assert all(torch.equal(carried(one)[name], tensor) for name, tensor in before.items())
    next(iter(one.batches(1, 0)))
    assert carried(one) == {}
