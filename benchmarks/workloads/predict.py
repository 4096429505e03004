"""Predicting: a million rows from file to file, and one row from stdin."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.inputs import read_rows, write_fresh
from benchmarks.readers import run_folders
from benchmarks.rows import Reader, Report, Row, Workload
from benchmarks.settings import HERE, Settings, nnkit, python
from benchmarks.workloads.common import EXPERIMENT, churn_values, script, train

NEAR = 1e-6


def workloads(settings: Settings) -> list[Workload]:
    """Return predictions of many rows and of one, all of the same trained net."""
    run = _served(settings)
    network, many = settings.work / "network.json", settings.work / "fresh.csv"
    one, line = settings.work / "one.csv", settings.work / "one.jsonl"
    subprocess.run([python("nnkit"), str(HERE / "helpers" / "export_network.py"), str(run), str(network)], check=True)
    for path, count in ((many, settings.fresh_rows), (one, 1)):
        write_fresh(settings.churn, path, count)
    line.write_text(json.dumps(_numbers(read_rows(one)[0])) + "\n", encoding="utf-8")
    return [_many(settings, run, network, many), _one(run, network, one, line)]


def _served(settings: Settings) -> Path:
    folder = settings.work / "served"
    subprocess.run(train(EXPERIMENT, churn_values(settings))(folder), check=True, stdout=subprocess.DEVNULL)
    return run_folders(folder)[0]


def _numbers(row: dict[str, str]) -> dict[str, Any]:
    return {name: float(text) if text.replace(".", "", 1).isdigit() else text for name, text in row.items()}


def _many(settings: Settings, run: Path, network: Path, data: Path) -> Workload:
    read = _reader(network, data)
    return Workload(
        "predict",
        f"Predict {settings.fresh_rows:,} rows",
        "The trained churn net, CSV file to CSV file with three columns; probabilities equal to 1e-6.",
        [
            Row("nnkit predict", "nnkit", "nnkit", lambda _: nnkit("predict", str(run), str(data), "--quiet"), read),
            Row("pandas and torch", "defaults", "torch", _pandas(network, data), read),
            Row(
                "pandas and torch, read_csv by pyarrow", "best", "torch", _pandas(network, data, engine="pyarrow"), read
            ),
        ],
    )


def _one(run: Path, network: Path, data: Path, line: Path) -> Workload:
    read = _reader(network, data)
    ours = Row(
        "nnkit predict -", "nnkit", "nnkit", lambda _: nnkit("predict", str(run), "-", "--quiet"), read, stdin=line
    )
    return Workload(
        "one-row",
        "Predict one row",
        "The whole process for one row: nnkit from stdin, pandas and torch from a file.",
        [ours, Row("pandas and torch", "defaults", "torch", _pandas(network, data), read)],
        often=3,
    )


def _pandas(network: Path, data: Path, **options: str) -> Any:
    def command(folder: Path) -> Sequence[str]:
        told = {**options, "network": str(network), "answers": str(folder / "stdout")}
        return script("torch", "predict_pandas", {"data": str(data), "options": told})(folder)

    return command


def _reader(network: Path, data: Path) -> Reader:
    checker = [python("nnkit"), str(HERE / "helpers" / "check_predictions.py"), str(network), str(data)]

    def read(folder: Path) -> Report:
        said = subprocess.run([*checker, str(folder / "stdout")], check=True, capture_output=True, text=True).stdout
        found = json.loads(said)
        return Report(problem=_problem(found))

    return read


def _problem(found: dict[str, float]) -> str | None:
    if found["missing"]:
        return f"{found['missing']:,.0f} rows are missing"
    if found["flipped"] or not found["worst"] <= NEAR:
        return f"{found['flipped']:,.0f} other classes; probabilities up to {found['worst']:.2g} off"
    return None
