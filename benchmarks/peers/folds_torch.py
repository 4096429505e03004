"""Five folds in eager torch, fused: a loop over scikit-learn's KFold."""

import time

import numpy as np
from sklearn.model_selection import KFold

from benchmarks.peers import torch_net
from benchmarks.peers.churn_table import inputs_and_answers, preparation
from benchmarks.peers.job import read_job, report


def main() -> None:
    """Train and test a net for each fold; scaling is fitted on each fold's training rows."""
    job = read_job()
    inputs, answers, _ = inputs_and_answers(job.data)
    accuracies, steps = [], 0
    start = time.perf_counter()
    for train, test in KFold(5, shuffle=True, random_state=job.seed).split(inputs):
        prepare = preparation()
        rows = prepare.fit_transform(inputs.iloc[train]).astype("float32")
        net = torch_net.fused(rows, answers[train], job.epochs, job.batch, job.seed)
        found = torch_net.probabilities(net, prepare.transform(inputs.iloc[test]).astype("float32"))
        accuracies.append(float(((np.array(found) > 0.5) == answers[test]).mean()))
        steps += job.epochs * len(train) // job.batch
    report(job, steps, time.perf_counter() - start, accuracies=accuracies)


main()
