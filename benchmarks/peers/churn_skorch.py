"""Churn in skorch, which trains a torch net behind scikit-learn's interface."""

import time

import torch
from skorch import NeuralNetBinaryClassifier
from torch import nn

from benchmarks.peers import torch_net
from benchmarks.peers.churn_table import load
from benchmarks.peers.job import read_job, report


def main() -> None:
    """Fit and predict; nothing is held back for validation."""
    job = read_job()
    torch.manual_seed(job.seed)
    split = load(job.data)
    model = NeuralNetBinaryClassifier(
        nn.Sequential(*torch_net.layers(), nn.Flatten(0)),
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=job.batch,
        max_epochs=job.epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    start = time.perf_counter()
    model.fit(split.train_x, split.train_y)
    seconds = time.perf_counter() - start
    steps = len(model.history) * len(split.train_x) // job.batch
    report(job, steps, seconds, model.predict_proba(split.test_x)[:, 1])


main()
