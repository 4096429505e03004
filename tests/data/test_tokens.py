"""Text on its way into a network: tokens, vocabularies, sequences of several lengths."""

import json
from pathlib import Path
from typing import Any

import pytest

from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import Prepared
from nnkit.engine.ragged import Ragged
from nnkit.errors import DataError, RunError, SpecError
from tests.data.helpers import prepared, write

TEXTS = ["To be", "or not to be", "that is", "the question", "To be"]


def texts(tmp_path: Path, *transforms: Any, **options: Any) -> Prepared:
    path = write(tmp_path / "t.csv", {"text": TEXTS, "y": [0, 1, 0, 1, 0]})
    return prepared(path, target="y", transforms=list(transforms), **options)


def rows(sequences: Any) -> list[list[int]]:
    assert isinstance(sequences, Ragged)
    return [sequences.row(number).tolist() for number in range(len(sequences))]


def test_words_become_their_numbers(tmp_path: Path) -> None:
    result = texts(tmp_path, {"type": "words", "columns": ["text"], "max_size": 3})
    assert rows(result.train.inputs["input"]) == [[2, 1], [0, 0, 2, 1], [0, 3], [0, 0], [2, 1]]
    assert result.pipeline.input_shapes == {"input": (None,)}
    assert result.pipeline.vocabularies == {"input": 4}


def test_characters_become_their_numbers(tmp_path: Path) -> None:
    result = texts(tmp_path, {"type": "characters", "columns": ["text"], "max_length": 2})
    vocabulary = result.pipeline.known.transforms[0].states["text"].tokens
    assert [vocabulary[number - 1] for row in rows(result.train.inputs["input"]) for number in row] == [
        character for text in TEXTS for character in text[:2]
    ]


def test_the_vocabulary_is_that_of_the_training_rows(tmp_path: Path) -> None:
    result = texts(tmp_path, {"type": "words", "columns": ["text"], "lower": False}, split={"test": 0.4, "order": True})
    assert set(result.pipeline.known.transforms[0].states["text"].tokens) == {
        "To",
        "be",
        "or",
        "not",
        "to",
        "that",
        "is",
    }
    assert result.test is not None
    assert rows(result.test.inputs["input"])[0] == [0, 0]


def test_sequences_are_not_scaled(tmp_path: Path) -> None:
    words = {"type": "words", "columns": ["text"]}
    assert rows(texts(tmp_path, words, "standard_scale").train.inputs["input"])[0] == [2, 1]
    with pytest.raises(SpecError, match="standard_scale is for numbers; text hold sequences: leave them out of it"):
        texts(tmp_path, words, {"type": "standard_scale", "columns": ["text"]})


def test_fresh_texts_go_through_a_stored_pipeline(tmp_path: Path) -> None:
    result = texts(tmp_path, {"type": "words", "columns": ["text"]})
    pipeline = Pipeline.from_json(json.loads(json.dumps(result.pipeline.to_json())))
    fresh = write(tmp_path / "fresh.csv", {"text": ["be To", "unheard", ""], "id": [1, 2, 3]})
    [chunk] = pipeline.stream(fresh)
    assert rows(chunk.dataset.inputs["input"]) == [[1, 2], [0]]
    assert [(bad.line, bad.reason) for bad in chunk.rejected] == [(4, "text is empty")]


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        (["a", "", "b"], {}, "t.csv:3: text is empty"),
        (["a", "c", "b"], {"min_count": 2}, "text has no token that comes 2 times in the training rows"),
    ],
)
def test_texts_without_tokens(tmp_path: Path, cells: list[str], options: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "t.csv", {"text": cells, "y": [0, 1, 0]})
    with pytest.raises(DataError, match=message):
        prepared(path, target="y", transforms=[{"type": "words", "columns": ["text"], **options}])


@pytest.mark.parametrize("algorithm", ["bpe", "word_piece"])
def test_subwords_are_stored_as_plain_values_and_used_again(algorithm: str, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    transform = {"type": "subwords", "columns": ["text"], "max_size": 60, "min_count": 1, "algorithm": algorithm}
    result = texts(tmp_path, {**transform, "lower": True})
    state = result.pipeline.known.transforms[0].states["text"]
    assert result.pipeline.vocabularies == {"input": len(state.tokens) + 1}
    pipeline = Pipeline.from_json(json.loads(json.dumps(result.pipeline.to_json())))
    [chunk] = pipeline.stream(write(tmp_path / "again.csv", {"text": TEXTS}))
    assert rows(chunk.dataset.inputs["input"]) == rows(result.train.inputs["input"])
    for text, row in zip(TEXTS, rows(result.train.inputs["input"]), strict=True):
        pieces = [state.tokens[number - 1].removeprefix("##") for number in row]
        assert "".join(pieces) == text.lower()
    short = texts(tmp_path, {**transform, "lower": True, "max_length": 2})
    assert [len(row) for row in rows(short.train.inputs["input"])] == [
        min(2, len(row)) for row in rows(result.train.inputs["input"])
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": ["a", "a", "b", "ab"]},
        {"tokens": ["", "a", "b", "ab"]},
        {"tokens": ["<unknown>", "a", "b", "ab"]},
        {"merges": [["a", "z"]]},
        {"merges": [["b", "a"]]},
        {"merges": [["a", "b", "c"]]},
        {"merges": ["ab"]},
        {"tokens": ["x" * 1001, "a", "b", "ab"]},
    ],
)
def test_a_stored_vocabulary_of_subwords_that_cannot_be(change: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    result = texts(tmp_path, {"type": "subwords", "columns": ["text"], "min_count": 1})
    value = json.loads(json.dumps(result.pipeline.to_json()))
    value["transforms"][0]["states"]["text"] = {"tokens": ["a", "b", "ab"], "merges": [["a", "b"]]}
    Pipeline.from_json(value)
    value["transforms"][0]["states"]["text"].update(change)
    with pytest.raises(RunError, match=r"pipeline.json: not the pipeline of a run"):
        Pipeline.from_json(value)


def test_texts_without_subwords(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    path = write(tmp_path / "t.csv", {"text": ["a", "b", "c"], "y": [0, 1, 0]})
    with pytest.raises(DataError, match="the column text has no character that comes 2 times in the training rows"):
        prepared(path, target="y", transforms=[{"type": "subwords", "columns": ["text"]}])
