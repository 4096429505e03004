"""One text on its way into a language model: parts in its order, windows, and what stands against it."""

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import Prepared, prepare
from nnkit.data.running import fresh
from nnkit.data.spec import Data
from nnkit.errors import DataError, RunError, SpecError
from nnkit.tasks import Task

CHARACTERS: dict[str, Any] = {"type": "characters", "columns": ["text"]}
TEXT = "abcdefghij" * 5


def prepared(path: Path, length: int = 4, task: Task = "multiclass", **options: Any) -> Prepared:
    source = {"type": "text", "path": str(path), "length": length}
    spec = {"source": source, "target": "next", "transforms": [CHARACTERS], **options}
    return prepare(Data.model_validate(spec, context={"base": Path()}), lambda count: task, 0)


def written(tmp_path: Path, data: str | bytes = TEXT) -> Path:
    path = tmp_path / "t.txt"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def read(result: Prepared, numbers: Any) -> str:
    return "".join(result.pipeline.classes[number] for number in numbers)


def test_the_parts_follow_each_other_and_each_step_has_the_token_after_it(tmp_path: Path) -> None:
    result = prepared(written(tmp_path), split={"validation": 0.2, "test": 0.1})
    for rows, text in ((result.train, TEXT[:35]), (result.validation, TEXT[35:45]), (result.test, TEXT[45:])):
        assert rows is not None
        windows = rows.inputs["input"]
        assert read(result, windows.flat()) == text[:-1]
        assert read(result, rows.targets.flat()) == text[1:]
        assert windows.lengths.tolist() == [4] * (len(text[:-1]) // 4) + [rest for rest in [len(text[:-1]) % 4] if rest]
    assert (result.pipeline.task, result.pipeline.input_shapes) == ("next", {"input": (None,)})
    assert result.pipeline.vocabularies == {"input": 11}


def test_a_share_that_trains_is_the_last_before_the_others(tmp_path: Path) -> None:
    result = prepared(written(tmp_path), split={"test": 0.2, "train": 12})
    assert read(result, result.train.inputs["input"].flat()) == TEXT[28:39]
    half = prepared(written(tmp_path), split={"test": 0.2, "train": 0.5})
    assert read(half, half.train.inputs["input"].flat()) == TEXT[15:39]


def test_the_vocabulary_is_that_of_the_part_that_trains(tmp_path: Path) -> None:
    result = prepared(written(tmp_path, "abab" * 10 + "xyab"), split={"test": 0.1})
    assert set(result.pipeline.vocabulary.tokens) == {"a", "b"}
    assert result.test is not None
    assert result.test.inputs["input"].flat().tolist() == [0, 0, 1]
    told = "test: 2 characters are not in the vocabulary and stand as unknown"
    assert result.notes[1] == f"{told}, which training never meets; by max_size or min_count it would"
    fewer = {**CHARACTERS, "min_count": 2}
    assert told in prepared(tmp_path / "t.txt", split={"test": 0.1}, transforms=[fewer]).notes


def test_other_parts_may_be_other_files(tmp_path: Path) -> None:
    own = tmp_path / "test.txt"
    own.write_text("jihg")
    result = prepared(written(tmp_path), split={"test": {"type": "text", "path": str(own)}})
    assert result.test is not None
    assert read(result, result.test.targets.flat()) == "ihg"
    assert len(result.hashes) == 2


def test_words_are_never_cut_in_two(tmp_path: Path) -> None:
    words = {"type": "words", "columns": ["text"]}
    result = prepared(written(tmp_path, "One fish, two fish. " * 4), 3, transforms=[words], split={"test": 0.25})
    assert result.train.inputs["input"].row(0).tolist() == result.pipeline.numbers("one fish ,").tolist()
    assert result.test is not None
    assert result.test.targets.flat().tolist() == result.pipeline.numbers("fish , two fish .").tolist()


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lambda data: b"\xef\xbb\xbf" + data], ids=str)
def test_packed_files_and_byte_order_marks_are_read(packed: Any, tmp_path: Path) -> None:
    result = prepared(written(tmp_path, packed(b"one\r\ntwo\rthree\n" * 3)))
    assert read(result, result.train.targets.flat()) == ("one\ntwo\nthree\n" * 3)[1:]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "is empty; there is nothing to read"),
        (
            "abcd",
            r"the part of the text for train has 4 tokens, expected 5 at least; set data.source.length, which is 4",
        ),
        (b"good\nb\xe4d\n", r"t\.txt:2: byte 7 of the file, 0xe4, is no UTF-8; convert the file, as by iconv"),
        (b"good\nb\0d\n", r"t\.txt:2: a NUL byte: this is not text"),
        (gzip.compress(TEXT.encode())[:20], r"t\.txt: cannot be read on: .* cut short or damaged"),
    ],
)
def test_what_is_no_text_is_an_error_with_its_place(data: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        prepared(written(tmp_path, data))


def test_a_missing_file_a_part_of_one_token_and_a_text_without_words_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: not found"):
        prepared(tmp_path / "none.txt")
    with pytest.raises(DataError, match=r"for test has 1 tokens, expected 2 at least; change data\.split"):
        prepared(written(tmp_path), split={"test": 0.02})
    with pytest.raises(DataError, match="has no words"):
        prepared(written(tmp_path, "\n \n"), transforms=[{"type": "words", "columns": ["text"]}])


def test_options_for_rows_are_refused_all_at_once(tmp_path: Path) -> None:
    split = {"test": {"type": "csv", "path": "t.csv"}, "stratify": True, "seed": 3}
    options: dict[str, Any] = {"drop": ["a"], "weight": "w", "where": {"a": ["b"]}, "inputs": {"a": ["text"]}}
    with pytest.raises(SpecError) as caught:
        prepared(written(tmp_path), split=split, transforms=[], **options)
    places = {problem.path[1:] for problem in caught.value.problems}
    assert places == {
        *((name,) for name in options),
        *(("split", name) for name in split),
        ("transforms",),
    }


@pytest.mark.parametrize(
    ("options", "place", "words"),
    [
        ({"target": "text"}, ("data", "target"), "set target: next"),
        ({"task": "regression"}, ("training", "procedure", "loss"), "categorical_cross_entropy"),
        ({"windows": {"length": 8, "horizon": 1}}, ("data", "windows"), "is for rows with columns"),
        ({"split": {"order": "text"}}, ("data", "split", "order"), "leave it out"),
        ({"split": {"folds": 3}}, ("data", "split", "folds"), "leave it out"),
        ({"transforms": [{**CHARACTERS, "columns": ["x"]}]}, ("data", "transforms", 0, "columns"), "is called text"),
        ({"transforms": [{**CHARACTERS, "into": "a"}]}, ("data", "transforms", 0, "into"), "one column only"),
        ({"transforms": [{**CHARACTERS, "max_length": 9}]}, ("data", "transforms", 0, "max_length"), "to its end"),
        ({"transforms": ["standard_scale"]}, ("data", "transforms"), "one transform, which cuts it into tokens"),
    ],
)
def test_what_does_not_fit_a_text_is_a_mistake_in_the_spec(
    options: dict[str, Any], place: tuple[object, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError) as caught:
        prepared(written(tmp_path), **options)
    [problem] = caught.value.problems
    assert problem.path == place
    assert words in problem.message


def test_the_file_s_own_order_may_be_said(tmp_path: Path) -> None:
    result = prepared(written(tmp_path), split={"test": 0.2, "order": True})
    assert len(result.train) == 10


def test_a_stored_pipeline_reads_a_fresh_text(tmp_path: Path) -> None:
    result = prepared(written(tmp_path), split={"test": 0.2})
    pipeline = Pipeline.from_json(json.loads(json.dumps(result.pipeline.to_json())))
    other = tmp_path / "other.txt"
    other.write_text("dcbaz")
    rows = fresh(pipeline, other)
    assert read(result, rows.inputs["input"].flat()) == "dcba"
    assert rows.targets.flat()[-1] == 0
    assert np.array_equal(rows.rows, [0])
    other.write_text("d")
    with pytest.raises(DataError, match=r"other\.txt: has 1 tokens; expected two at least"):
        fresh(pipeline, other)


@pytest.mark.parametrize(
    "change",
    [
        {"transforms": []},
        {"source": {"type": "csv", "path": "t.csv"}},
        {"features": {"other": ["text"]}},
        {"columns": {"text": "number"}},
    ],
)
def test_a_pipeline_that_is_no_language_model_s_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    stored = prepared(written(tmp_path)).pipeline.to_json()
    with pytest.raises(RunError, match=r"pipeline\.json"):
        Pipeline.from_json({**stored, **change})
