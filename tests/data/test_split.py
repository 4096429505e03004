from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nnkit.data.prepare import prepare_folds
from nnkit.data.split import Divider, Split, allotted
from nnkit.errors import DataError
from tests.data.helpers import data, people, prepared, raw_columns, write


def test_splits_have_their_sizes_and_no_row_twice(tmp_path: Path) -> None:
    path = people(tmp_path / "p.csv")
    result = prepared(path, target="left", drop=["land"], split={"test": 0.2, "validation": 0.1})
    assert result.validation is not None
    assert result.test is not None
    parts = [result.train.rows, result.validation.rows, result.test.rows]
    assert [len(part) for part in parts] == [42, 6, 12]
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    again = prepared(path, target="left", drop=["land"], split={"test": 0.2, "validation": 0.1})
    other = prepared(path, target="left", drop=["land"], split={"test": 0.2, "validation": 0.1}, seed=1)
    assert np.array_equal(again.train.rows, result.train.rows)
    assert not np.array_equal(other.train.rows, result.train.rows)


def test_stratify_keeps_the_shares(tmp_path: Path) -> None:
    split = {"test": 0.2, "validation": 0.1, "stratify": True}
    result = prepared(people(tmp_path / "p.csv"), target="left", drop=["land"], split=split)
    for part in (result.train, result.validation, result.test):
        assert part is not None
        assert part.truth is not None
        assert part.truth.mean() == pytest.approx(2 / 3, abs=0.01)


def test_groups_stay_together(tmp_path: Path) -> None:
    path = people(tmp_path / "p.csv")
    result = prepared(path, target="left", drop=["land"], split={"test": 0.3, "group": "age"})
    ages = raw_columns(path)["age"]
    assert result.test is not None
    assert not set(ages[result.train.rows]) & set(ages[result.test.rows])
    assert len(result.test) >= 18
    assert "age" not in result.pipeline.feature_names["input"]


def test_order_puts_the_last_rows_into_test(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv",
        {"day": ["2/1/2024", "12/31/2023", "1/15/2024", "1/1/2024"], "x": [1, 2, 3, 4], "y": [0, 1, 0, 1]},
    )
    result = prepared(path, target="y", split={"test": 0.25, "validation": 0.25, "order": "day"})
    assert result.validation is not None
    assert result.test is not None
    assert (result.test.rows.tolist(), result.validation.rows.tolist()) == ([0], [2])
    result = prepared(path, target="y", drop=["day"], split={"test": 0.25, "order": True})
    assert result.test is not None
    assert result.test.rows.tolist() == [3]


def test_split_by_column_and_by_separate_files(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv", {"part": ["train", "test", "train", "validation"], "x": [1, 2, 3, 4], "y": [0, 1, 1, 0]}
    )
    result = prepared(path, target="y", split={"column": "part"})
    assert result.validation is not None
    assert result.validation.rows.tolist() == [3]
    other = write(tmp_path / "o.csv", {"y": [1, 0], "x": [7, 8]})
    result = prepared(path, target="y", drop=["part"], split={"test": {"type": "csv", "path": str(other)}})
    assert result.test is not None
    assert result.test.inputs["input"].tolist() == [[7], [8]]
    assert set(result.hashes) == {str(path), str(other)}


def test_folds_test_every_row_once(tmp_path: Path) -> None:
    spec = data(
        people(tmp_path / "p.csv"),
        target="left",
        drop=["land"],
        split={"folds": 4, "stratify": True, "validation": 0.1},
    )
    folds = list(prepare_folds(spec, lambda count: "binary", 0))
    tests = [fold.test.rows for fold in folds if fold.test is not None]
    assert sorted(np.concatenate(tests).tolist()) == list(range(60))
    for fold in folds:
        assert fold.validation is not None
        assert fold.test is not None
        assert len(fold.validation) == 6
        assert fold.test.truth is not None
        assert fold.test.truth.mean() == pytest.approx(2 / 3, abs=0.05)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"test": 0.6, "validation": 0.5}, "take all rows"),
        ({"folds": 3, "test": 0.2}, "leave out test"),
        ({"group": "a", "order": "b"}, "choose one of group and order"),
        ({"column": "a", "test": 0.2}, "column says which rows"),
    ],
)
def test_splits_that_contradict_themselves(tmp_path: Path, split: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        data(tmp_path / "t.csv", target="y", split=split)


def test_a_column_that_splits_may_be_dropped_too(tmp_path: Path) -> None:
    path = people(tmp_path / "p.csv")
    result = prepared(path, target="left", drop=["land", "age"], split={"test": 0.3, "order": "age"})
    assert result.pipeline.feature_names == {"input": ["height", "income"]}


LABELS = st.lists(st.sampled_from("abc"), min_size=12, max_size=60).filter(
    lambda labels: min(labels.count(label) for label in set(labels)) >= 4
)


@given(LABELS, st.sampled_from([0.1, 0.25, 0.3]), st.sampled_from([0.1, 0.2, 0.33]), st.integers(0, 99))
def test_stratified_parts_are_a_partition_with_the_shares_of_each_class(
    labels: list[str], test: float, validation: float, seed: int
) -> None:
    split = Split(test=test, validation=validation, stratify=True)
    parts = Divider(split, len(labels), seed, np.array(labels, dtype=object), None).parts()
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(labels)))
    for name, share in (("test", test), ("validation", validation)):
        assert len(parts[name]) == max(1, round(share * len(labels)))
        for label in set(labels):
            count = sum(labels[row] == label for row in parts[name])
            assert abs(count - share * labels.count(label)) < 1 or len(parts[name]) == 1
    assert {labels[row] for row in parts["train"]} == set(labels)


@given(st.lists(st.integers(0, 9), min_size=20, max_size=60), st.integers(2, 5), st.integers(0, 99))
def test_folds_keep_groups_together_and_test_each_row_once(groups: list[int], count: int, seed: int) -> None:
    divider = Divider(Split(folds=count, group="g"), len(groups), seed, None, groups)
    if len(set(groups)) < count:
        with pytest.raises(DataError, match="folds need"):
            list(divider.folds())
        return
    folds = list(divider.folds())
    assert sorted(np.concatenate([fold["test"] for fold in folds]).tolist()) == list(range(len(groups)))
    for fold in folds:
        assert not {groups[row] for row in fold["test"]} & {groups[row] for row in fold["train"]}
    largest = max(groups.count(group) for group in set(groups))
    sizes = [len(fold["test"]) for fold in folds]
    assert max(sizes) - min(sizes) <= largest


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_allotted_rows_are_the_share_rounded_down_or_up(sizes: list[int], share: float) -> None:
    counts = allotted(sizes, share)
    assert sum(counts) == max(1, round(share * sum(sizes)))
    assert all(abs(count - share * size) < 1 + 1e-9 for count, size in zip(counts, sizes, strict=True))


def test_many_small_classes_still_give_the_share_of_all() -> None:
    labels = np.array([f"c{row % 100}" for row in range(700)], dtype=object)
    parts = Divider(Split(test=0.2, stratify=True), 700, 0, labels, None).parts()
    assert len(parts["test"]) == 140


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(test=0.5, validation=0.4, stratify=True), "no row is left for validation"),
        (Split(folds=7), "7 folds need 7 rows or groups, and there are 6"),
    ],
)
def test_rows_that_are_too_few_for_the_split(split: Split, message: str) -> None:
    divider = Divider(split, 6, 0, np.array(list("abcabc"), dtype=object), None)
    with pytest.raises(DataError, match=message):
        list(divider.folds()) if split.folds else divider.parts()


def test_a_number_or_a_share_of_the_rows_trains_and_the_rest_is_left_out(tmp_path: Path) -> None:
    path = people(tmp_path / "p.csv")
    for train, expected in ((10, 10), (0.5, 30)):
        result = prepared(path, target="left", drop=["land"], split={"test": 0.2, "train": train})
        whole = prepared(path, target="left", drop=["land"], split={"test": 0.2})
        assert result.test is not None
        assert whole.test is not None
        assert len(result.train) == expected
        assert np.array_equal(result.test.rows, whole.test.rows)
        assert set(result.train.rows) < set(whole.train.rows)


def test_so_many_rows_of_each_class_train() -> None:
    labels = np.array(list("aab") * 100, dtype=object)
    parts = Divider(Split(test=0.1, train_per_class=7), 300, 0, labels, None).parts()
    assert sorted(labels[parts["train"]].tolist()) == ["a"] * 7 + ["b"] * 7
    assert len(parts["test"]) == 30
    assert not set(parts["test"]) & set(parts["train"])
    again, other = (
        Divider(Split(test=0.1, train_per_class=7), 300, seed, labels, None).parts()["train"] for seed in (0, 1)
    )
    assert np.array_equal(again, parts["train"])
    assert not np.array_equal(other, parts["train"])


def test_stratified_training_rows_keep_the_shares() -> None:
    labels = np.array(list("aab") * 100, dtype=object)
    parts = Divider(Split(train=30, stratify=True), 300, 0, labels, None).parts()
    assert np.unique(labels[parts["train"]].astype(str), return_counts=True)[1].tolist() == [20, 10]


def test_of_rows_in_order_the_latest_before_the_others_train() -> None:
    parts = Divider(Split(test=0.2, train=3, order=True), 10, 0, None, None).parts()
    assert parts["train"].tolist() == [5, 6, 7]
    assert parts["test"].tolist() == [8, 9]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(test=0.5, train=4), "split.train asks for 4 of 6 rows, and the other parts leave 3"),
        (Split(train_per_class=3), "split.train_per_class is 3, and of the rows for training the class a has 2, b has"),
    ],
)
def test_training_rows_that_are_not_there(split: Split, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Divider(split, 6, 0, np.array(list("abcabc"), dtype=object), None).parts()


def test_two_ways_to_say_how_many_train() -> None:
    with pytest.raises(ValidationError, match="choose one of train and train_per_class"):
        Split(train=4, train_per_class=2)


@pytest.mark.parametrize(
    ("split", "drawn"),
    [
        (Split(), False),
        (Split(train=5), True),
        (Split(train=5, order=True), False),
        (Split(train_per_class=5), True),
        (Split(train_per_class=5, seed=1), False),
        (Split(test=0.1, order=True), False),
    ],
)
def test_whether_the_seed_of_the_experiment_divides_the_rows(split: Split, drawn: bool) -> None:
    assert split.drawn is drawn


FOLDS = {"fold": [0, 1, 2, 0, 1, 2], "x": [1, 2, 3, 4, 5, 6], "y": [0, 1, 0, 1, 0, 1]}


def test_values_of_a_column_say_what_tests_and_validates(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", FOLDS)
    result = prepared(path, target="y", split={"column": "fold", "test": [2], "validation": ["1"]})
    assert result.validation is not None
    assert result.test is not None
    assert [part.rows.tolist() for part in (result.train, result.validation, result.test)] == [[0, 3], [1, 4], [2, 5]]
    assert result.pipeline.feature_names == {"input": ["x"]}
    result = prepared(path, target="y", split={"column": "fold", "test": [1, 2]})
    assert result.validation is None
    assert result.train.rows.tolist() == [0, 3]
    assert not Split.model_validate({"column": "fold", "test": [2]}).drawn


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"column": "fold", "test": [7]}, "data.split.test: no row has 7 in the column fold.* There are: 0, 1, 2"),
        ({"column": "fold", "test": [0, 1, 2]}, "no row is left for train"),
        (
            {"column": "fold"},
            r"the column fold says 0, 1, 2; expected .*, or list what tests, such as split.test: \[0\]",
        ),
    ],
)
def test_values_that_no_row_has(split: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        prepared(write(tmp_path / "t.csv", FOLDS), target="y", split=split)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"test": [9]}, "a list is of values of a column; say which one by `column`"),
        ({"column": "fold", "test": [9], "validation": [9]}, "9 is listed twice"),
        ({"column": "fold", "test": 0.2}, r"leave out test, or list the column's values, such as test: \[9\]"),
        ({"column": "fold", "test": [9], "validation": 0.2}, "are lists of its values, not shares"),
        ({"column": "fold", "test": []}, "a list of one or more"),
        ({"group": "fold", "test": [9]}, "a list is of values of a column"),
    ],
)
def test_lists_that_do_not_fit(split: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Split.model_validate(split)
