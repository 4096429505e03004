from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import preprocessing

from tests.data.helpers import ONE_HOT, people, prepared, raw_columns, write


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


def test_constant_columns_become_zero_and_stay_small_on_other_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"c": [0.1] * 7, "x": [*range(7)], "y": [0, 1, 0, 1, 0, 1, 0]})
    result = prepared(path, target="y", transforms=["standard_scale"])
    assert np.abs(result.train.inputs["input"][:, 0]).max() < 1e-15
