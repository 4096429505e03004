"""Five folds in scikit-learn: cross_val_score over a pipeline; option ``jobs`` is its n_jobs."""

import time
import warnings

from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from benchmarks.peers.churn_sklearn import classifier
from benchmarks.peers.churn_table import inputs_and_answers, preparation
from benchmarks.peers.job import read_job, report


def main() -> None:
    """Score; scaling is fitted on each fold's training rows."""
    job = read_job()
    warnings.simplefilter("ignore")
    inputs, answers, _ = inputs_and_answers(job.data)
    model = make_pipeline(preparation(), classifier(job))
    folds = KFold(5, shuffle=True, random_state=job.seed)
    start = time.perf_counter()
    scores = cross_val_score(model, inputs, answers, cv=folds, n_jobs=job.options.get("jobs"))
    seconds = time.perf_counter() - start
    report(job, 5 * job.epochs * (len(answers) * 4 // 5) // job.batch, seconds, accuracies=scores.tolist())


if __name__ == "__main__":
    main()
