"""Loops over epochs in torch, shared by the picture and the text net."""

import time
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Loss = Callable[[Tensor, Tensor], Tensor]


def shuffled(inputs: Tensor, targets: Tensor, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of tensors in memory, in a new order."""
    for rows in torch.randperm(len(inputs)).split(batch):
        yield inputs[rows], targets[rows]


def loader(inputs: Tensor, targets: Tensor, batch: int) -> Iterable[tuple[Tensor, Tensor]]:
    """Return the textbook's way to batches."""
    return DataLoader(TensorDataset(inputs, targets), batch_size=batch, shuffle=True)


def last_epoch_seconds(
    net: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, epochs: int, batch: int, best: bool
) -> tuple[int, float]:
    """Train with Adam, fused and from memory where ``best``; returns the last epoch's steps and seconds."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=best or None)
    steps, seconds = 0, 0.0
    net.train()
    for _ in range(epochs):
        start, steps, total = time.perf_counter(), 0, 0.0
        for batch_x, batch_y in shuffled(inputs, targets, batch) if best else loader(inputs, targets, batch):
            optimizer.zero_grad()
            found = loss(net(batch_x), batch_y)
            found.backward()
            optimizer.step()
            steps += 1
            if not best:
                total += found.item()
        seconds = time.perf_counter() - start
    net.eval()
    return steps, seconds


def quality(net: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """Return the mean loss and the share of right answers of a batch; classes are the outputs' second axis."""
    with torch.inference_mode():
        outputs = net(inputs)
        right = (outputs.argmax(1) == targets).double().mean()
        return float(loss(outputs, targets)), float(right)
