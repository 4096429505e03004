"""``nnkit evaluate RUN --classifier RUN``: how good the rows are that a generative model makes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnkit.commands.evaluate import check_gates, parse_gate
from nnkit.data.dataset import Dataset, input_array
from nnkit.data.pipeline import Pipeline
from nnkit.data.restoring import restore
from nnkit.data.transforms.base import Notes
from nnkit.errors import DataError, ResourceError, UsageError
from nnkit.inference import Predictor, plan_of
from nnkit.models.plan import Plan
from nnkit.procedures.base import Place
from nnkit.procedures.forward import BlockForward
from nnkit.procedures.unlabelled import Goal
from nnkit.runs.folder import RunFolder
from nnkit.shapes import show

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE, ENTROPY, LEAST, DISTANCE = "confidence", "label_entropy", "least_share", "frechet_distance"
GOALS: dict[str, Goal] = {CONFIDENCE: "max", ENTROPY: "max", LEAST: "max", DISTANCE: "min"}
MOST_REAL = 5000
"""Real rows that samples are compared with, spread over all."""


@dataclass(frozen=True)
class Wanted:
    """What is judged: how many rows, from which seed, in how many steps; None is what is usual."""

    count: int = 1000
    seed: int = 0
    steps: int | None = None


@dataclass(frozen=True)
class QualityReport:
    """What a classifier says of a generative model's rows.

    ``confidence`` is the mean probability of the likeliest label, ``label_entropy`` that of the labels' shares in nats
    (the logarithm of how many there are where all come as often), ``least_share`` the rarest label's share, and
    ``frechet_distance`` how far the rows are from real ones in what the classifier's last layer reads.
    """

    count: int
    values: dict[str, float | None]
    shares: dict[str, float]
    """The share of each label."""
    real_count: int = 0
    real: dict[str, float] = field(default_factory=dict)
    """The same of real rows; nothing where there are none."""
    real_shares: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    """A sentence for each gate that is not met; the command line then ends with the code of ``GateError``."""
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        samples = {"count": self.count, **self.values, "shares": self.shares}
        real = {"real": {"count": self.real_count, **self.real, "shares": self.real_shares}} if self.real else {}
        return {"samples": samples} | real | ({"notes": self.notes} if self.notes else {})


def quality(
    run: Path,
    classifier: Path,
    data: Path | None = None,
    wanted: Wanted | None = None,
    *,
    device: str | None = None,
    fail_under: Sequence[str] = (),
) -> QualityReport:
    """Judge rows that the model of ``run`` makes by the run of a ``classifier`` that knows such data.

    They are compared with the rows of ``data``, else with those that the model learned from, if these are still there.
    Raises ``UsageError`` for a run that makes no rows, and for a classifier that is none or knows other data.
    """
    wanted = wanted or Wanted()
    _check(wanted)
    gates = [parse_gate(text) for text in fail_under]
    check_gates(gates, list(GOALS))
    model, judge = Predictor(RunFolder.usable(run), device), _Judge(classifier, device)
    drawn = model.sampler().sample(wanted.count, wanted.seed, None, wanted.steps)
    made = judge.rows_of(model.pipeline, drawn)
    found = judge.judged(made)
    real, notes = judge.real_rows(model.pipeline, data)
    values: dict[str, float | None] = {**found.values(), DISTANCE: None}
    if real is None:
        return _with_gates(QualityReport(wanted.count, values, found.shares, notes=notes), gates)
    known = judge.judged(real)
    values[DISTANCE] = _distance(found, known)
    fewest, features = min(len(made), len(real)), found.features.shape[1]
    if fewest <= features:
        notes.append(
            f"{fewest:,} rows are few for the {features:,} features of the classifier: {DISTANCE} comes out larger "
            "than with more"
        )
    report = QualityReport(wanted.count, values, found.shares, len(real), known.values(), known.shares, notes=notes)
    return _with_gates(report, gates)


def _check(wanted: Wanted) -> None:
    for name, value, least in (("-n", wanted.count, 2), ("--seed", wanted.seed, 0), ("--steps", wanted.steps, 1)):
        if value is not None and value < least:
            raise UsageError(f"{name} {value}: expected {least} or more")


def _with_gates(report: QualityReport, gates: Sequence[Any]) -> QualityReport:
    failures = [gate.failure(report.values[gate.metric], GOALS[gate.metric] == "min") for gate in gates]
    report.failed.extend(failure for failure in failures if failure)
    return report


@dataclass(frozen=True)
class _Judged:
    """What a classifier says of rows: probabilities [n, classes] and features [n, d]."""

    probabilities: "Floats"
    features: "Floats"
    classes: Sequence[str]

    @property
    def shares(self) -> dict[str, float]:
        """The share of rows that are given each label."""
        import numpy as np

        counts = np.bincount(self.probabilities.argmax(1), minlength=len(self.classes))
        return {name: int(count) / len(self.probabilities) for name, count in zip(self.classes, counts, strict=True)}

    def values(self) -> dict[str, float]:
        """Return confidence, entropy and the least share."""
        shares = list(self.shares.values())
        entropy = -sum(share * math.log(share) for share in shares if share)
        return {CONFIDENCE: float(self.probabilities.max(1).mean()), ENTROPY: entropy, LEAST: min(shares)}


def _distance(a: _Judged, b: _Judged) -> float:
    from nnkit.frames.frechet import frechet_distance

    return frechet_distance(a.features, b.features)


class _Judge:
    """The classifier."""

    def __init__(self, run: Path, device: str | None) -> None:
        folder = RunFolder.usable(run)
        experiment, self._title = folder.experiment(), f"--classifier {run}"
        self._pipeline = folder.pipeline()
        if self._pipeline.task not in ("binary", "multiclass") or self._pipeline.tree_input is not None:
            task = self._pipeline.task
            raise UsageError(f"{self._title}: expected a run that learned classes of rows, found one that is {task}")
        plan = plan_of(folder, experiment, self._pipeline)
        place = Place(device or "auto", folder.manifest.threads, experiment.training.precision == "float64")
        self._predictor = Predictor(folder, device, experiment, self._pipeline)
        self._features = _Features(plan, folder.weights(plan), place)

    def rows_of(self, pipeline: Pipeline, drawn: Mapping[str, Any]) -> Dataset:
        """Return drawn rows as the classifier takes them; raises ``UsageError`` where it knows other columns."""
        import numpy as np

        frame = restore(pipeline, drawn).frame
        known, shapes = self._pipeline.known, self._pipeline.cell_shapes()
        if missing := [name for name in known.columns if name not in frame]:
            listed, own = ", ".join(missing)[:300], ", ".join(frame)[:300]
            raise UsageError(f"{self._title}: it reads the columns {listed}, and the model makes {own}")
        for name in known.columns:
            given = frame[name].values.shape[1:]
            if given != shapes[name]:
                made, needed = show(given), show(shapes[name])
                raise UsageError(f"{self._title}: it reads {name} of {needed}, and the model makes {made}")
        changed = self._pipeline.transformed({name: frame[name] for name in known.columns}, Notes("ignore"))
        inputs = {
            name: input_array([changed[column] for column in columns]) for name, columns in known.features.items()
        }
        return Dataset(inputs, np.arange(len(next(iter(inputs.values())))))

    def real_rows(self, pipeline: Pipeline, data: Path | None) -> tuple[Dataset | None, list[str]]:
        """Return real rows as the classifier takes them, and what a person should know; None where there are none."""
        import numpy as np

        try:
            parts = pipeline.parts(data, format=None, columns=None, chunk_rows=16384, need_target=False)[0]
            chunks = [self._pipeline.rows(part, need_target=False).dataset for part in parts]
        except (DataError, ResourceError) as error:
            if data is not None:
                raise
            return None, [
                f"{DISTANCE} needs real rows, and those of the model's own data are gone ({error}); give DATA"
            ]
        total = sum(map(len, chunks))
        if total < 2:
            raise DataError(f"{data or 'the data of the run'}: has no rows to compare samples with; give others")
        places = np.unique(np.linspace(0, total - 1, min(total, MOST_REAL)).astype(np.int64))
        inputs = {name: _taken([chunk.inputs[name] for chunk in chunks], places) for name in chunks[0].inputs}
        return Dataset(inputs, np.arange(len(places))), []

    def judged(self, rows: Dataset) -> _Judged:
        """Return what the classifier says of rows."""
        import numpy as np

        outputs = self._predictor.outputs(rows)
        probabilities = np.stack([1 - outputs, outputs], 1) if outputs.ndim == 1 else outputs
        return _Judged(probabilities, self._features.of(rows), self._pipeline.classes)


def _taken(parts: Sequence[Any], places: "NDArray[np.int64]") -> Any:
    """Return rows by their places among those of all parts."""
    import numpy as np

    starts = np.cumsum([0, *map(len, parts)])
    picked = [
        np.asarray(part[places[(places >= start) & (places < end)] - start])
        for part, start, end in zip(parts, starts, starts[1:], strict=False)
    ]
    return np.concatenate(picked)


class _Features:
    """What the last layer with weights of a network reads."""

    def __init__(self, plan: Plan, weights: Mapping[str, Any], place: Place) -> None:
        from nnkit.procedures.outputs import to_float64

        names = [node.name for node in plan.nodes]
        last = max(number for number, node in enumerate(plan.nodes) if node.weights)
        read = plan.nodes[last].reads[0]
        self._forward: BlockForward | None = None
        if read not in names:
            return  # The last layer is the first: its features are the row itself.
        below = Plan(plan.nodes[: names.index(read) + 1], plan.inputs)
        own = {name: array for name, array in weights.items() if name in below.weights()}
        self._forward = BlockForward(below, own, place, lambda network, inputs: to_float64(network(inputs).flatten(1)))

    def of(self, rows: Dataset) -> "Floats":
        """Return the features of rows [n, d]."""
        import numpy as np

        if self._forward is not None:
            return self._forward.outputs(rows, 0)
        values = [np.asarray(array, dtype=np.float64).reshape(len(rows), -1) for array in rows.inputs.values()]
        return np.concatenate(values, 1)
