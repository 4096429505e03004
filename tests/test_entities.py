"""Entities and their metrics: against seqeval, against conlleval's rules done by hand, and what tags are refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnkit.evaluation import evaluate
from nnkit.metrics import METRICS, compute_all, or_defaults
from nnkit.metrics.entities import Sentences, entities, entity_counts, misfit
from nnkit.tasks import Scheme

BIO = ["O", "B-a", "I-a", "B-b", "I-b"]
BIOES = [*BIO, "E-a", "S-a", "E-b", "S-b"]
NAMES = ("entity_precision", "entity_recall", "entity_f1")


def found(tags: str, scheme: Scheme = "BIO", lengths: list[int] | None = None) -> list[tuple[int, int, str]]:
    words = tags.split()
    names = sorted(set(words))
    sentences = Sentences(np.array(lengths or [len(words)]), names, scheme)
    marked = entities(np.array([names.index(word) for word in words]), sentences)
    return [(*ends, sentences.types[kind]) for *ends, kind in zip(*(each.tolist() for each in marked), strict=True)]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O", []),
        ("B-a I-a O B-b", [(0, 1, "a"), (3, 3, "b")]),
        ("B-a B-a I-a", [(0, 0, "a"), (1, 2, "a")]),
        ("O I-a I-a", [(1, 2, "a")]),  # what continues nothing begins
        ("B-a I-b I-b", [(0, 0, "a"), (1, 2, "b")]),  # another type is another entity
        ("I-a", [(0, 0, "a")]),
        ("I-a I-a B-a", [(0, 1, "a"), (2, 2, "a")]),  # as IOB1 has it
    ],
)
def test_entities_by_the_rules_of_conlleval(tags: str, expected: list[tuple[int, int, str]]) -> None:
    assert found(tags) == expected


def test_an_entity_ends_with_its_sentence() -> None:
    assert found("B-a I-a I-a", lengths=[1, 2]) == [(0, 0, "a"), (1, 2, "a")]
    assert found("O B-a I-a O", lengths=[1, 1, 2]) == [(1, 1, "a"), (2, 2, "a")]


def test_single_and_last_words_of_bioes() -> None:
    assert found("S-a S-a B-a I-a E-a E-a", "BIOES") == [(0, 0, "a"), (1, 1, "a"), (2, 4, "a"), (5, 5, "a")]


def sequences(tags: list[str]) -> Any:
    one = st.tuples(st.sampled_from(tags), st.sampled_from(tags))
    return st.lists(st.lists(one, min_size=1, max_size=12), min_size=1, max_size=6)


def compared(rows: list[list[tuple[str, str]]], tags: list[str], scheme: Scheme) -> None:
    from seqeval import metrics as oracle

    truth, decided = ([[pair[side] for pair in row] for row in rows] for side in (0, 1))
    sentences = Sentences(np.array([len(row) for row in rows]), tags, scheme)
    flat = [np.array([tags.index(tag) for row in side for tag in row]) for side in (truth, decided)]
    values = compute_all(
        [METRICS.decode(name) for name in NAMES], flat[0], np.eye(len(tags))[flat[1]], "tagging", sentences=sentences
    )
    theirs = {
        "entity_precision": oracle.precision_score(truth, decided, zero_division=0),
        "entity_recall": oracle.recall_score(truth, decided, zero_division=0),
        "entity_f1": oracle.f1_score(truth, decided, zero_division=0),
    }
    # seqeval has 0 where a share is one of nothing, which is undefined here.
    assert {name: np.nan_to_num(value) for name, value in values.items()} == pytest.approx(theirs)


@settings(deadline=None)
@given(sequences(BIO))
def test_bio_agrees_with_seqeval(rows: list[list[tuple[str, str]]]) -> None:
    pytest.importorskip("seqeval", reason="seqeval is not installed")
    compared(rows, BIO, "BIO")


@settings(deadline=None)
@given(sequences(BIOES))
def test_bioes_agrees_with_seqeval(rows: list[list[tuple[str, str]]]) -> None:
    pytest.importorskip("seqeval", reason="seqeval is not installed")
    compared(rows, BIOES, "BIOES")


def test_counts_by_type() -> None:
    sentences = Sentences(np.array([3, 2]), BIO, "BIO")
    counts = entity_counts(np.array([1, 2, 0, 3, 0]), np.array([1, 0, 1, 3, 4]), sentences)
    assert [each.tolist() for each in counts] == [[0, 0], [2, 1], [1, 1]]


def test_an_evaluation_has_a_row_for_each_type_and_counts_tags() -> None:
    truth, decided = np.array([1, 2, 0, 3]), np.array([1, 2, 0, 0])
    metrics = [METRICS.decode(name) for name in ("entity_f1", "accuracy")]
    sentences = Sentences(np.array([4]), BIO, "BIO")
    result = evaluate(truth, np.eye(5)[decided], "tagging", BIO, metrics, sentences=sentences)
    assert result.values == {"entity_f1": pytest.approx(2 / 3), "accuracy": 0.75}
    assert result.per_class == [
        {"entity": "a", "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1},
        {"entity": "b", "precision": None, "recall": 0.0, "f1": 0.0, "support": 1},
    ]
    assert result.confusion is not None
    assert result.confusion[3].tolist() == [1, 0, 0, 0, 0]


def test_no_entity_anywhere_leaves_the_metrics_undefined() -> None:
    metrics = [METRICS.decode(name) for name in NAMES]
    outputs = np.eye(5)[[0, 0]]
    values = compute_all(metrics, np.zeros(2, int), outputs, "tagging", sentences=Sentences(np.array([2]), BIO, "BIO"))
    assert all(np.isnan(value) for value in values.values())
    plain = compute_all(metrics, np.zeros(2, int), outputs, "tagging", sentences=Sentences(np.array([2]), BIO, "none"))
    assert all(np.isnan(value) for value in plain.values())


def test_plain_tags_have_the_metrics_of_classes() -> None:
    names = ["NOUN", "VERB"]
    metrics = [METRICS.decode(name) for name in ("accuracy", "f1")]
    sentences = Sentences(np.array([2, 2]), names, "none")
    result = evaluate(np.array([0, 1, 1, 1]), np.eye(2)[[0, 1, 0, 1]], "tagging", names, metrics, sentences=sentences)
    assert result.values == {"accuracy": 0.75, "f1": pytest.approx((2 / 3 + 4 / 5) / 2)}
    assert [row["class"] for row in result.per_class] == names


def test_the_usual_metrics_are_those_of_entities_where_tags_mark_some() -> None:
    keys = [metric.key for metric in or_defaults([], "tagging", scheme="BIO")]
    assert keys == ["entity_f1", "entity_precision", "entity_recall", "accuracy"]
    assert [metric.key for metric in or_defaults([], "tagging")] == ["accuracy", "f1", "log_loss"]


@pytest.mark.parametrize(
    ("tag", "scheme", "fits"),
    [
        ("O", "BIO", True),
        ("B-a", "BIO", True),
        ("I-creative-work", "IOB1", True),
        ("E-a", "BIO", False),
        ("S-a", "BIOES", True),
        ("X-a", "BIO", False),
        ("I", "BIO", False),
        ("I-", "BIO", False),
        ("B_a", "BIO", False),
        ("o", "BIO", False),
        ("NOUN", "none", True),
    ],
)
def test_tags_of_a_scheme(tag: str, scheme: Scheme, fits: bool) -> None:
    reason = misfit(tag, scheme)
    assert (reason is None) == fits
    assert fits or f"the tag {tag!r} is none of {scheme}" in str(reason)
