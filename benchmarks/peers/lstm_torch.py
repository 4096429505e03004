"""The net of characters in torch, with nn.LSTM; option ``best``: in memory, fused Adam."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers.job import read_job, report
from benchmarks.peers.text_windows import windows
from benchmarks.peers.torch_loops import last_epoch_seconds, quality


class Characters(nn.Module):
    """Gives a logit for each next character: [batch, characters, length]."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, 64)
        # As the others draw it; after few steps torch's own start, N(0, 1), is behind on test rows.
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        self.lstm = nn.LSTM(64, 256, num_layers=2, batch_first=True)
        self.head = nn.Linear(256, characters)

    def forward(self, ids: Tensor) -> Tensor:
        """Read ids [batch, length]."""
        hidden, _ = self.lstm(self.embedding(ids))
        logits: Tensor = self.head(hidden)
        return logits.transpose(1, 2)


def main() -> None:
    """Train, and test on the last windows."""
    job = read_job()
    torch.manual_seed(job.seed)
    found, following, characters = windows(job)
    inputs, targets = torch.from_numpy(found).long(), torch.from_numpy(following).long()
    rows = len(inputs) - job.options["tests"]
    net, loss = Characters(characters), functional.cross_entropy
    best = job.options.get("best", False)
    steps, seconds = last_epoch_seconds(net, loss, inputs[:rows], targets[:rows], job.epochs, job.batch, best)
    test_loss, accuracy = quality(net, loss, inputs[rows:], targets[rows:])
    report(job, steps, seconds, loss=test_loss, accuracy=accuracy)


main()
