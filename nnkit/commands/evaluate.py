"""``nnkit evaluate``: how good a run's model is, on its own held-out rows or on others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nnkit.commands.rejects import Rejects
from nnkit.commands.results import judge, metrics_of
from nnkit.commands.stored import stored_predictions
from nnkit.config.spelling import nearest
from nnkit.data.pipeline import Pipeline
from nnkit.data.running import fresh
from nnkit.errors import DataError, UsageError
from nnkit.evaluation import Evaluation, beaten
from nnkit.inference import Predictor, layout_of
from nnkit.metrics import METRICS, Metric
from nnkit.predictions import Predictions, joined
from nnkit.procedures.language import unfit_metric
from nnkit.procedures.unlabelled import Goal, Unlabelled
from nnkit.runs.folder import RunFolder
from nnkit.runs.folds import combine_seeds
from nnkit.runs.manifest import SEEDS
from nnkit.spec import Experiment


@dataclass(frozen=True)
class Gate:
    """A bound that a metric must meet: at least it, or at most it for a metric of which smaller is better."""

    metric: str
    bound: float

    def failure(self, value: float | None, smaller_is_better: bool) -> str | None:
        """Return what is not met, in words, or None; an undefined value meets no bound."""
        if value is not None and (value <= self.bound if smaller_is_better else value >= self.bound):
            return None
        found = "undefined" if value is None else f"{value:.6g}"
        return f"{self.metric} is {found}, expected at {'most' if smaller_is_better else 'least'} {self.bound:g}"


@dataclass(frozen=True)
class EvaluationReport:
    """An evaluation under the name of its split, and the gates that it does not meet."""

    split: str
    evaluation: Evaluation
    """What was counted; of a run of several seeds nothing, since each counts for itself."""
    values: dict[str, float | None]
    """By metric; of a run of folds or seeds the means."""
    deviation: dict[str, float | None] | None
    """By metric, between folds or seeds; None for a run with one model."""
    failed: list[str]
    """A sentence for each gate that is not met; the command line then ends with the code of ``GateError``."""
    seeds: dict[str, dict[str, float | None]] | None = None
    """By seed and metric, of a run of several seeds those that are finished."""
    notes: Sequence[str] = ()
    """What a person should know: rows that were left out, tokens that are unknown, naive forecasts that are better."""

    def to_json(self) -> dict[str, Any]:
        """Return the values under the split's name, and all else that was counted."""
        rest = {key: value for key, value in self.evaluation.to_json().items() if key != "values"}
        spread = {} if self.deviation is None else {"deviation": {self.split: self.deviation}}
        each = {} if self.seeds is None else {"seeds": {seed: {self.split: of} for seed, of in self.seeds.items()}}
        return {self.split: self.values, **spread, **each, **rest} | ({"notes": [*self.notes]} if self.notes else {})


def evaluate(
    run: Path,
    data: Path | None = None,
    *,
    device: str | None = None,
    fail_under: Sequence[str] = (),
    split: str = "test",
) -> EvaluationReport:
    """Evaluate a run's model on ``data``, or on the rows that the run itself held out.

    The latter are the rows of predictions.csv: those of the test split, or of the validation split where there is no
    test split, or else the training rows; of a k-fold run all rows, each predicted by the model that had not seen it.
    Of a run of several seeds the report has the mean and the deviation of what each seed's own would have.
    ``split`` is the name under which the values for ``data`` stand. ``fail_under`` has gates as ``metric=bound``; a
    metric that the spec does not name is computed too. Raises ``UsageError`` for a gate that is none, ``RunError``,
    and ``DataError`` where ``data`` cannot be read whole.
    """
    gates = [parse_gate(text) for text in fail_under]
    folder = RunFolder.open(run)
    folder.verify()
    if data is None:
        folder.check_over()
        return _held_out(folder, gates) if folder.manifest.seeds is None else _of_seeds(folder, gates)
    folder.check_usable()
    predictor = Predictor(folder, device)
    experiment = folder.experiment()
    metrics = _metrics(experiment, predictor.pipeline, gates)
    refused = Rejects(str(data))
    predictions = predict_known(predictor, data, refused)
    evaluation = judge(experiment, predictor.pipeline, predictions, metrics)
    failed = _failed(gates, evaluation.values, goals_of(experiment, metrics))
    notes = [*refused.notes, *_strange(data, predictions, predictor.pipeline), *beaten(evaluation.values)]
    return EvaluationReport(split, evaluation, evaluation.values, None, failed, notes=notes)


def _strange(data: Path, predictions: Predictions, pipeline: Pipeline) -> list[str]:
    """Say how many tokens of a text the model does not know."""
    if pipeline.task != "next" or not (count := int((predictions.truth == 0).sum())):
        return []
    kind = pipeline.tokenizer.type_name
    return [f"{data}: {count:,} of {len(predictions.truth):,} {kind} are not in the vocabulary and stand as unknown"]


def parse_gate(text: str) -> Gate:
    """Read ``metric=bound``; raises ``UsageError``."""
    name, _, number = text.partition("=")
    try:
        gate = Gate(name.strip(), float(number))
    except ValueError:
        gate = Gate("", math.nan)
    if not gate.metric or math.isnan(gate.bound):
        raise UsageError(f"--fail-under {text}: expected METRIC=NUMBER, such as --fail-under accuracy=0.85")
    return gate


def _held_out(folder: RunFolder, gates: Sequence[Gate]) -> EvaluationReport:
    folds = folder.members()
    experiment = folder.experiment()
    pipeline = (folds[0] if folds else folder).pipeline()
    metrics = _metrics(experiment, pipeline, gates)
    stored = folder.metrics()
    goals = goals_of(experiment, metrics)
    predictions = stored_predictions(folder, layout_of(experiment, pipeline))
    evaluation = judge(experiment, pipeline, predictions, metrics)
    if not folds:
        split = list(stored)[-1]
        failed, notes = _failed(gates, evaluation.values, goals), beaten(evaluation.values)
        return EvaluationReport(split, evaluation, evaluation.values, None, failed, notes=notes)
    split = list(stored["mean"])[-1]
    values, deviation = stored["mean"][split], stored["deviation"][split]
    failed = _failed(gates, evaluation.values | values, goals)
    return EvaluationReport(split, evaluation, values, deviation, failed, notes=beaten(values))


def _of_seeds(folder: RunFolder, gates: Sequence[Gate]) -> EvaluationReport:
    """Report what metrics.json says of the seeds; a metric that only a gate names is computed for each."""
    stored = folder.metrics()
    split = list(stored["mean"])[-1]
    seeds = {seed: dict(metrics[split]) for seed, metrics in stored["seeds"].items()}
    members = {seed: folder.member(f"{SEEDS}/{seed}") for seed in seeds}
    pipeline = next(iter(members.values())).pipeline()
    experiment = folder.experiment()
    metrics = _metrics(experiment, pipeline, gates)
    if any(gate.metric not in stored["mean"][split] for gate in gates):
        seeds = {seed: _held_out(member, gates).values for seed, member in members.items()}
    together = combine_seeds({int(seed): {split: values} for seed, values in seeds.items()})
    values, deviation = together["mean"][split], together["deviation"][split]
    evaluation = Evaluation(pipeline.task, pipeline.classes, values, [], None)
    failed = _failed(gates, values, goals_of(experiment, metrics))
    return EvaluationReport(split, evaluation, values, deviation, failed, seeds)


def _metrics(experiment: Experiment, pipeline: Pipeline, gates: Sequence[Gate]) -> list[Metric]:
    """Return the metrics of the spec, or the usual ones of the task, and those that only gates name.

    Of unlabelled data there are none: the procedure says what is reported.
    """
    procedure = experiment.training.procedure
    if isinstance(procedure, Unlabelled):
        check_gates(gates, list(procedure.reported_goals()))
        return []
    metrics = list(metrics_of(experiment, pipeline))
    known = {metric.key for metric in metrics}
    return metrics + [_gate_metric(gate, pipeline, sorted(known)) for gate in gates if gate.metric not in known]


def _gate_metric(gate: Gate, pipeline: Pipeline, known: Sequence[str]) -> Metric:
    trees, marked = pipeline.tree_input is not None, pipeline.known.source.tag_scheme != "none"
    names = [
        name
        for name, kind in METRICS.entries.items()
        if pipeline.task in kind.tasks and kind.of_nodes <= trees and kind.of_entities <= marked
    ]
    if gate.metric in names:
        if reason := unfit_metric(gate.metric, pipeline):
            raise UsageError(f"--fail-under {reason}")
        try:
            return METRICS.decode(gate.metric)
        except ValidationError:
            pass  # A metric that needs options can only be named by the spec.
    check_gates([gate], sorted({*names, *known}))
    raise AssertionError("a metric that needs no options was decoded")


def check_gates(gates: Sequence[Gate], choices: Sequence[str]) -> None:
    """Raise ``UsageError`` for the first gate whose metric is not one of ``choices``."""
    for gate in gates:
        if gate.metric not in choices:
            hint = nearest(gate.metric, choices)
            raise UsageError(
                f"--fail-under {gate.metric}: no such metric{hint} Those of this run: {', '.join(choices)}"
            )


def goals_of(experiment: Experiment, metrics: Sequence[Metric]) -> dict[str, Goal]:
    """Return whether larger or smaller is better, by metric."""
    procedure = experiment.training.procedure
    if isinstance(procedure, Unlabelled):
        return procedure.reported_goals()
    return {metric.key: metric.goal for metric in metrics}


def _failed(gates: Sequence[Gate], values: dict[str, float | None], goals: Mapping[str, Goal]) -> list[str]:
    failures = [gate.failure(values.get(gate.metric), goals[gate.metric] == "min") for gate in gates]
    return [failure for failure in failures if failure]


def predict_known(predictor: Predictor, data: Path, refused: Rejects) -> Predictions:
    """Predict rows whose truth is known; raises ``DataError`` where there is none, or one that cannot be read."""
    if predictor.pipeline.task == "next":
        return predictor.predictions(fresh(predictor.pipeline, data))
    parts: list[Predictions] = []
    start = 0
    stream = predictor.pipeline.stream(data, format=None, columns=None, need_target=True)
    for chunk in stream:
        refused.take(chunk, stream)
        rows = chunk.dataset
        if (rows.truth is not None or predictor.pipeline.task == "unlabelled") and len(rows):
            parts.append(predictor.predictions(rows, start))
        start += len(rows)
    if not parts:
        raise DataError(f"{data}: has no rows to evaluate; give a file with rows that have the target")
    return joined(parts)
