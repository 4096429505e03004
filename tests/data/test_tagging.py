"""Sentences whose words have tags: the source, what is made of words, what the spec and the data get wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import Prepared, prepare
from nnkit.data.spec import Data
from nnkit.data.transforms import TRANSFORMS
from nnkit.engine.ragged import Ragged
from nnkit.errors import DataError, RunError, SpecError
from nnkit.tasks import Task
from tests.data.helpers import paths

TEXT = "Ann\tB-name\nsings\tO\n\nin\tO\nNew\tB-place\nUlm\tI-place\n\nAnn\tB-name\n"
WORDS = {"type": "words", "columns": ["token"]}


def made(tmp_path: Path, text: str = TEXT, task: Task = "multiclass", **options: Any) -> Prepared:
    path = tmp_path / "t.conll"
    path.write_text(text)
    source = {"type": "conll", "path": str(path), **options.pop("source", {})}
    value = {"source": source, "target": "tag", "transforms": [WORDS], **options}
    return prepare(Data.model_validate(value, context={"base": Path()}), lambda count: task, 0)


def rows(sequences: Any) -> list[list[Any]]:
    assert isinstance(sequences, Ragged)
    return [sequences.row(number).tolist() for number in range(len(sequences))]


def test_words_and_tags_become_numbers_of_the_same_lengths(tmp_path: Path) -> None:
    result = made(tmp_path)
    assert result.pipeline.task == "tagging"
    assert result.pipeline.classes == ["B-name", "B-place", "I-place", "O"]
    assert rows(result.train.truth) == [[0, 3], [3, 1, 2], [0]]
    assert rows(result.train.targets) == rows(result.train.truth)
    assert result.pipeline.known.transforms[0].states["token"].tokens == ["ann", "in", "new", "sings", "ulm"]
    assert rows(result.train.inputs["input"]) == [[1, 4], [2, 3, 5], [1]]
    assert result.train.marks == {"step": ["0", "1", "0", "1", "2", "0"], "word": TEXT.split()[::2]}
    assert result.pipeline.vocabularies == {"input": 6}
    assert result.pipeline.input_shapes == {"input": (None,)}


def test_several_inputs_are_made_of_the_same_words(tmp_path: Path) -> None:
    transforms = [
        {**WORDS, "lower": False, "into": "word", "min_count": 2},
        {"type": "word_shapes", "columns": ["token"], "into": "shape"},
        {"type": "word_affixes", "columns": ["token"], "into": "start", "length": 1, "side": "start"},
        {"type": "word_affixes", "columns": ["token"], "into": "end", "length": 2},
        {"type": "word_characters", "columns": ["token"], "into": "letters", "length": 4},
    ]
    inputs = {"words": ["word"], "shapes": ["shape"], "starts": ["start"], "ends": ["end"], "letters": ["letters"]}
    result = made(tmp_path, transforms=transforms, inputs=inputs)
    found = result.train.inputs
    states = [fitted.states["token"].tokens for fitted in result.pipeline.known.transforms]
    assert states[:4] == [["Ann"], ["Xxx", "xx", "xxxx"], ["a", "i", "n", "s", "u"], ["nn", "ew", "gs", "in", "lm"]]
    assert rows(found["words"]) == [[1, 0], [0, 0, 0], [1]]
    assert rows(found["shapes"]) == [[1, 3], [2, 1, 1], [1]]
    assert rows(found["starts"]) == [[1, 4], [2, 3, 5], [1]]
    assert result.pipeline.input_shapes["letters"] == (None, 4)
    letters = states[4]
    assert letters[0] == ""
    spelled = [["".join(letters[number - 1] for number in word) for word in row] for row in rows(found["letters"])]
    assert spelled == [["Ann", "sing"], ["in", "New", "Ulm"], ["Ann"]]
    assert result.pipeline.vocabularies == dict(zip(inputs, (len(tokens) + 1 for tokens in states), strict=True))


def test_what_training_rows_lack_is_unknown(tmp_path: Path) -> None:
    characters = {"type": "word_characters", "columns": ["token"], "length": 3}
    result = made(tmp_path, transforms=[characters], split={"order": True, "test": 0.34})
    assert result.test is not None
    fresh = made(tmp_path, transforms=[characters])
    pipeline = Pipeline.from_json(json.loads(json.dumps(fresh.pipeline.to_json())))
    path = tmp_path / "new.conll"
    path.write_text("xA\n")
    [chunk] = pipeline.stream(path)
    a = fresh.pipeline.known.transforms[0].states["token"].index["A"]
    assert rows(chunk.dataset.inputs["input"]) == [[[0, a, 1]]]
    assert chunk.dataset.truth is None


def test_fresh_sentences_go_through_a_stored_pipeline(tmp_path: Path) -> None:
    pipeline = Pipeline.from_json(json.loads(json.dumps(made(tmp_path).pipeline.to_json())))
    path = tmp_path / "new.conll"
    path.write_text("Ann\tO\n\nhums\tB-x\n")
    chunk, last = pipeline.stream(path, need_target=True)
    assert rows(chunk.dataset.truth) == [[3]]
    assert chunk.dataset.marks == {"step": ["0"], "word": ["Ann"]}
    [bad] = last.rejected
    assert (bad.line, bad.text) == (3, '{"token": ["hums"], "tag": ["B-x"]}')
    assert bad.reason == "the tag of word 1 is 'B-x'; the model's are B-name, B-place, I-place, O"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target_kinds": {"tag": "category"}}, "do not fit together"),
        ({"columns": {"token": "number"}}, "do not fit together"),
        ({"shapes": {"input": [3]}}, "do not fit together"),
    ],
)
def test_a_pipeline_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    stored = json.loads(json.dumps(made(tmp_path).pipeline.to_json()))
    with pytest.raises(RunError, match=message):
        Pipeline.from_json(stored | change)
    stored["target"]["classes"] = ["B-name", "Z", "O"]
    with pytest.raises(RunError, match=message):
        Pipeline.from_json(stored)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a\tO\nb\tX-place\n",
            "t.conll:1: in line 2, the tag 'X-place' is none of BIO, whose tags are B-TYPE, I-TYPE and O",
        ),
        ("a\tO\n\nc\tO\nb\tI\n", "t.conll:3: in line 4, the tag 'I' is none of BIO"),
        ("a\tO\nb\n", "t.conll:2: 1 cell, expected 2 (token, tag)"),
        ("a\tO\nb\tO\tO\n", "t.conll:2: 3 cells, expected 2 (token, tag)"),
        ("a\tO\n\nb\tO\n", "the target tag has one class only, O: there is nothing to tell apart"),
        ("\n\n", "has no rows"),
        ("", "has no rows"),
    ],
)
def test_bad_sentences_are_told_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        made(tmp_path, text)
    assert message in str(caught.value)


def test_other_schemes(tmp_path: Path) -> None:
    bioes = "a\tS-x\nb\tB-x\nc\tE-x\nd\tO\n"
    assert made(tmp_path, bioes, source={"scheme": "BIOES"}).pipeline.classes == ["B-x", "E-x", "O", "S-x"]
    with pytest.raises(DataError, match="line 1, the tag 'S-x' is none of IOB1"):
        made(tmp_path, bioes, source={"scheme": "IOB1"})
    plain = made(tmp_path, "a\tDET\nb\tNOUN\n", source={"scheme": "none"})
    assert plain.pipeline.classes == ["DET", "NOUN"]


def test_other_columns_stand_beside(tmp_path: Path) -> None:
    text = "a DT O\nb NN B-x\n"
    source = {"columns": ["token", "pos", "tag"]}
    pos = {"type": "words", "columns": ["pos"], "lower": False}
    inputs = {"words": ["token"], "pos": ["pos"]}
    result = made(tmp_path, text, source=source, transforms=[WORDS, pos], inputs=inputs)
    assert rows(result.train.inputs["pos"]) == [[1, 2]]
    with pytest.raises(SpecError, match="pos holds lists of words: add the transform words"):
        made(tmp_path, text, source=source)
    assert made(tmp_path, text, source=source, drop=["pos"]).pipeline.input_shapes == {"input": (None,)}


MISTAKES: list[tuple[dict[str, Any], Task, str]] = [
    ({}, "regression", "data.target: a tag for each word takes a loss for several classes"),
    ({"split": {"test": 0.5, "stratify": True}}, "multiclass", "data.split.stratify: needs a class for each row"),
    ({"transforms": []}, "multiclass", "data.transforms: a model takes numbers, and token holds lists of words"),
    ({"transforms": [{**WORDS, "max_length": 3}]}, "multiclass", "max_length: every word of token has its tag"),
    (
        {"transforms": [{"type": "characters", "columns": ["token"]}]},
        "multiclass",
        "characters does not cut; word_char",
    ),
    ({"transforms": [{**WORDS, "into": "token"}]}, "multiclass", "into: two columns would be called 'token'; choose"),
    ({"transforms": [{"type": "one_hot", "columns": ["token"]}]}, "multiclass", "token hold arrays"),
    ({"transforms": [{"type": "standard_scale", "columns": ["token"]}]}, "multiclass", "for numbers; token hold text"),
    ({"transforms": ["standard_scale"]}, "multiclass", "a model takes numbers, and token holds lists of words"),
    ({"positive": "O"}, "multiclass", "data.positive: is for two classes; this experiment is tagging"),
    ({"target_transform": "log"}, "multiclass", "target_transform: is for regression; this experiment is tagging"),
    ({"split": {"test": 0.5, "group": "tag"}}, "multiclass", "tag is named by target and by split|only features can"),
    ({"source": {"columns": ["token", "token"]}}, "multiclass", "`columns` names a column twice"),
    ({"source": {"comments": [""]}}, "multiclass", "an empty text, with which every line begins"),
    ({"source": {"separator": "\n"}}, "multiclass", "separator cannot be"),
]


@pytest.mark.parametrize(("options", "task", "message"), MISTAKES)
def test_mistakes_in_the_spec_are_told(tmp_path: Path, options: dict[str, Any], task: Task, message: str) -> None:
    import re

    with pytest.raises((SpecError, ValueError)) as caught:
        made(tmp_path, task=task, **options)
    assert re.search(message, str(paths(caught.value) if isinstance(caught.value, SpecError) else caught.value))


def test_a_part_of_another_scheme_is_told(tmp_path: Path) -> None:
    other = {"type": "conll", "path": str(tmp_path / "t.conll"), "scheme": "none"}
    with pytest.raises(SpecError, match=r"split.test.scheme: is none, expected BIO as in data.source"):
        made(tmp_path, split={"test": other})


def test_where_is_not_for_lists(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a cell of tag, which data.where is about, is no single value"):
        made(tmp_path, where={"tag": ["O"]})


def test_word_transforms_are_for_lists(tmp_path: Path) -> None:
    from tests.data.helpers import prepared, write

    path = write(tmp_path / "t.csv", {"text": ["a b", "c"], "y": [0, 1]})
    with pytest.raises(
        SpecError, match="word_shapes is for lists of words, as sentences of CoNLL are; text holds none"
    ):
        prepared(path, target="y", transforms=[{"type": "word_shapes", "columns": ["text"]}])


def test_text_too_gives_several_columns(tmp_path: Path) -> None:
    from tests.data.helpers import prepared, write

    path = write(tmp_path / "t.csv", {"text": ["ab a", "b"], "y": [0, 1]})
    transforms = [
        {"type": "words", "columns": ["text"], "into": "words"},
        {"type": "characters", "columns": ["text"], "into": "letters"},
    ]
    result = prepared(path, target="y", transforms=transforms, inputs={"w": ["words"], "c": ["letters"]})
    assert rows(result.train.inputs["w"]) == [[2, 1], [3]]
    assert [len(row) for row in rows(result.train.inputs["c"])] == [4, 1]
    assert result.pipeline.vocabularies == {"w": 4, "c": 4}


def test_every_transform_of_words_says_what_it_looks_at() -> None:
    for name in ("word_shapes", "word_affixes", "word_characters"):
        assert TRANSFORMS.decode({"type": name, "columns": ["t"]}).look("Ab")  # type: ignore[attr-defined]
