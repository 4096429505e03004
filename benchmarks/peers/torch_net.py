"""The churn net in torch, and two ways to train it: as textbooks do, and as fast as eager torch goes."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.peers.churn_table import Floats


def layers() -> list[nn.Module]:
    """Return 11-6-6-1 without its last sigmoid, every weight between -0.05 and 0.05."""
    modules = [nn.Linear(11, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 1)]
    for module in modules:
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -0.05, 0.05)
            nn.init.zeros_(module.bias)
    return modules


def textbook(inputs: Floats, answers: Floats, epochs: int, batch: int, seed: int) -> nn.Module:
    """Train with a DataLoader, a loss on probabilities and a running loss; returns the net."""
    torch.manual_seed(seed)
    net = nn.Sequential(*layers(), nn.Sigmoid())
    rows = TensorDataset(torch.from_numpy(inputs), torch.from_numpy(answers).unsqueeze(1))
    loader = DataLoader(rows, batch_size=batch, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    criterion = nn.BCELoss()
    for _ in range(epochs):
        total = 0.0
        for batch_x, batch_y in loader:
            optimizer.zero_grad()
            loss = criterion(net(batch_x), batch_y)
            loss.backward()
            optimizer.step()
            total += loss.item()
    return net


def fused(inputs: Floats, answers: Floats, epochs: int, batch: int, seed: int) -> nn.Module:
    """Train by ``fused_threads`` in one thread: there is nothing here for a second one to do."""
    torch.set_num_threads(1)
    return fused_threads(inputs, answers, epochs, batch, seed)


def fused_threads(inputs: Floats, answers: Floats, epochs: int, batch: int, seed: int) -> nn.Module:
    """Train with all rows in memory, one shuffle an epoch, fused Adam and a loss on logits; returns the net."""
    torch.manual_seed(seed)
    body = nn.Sequential(*layers())
    all_x, all_y = torch.from_numpy(inputs), torch.from_numpy(answers).unsqueeze(1)
    optimizer = torch.optim.Adam(body.parameters(), lr=1e-3, fused=True)
    for _ in range(epochs):
        order = torch.randperm(len(all_x))
        for batch_x, batch_y in zip(all_x[order].split(batch), all_y[order].split(batch), strict=True):
            optimizer.zero_grad()
            functional.binary_cross_entropy_with_logits(body(batch_x), batch_y).backward()
            optimizer.step()
    return nn.Sequential(body, nn.Sigmoid())


WAYS = {"textbook": textbook, "fused": fused, "fused_threads": fused_threads}


def probabilities(net: nn.Module, inputs: Floats) -> list[float]:
    """Return the net's answer for each row."""
    with torch.inference_mode():
        answers: Tensor = net(torch.from_numpy(inputs))
    return answers.squeeze(1).tolist()
