"""Results: what a trained run says of itself, as numbers, tables and pictures in its folder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nnkit.commands.plot import history_pictures, prediction_pictures, write_pictures
from nnkit.data.pipeline import Pipeline
from nnkit.engine.health import findings
from nnkit.errors import RunError
from nnkit.evaluation import Evaluation, beaten, confusion_csv, evaluate, naive_values
from nnkit.inference import Predictor
from nnkit.metrics import Metric, or_defaults
from nnkit.predictions import Predictions, predictions_csv, read_predictions
from nnkit.runs.card import model_card
from nnkit.runs.folder import CARD, CONFUSION, HISTORY, METRICS, PREDICTIONS, RunFolder
from nnkit.runs.folds import combine_folds, combine_seeds
from nnkit.runs.manifest import Manifest
from nnkit.spec import Experiment, Ready

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """A trained model's predictions for each split, ``train`` first; the last one is the one that is reported."""

    splits: dict[str, Predictions]

    @property
    def reported(self) -> Predictions:
        """The test rows; without a test split the validation rows, without that the training rows."""
        return list(self.splits.values())[-1]


def outcome(run: RunFolder, ready: Ready) -> Outcome:
    """Return what the run's weights predict for the rows that it was made of."""
    prepared = ready.prepared
    predictor = Predictor(run, run.manifest.device, ready.experiment, prepared.pipeline)
    splits = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
    return Outcome(
        {
            name: predictions_of(rows, predictor.outputs(rows))
            for name, rows in splits.items()
            if rows is not None and rows.truth is not None and len(rows)
        }
    )


def predictions_of(rows: "Dataset", outputs: "Floats") -> Predictions:
    """Return what is predicted of rows whose truth is known."""
    assert rows.truth is not None  # noqa: S101 - the caller looked
    naive = rows.yardstick.forecasts if rows.yardstick else {}
    return Predictions(rows.rows, rows.truth, outputs, rows.weights, rows.marks, naive)


def write_results(run: RunFolder, ready: Ready, outcome: Outcome, pictures: bool = True) -> None:
    """Write metrics, predictions, the confusion matrix and, unless ``nnkit plot`` shall do that, the pictures."""
    pipeline, experiment = ready.prepared.pipeline, ready.experiment
    evaluations = {split: score(experiment, pipeline, predictions) for split, predictions in outcome.splits.items()}
    run.write_json(METRICS, {split: evaluation.to_json()["values"] for split, evaluation in evaluations.items()})
    _write_reported(run, pipeline, outcome.reported, list(evaluations.values())[-1])
    if pictures:
        write_pictures(run.path, history_pictures(run.history()) | prediction_pictures(pipeline, outcome.reported))


def score(experiment: Experiment, pipeline: Pipeline, predictions: Predictions) -> Evaluation:
    """Compare predictions with the truth by the metrics of the spec, or the usual ones of the task."""
    return judge(pipeline, predictions, metrics_of(experiment, pipeline))


def metrics_of(experiment: Experiment, pipeline: Pipeline) -> Sequence[Metric]:
    """Return the metrics of the spec, or the usual ones of the task."""
    naive = list(pipeline.known.windows.options.seasons) if pipeline.known.windows else []
    return or_defaults(experiment.training.metrics, pipeline.task, naive, pipeline.quantiles)


def judge(pipeline: Pipeline, predictions: Predictions, metrics: Sequence[Metric]) -> Evaluation:
    """Compare predictions with the truth, and forecasts with naive ones."""
    truth, outputs, yardstick = predictions.truth, predictions.outputs, pipeline.yardstick(predictions)
    found = evaluate(
        truth,
        outputs,
        pipeline.task,
        pipeline.classes,
        metrics,
        predictions.weights,
        yardstick=yardstick,
        quantiles=pipeline.quantiles,
    )
    if yardstick is None:
        return found
    return replace(found, values=found.values | naive_values(truth, yardstick, metrics))


def _write_reported(run: RunFolder, pipeline: Pipeline, predictions: Predictions, evaluation: Evaluation) -> None:
    run.write(PREDICTIONS, predictions_csv(predictions, pipeline.layout))
    if evaluation.confusion is not None:
        run.write(CONFUSION, confusion_csv(evaluation))


def write_folds(run: RunFolder, ready: Ready) -> None:
    """Write what the folds say together: metrics by mean and deviation, and the predictions of all held-out rows.

    ``ready`` is that of any fold; all must be finished.
    """
    import numpy as np

    folds = run.members()
    run.write_json(METRICS, combine_folds([fold.metrics() for fold in folds]))
    pipeline = ready.prepared.pipeline
    layout = pipeline.layout
    held_out = [read_predictions(fold.read(PREDICTIONS), str(fold.path / PREDICTIONS), layout) for fold in folds]
    order = np.argsort(np.concatenate([part.rows for part in held_out]), kind="stable")
    weights = [part.weights for part in held_out if part.weights is not None]
    together = Predictions(
        rows=np.concatenate([part.rows for part in held_out])[order],
        truth=np.concatenate([part.truth for part in held_out])[order],
        outputs=np.concatenate([part.outputs for part in held_out])[order],
        weights=np.concatenate(weights)[order] if weights else None,
        marks={name: _picked([part.marks[name] for part in held_out], order.tolist()) for name in layout.marks},
        naive={name: np.concatenate([part.naive[name] for part in held_out])[order] for name in layout.naive},
    )
    _write_reported(run, pipeline, together, score(ready.experiment, pipeline, together))
    write_pictures(run.path, prediction_pictures(pipeline, together))


def _picked(parts: Sequence[Sequence[str]], order: Sequence[int]) -> list[str]:
    """Return texts of several parts, put together, in another order."""
    together = [text for part in parts for text in part]
    return [together[place] for place in order]


def write_seeds(run: RunFolder) -> None:
    """Write the metrics of all seeds that are finished, by mean and deviation and each."""
    seeds = zip(run.manifest.seeds or [], run.members(), strict=True)
    run.write_json(METRICS, combine_seeds({seed: member.metrics() for seed, member in seeds if member.finished}))


def write_card(run: RunFolder, manifest: Manifest, experiment: Experiment) -> None:
    """Write the model card."""
    try:
        confusion = run.read(CONFUSION).decode()
    except RunError:
        confusion = None
    words = [finding.words for finding in findings(run.history())] if (run.path / HISTORY).exists() else []
    metrics = run.metrics()
    words += beaten(list(metrics.get("mean", metrics).values())[-1])
    run.write(CARD, model_card(manifest, experiment, metrics, confusion, words))
