"""Reports as tables and lines for people."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nnkit.summaries import check_tables, evaluation_tables, metrics_lines, predict_lines
from nnkit.tables import plain

CHECK: dict[str, Any] = {
    "name": "churn",
    "task": "binary",
    "classes": ["0", "1"],
    "targets": ["Exited"],
    "augmented": {},
    "splits": {"train": 7000, "test": 2000},
    "inputs": {"input": (11,)},
    "layers": [SimpleNamespace(name="dense_1", type="dense", inputs=("input",), shape=(6,), parameters=72)],
    "parameters": 1072,
    "trainable": 1000,
    "phases": [],
    "steps_per_epoch": 700,
    "memory": 3 * 2**20,
    "engine": "native",
    "engine_reason": "it is the faster one",
}


def test_the_tables_of_check() -> None:
    layers, facts = map(plain, check_tables(SimpleNamespace(**CHECK)))  # type: ignore[arg-type]
    assert layers == "layer    type   inputs  shape  parameters\ndense_1  dense  input   6              72\n"
    assert facts.splitlines() == [
        "churn",
        "task            binary",
        "classes         0, 1",
        "inputs input    11",
        "rows train      7,000",
        "rows test       2,000",
        "steps an epoch  700",
        "parameters      1,072, 1,000 of them trained",
        "memory          about 3.0 MiB",
        "engine          native: it is the faster one",
    ]


def test_check_tells_the_phases_where_there_are_several() -> None:
    phases = [SimpleNamespace(name="head", epochs=5, trained=7), SimpleNamespace(name="rest", epochs=1, trained=1000)]
    _, facts = map(plain, check_tables(SimpleNamespace(**CHECK | {"phases": phases})))  # type: ignore[arg-type]
    lines = facts.splitlines()
    assert lines[8:10] == ["phase head      5 epochs, 7 trained", "phase rest      1 epoch, 1,000 trained"]


def evaluation(**changes: Any) -> Any:
    parts = {"per_class": [], "confusion": None, "classes": ["no", "yes"]}
    return SimpleNamespace(**(parts | changes))


def report(**changes: Any) -> Any:
    parts = {"split": "test", "values": {"accuracy": 0.875, "f1": None}, "deviation": None, "seeds": None}
    parts |= {"evaluation": evaluation()}
    return SimpleNamespace(**(parts | changes))


def test_the_metrics() -> None:
    (table,) = evaluation_tables(report())
    assert plain(table) == "metric     test\naccuracy  0.875\nf1            -\n"


def test_the_metrics_of_folds_with_their_deviation() -> None:
    (table,) = evaluation_tables(report(deviation={"accuracy": 0.01, "f1": None}))
    assert plain(table).splitlines()[:2] == ["metric    test, mean  deviation", "accuracy       0.875       0.01"]


def test_the_confusion_matrix_has_the_truth_in_rows() -> None:
    found = evaluation(
        confusion=np.array([[1500, 2], [3, 4]]), per_class=[{"class": "no", "precision": 0.5, "support": 1502}]
    )
    _, per_class, confusion = evaluation_tables(report(evaluation=found))
    assert plain(per_class) == "class  precision  support\nno           0.5    1,502\n"
    assert plain(confusion).splitlines() == [
        "        predicted no  predicted yes",
        "is no          1,500              2",
        "is yes             3              4",
    ]


@pytest.mark.parametrize(
    ("metrics", "lines"),
    [
        (
            {"train": {"accuracy": 1.0}, "test": {"accuracy": 0.5, "f1": None}},
            "train: accuracy 1\ntest: accuracy 0.5, f1 -\n",
        ),
        (
            {"mean": {"test": {"mae": 2.5}}, "deviation": {"test": {"mae": 0.25}}, "folds": []},
            "test: mae 2.5 ± 0.25\n",
        ),
    ],
)
def test_metrics_as_lines(metrics: dict[str, Any], lines: str) -> None:
    assert metrics_lines(metrics) == lines


def test_what_went_by_in_predict() -> None:
    def summary(rejected: int, unseen: dict[str, int], *notes: str) -> Any:
        return SimpleNamespace(rows=5, rejected=rejected, unseen=unseen, notes=notes)

    assert predict_lines(summary(0, {"Geography": 0}), None) == ""
    assert predict_lines(summary(1200, {"Geography": 2}), Path("bad.csv")).splitlines() == [
        "rows that could not be read: 1,200; they are in bad.csv",
        "Geography: 2 rows have a category that training never saw",
    ]
    assert predict_lines(summary(1, {}, "1 is skipped:", "a.png: is empty"), None) == "1 is skipped:\na.png: is empty\n"
