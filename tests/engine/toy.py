"""A small phase over a real network, and stores and clocks that tests can steer."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.checkpoint import Checkpoint
from nnkit.engine.draws import StreamDraws
from nnkit.engine.gradient import GradientPhase, StepOptions
from nnkit.engine.listener import Record
from nnkit.engine.order import RowOrder
from nnkit.engine.scoring import Scoring, flat


class Plain(nn.Module):
    """A network without penalties, constraints and states to carry."""

    def penalty(self) -> Tensor | None:
        return None

    def constrain(self) -> None:
        return None

    def carried(self) -> dict[str, Tensor]:
        return {}

    def set_carried(self, state: Mapping[str, Tensor]) -> None:
        assert not state

    def clear_carried(self) -> None:
        return None


class Net(Plain):
    """Two dense layers with dropout from the net's own generator between them."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 1)
        self.generator = generator

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        hidden = torch.relu(self.first(inputs["input"]))
        if self.training:
            hidden = hidden * torch.empty_like(hidden).bernoulli_(0.8, generator=self.generator)
        output: Tensor = self.second(hidden)
        return output


def data(rows: int = 23, seed: int = 0) -> Batch:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, 3)).astype(np.float32)
    y = (x.sum(axis=1, keepdims=True) > 0).astype(np.float32)
    return Batch({"input": torch.from_numpy(x)}, torch.from_numpy(y))


def truth_of(rows: Batch) -> NDArray[np.generic]:
    _, targets, _ = rows.aligned(torch.empty(0))
    truth: NDArray[np.generic] = targets.numpy()
    return truth


def row_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean(dim=1)


def phase(
    epochs: int = 4,
    batch_size: int = 5,
    options: StepOptions | None = None,
    make_optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer] | None = None,
    name: str = "toy",
    lr_factor: Callable[[float], float] = lambda epoch: 1.0,
    lr_per_step: bool = False,
) -> GradientPhase:
    generator = torch.Generator().manual_seed(7)
    net = Net(generator)
    train, validation = data(), data(9, 1)
    scoring = Scoring(
        score=lambda truth, outputs: {"mae": float(np.abs(flat(truth).astype(float) - outputs).mean())},
        finish=lambda outputs: outputs.double().numpy(),
        truth=truth_of(train),
        validation_truth=truth_of(validation),
    )
    optimizer = make_optimizer(list(net.parameters())) if make_optimizer else torch.optim.Adam(net.parameters(), 0.05)
    return GradientPhase(
        name=name,
        epochs=epochs,
        network=net,
        loss=row_loss,
        optimizer=optimizer,
        data=RowBatches(train, batch_size, RowOrder(len(train), 3, name)),
        validation=validation,
        scoring=scoring,
        options=options or StepOptions(batch_size),
        draws=StreamDraws(generator),
        lr_factor=lr_factor,
        lr_per_step=lr_per_step,
    )


class FolderStore:
    """Keeps checkpoints in a folder and the history in a list."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "last.safetensors"
        self.history: list[Record] = []

    def save(self, checkpoint: Checkpoint) -> None:
        checkpoint.save(self.path)

    def append(self, record: Record) -> None:
        self.history.append(record)

    def truncate(self, records: int) -> None:
        del self.history[records:]
