import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from nnkit.errors import DataError, SpecError
from nnkit.tasks import Task
from tests.data.helpers import ONE_HOT, data, people, prepared, write


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
        ({"x": ["1e39", 2, 3], "y": [1, 1, 0]}, {}, "t.csv:2: x too large for float32"),
        (
            {"x": ["1e308", "1.5e308", 3], "y": [1, 1, 0]},
            {"transforms": ["standard_scale"]},
            "t.csv: standard_scale: the column x has numbers too large to scale",
        ),
        (
            {"x": ["1e308", "1.5e308", ""], "y": [1, 1, 0]},
            {"transforms": ["impute"]},
            "t.csv: impute: the column x has numbers too large for a mean",
        ),
        (
            {"g": ["a", "b", "b"], "g=a": [1, 2, 3], "y": [1, 1, 0]},
            {"transforms": [{"type": "one_hot", "columns": ["g"]}]},
            "t.csv: one_hot: two columns would be called g=a",
        ),
        ({"x": [1, 2, 3], "t": [1, "", 2], "y": [1, 1, 0]}, {"split": {"order": "t"}}, "t.csv:3: t missing, by which"),
        ({"x": [1, 2, 3], "t": ["a", "", "b"], "y": [1, 1, 0]}, {"split": {"group": "t"}}, "t.csv:3: t missing"),
        ({"x": [1, 2, 3], "t": ["a", "c", "b"], "y": [1, 1, 0]}, {"split": {"order": "t"}}, "t.csv: t is neither"),
        (
            {"x": [1, 2, 3], "t": ["train", "tset", "train"], "y": [1, 1, 0]},
            {"split": {"column": "t"}},
            "t.csv: the column t says tset; expected train, validation or test",
        ),
        ({"x": [1], "y": [1]}, {"split": {"test": 0.2}}, "t.csv: no row is left for test"),
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


def test_a_row_whose_values_have_moved_by_one_column_is_not_trained_on(shared_data: Path) -> None:
    path = shared_data / "csv_robustness" / "real" / "churn_last_row_too_long.csv"
    with pytest.raises(DataError, match=r"too_long\.csv: the target Exited has 3 classes \(0, 1, 50000\)"):
        prepared(path, target="Exited", drop=["Surname", "Geography", "Gender"])


def test_the_variant_with_two_holes_gives_the_same_model_of_columns(shared_data: Path) -> None:
    options: dict[str, Any] = {
        "target": "Exited",
        "drop": ["RowNumber", "CustomerId", "Surname"],
        "transforms": ["impute", {"type": "one_hot", "columns": ["Geography", "Gender"]}, "standard_scale"],
    }
    whole, holes = (
        prepared(shared_data / "churn" / f"Churn_Modelling{variant}.csv", **options).pipeline.known
        for variant in ("", "_variant_2missing")
    )
    assert (whole.columns, whole.features, whole.shapes) == (holes.columns, holes.features, holes.shapes)


def test_codes_in_a_fresh_file_may_be_written_as_fractions(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"n": [1, 2, 3, 1], "y": [0, 1, 0, 1]})
    encode: list[Any] = [{"type": "one_hot", "columns": ["n"]}]
    pipeline = prepared(path, target="y", types={"n": "category"}, transforms=encode).pipeline
    [chunk] = pipeline.stream(io.BytesIO(b"n\n2.0\n 3\n"))
    assert chunk.dataset.inputs["input"].tolist() == [[0, 1, 0], [0, 0, 1]]
    [chunk] = pipeline.stream(io.BytesIO(b'{"n": 1}\n{"n": 2.0}\n'))
    assert chunk.dataset.inputs["input"].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert not pipeline.unseen


def test_true_and_false_are_numbers_as_features_and_names_as_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"x": ["true", "false", "true"], "y": ["True", "False", "True"]})
    result = prepared(path, target="y")
    assert result.pipeline.classes == ["False", "True"]
    assert result.train.inputs["input"].tolist() == [[1], [0], [1]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "left", "drop": ["left"]}, "left is named by target and by drop"),
        ({"target": "left", "weight": "left"}, "left is named by target and by weight"),
        ({"target": "left", "split": {"group": "left"}}, "left is named by target and by split"),
        ({"target": ["left", "left"]}, "target names a column twice"),
    ],
)
def test_columns_with_two_roles(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        data(tmp_path / "p.csv", **options)


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("regression", {"positive": "1"}, "data.positive: is for two classes; this experiment is regression"),
        ("binary", {"target_transform": "log"}, "data.target_transform: is for regression; this experiment is binary"),
        ("multiclass", {"target": ["left", "age"]}, "data.target: a multiclass experiment has one target, found 2"),
    ],
)
def test_options_of_other_tasks(tmp_path: Path, task: Task, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        prepared(people(tmp_path / "p.csv"), task, **{"target": "left", "drop": ["land"], **options})
    assert message in str(caught.value)


def test_only_rows_that_have_the_values_are_used(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "x": [1, 2, 3, 4, 5],
        "k": ["a", "b", "a", "c", None],
        "z": [0, "1.0", 1, 1, 1],
        "y": [5, 6, 7, 8, 9],
    }
    path, where = write(tmp_path / "t.csv", columns), {"k": ["a", "b"], "z": [1]}
    result = prepared(path, "regression", target="y", where=where, drop=["k"], split={"test": 0.5})
    assert result.test is not None
    assert sorted([*result.train.rows, *result.test.rows]) == [1, 2]
    assert result.train.inputs["input"].tolist() == [[result.train.rows[0] + 1, 1]]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"k": ["aa", "c"]}, r"data.where.k: no row has aa, c; did you mean 'a'\? There are: a, b"),
        ({"k": ["a"], "y": [1]}, "no row has all that data.where asks for"),
    ],
)
def test_values_that_no_row_has(tmp_path: Path, where: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "t.csv", {"k": ["a", "b", "a", "b"], "x": [1, 2, 3, 4], "y": [0, 1, 0, 1]})
    with pytest.raises(DataError, match=message):
        prepared(path, target="y", where={"k": ["a", "c"]} | where, drop=["k"])


def test_a_column_of_values_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"x": [1, 2], "k": [1, 2], "y": [0, 1]})
    other = write(tmp_path / "u.csv", {"x": [1, 2], "y": [0, 1]})
    with pytest.raises(SpecError, match="has no column 'kk'"):
        prepared(path, target="y", where={"kk": [1]})
    source = {"type": "csv", "path": str(other)}
    with pytest.raises(DataError, match=r"lacks the column k, which data\.where is about"):
        prepared(path, target="y", drop=["k"], where={"k": [1, 2]}, split={"test": source})
