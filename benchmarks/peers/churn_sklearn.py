"""Churn in scikit-learn: MLPClassifier, told never to stop early."""

import time
import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.peers.churn_table import load
from benchmarks.peers.job import Job, read_job, report


def classifier(job: Job) -> MLPClassifier:
    """Return the net; its weights start by Glorot's rule, which can't be chosen."""
    return MLPClassifier(
        (6, 6),
        batch_size=job.batch,
        max_iter=job.epochs,
        learning_rate_init=1e-3,
        alpha=0.0,
        tol=0.0,
        n_iter_no_change=job.epochs + 1,
        random_state=job.seed,
    )


def main() -> None:
    """Fit and predict."""
    job = read_job()
    warnings.simplefilter("ignore", ConvergenceWarning)
    split = load(job.data)
    model = classifier(job)
    start = time.perf_counter()
    model.fit(split.train_x, split.train_y)
    seconds = time.perf_counter() - start
    steps = model.n_iter_ * len(split.train_x) // job.batch
    report(job, steps, seconds, model.predict_proba(split.test_x)[:, 1])


if __name__ == "__main__":
    main()
