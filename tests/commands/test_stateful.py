"""Training with a layer that carries its state: the rows come in streams, and a kill loses no bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.commands.train import train
from nnkit.engine import batches
from nnkit.engine.order import RowOrder
from tests.commands.experiments import write
from tests.commands.test_interrupt import kill_and_resume, long_spec


def layers(stateful: bool) -> list[dict[str, Any]]:
    return [
        {"type": "reshape", "shape": [-1, 1]},
        {"type": "lstm", "units": 3, "recurrent_dropout": 0.2, "stateful": stateful},
        {"type": "dense", "units": 1, "activation": "sigmoid"},
    ]


@pytest.mark.parametrize("stateful", [True, False])
def test_rows_come_in_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stateful: bool) -> None:
    orders: list[Any] = []

    class Watched(batches.RowBatches):
        def __init__(self, rows: batches.Batch, size: int, order: RowOrder) -> None:
            super().__init__(rows, size, order)
            orders.append((self.order(0), size))

    monkeypatch.setattr(batches, "RowBatches", Watched)
    train(write(tmp_path, model__layers=layers(stateful)), out=tmp_path / "runs")
    [(order, size)] = orders
    steps = len(order) // size
    first, second = order[:size], order[size : 2 * size]
    assert np.array_equal(second, first + 1) is stateful
    assert np.array_equal(first, steps * np.arange(size)) is stateful


def test_killed_runs_end_byte_equal_when_resumed(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, long_spec(tmp_path, "torch", model__layers=layers(stateful=True)), kills=2, seed=3)
