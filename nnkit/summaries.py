"""Reports of the commands as tables and lines for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnkit.evaluation import beaten
from nnkit.models.plan import human_bytes
from nnkit.shapes import show
from nnkit.tables import Table, number

if TYPE_CHECKING:
    from nnkit.commands.check import CheckReport
    from nnkit.commands.evaluate import EvaluationReport
    from nnkit.commands.predict import PredictSummary
    from nnkit.commands.quality import QualityReport
    from nnkit.commands.traced import Numbers, TraceReport
    from nnkit.procedures.base import Stage


def check_tables(report: "CheckReport") -> list[Table]:
    """Return the layers with their shapes and parameters, and what the experiment comes to."""
    layers = [
        (row.name, row.type, ", ".join(row.inputs), show(row.shape), number(row.parameters)) for row in report.layers
    ]
    facts = [
        ("task", report.task),
        _asked_for(report),
        *((f"inputs {name}", show(shape)) for name, shape in report.inputs.items()),
        *((f"training {name}", ", ".join(names)) for name, names in report.augmented.items()),
        *(
            (f"{'windows' if report.task == 'next' else 'rows'} {split}", number(rows))
            for split, rows in report.splits.items()
        ),
        ("steps an epoch", number(report.steps_per_epoch)),
        ("parameters", _parameters(report)),
        *((f"phase {phase.name}", _phase(phase)) for phase in report.phases),
        ("memory", f"about {human_bytes(report.memory)}"),
        ("engine", f"{report.engine}: {report.engine_reason}"),
    ]
    return [
        Table(("layer", "type", "inputs", "shape", "parameters"), layers, numbers=4),
        Table((report.name, ""), facts),
    ]


def _asked_for(report: "CheckReport") -> tuple[str, str]:
    if report.task == "next":
        return "tokens", f"{number(len(report.classes))}, the unknown one among them"
    if report.task == "unlabelled":
        return "labels", ", ".join(_shortened(report.classes)) or "none"
    return "classes" if report.classes else "targets", ", ".join(report.classes or _shortened(report.targets))


def _shortened(names: Sequence[str]) -> list[str]:
    """Return names, of many the first and the last."""
    return [*names[:6], "...", names[-1]] if len(names) > 12 else list(names)


def _parameters(report: "CheckReport") -> str:
    if not report.parameters:
        return "0: there is nothing to train; nnkit trace shows what the network computes"
    return f"{number(report.parameters)}, {number(report.trainable)} of them trained"


def trace_tables(report: "TraceReport") -> list[Table]:
    """Return the values with their gradients, the weights with theirs, and what was traced."""
    nodes = [
        (node.name, node.type, ", ".join(node.reads), show(node.value.shape), *_traced(node.value, node.gradient))
        for node in report.nodes
    ]
    weights = [
        (f"{node.name}.{weight.name}", show(weight.value.shape), *_traced(weight.value, weight.gradient))
        for node in report.nodes
        for weight in node.weights
    ]
    target = report.row.target
    facts = [
        ("row", report.row.text()),
        *([("target", ", ".join(f"{name} = {value}" for name, value in target.items()))] if target else []),
        *((f"unseen {name}", "a category that no training row has") for name in report.row.unseen),
        *([("classes", ", ".join(report.classes))] if report.classes else []),
        ("gradient of", report.of),
        *([("weights", _weights(report))] if weights else []),
        ("mode", "evaluation: dropout is off, batch norm uses its averages"),
    ]
    return [
        Table(("node", "type", "reads", "shape", "value", f"gradient of {report.of}"), nodes, numbers=3),
        *([Table(("weight", "shape", "value", f"gradient of {report.of}"), weights, numbers=1)] if weights else []),
        Table((report.name, ""), facts),
    ]


def _traced(value: "Numbers", gradient: "Numbers | None") -> tuple[str, str]:
    return value.text(), "-" if gradient is None else gradient.text()


def _weights(report: "TraceReport") -> str:
    return "trained" if report.weights == "trained" else f"as they are before training, with seed {report.seed}"


def _phase(phase: "Stage") -> str:
    return f"{number(phase.epochs)} epoch{'s' if phase.epochs > 1 else ''}, {number(phase.trained)} trained"


def evaluation_tables(report: "EvaluationReport | QualityReport") -> list[Table]:
    """Return the metrics, those by class, and the confusion matrix with the truth in rows.

    Of drawn rows they are what a classifier says of them and the shares of labels, beside those of real rows.
    """
    from nnkit.commands.quality import QualityReport

    if isinstance(report, QualityReport):
        return _quality(report)
    return [_values(report), *_per_class(report), *_confusion(report)]


def _quality(report: "QualityReport") -> list[Table]:
    names = (f"{number(report.count)} samples", f"{number(report.real_count)} real rows")
    values = [(name, number(value), number(report.real.get(name))) for name, value in report.values.items()]
    labels = [(name, number(share), number(report.real_shares.get(name))) for name, share in report.shares.items()]
    return [Table(("metric", *names), values, numbers=1), Table(("label", *names), labels, numbers=1)]


def _values(report: "EvaluationReport") -> Table:
    values = report.values.items()
    if report.deviation is None:
        return Table(("metric", report.split), [(name, number(value)) for name, value in values], numbers=1)
    rows = [(name, number(value), number(report.deviation[name])) for name, value in values]
    over = "" if report.seeds is None else f" of {len(report.seeds)} seeds"
    return Table(("metric", f"{report.split}, mean{over}", "deviation"), rows, numbers=1)


def _per_class(report: "EvaluationReport") -> list[Table]:
    rows = report.evaluation.per_class
    if not rows:
        return []
    columns = list(rows[0])
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    return [Table(columns, cells, numbers=1)]


def _cell(value: str | float | int | None) -> str:
    return value if isinstance(value, str) else number(value)


def _confusion(report: "EvaluationReport") -> list[Table]:
    if report.evaluation.confusion is None:
        return []
    counts = report.evaluation.confusion.tolist()
    classes = report.evaluation.classes
    rows = [(f"is {name}", *map(number, row)) for name, row in zip(classes, counts, strict=True)]
    return [Table(("", *(f"predicted {name}" for name in classes)), rows, numbers=1)]


def predict_lines(summary: "PredictSummary", rejects: Path | None) -> str:
    """Return what a person should know of the rows that went by: those rejected, and categories never seen."""
    lines = [f"{note}\n" for note in summary.notes]
    if summary.rejected and rejects is not None:
        lines.append(f"rows that could not be read: {number(summary.rejected)}; they are in {rejects}\n")
    for column, count in summary.unseen.items():
        if count:
            lines.append(f"{column}: {number(count)} rows have a category that training never saw\n")
    return "".join(lines)


def metrics_lines(metrics: Mapping[str, Any]) -> str:
    """Return the values of metrics.json, a line for each split; of folds and seeds the means with their deviations."""
    means, deviations = metrics.get("mean", metrics), metrics.get("deviation", {})
    lines = [f"{split}: {_line(values, deviations.get(split, {}))}\n" for split, values in means.items()]
    split, values = list(means.items())[-1]
    return "".join([*lines, *(f"{split}: {sentence}\n" for sentence in beaten(values))])


def _line(values: Mapping[str, Any], deviations: Mapping[str, Any]) -> str:
    spread = {name: f" ± {number(value)}" for name, value in deviations.items() if value is not None}
    return ", ".join(f"{name} {number(value)}{spread.get(name, '')}" for name, value in values.items())
