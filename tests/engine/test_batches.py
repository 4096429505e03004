"""Batches: rows in memory and rows that stay on a disk give the same."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nnkit.engine.batches import Batch, RowBatches, to_batch
from nnkit.engine.order import RowOrder

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).integers(0, 256, (23, 4, 3, 1)).astype(np.uint8)
TARGETS = np.arange(23, dtype=np.float32)


class OnDisk:
    """Rows that tell how many of them were taken at once."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self.shape = pixels.shape
        self.most = 0

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        taken: NDArray[np.uint8] = self.pixels[rows]
        self.most = max(self.most, len(taken))
        return taken


def test_pixels_are_numbers_from_0_to_1_and_other_values_stay() -> None:
    x = np.array([[0.5, -3.0]], dtype=np.float32)
    batch = to_batch({"image": np.array([[0, 51, 255]], dtype=np.uint8), "x": x}, TARGETS[:1], None, CPU)
    floats = batch.floats(torch.float32)
    assert torch.equal(floats["image"], torch.tensor([[0, 51, 255]]) / 255)
    assert floats["x"].tolist() == x.tolist()
    assert {values.dtype for values in batch.floats(torch.float64).values()} == {torch.float64}


@pytest.mark.parametrize("limit", [2**28, 0])
def test_rows_on_a_disk_come_in_the_same_order_and_only_a_batch_at_a_time(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nnkit.engine.batches.GATHER_LIMIT", limit)
    stored = OnDisk(PIXELS)
    weights = np.linspace(0, 1, 23)
    batches = [
        RowBatches(to_batch({"image": rows}, TARGETS, weights, CPU), 5, RowOrder(23, 0, "p"))
        for rows in (PIXELS, stored)
    ]
    for memory, disk in zip(*(rows.epoch(1, start=2) for rows in batches), strict=True):
        assert torch.equal(memory.floats(torch.float32)["image"], disk.floats(torch.float32)["image"])
        assert torch.equal(memory.targets, disk.targets)
        assert memory.weights is not None
        assert disk.weights is not None
        assert torch.equal(memory.weights, disk.weights)
    assert stored.most == 5


def test_parts_of_rows_on_a_disk_are_those_of_rows_in_memory() -> None:
    stored = OnDisk(PIXELS)
    parts = [list(to_batch({"image": rows}, TARGETS, None, CPU).split(9)) for rows in (PIXELS, stored)]
    assert [len(part) for part in parts[1]] == [9, 9, 5]
    for memory, disk in zip(*parts, strict=True):
        assert torch.equal(memory.floats(torch.float32)["image"], disk.floats(torch.float32)["image"])
    assert stored.most == 9
    [whole] = Batch({"image": stored}, torch.from_numpy(TARGETS)).split(23)
    assert whole.floats(torch.float32)["image"].shape == (23, 4, 3, 1)
