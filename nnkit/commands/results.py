"""Results: what a trained run says of itself, as numbers, tables and pictures in its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from nnkit.commands.codes import code_pictures
from nnkit.commands.plot import history_pictures, prediction_pictures, tree_pictures, write_pictures
from nnkit.commands.stored import stored_predictions
from nnkit.data.dataset import predicted_trees
from nnkit.data.pipeline import Pipeline
from nnkit.engine.health import findings
from nnkit.errors import RunError
from nnkit.evaluation import Evaluation, beaten, confusion_csv, defined, evaluate, naive_values
from nnkit.inference import Predictor, layout_of
from nnkit.metrics import Metric, or_defaults
from nnkit.predictions import Layout, Predictions, joined, predictions_csv
from nnkit.procedures.unlabelled import Unlabelled
from nnkit.runs.card import model_card
from nnkit.runs.folder import CARD, CONFUSION, HISTORY, METRICS, NODES, PREDICTIONS, TREES, RunFolder
from nnkit.runs.folds import combine_folds, combine_seeds
from nnkit.runs.manifest import Manifest
from nnkit.spec import Experiment, Ready


@dataclass(frozen=True)
class Outcome:
    """A trained model's predictions for each split, ``train`` first; the last one is the one that is reported."""

    splits: dict[str, Predictions]
    trees: list[str] | None = None
    """The trees of the reported split in the Penn format, with the labels that the model gives them."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """What the procedure draws of a model of unlabelled data, by the files' names."""

    @property
    def reported(self) -> Predictions:
        """The test rows; without a test split the validation rows, without that the training rows."""
        return list(self.splits.values())[-1]


def outcome(run: RunFolder, ready: Ready, pictures: bool = True) -> Outcome:
    """Return what the run's weights predict for the rows that it was made of."""
    prepared = ready.prepared
    predictor = Predictor(run, run.manifest.device, ready.experiment, prepared.pipeline)
    splits = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
    known = {name: rows for name, rows in splits.items() if rows is not None and len(rows)}
    found = {name: predictor.predictions(rows) for name, rows in known.items()}
    nodes, last = list(found.values())[-1].nodes, list(known.values())[-1]
    trees = None if nodes is None else predicted_trees(last, nodes.outputs, prepared.pipeline.classes)
    drawn = code_pictures(predictor, last) | predictor.pictures(last) if pictures else {}
    return Outcome(found, trees, drawn)


def write_results(run: RunFolder, ready: Ready, outcome: Outcome, pictures: bool = True) -> None:
    """Write metrics, predictions, the confusion matrix and, unless ``nnkit plot`` shall do that, the pictures."""
    pipeline, experiment = ready.prepared.pipeline, ready.experiment
    evaluations = {split: score(experiment, pipeline, predictions) for split, predictions in outcome.splits.items()}
    run.write_json(METRICS, {split: evaluation.to_json()["values"] for split, evaluation in evaluations.items()})
    layout = layout_of(experiment, pipeline)
    _write_reported(run, layout, outcome.reported, list(evaluations.values())[-1])
    if outcome.trees is not None:
        run.write(TREES, "".join(f"{tree}\n" for tree in outcome.trees))
    if pictures:
        drawn = history_pictures(run.history()) | prediction_pictures(pipeline, outcome.reported)
        drawn |= tree_pictures(pipeline, outcome.reported, outcome.trees) | dict(outcome.pictures)
        write_pictures(run.path, drawn)


def score(experiment: Experiment, pipeline: Pipeline, predictions: Predictions) -> Evaluation:
    """Compare predictions with the truth by the metrics of the spec, or the usual ones of the task."""
    return judge(experiment, pipeline, predictions, metrics_of(experiment, pipeline))


def metrics_of(experiment: Experiment, pipeline: Pipeline) -> Sequence[Metric]:
    """Return the metrics of the spec, or the usual ones of the task."""
    naive = list(pipeline.known.windows.options.seasons) if pipeline.known.windows else []
    scheme = pipeline.known.source.tag_scheme
    return or_defaults(experiment.training.metrics, pipeline.task, naive, pipeline.quantiles, scheme)


def judge(
    experiment: Experiment, pipeline: Pipeline, predictions: Predictions, metrics: Sequence[Metric]
) -> Evaluation:
    """Compare predictions with the truth, and forecasts with naive ones; of unlabelled data the procedure says what."""
    procedure = experiment.training.procedure
    if isinstance(procedure, Unlabelled):
        known = predictions.truth.astype("int64")
        labels = known if (known >= 0).any() else None
        values = procedure.reported(experiment.model, pipeline, predictions.outputs, labels)
        return Evaluation("unlabelled", (), {name: defined(value) for name, value in values.items()}, [], None)
    truth, outputs, yardstick = predictions.truth, predictions.outputs, pipeline.yardstick(predictions)
    found = evaluate(
        truth,
        outputs,
        pipeline.task,
        pipeline.classes,
        metrics,
        predictions.weights,
        predictions.of_nodes,
        yardstick=yardstick,
        quantiles=pipeline.quantiles,
        sentences=pipeline.sentences(predictions.lengths),
    )
    if yardstick is None:
        return found
    return replace(found, values=found.values | naive_values(truth, yardstick, metrics))


def _write_reported(run: RunFolder, layout: Layout, predictions: Predictions, evaluation: Evaluation) -> None:
    run.write(PREDICTIONS, predictions_csv(predictions, layout))
    if predictions.nodes is not None:
        run.write(NODES, predictions_csv(predictions.nodes, layout))
    if evaluation.confusion is not None:
        run.write(CONFUSION, confusion_csv(evaluation))


def write_folds(run: RunFolder, ready: Ready) -> None:
    """Write what the folds say together: metrics by mean and deviation, and the predictions of all held-out rows.

    ``ready`` is that of any fold; all must be finished.
    """
    folds = run.members()
    run.write_json(METRICS, combine_folds([fold.metrics() for fold in folds]))
    pipeline = ready.prepared.pipeline
    layout = layout_of(ready.experiment, pipeline)
    together = joined([stored_predictions(fold, layout) for fold in folds]).by_row()
    _write_reported(run, layout, together, score(ready.experiment, pipeline, together))
    write_pictures(run.path, prediction_pictures(pipeline, together))


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
    records = run.history() if (run.path / HISTORY).exists() else []
    words = [finding.words for finding in findings(records)] + experiment.training.procedure.findings(records)
    metrics = run.metrics()
    words += beaten(list(metrics.get("mean", metrics).values())[-1])
    run.write(CARD, model_card(manifest, experiment, metrics, confusion, words))
