"""Reports of the commands as tables and lines for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnkit.models.plan import human_bytes
from nnkit.shapes import show
from nnkit.tables import Table, number

if TYPE_CHECKING:
    from nnkit.commands.check import CheckReport
    from nnkit.commands.evaluate import EvaluationReport
    from nnkit.commands.predict import PredictSummary


def check_tables(report: "CheckReport") -> list[Table]:
    """Return the layers with their shapes and parameters, and what the experiment comes to."""
    layers = [
        (row.name, row.type, ", ".join(row.inputs), show(row.shape), number(row.parameters)) for row in report.layers
    ]
    facts = [
        ("task", report.task),
        ("classes" if report.classes else "targets", ", ".join(report.classes or report.targets)),
        *((f"inputs {name}", show(shape)) for name, shape in report.inputs.items()),
        *((f"training {name}", ", ".join(names)) for name, names in report.augmented.items()),
        *((f"rows {split}", number(rows)) for split, rows in report.splits.items()),
        ("steps an epoch", number(report.steps_per_epoch)),
        ("parameters", f"{number(report.parameters)}, {number(report.trainable)} of them trained"),
        ("memory", f"about {human_bytes(report.memory)}"),
        ("engine", f"{report.engine}: {report.engine_reason}"),
    ]
    return [
        Table(("layer", "type", "inputs", "shape", "parameters"), layers, numbers=4),
        Table((report.name, ""), facts),
    ]


def evaluation_tables(report: "EvaluationReport") -> list[Table]:
    """Return the metrics, those by class, and the confusion matrix with the truth in rows."""
    return [_values(report), *_per_class(report), *_confusion(report)]


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
    lines = (
        [f"rows that could not be read: {number(summary.rejected)}; they are in {rejects}\n"]
        if summary.rejected
        else []
    )
    for column, count in summary.unseen.items():
        if count:
            lines.append(f"{column}: {number(count)} rows have a category that training never saw\n")
    return "".join(lines)


def metrics_lines(metrics: Mapping[str, Any]) -> str:
    """Return the values of metrics.json, a line for each split; of folds and seeds the means with their deviations."""
    means, deviations = metrics.get("mean", metrics), metrics.get("deviation", {})
    return "".join(f"{split}: {_line(values, deviations.get(split, {}))}\n" for split, values in means.items())


def _line(values: Mapping[str, Any], deviations: Mapping[str, Any]) -> str:
    spread = {name: f" ± {number(value)}" for name, value in deviations.items() if value is not None}
    return ", ".join(f"{name} {number(value)}{spread.get(name, '')}" for name, value in values.items())
