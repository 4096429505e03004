"""Text on its way into a network: tokens, vocabularies, sequences of several lengths."""

import json
from pathlib import Path
from typing import Any

import pytest

from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import Prepared
from nnkit.engine.ragged import Ragged
from nnkit.errors import DataError, SpecError
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
