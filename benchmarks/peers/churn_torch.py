"""Churn in torch: option ``way`` is one of ``torch_net.WAYS``; option ``seeds`` trains once for each seed."""

import time

from benchmarks.peers import torch_net
from benchmarks.peers.churn_table import load
from benchmarks.peers.job import read_job, report


def main() -> None:
    """Train once for each seed; report the first net's probabilities and each net's accuracy."""
    job = read_job()
    split = load(job.data)
    train = torch_net.WAYS[job.options["way"]]
    found, each = [], []
    for seed in job.seeds:
        start = time.perf_counter()
        net = train(split.train_x, split.train_y, job.epochs, job.batch, seed)
        each.append(time.perf_counter() - start)
        found.append(torch_net.probabilities(net, split.test_x))
    steps = len(found) * job.epochs * len(split.train_x) // job.batch
    report(job, steps, sum(each), found[0], others=found[1:], each=each)


main()
