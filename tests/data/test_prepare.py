from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn import preprocessing

from nnkit.data.prepare import prepare_folds
from nnkit.errors import DataError, SpecError
from tests.data.helpers import data, people, prepared, write

ONE_HOT = {"type": "one_hot", "columns": ["land"]}


def raw_columns(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    lines = [line.split(",") for line in path.read_text().splitlines()]
    return {name: np.array([line[index] for line in lines[1:]]) for index, name in enumerate(lines[0])}


def test_transforms_learn_from_training_rows_alone(tmp_path: Path) -> None:
    path = people(tmp_path / "p.csv")
    result = prepared(
        path, target="left", split={"test": 0.3}, transforms=[ONE_HOT, {"type": "standard_scale", "columns": ["age"]}]
    )
    age = raw_columns(path)["age"].astype(float)
    train, test = result.train, result.test
    assert test is not None
    scaler = preprocessing.StandardScaler().fit(age[train.rows, None])
    np.testing.assert_allclose(train.inputs["input"][:, 0], scaler.transform(age[train.rows, None])[:, 0], rtol=1e-6)
    np.testing.assert_allclose(test.inputs["input"][:, 0], scaler.transform(age[test.rows, None])[:, 0], rtol=1e-6)
    assert result.pipeline.feature_names == {"input": ["age", "height", "income", "land=DE", "land=FR", "land=NA"]}


@pytest.mark.parametrize(
    ("transform", "oracle"),
    [
        ("standard_scale", preprocessing.StandardScaler()),
        ("min_max_scale", preprocessing.MinMaxScaler()),
        ("robust_scale", preprocessing.RobustScaler()),
        ({"type": "robust_scale", "low": 10.0, "high": 90.0}, preprocessing.RobustScaler(quantile_range=(10, 90))),
    ],
)
def test_scalers_are_scikit_learns(tmp_path: Path, transform: Any, oracle: Any) -> None:
    path = people(tmp_path / "p.csv")
    result = prepared(path, target="left", drop=["land"], transforms=[transform])
    columns = raw_columns(path)
    values = np.stack([columns[name].astype(float) for name in ("age", "height", "income")], axis=1)
    np.testing.assert_allclose(result.train.inputs["input"], oracle.fit_transform(values), rtol=1e-5, atol=1e-6)


def test_one_hot_is_scikit_learns(tmp_path: Path) -> None:
    path = people(tmp_path / "p.csv")
    for drop_first, drop in ((False, None), (True, "first")):
        result = prepared(
            path, target="left", drop=["age", "height", "income"], transforms=[{**ONE_HOT, "drop_first": drop_first}]
        )
        oracle = preprocessing.OneHotEncoder(sparse_output=False, drop=drop)
        assert np.array_equal(result.train.inputs["input"], oracle.fit_transform(raw_columns(path)["land"][:, None]))


def test_ordinal_log_clip_hash_drop_and_select(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"size": ["S", "L", "M", "S"], "n": [0, 1, 9, 99], "y": [0, 1, 0, 1]})
    transforms: list[Any] = [
        {"type": "ordinal", "columns": ["size"], "order": ["S", "M", "L"]},
        {"type": "log", "columns": ["n"], "offset": 1.0},
        {"type": "clip", "columns": ["n"], "high": 3.0},
    ]
    result = prepared(path, target="y", transforms=transforms)
    expected = [[0, 0], [2, np.log(2)], [1, np.log(10)], [0, 3]]
    np.testing.assert_allclose(result.train.inputs["input"], expected, rtol=1e-6)
    hashed = prepared(
        path,
        target="y",
        transforms=[{"type": "hash", "columns": ["size"], "buckets": 4}, {"type": "drop", "columns": ["n"]}],
    )
    values = hashed.train.inputs["input"]
    assert values.shape == (4, 4)
    assert np.array_equal(values.sum(axis=1), np.ones(4))
    assert np.array_equal(values[0], values[3])
    selected = prepared(path, target="y", drop=["size"], transforms=[{"type": "select", "columns": ["n"]}])
    assert selected.pipeline.feature_names == {"input": ["n"]}


@pytest.mark.parametrize(("strategy", "expected"), [("mean", 4.0), ("median", 2.0), ("most_frequent", 1.0)])
def test_impute(tmp_path: Path, strategy: str, expected: float) -> None:
    path = write(tmp_path / "t.csv", {"n": [1, None, 1, 3, 11], "c": ["a", "b", "a", "", "a"], "y": [0, 1, 0, 1, 0]})
    transforms: list[Any] = [
        {"type": "impute", "columns": ["n"], "strategy": strategy, "indicator": True},
        {"type": "impute", "columns": ["c"], "strategy": "most_frequent"},
        {"type": "one_hot", "columns": ["c"]},
    ]
    result = prepared(path, target="y", transforms=transforms)
    assert result.pipeline.feature_names == {"input": ["n", "n__missing", "c=a", "c=b"]}
    assert result.train.inputs["input"][1].tolist() == [expected, 1, 0, 1]
    assert result.train.inputs["input"][3].tolist() == [3, 0, 1, 0]


def test_an_integer_column_with_a_hole_and_a_zero_in_front(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"zip": ["01234", "55555", "01234"], "n": [1, None, 3], "y": [0, 1, 0]})
    transforms: list[Any] = [{"type": "one_hot", "columns": ["zip"]}, {"type": "impute", "columns": ["n"]}]
    result = prepared(path, target="y", transforms=transforms)
    assert result.pipeline.known.columns == {"zip": "category", "n": "number"}
    assert result.pipeline.feature_names["input"][:2] == ["zip=01234", "zip=55555"]


def test_classes_are_in_order_and_the_positive_one_is_last(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"x": [1, 2, 3, 4], "y": ["yes", "no", "yes", "no"]})
    assert prepared(path, target="y").pipeline.classes == ["no", "yes"]
    flipped = prepared(path, target="y", positive="no")
    assert flipped.pipeline.classes == ["yes", "no"]
    assert flipped.train.truth is not None
    assert flipped.train.truth.tolist() == [0, 1, 0, 1]
    write(path, {"x": [1, 2, 3, 4], "y": [10.0, 9, 9, 10]})
    assert prepared(path, target="y").pipeline.classes == ["9", "10"]
    assert prepared(path, target="y", positive=9).pipeline.classes == ["10", "9"]


def test_regression_targets_are_scaled_and_restored(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"x": [1, 2, 3, 4], "a": [10, 20, 30, 40], "b": [1, 1, 1, 5]})
    for transform in ("standard_scale", "min_max_scale", "log", None):
        result = prepared(path, "regression", target=["a", "b"], target_transform=transform)
        assert result.train.truth is not None
        assert result.train.targets is not None
        assert result.train.truth.tolist() == [[10, 1], [20, 1], [30, 1], [40, 5]]
        np.testing.assert_allclose(
            result.pipeline.restore_target(result.train.targets.astype(float)), result.train.truth, rtol=1e-6
        )
        if transform == "standard_scale":
            np.testing.assert_allclose(result.train.targets.mean(axis=0), 0, atol=1e-6)


def test_named_inputs_choose_by_source(tmp_path: Path) -> None:
    inputs = {"wide": ["land"], "deep": ["age", "height"]}
    result = prepared(people(tmp_path / "p.csv"), target="left", transforms=[ONE_HOT], inputs=inputs)
    assert result.pipeline.input_shapes == {"wide": (3,), "deep": (2,)}
    assert list(result.pipeline.known.columns) == ["age", "height", "land"]


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
    ("options", "message"),
    [
        ({"target": "lef"}, "data.target: {path} has no column 'lef'; did you mean 'left'? It has: age"),
        ({"target": "left", "drop": ["lnd"]}, "data.drop[0]: {path} has no column 'lnd'; did you mean 'land'?"),
        ({"target": "left"}, "data.transforms: land hold text that no transform takes"),
        (
            {"target": "left", "transforms": [{"type": "one_hot", "columns": ["lan"]}], "drop": ["land"]},
            "data.transforms[0].columns[0]: there is no column 'lan'",
        ),
        (
            {"target": "left", "transforms": [{"type": "standard_scale", "columns": ["land"]}, ONE_HOT]},
            "data.transforms[0].columns: standard_scale is for numbers; land hold text",
        ),
        (
            {"target": "left", "transforms": [ONE_HOT], "inputs": {"a": ["agee"]}},
            "data.inputs.a[0]: there is no column",
        ),
        ({"target": "left", "drop": ["land"], "positive": "2"}, "data.positive: expected one of two classes"),
    ],
)
def test_mistakes_of_the_spec(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = people(tmp_path / "p.csv")
    with pytest.raises(SpecError) as caught:
        prepared(path, **options)
    assert message.format(path=path) in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"x": [1, 2], "y": [1, 1]}, {}, "the target y has one class only, 1"),
        ({"x": [1, 2], "y": ["", ""]}, {}, "the target y is missing in all rows"),
        ({"x": [1, 2, 3], "y": [1, "", 0]}, {}, "t.csv:3: the target y is missing"),
        ({"x": [1, 2, 3], "y": [1, 2, 0]}, {}, "the target y has 3 classes (0, 1, 2) and the loss is for two"),
        ({"x": [1, "", 3], "y": [1, 1, 0]}, {}, "t.csv:3: x missing; fill it by the transform impute"),
        ({"x": [1, "b", 3], "y": [1, 1, 0]}, {"types": {"x": "number"}}, "t.csv:3: x: 'b' is not a number"),
        (
            {"x": [1, 2, 3], "y": [1, 0, 0]},
            {"split": {"test": 0.4, "stratify": True}},
            "t.csv: stratify needs two rows of each class, and there is one of 1; leave stratify out",
        ),
        (
            {"x": [1, 2, 3], "w": [1, -1, 0], "y": [1, 0, 0]},
            {"weight": "w"},
            "t.csv:3: the weight w is missing or negative",
        ),
        (
            {"x": [0, 2, 3], "y": [1, 0, 0]},
            {"transforms": ["log"]},
            "t.csv:2: x is 0, which has no logarithm; set offset",
        ),
    ],
)
def test_mistakes_of_the_data(
    tmp_path: Path, columns: dict[str, list[Any]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        prepared(write(tmp_path / "t.csv", columns), target="y", **options)
    assert message in str(caught.value)


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


def test_the_real_bank_data(shared_data: Path) -> None:
    result = prepared(
        shared_data / "churn" / "Churn_Modelling.csv",
        target="Exited",
        drop=["RowNumber", "CustomerId", "Surname"],
        split={"test": 0.2},
        transforms=[{"type": "one_hot", "columns": ["Geography", "Gender"], "drop_first": True}, "standard_scale"],
    )
    assert result.test is not None
    assert (len(result.train), len(result.test)) == (8000, 2000)
    assert result.pipeline.input_shapes == {"input": (11,)}
    assert result.pipeline.classes == ["0", "1"]
    with pytest.raises(DataError, match=r"variant_2missing\.csv:3: CreditScore missing"):
        prepared(
            shared_data / "churn" / "Churn_Modelling_variant_2missing.csv",
            target="Exited",
            drop=["RowNumber", "CustomerId", "Surname", "Geography", "Gender"],
        )
