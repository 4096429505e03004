import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnkit.data.chunk import Chunk
from nnkit.data.pipeline import Pipeline
from nnkit.errors import DataError, RunError, UsageError
from nnkit.tasks import Task
from tests.data.helpers import people, prepared, write

TRANSFORMS: list[Any] = [{"type": "one_hot", "columns": ["land"]}, "standard_scale"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    path = people(tmp_path_factory.mktemp("data") / "p.csv")
    return prepared(path, target="left", transforms=TRANSFORMS).pipeline


def stream(pipeline: Pipeline, text: str, **options: Any) -> list[Chunk]:
    return list(pipeline.stream(io.BytesIO(text.encode()), **options))


def values(chunks: list[Chunk]) -> np.ndarray[Any, Any]:
    return np.concatenate([chunk.dataset.inputs["input"] for chunk in chunks])


def test_json_round_trip_gives_the_same_arrays(pipeline: Pipeline) -> None:
    again = Pipeline.from_json(json.loads(json.dumps(pipeline.to_json())))
    assert again.to_json() == pipeline.to_json()
    first, second = (values(list(each.stream(None))) for each in (pipeline, again))
    assert np.array_equal(first, second)
    assert first.shape == (60, 6)


HEADER = "land,junk,income,height,age\n"


def test_columns_in_any_order_with_others_and_without_target(pipeline: Pipeline) -> None:
    by_csv = values(stream(pipeline, HEADER + "DE,x,1000,170.5,30\n"))
    by_json = values(stream(pipeline, '{"age": 30, "income": 1000.0, "land": "DE", "height": 170.5}\n'))
    assert np.array_equal(by_csv, by_json)
    named = stream(pipeline, "DE,x,1000,170.5,30\n", columns=["land", "junk", "income", "height", "age"])
    assert np.array_equal(by_csv, values(named))


ROW = st.sampled_from(["DE,x,1000,170.5,30", "XX,,1,160,20", "NA,y,,170,40", "FR,z,5,1x,3", "FR,1,2", ",,1,2,3"])


@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, max_size=25), st.integers(1, 9))
def test_the_result_is_the_same_whatever_the_chunks(pipeline: Pipeline, rows: list[str], size: int) -> None:
    text = HEADER + "\n".join(rows)
    whole, parts = stream(pipeline, text), stream(pipeline, text, chunk_rows=size)
    assert np.array_equal(values(whole), values(parts))
    assert [r for c in whole for r in c.rejected] == [r for c in parts for r in c.rejected]
    assert [r for c in whole for r in c.dataset.rows] == [r for c in parts for r in c.dataset.rows]
    assert sum(len(c.dataset) + len(c.rejected) for c in parts) == len(rows)


def test_rows_that_cannot_be_used_are_told_with_line_and_reason(pipeline: Pipeline) -> None:
    [chunk] = stream(pipeline, HEADER + "DE,x,1000,170.5,30\nNA,y,,170,40\nFR,z,5,1x,3\nFR,1,2\n,a,1,2,3\n")
    assert [(bad.line, bad.reason) for bad in chunk.rejected] == [
        (3, "income missing"),
        (4, "height: '1x' is not a number"),
        (5, "3 cells, and the header has 5"),
        (6, "land missing"),
    ]
    assert chunk.rejected[1].text == "FR,z,5,1x,3"
    assert chunk.raw["junk"] == ["x"]


def test_unseen_categories_are_counted_and_all_zeros_or_refused(tmp_path: Path) -> None:
    path = people(tmp_path / "p.csv")
    encode: list[Any] = [{"type": "one_hot", "columns": ["land"]}]
    ignoring = prepared(path, target="left", transforms=encode).pipeline
    [chunk] = stream(ignoring, HEADER + "XX,x,1000,170.5,30\n")
    assert chunk.dataset.inputs["input"][0].tolist() == [30, 170.5, 1000, 0, 0, 0]
    assert ignoring.unseen == {"land": 1}
    strict = prepared(path, target="left", transforms=encode, on_unseen="error").pipeline
    [chunk] = stream(strict, HEADER + "XX,x,1000,170.5,30\n")
    assert chunk.rejected[0].reason == "land is 'XX', which no training row has"


def test_all_missing_columns_are_named(pipeline: Pipeline) -> None:
    with pytest.raises(DataError, match="standard input: lacks the columns age, land; it has: income, height"):
        stream(pipeline, "income,height\n1,2\n")
    with pytest.raises(DataError, match="lacks the columns left"):
        stream(pipeline, HEADER + "DE,x,1,2,3\n", need_target=True)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_json_objects_without_a_key_lack_a_value_whatever_the_chunks(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "t.csv", {"a": [1, 2, 3], "b": [1, None, 3], "y": [0, 1, 0]})
    text = '{"a": 1}\n{"a": 2, "b": 7}\n{"b": 1}\n{"a": 3}\n'
    imputing: list[Any] = [{"type": "impute", "columns": ["b"]}]
    chunks = stream(prepared(path, target="y", transforms=imputing).pipeline, text, chunk_rows=size)
    assert np.concatenate([chunk.dataset.inputs["input"] for chunk in chunks]).tolist() == [[1, 2], [2, 7], [3, 2]]
    assert [(bad.line, bad.reason) for chunk in chunks for bad in chunk.rejected] == [(3, "a missing")]


def test_what_was_imputed_is_read_back(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"a": [1, 2, 3], "b": [1, None, 3], "y": [0, 1, 0]})
    imputing: list[Any] = [{"type": "impute", "columns": ["b"], "indicator": True}]
    again = Pipeline.from_json(prepared(path, target="y", transforms=imputing).pipeline.to_json())
    [chunk] = stream(again, "a,b\n5,\n")
    assert chunk.dataset.inputs["input"].tolist() == [[5, 2, 1]]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_columns_that_no_json_object_has_are_all_named(pipeline: Pipeline, size: int) -> None:
    with pytest.raises(DataError, match="standard input: lacks the columns age, land; it has: height, income"):
        stream(pipeline, '{"height": 1}\n{"income": 2}\n', chunk_rows=size)


def test_packed_streams_are_unpacked_before_their_format_is_told(pipeline: Pipeline) -> None:
    row = b'{"age": 30, "income": 1000.0, "land": "DE", "height": 170.5}\n'
    [chunk] = pipeline.stream(io.BytesIO(gzip.compress(row)))
    assert len(chunk.dataset) == 1


def test_names_of_columns_are_for_csv(pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match="--columns is for CSV and CoNLL; jsonl data has names"):
        stream(pipeline, '{"age": 30}\n', columns=["age"])
    with pytest.raises(UsageError, match="--columns is for fresh rows"):
        list(pipeline.stream(None, columns=["age"]))
    with pytest.raises(UsageError, match="--columns names age twice"):
        stream(pipeline, "1,2\n", columns=["age", "age"])


def test_weights_come_with_the_target_and_must_be_there(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"a": [1, 2, 3], "w": [1, 0.5, 0], "y": [0, 1, 0]})
    weighted = prepared(path, target="y", weight="w").pipeline
    [chunk] = stream(weighted, "a,w,y\n1,2,0\n1,-1,0\n1,,0\n", need_target=True)
    assert chunk.dataset.weights is not None
    assert chunk.dataset.weights.tolist() == [2]
    assert [bad.reason for bad in chunk.rejected] == ["the weight w is missing or negative"] * 2
    with pytest.raises(DataError, match="lacks the columns w"):
        stream(weighted, "a,y\n1,0\n", need_target=True)
    [chunk] = stream(weighted, "a\n1\n")
    assert chunk.dataset.weights is None


@pytest.mark.parametrize(
    ("task", "target", "text", "reason"),
    [
        ("multilabel", ["p", "q"], "a,p,q\n1,2,1\n", "the target p is '2'; the model's classes are 0, 1"),
        ("multilabel", ["p", "q"], "a,p,q\n1,1,0.5\n", "the target q is '0.5'; the model's classes are 0, 1"),
        ("regression", "a", "p,q,a\n1,1,0\n", "the target a is 0, which has no logarithm: target_transform: log needs"),
        ("regression", "a", "p,q,a\n1,1,\n", "the target a is missing"),
    ],
)
def test_targets_that_cannot_be(tmp_path: Path, task: Task, target: Any, text: str, reason: str) -> None:
    path = write(tmp_path / "t.csv", {"a": [1, 2, 3], "p": [0, 1, 1], "q": [1, 0, 1]})
    change: dict[str, Any] = {"target_transform": "log"} if task == "regression" else {}
    known = prepared(path, task, target=target, **change).pipeline
    [chunk] = stream(known, text, need_target=True)
    assert len(chunk.dataset) == 0
    assert chunk.rejected[0].reason.startswith(reason)


def test_no_rows_give_no_rows(pipeline: Pipeline) -> None:
    assert sum(len(chunk.dataset) for chunk in stream(pipeline, HEADER)) == 0
    assert sum(len(chunk.dataset) for chunk in stream(pipeline, "", format="jsonl")) == 0


def test_truth_comes_with_the_target(pipeline: Pipeline) -> None:
    [chunk] = stream(pipeline, "left," + HEADER + "1,DE,x,1,2,3\n2,DE,x,1,2,3\n,DE,x,1,2,3\n", need_target=True)
    assert chunk.dataset.truth is not None
    assert chunk.dataset.truth.tolist() == [1]
    assert [bad.reason for bad in chunk.rejected] == [
        "the target left is '2'; the model's classes are 0, 1",
        "the target left is missing",
    ]


def test_formats_that_do_not_stream(pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match="expected csv or jsonl"):
        stream(pipeline, "x", format="xml")


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.pop("target"),
        lambda value: value.update(extra=1),
        lambda value: value["transforms"][0]["transform"].update(type="os.system"),
        lambda value: value["transforms"][0]["states"]["land"].update(categories=[1, 2]),
        lambda value: value["transforms"][1]["states"]["age"].update(scale=0.0),
        lambda value: value["features"].update(other=["age"]),
        lambda value: value["shapes"].update(input="6"),
        lambda value: value["shapes"].update(input=[7]),
        lambda value: value["shapes"].update(input=[-6]),
        lambda value: value["features"].update(input=["age", "height", "income", "land=DE", "land=FR", "land=XX"]),
        lambda value: value["features"].update(input=["land"]),
        lambda value: value["transforms"][0]["states"].clear(),
        lambda value: value["columns"].update(age="array"),
        lambda value: value["columns"].pop("age"),
        lambda value: value["target"].update(classes=["0"]),
        lambda value: value["target"].update(classes=["0", "0"]),
        lambda value: value["target"].update(task="regression"),
        lambda value: value["target_kinds"].clear(),
    ],
)
def test_a_changed_pipeline_is_refused(pipeline: Pipeline, change: Any) -> None:
    value = json.loads(json.dumps(pipeline.to_json()))
    change(value)
    with pytest.raises(RunError, match=r"pipeline\.json"):
        Pipeline.from_json(value)
