"""Batches: rows in memory and rows that stay on a disk give the same."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nnkit.engine.batches import Batch, RowBatches, to_batch
from nnkit.engine.order import RowOrder
from nnkit.engine.ragged import Ragged
from nnkit.nn.sequence import Padded

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).integers(0, 256, (23, 4, 3, 1)).astype(np.uint8)
TARGETS = np.arange(23, dtype=np.float32)


class OnDisk:
    """Rows that tell how many of them were taken at once."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self.shape = pixels.shape
        self.in_memory = False
        self.most = 0

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        taken: NDArray[np.uint8] = self.pixels[rows]
        self.most = max(self.most, len(taken))
        return taken


def image(batch: Batch) -> torch.Tensor:
    values = batch.floats(torch.float32)["image"]
    assert isinstance(values, torch.Tensor)
    return values


def targets(batch: Batch) -> torch.Tensor:
    return batch.aligned(torch.empty(len(batch), 5))[1]


def test_pixels_are_numbers_from_0_to_1_and_other_values_stay() -> None:
    x = np.array([[0.5, -3.0]], dtype=np.float32)
    batch = to_batch({"image": np.array([[0, 51, 255]], dtype=np.uint8), "x": x}, TARGETS[:1], None, CPU)
    assert torch.equal(image(batch), torch.tensor([[0, 51, 255]]) / 255)
    numbers, wide = batch.floats(torch.float32)["x"], batch.floats(torch.float64)["image"]
    assert isinstance(numbers, torch.Tensor)
    assert isinstance(wide, torch.Tensor)
    assert numbers.tolist() == x.tolist()
    assert wide.dtype == torch.float64


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
        assert torch.equal(image(memory), image(disk))
        assert torch.equal(targets(memory), targets(disk))
        assert memory.weights is not None
        assert disk.weights is not None
        assert torch.equal(memory.weights, disk.weights)
    assert stored.most == 5


def test_parts_of_rows_on_a_disk_are_those_of_rows_in_memory() -> None:
    stored = OnDisk(PIXELS)
    parts = [list(to_batch({"image": rows}, TARGETS, None, CPU).split(9)) for rows in (PIXELS, stored)]
    assert [len(part) for part in parts[1]] == [9, 9, 5]
    for memory, disk in zip(*parts, strict=True):
        assert torch.equal(image(memory), image(disk))
    assert stored.most == 9
    [whole] = Batch({"image": stored}, torch.from_numpy(TARGETS)).split(23)
    assert image(whole).shape == (23, 4, 3, 1)


WORDS = Ragged.of([np.arange(1, length + 1) for length in (3, 1, 5, 2, 4, 1, 3)])


def test_rows_of_several_lengths_are_padded_with_zeros() -> None:
    batch = to_batch({"words": WORDS}, TARGETS[:7], None, CPU)
    words = batch.at(torch.tensor([1, 0, 3])).floats(torch.float32)["words"]
    assert isinstance(words, Padded)
    assert words.values.tolist() == [[1, 0, 0], [1, 2, 3], [1, 2, 0]]
    assert words.lengths.tolist() == [1, 3, 2]
    parts = [part.floats(torch.float32)["words"] for part in batch.split(3)]
    assert [part.lengths.tolist() for part in parts if isinstance(part, Padded)] == [[3, 1, 5], [2, 4, 1]]
    assert WORDS[2:].filled(7, 1).padded().tolist()[:3] == [[0] * 5, [1, 2, 3, 4, 5], [1, 2, 0, 0, 0]]
    assert [WORDS.row(number).tolist() for number in (1, 3)] == [[1], [1, 2]]


def test_rows_of_about_one_length_come_together_and_every_row_comes_once() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 2003)
    order = RowOrder(2003, 0, "p", lengths=lengths, batch=10)
    first, second = order.of(0), order.of(1)
    assert sorted(first.tolist()) == list(range(2003))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, order.of(0))

    def spread(rows: NDArray[np.int64]) -> float:
        return float(np.mean([np.ptp(lengths[batch]) for batch in rows[:2000].reshape(-1, 10)]))

    assert spread(first) < 5 < 50 < spread(RowOrder(2003, 0, "p").of(0))
    means = lengths[first[:2000].reshape(-1, 10)].mean(axis=1)
    assert abs(np.corrcoef(np.arange(200), means)[0, 1]) < 0.3


def test_each_step_of_a_row_may_have_a_target_of_its_own() -> None:
    tags = Ragged(WORDS.values * 10, WORDS.lengths, WORDS.ends)
    weights = np.arange(7.0)
    batch = to_batch({"words": WORDS}, tags, weights, CPU).at(torch.tensor([1, 0, 3]))
    outputs = torch.arange(9.0).reshape(3, 3, 1)
    flat, found, heavy = batch.aligned(outputs)
    assert flat[:, 0].tolist() == [0, 3, 4, 5, 6, 7]
    assert found.tolist() == [10, 10, 20, 30, 10, 20]
    assert heavy is not None
    assert heavy.tolist() == [1, 0, 0, 0, 3, 3]
    assert batch.count == 6
    assert [part.count for part in batch.split(2)] == [4, 2]


def test_rows_of_one_length_are_not_padded() -> None:
    batch = to_batch({"words": WORDS}, TARGETS[:7], None, CPU)
    words = batch.at(torch.tensor([0, 6])).floats(torch.float32)["words"]
    assert isinstance(words, torch.Tensor)
    assert words.tolist() == [[1, 2, 3], [1, 2, 3]]
