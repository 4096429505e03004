import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.cli import run
from nnkit.commands.encode import encode
from nnkit.inference import Predictor
from nnkit.predictions import OutputColumn
from tests.commands.conftest import Toys, write_csv


class Sums:
    """Codes whose first number is the sum of a row's inputs and whose second is the row's number in the stream."""

    def outputs(self, rows: Any, start: int) -> Any:
        total = rows.inputs["input"].sum(1, dtype=np.float64).astype(np.float32).astype(np.float64)
        return np.stack([total, np.arange(start, start + len(rows), dtype=np.float64) % 3], axis=1)


@pytest.fixture
def coded(monkeypatch: pytest.MonkeyPatch, toys: Toys) -> Path:
    """Return a run that is made to have codes."""
    columns = [OutputColumn("code_0"), OutputColumn("index", ["0", "1", "2"])]
    monkeypatch.setattr(Predictor, "encoder", lambda predictor: (Sums(), columns))
    return toys.runs["binary"]


def encoded(run: Path, data: Any, **options: Any) -> str:
    output = io.StringIO()
    encode(run, data, output, device="cpu", **options)
    return output.getvalue()


def test_a_code_for_each_row_in_order_however_the_rows_are_cut(coded: Path, toys: Toys) -> None:
    text = encoded(coded, toys.data)
    assert {encoded(coded, toys.data, chunk_rows=size) for size in (1, 7, 1000)} == {text}
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["code_0", "index"]
    assert [row["index"] for row in rows] == [str(number % 3) for number in range(len(toys.rows))]
    known = json.loads((coded / "pipeline.json").read_text())["transforms"][1]["states"]
    wanted = [
        sum((row[name] - known[name]["shift"]) / known[name]["scale"] for name in ("age", "balance"))
        + sum(
            ((row["city"] == name.removeprefix("city=")) - state["shift"]) / state["scale"]
            for name, state in known.items()
            if name.startswith("city=")
        )
        for row in toys.rows
    ]
    np.testing.assert_allclose([float(row["code_0"]) for row in rows], wanted, rtol=1e-4, atol=1e-5)


def test_formats_and_kept_columns(coded: Path, toys: Toys) -> None:
    plain = [json.loads(line) for line in encoded(coded, toys.data, format="jsonl").splitlines()]
    kept = [json.loads(line) for line in encoded(coded, toys.data, format="jsonl", keep=True).splitlines()]
    assert plain[4].keys() == {"code_0", "index"}
    assert plain[4]["index"] == 1
    assert {name: kept[4][name] for name in plain[4]} == plain[4]
    assert kept[4]["city"] == toys.rows[4]["city"]
    header, *_ = encoded(coded, toys.data, keep=True).splitlines()
    assert header.endswith(",code_0,index")
    assert header.startswith("id,age,balance,city,")


def test_rows_that_cannot_be_read(coded: Path, toys: Toys, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{**toys.rows[0], "age": "old"}, *toys.rows[1:4]]
    data = write_csv(tmp_path / "t.csv", rows)
    assert run(["encode", str(coded), str(data)]) == 4
    assert "t.csv:2: age: 'old' is not a number" in capsys.readouterr().err
    assert run(["encode", str(coded), str(data), "--rejects", str(tmp_path / "bad.csv")]) == 0
    result = capsys.readouterr()
    assert len(result.out.splitlines()) == 1 + 3
    assert "1" in result.err
    assert (tmp_path / "bad.csv").read_text().splitlines()[1].startswith("2,age: 'old' is not a number")


def test_a_run_without_codes(toys: Toys, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["encode", str(toys.runs["binary"]), str(toys.data)]) == 2
    assert (
        "nothing that supervised trains has codes; nnkit predict says what the model gives" in capsys.readouterr().err
    )
