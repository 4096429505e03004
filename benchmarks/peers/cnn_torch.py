"""The convolutional net in torch; option ``best``: channels last, in memory, fused Adam."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.peers.job import read_job, report
from benchmarks.peers.torch_loops import last_epoch_seconds, quality


def network() -> nn.Module:
    """Return the net without its softmax."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def main() -> None:
    """Train, and test on the last rows."""
    job = read_job()
    torch.manual_seed(job.seed)
    with np.load(job.data) as arrays:
        pictures = torch.from_numpy(arrays["pictures"]).permute(0, 3, 1, 2)
        digits = torch.from_numpy(arrays["digit"])
    best = job.options.get("best", False)
    layout = torch.channels_last if best else torch.contiguous_format
    pictures, net = pictures.contiguous(memory_format=layout), network().to(memory_format=layout)  # type: ignore[call-overload]
    rows = len(digits) - job.options["tests"]
    loss = functional.cross_entropy
    steps, seconds = last_epoch_seconds(net, loss, pictures[:rows], digits[:rows], job.epochs, job.batch, best)
    test_loss, accuracy = quality(net, loss, pictures[rows:], digits[rows:])
    report(job, steps, seconds, loss=test_loss, accuracy=accuracy)


main()
