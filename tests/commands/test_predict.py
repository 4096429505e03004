import csv
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from nnkit.commands.predict import PredictSummary, predict
from nnkit.errors import DataError, ResourceError, RunError, UsageError
from nnkit.frames import cells
from nnkit.frames import lines as frames_lines
from nnkit.runs.folder import RunFolder
from nnkit.tensors import read_tensors, write_tensors
from tests.commands.conftest import COLUMNS, OUTPUTS, TARGETS, Toys, write_csv, write_jsonl

INPUTS = ["age", "balance", "city"]
KINDS = sorted(TARGETS)


def run_predict(run: Path, data: Any, **options: Any) -> tuple[str, PredictSummary]:
    output = io.StringIO()
    summary = predict(run, data, output, device="cpu", **options)
    return output.getvalue(), summary


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_out_for_each_row_in(toys: Toys, kind: str) -> None:
    text, summary = run_predict(toys.runs[kind], toys.data)
    assert len(table(text)) == summary.rows == len(toys.rows)
    assert summary.rejected == 0


def test_the_columns(toys: Toys) -> None:
    headers = {kind: run_predict(toys.runs[kind], toys.data)[0].splitlines()[0] for kind in KINDS}
    assert headers == {
        "binary": "prediction,probability_no,probability_yes",
        "multiclass": 'prediction,probability_7,probability_low,"probability_mid, so so"',
        "multilabel": "prediction_rain,prediction_wind,probability_rain,probability_wind",
        "regression": "prediction",
        "regressions": "prediction_price,prediction_days",
    }


def test_probabilities_are_those_of_a_plain_forward_pass(toys: Toys) -> None:
    run = RunFolder.open(toys.runs["binary"])
    rows = table((run.path / "predictions.csv").read_text())
    train, test = _training_rows(toys, run), [toys.rows[int(row["row"])] for row in rows]
    names = run.pipeline().feature_names["input"]
    known = np.array([[_feature(row, name) for name in names] for row in train])
    x = (np.array([[_feature(row, name) for name in names] for row in test]) - known.mean(0)) / known.std(0)
    weights, _ = read_tensors(run.path / "weights.safetensors")
    first, last = sorted({name.rpartition(".")[0] for name in weights})
    hidden = np.maximum(x @ weights[f"{first}.kernel"] + weights[f"{first}.bias"], 0)
    logits = hidden @ weights[f"{last}.kernel"] + weights[f"{last}.bias"]
    found = [float(row["probability_yes"]) for row in rows]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits[:, 0])), rtol=1e-4, atol=1e-6)


def _feature(row: dict[str, Any], name: str) -> float:
    """Return a feature of a row: a number, or whether the row has a category (``city=Bern``)."""
    column, _, category = name.partition("=")
    return float(row[column] == category) if category else float(row[column])


def _training_rows(toys: Toys, run: RunFolder) -> list[dict[str, Any]]:
    from nnkit.spec import load, ready

    prepared = ready(load(run.path / "resolved.yaml")).prepared
    return [toys.rows[number] for number in prepared.train.rows.tolist()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk_rows", [1, 7, 100, 10_000])
def test_the_chunk_size_changes_no_byte(toys: Toys, kind: str, chunk_rows: int) -> None:
    expected, _ = run_predict(toys.runs[kind], toys.data)
    assert run_predict(toys.runs[kind], toys.data, chunk_rows=chunk_rows)[0] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_test_rows_give_predictions_csv_again(toys: Toys, kind: str, tmp_path: Path) -> None:
    stored = table((toys.runs[kind] / "predictions.csv").read_text())
    data = write_csv(tmp_path / "test.csv", [toys.rows[int(row["row"])] for row in stored], INPUTS)
    found = table(run_predict(toys.runs[kind], data)[0])
    assert found == [{name: row[name] for name in found[0]} for row in stored]


@pytest.mark.parametrize("kind", KINDS)
def test_json_lines_say_the_same_as_csv(toys: Toys, kind: str, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", toys.rows)
    rows = table(run_predict(toys.runs[kind], toys.data)[0])
    lines = [json.loads(line) for line in run_predict(toys.runs[kind], data)[0].splitlines()]
    assert len(lines) == len(rows)
    for row, line in zip(rows, lines, strict=True):
        flat = {f"probability_{name}": value for name, value in line.get("probabilities", {}).items()}
        prediction = line["prediction"]
        several = isinstance(prediction, dict)
        flat |= {f"prediction_{key}": v for key, v in prediction.items()} if several else {"prediction": prediction}
        assert {name: str(value) for name, value in flat.items()} == row


def test_the_output_follows_the_input_unless_it_is_told(toys: Toys, tmp_path: Path) -> None:
    run = toys.runs["binary"]
    data = write_jsonl(tmp_path / "rows.jsonl", toys.rows[:3])
    assert run_predict(run, data)[0].startswith('{"prediction"')
    assert run_predict(run, data, format="csv")[0].startswith("prediction,")
    assert run_predict(run, toys.data)[0].startswith("prediction,")
    assert run_predict(run, toys.data, format="jsonl")[0].startswith('{"prediction"')
    assert run_predict(run, io.BytesIO(data.read_bytes()))[0] == run_predict(run, data)[0]
    assert run_predict(run, io.BytesIO(toys.data.read_bytes()))[0] == run_predict(run, toys.data)[0]
    assert run_predict(run, None)[0] == run_predict(run, toys.data)[0]


def test_a_single_row(toys: Toys) -> None:
    line = json.dumps({"age": 40, "balance": 500, "city": "Bern"}).encode()
    found = json.loads(run_predict(toys.runs["binary"], io.BytesIO(line))[0])
    assert found["prediction"] in ("yes", "no")
    assert sum(found["probabilities"].values()) == pytest.approx(1)


def test_columns_in_any_order_more_of_them_and_no_target(toys: Toys, tmp_path: Path) -> None:
    expected, _ = run_predict(toys.runs["binary"], toys.data)
    rows = [{**row, "surname": "A, B"} for row in toys.rows]
    turned = write_csv(tmp_path / "turned.csv", rows, ["surname", "city", "balance", "age"])
    assert run_predict(toys.runs["binary"], turned)[0] == expected
    packed = tmp_path / "rows.csv.gz"
    packed.write_bytes(gzip.compress(turned.read_bytes()))
    assert run_predict(toys.runs["binary"], packed)[0] == expected


def test_a_file_without_a_header(toys: Toys, tmp_path: Path) -> None:
    bare = b"".join(toys.data.read_bytes().splitlines(keepends=True)[1:])
    expected, _ = run_predict(toys.runs["binary"], toys.data)
    assert run_predict(toys.runs["binary"], io.BytesIO(bare), columns=COLUMNS)[0] == expected


def test_missing_columns_are_all_named(toys: Toys, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "few.csv", toys.rows, ["id", "balance"])
    with pytest.raises(DataError) as caught:
        run_predict(toys.runs["binary"], data)
    assert "age" in str(caught.value)
    assert "city" in str(caught.value)


def test_no_rows_in_no_rows_out(toys: Toys, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "none.csv", [], INPUTS)
    text, summary = run_predict(toys.runs["binary"], data)
    assert text == "prediction,probability_no,probability_yes\n"
    assert summary == PredictSummary(0, 0, {})


def test_categories_never_seen_are_counted(toys: Toys, tmp_path: Path) -> None:
    rows = [{**row, "city": "Paris"} if row["id"] % 3 == 0 else row for row in toys.rows]
    data = write_csv(tmp_path / "rows.csv", rows, INPUTS)
    assert run_predict(toys.runs["binary"], data, chunk_rows=50)[1].unseen == {"city": 80}


def test_keep_puts_the_input_before_the_prediction(toys: Toys, tmp_path: Path) -> None:
    plain, kept = (table(run_predict(toys.runs["binary"], toys.data, keep=keep)[0]) for keep in (False, True))
    source = table(toys.data.read_text())
    assert kept == [{**row, **prediction} for row, prediction in zip(source, plain, strict=True)]
    data = write_jsonl(tmp_path / "rows.jsonl", toys.rows)
    lines = [json.loads(line) for line in run_predict(toys.runs["binary"], data, keep=True)[0].splitlines()]
    assert [{name: line[name] for name in COLUMNS} for line in lines] == toys.rows
    texts = table(run_predict(toys.runs["binary"], data, keep=True, format="csv")[0])
    assert [row["city"] for row in texts] == [row["city"] for row in toys.rows]


def test_keep_does_not_write_a_name_twice(toys: Toys, tmp_path: Path) -> None:
    rows = [{**row, "prediction": "?"} for row in toys.rows]
    data = write_csv(tmp_path / "rows.csv", rows, [*INPUTS, "prediction"])
    with pytest.raises(UsageError, match="the input has a column 'prediction' already"):
        run_predict(toys.runs["binary"], data, keep=True)
    assert run_predict(toys.runs["binary"], data)[1].rows == len(rows)


def bad_rows(toys: Toys) -> bytes:
    lines = toys.data.read_text().splitlines()
    lines[5] = lines[5].replace(",", ";")
    lines[9] = "8,old,1.5,Bern,no,low,0,0,1,1"
    return "\n".join(lines).encode()


def test_a_bad_row_is_an_error_with_its_line(toys: Toys, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(bad_rows(toys))
    with pytest.raises(DataError, match=r"bad\.csv:6: "):
        run_predict(toys.runs["binary"], path)


def test_bad_rows_go_to_the_rejects(toys: Toys, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    text, summary = run_predict(toys.runs["binary"], io.BytesIO(bad_rows(toys)), rejects=rejects)
    rejected = table(rejects.read_text())
    assert [row["line"] for row in rejected] == ["6", "10"]
    assert "old" in rejected[1]["reason"]
    assert rejected[1]["row"].startswith("8,old")
    assert (summary.rows, summary.rejected) == (len(toys.rows) - 2, 2)
    good = b"".join(line for i, line in enumerate(toys.data.read_bytes().splitlines(keepends=True)) if i not in (5, 9))
    assert text == run_predict(toys.runs["binary"], io.BytesIO(good))[0]
    again = run_predict(toys.runs["binary"], io.BytesIO(bad_rows(toys)), rejects=rejects, chunk_rows=2)
    assert again == (text, summary)
    assert table(rejects.read_text()) == rejected


def test_rejects_that_cannot_be_written(toys: Toys, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="the folder is not there"):
        run_predict(toys.runs["binary"], toys.data, rejects=tmp_path / "none" / "rejects.csv")


def test_a_missing_file(toys: Toys, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not found"):
        run_predict(toys.runs["binary"], tmp_path / "none.csv")


@pytest.fixture
def copy(toys: Toys, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toys.runs["binary"], tmp_path / "copy"))


def test_the_run_folder_is_enough(toys: Toys, copy: Path, tmp_path: Path) -> None:
    """In another process and folder, with the run's own past out of reach, the bytes are the same."""
    code = "import sys; from pathlib import Path; from nnkit.commands.predict import predict\n"
    code += "predict(Path(sys.argv[1]), sys.stdin.buffer, sys.stdout, device='cpu')"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    text = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, copy.name],
        input=toys.data.read_bytes(),
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    ).stdout.decode()
    assert text == run_predict(toys.runs["binary"], toys.data)[0]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_in_bulk_is_what_is_written_row_by_row(
    toys: Toys, tmp_path: Path, kind: str, keep: bool, form: Any
) -> None:
    rows = [{**row, "note": ["", 'say "hi"', "a, b", " ä ", "7"][row["id"] % 5]} for row in toys.rows]
    lines = write_csv(tmp_path / "rows.csv", rows, ["note", *INPUTS]).read_bytes().splitlines(keepends=True)
    lines[7:7] = [b"x,old,1,Bern\n", b"cut,1\n"]
    found = run_bulk(toys.runs[kind], lines, tmp_path, keep=keep, format=form)
    with patch.object(cells, "compiled", None):
        assert run_bulk(toys.runs[kind], lines, tmp_path, keep=keep, format=form) == found


def run_bulk(run: Path, lines: list[bytes], folder: Path, **options: Any) -> tuple[str, PredictSummary, bytes]:
    """Return what is written, with a row of several lines at the end so that not all goes one way."""
    data = b"".join([*lines, b'"two\nlines",30,500,Bern\n'])
    with patch.object(frames_lines, "BLOCK_BYTES", 500):
        result = run_predict(run, io.BytesIO(data), rejects=folder / "rejects.csv", **options)
    return *result, (folder / "rejects.csv").read_bytes()


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_rows_that_come_slowly_are_answered_as_they_come(toys: Toys, tmp_path: Path, suffix: str) -> None:
    write = write_csv if suffix == "csv" else write_jsonl
    path = write(tmp_path / f"rows.{suffix}", toys.rows[:4], *([INPUTS] if suffix == "csv" else []))
    given = path.read_bytes().splitlines(keepends=True)
    expected = run_predict(toys.runs["binary"], path)[0].splitlines(keepends=True)
    command = [sys.executable, "-m", "nnkit", "predict", str(toys.runs["binary"]), "-", "--device", "cpu", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin
        assert process.stdout
        if suffix == "csv":  # The header, and the first row with it.
            process.stdin.write(given.pop(0))
        found: list[str] = []
        for line in given:
            process.stdin.write(line[:5])
            process.stdin.flush()
            process.stdin.write(line[5:])
            process.stdin.flush()
            while len(found) < len(expected) - len(given) + 1 + given.index(line):
                found.append(process.stdout.readline().decode())
        process.stdin.close()
        assert process.stdout.read() == b""
    assert found == expected


def test_a_mistake_far_into_the_stream_comes_after_all_rows_before_it(toys: Toys) -> None:
    data = toys.data.read_bytes()
    body = data.split(b"\n", 1)[1]
    many = data + body * 200
    output = io.StringIO()
    with pytest.raises(DataError, match=r"standard input:\d+: the byte 0xff"):
        predict(toys.runs["binary"], io.BytesIO(many + b"\xff\n"), output, device="cpu")
    assert output.getvalue() == run_predict(toys.runs["binary"], io.BytesIO(many), chunk_rows=501)[0]


@pytest.mark.parametrize("name", ["manifest.json", "resolved.yaml", "pipeline.json", "weights.safetensors"])
def test_a_run_without_a_file_it_needs(copy: Path, toys: Toys, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(RunError, match=name.replace(".", r"\.")):
        run_predict(copy, toys.data)


def reseal(run: Path) -> None:
    """Make the manifest agree with whatever the files are now."""
    folder = RunFolder.open(run)
    folder.seal(folder.manifest, "finished")


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_truncated_weights_whose_hash_fits(copy: Path, toys: Toys, size: int) -> None:
    path = copy / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    reseal(copy)
    with pytest.raises(RunError, match=r"weights\.safetensors: not a whole file"):
        run_predict(copy, toys.data)


def test_swapped_weights(copy: Path, toys: Toys) -> None:
    shutil.copy(toys.runs["multiclass"] / "weights.safetensors", copy)
    with pytest.raises(RunError, match="changed after the run"):
        run_predict(copy, toys.data)
    reseal(copy)
    with pytest.raises(RunError, match=r"not the weights of this run's network: .* is 9 x 3, expected 9 x 1"):
        run_predict(copy, toys.data)


def test_weights_of_other_names_and_types(copy: Path, toys: Toys) -> None:
    path = copy / "weights.safetensors"
    arrays: dict[str, Any] = read_tensors(path)[0]
    name, other = sorted(arrays)[:2]
    changed = {**arrays, "extra.bias": np.zeros(2), other: arrays[other].astype(np.int32)}
    del changed[name]
    write_tensors(path, changed, {})
    reseal(copy)
    with pytest.raises(RunError) as caught:
        run_predict(copy, toys.data)
    for words in (f"{name} is missing", "extra.bias belongs to no layer", f"{other} has int32 values"):
        assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1}', "null", "[" * 100_000])
def test_a_pipeline_that_is_none(copy: Path, toys: Toys, text: str) -> None:
    (copy / "pipeline.json").write_text(text)
    reseal(copy)
    with pytest.raises(RunError, match=r"pipeline\.json: not "):
        run_predict(copy, toys.data)


def test_a_resolved_spec_that_is_none(copy: Path, toys: Toys) -> None:
    (copy / "resolved.yaml").write_text("name: !!python/object/apply:os.system [ls]")
    reseal(copy)
    with pytest.raises(RunError, match=r"resolved\.yaml:1"):
        run_predict(copy, toys.data)


def test_the_pipeline_of_another_run(copy: Path, toys: Toys) -> None:
    pipeline = json.loads((copy / "pipeline.json").read_text())
    other = json.loads((toys.runs["multiclass"] / "pipeline.json").read_text())
    assert pipeline != other
    (copy / "pipeline.json").write_text(json.dumps(other))
    reseal(copy)
    with pytest.raises(RunError, match=r"its pipeline and network do not fit: .*multiclass"):
        run_predict(copy, toys.data)


def test_no_silent_fall_back_to_another_device(toys: Toys) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("the machine has a CUDA device")
    with pytest.raises(ResourceError, match="--device cuda"):
        predict(toys.runs["binary"], toys.data, io.StringIO(), device="cuda")


def test_every_kind_is_tried() -> None:
    assert OUTPUTS.keys() == TARGETS.keys()
