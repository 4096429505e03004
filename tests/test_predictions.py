import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from nnkit.errors import RunError
from nnkit.frames.written import texts
from nnkit.predictions import (
    Layout,
    Predictions,
    csv_line,
    csv_rows,
    json_members,
    json_rows,
    prediction_table,
    predictions_csv,
    read_predictions,
)

BINARY = Layout("binary", ["stays", "leaves"], ["Exited"])
MULTICLASS = Layout("multiclass", ['a "b", c', "ä%s", "3"], ["kind"])
MULTILABEL = Layout("multilabel", ["rain", "wind"], ["rain", "wind"])
ONE = Layout("regression", [], ["price"])
TWO = Layout("regression", [], ["price", "days"])


def narrow(values: Any) -> Any:
    return np.array(values, dtype=np.float32).astype(np.float64)


OUTPUTS = {
    BINARY.task: narrow([0.1, 0.5, 0.9999999]),
    MULTICLASS.task: narrow([[0.1, 0.7, 0.2], [0.5, 0.5, 0.0], [0.0, 1e-12, 1.0]]),
    MULTILABEL.task: narrow([[0.1, 0.7], [0.5, 0.2], [1.0, 0.0]]),
}


def test_numbers_have_the_fewest_digits_that_give_them_back() -> None:
    assert texts(narrow([0.1, 1 / 3, 1e-7, 2.0, 1e20])) == ["0.1", "0.33333334", "1e-07", "2.0", "1e+20"]
    assert texts(np.array([0.1, 0.5, 1e300])) == ["0.1", "0.5", "1e+300"]
    values = np.random.default_rng(0).normal(size=1000)
    assert list(map(float, texts(values))) == values.tolist()
    np.testing.assert_array_equal(np.array(texts(narrow(values)), dtype=np.float32), values.astype(np.float32))


def test_a_number_is_written_the_same_whatever_is_beside_it() -> None:
    values = np.array([0.5, 0.1, float(np.float32(0.1)), np.nan, np.inf])
    assert texts(values) == [text for value in values for text in texts(np.array([value]))]


def test_binary_columns() -> None:
    table = prediction_table(OUTPUTS["binary"], BINARY)
    assert table == {
        "prediction": ["stays", "stays", "leaves"],
        "probability_stays": ["0.9", "0.5", "1.1920929e-07"],
        "probability_leaves": ["0.1", "0.5", "0.9999999"],
    }


def test_multiclass_columns() -> None:
    table = prediction_table(OUTPUTS["multiclass"], MULTICLASS)
    assert list(table) == ["prediction", 'probability_a "b", c', "probability_ä%s", "probability_3"]
    assert table["prediction"] == ["ä%s", 'a "b", c', "3"]


def test_multilabel_columns() -> None:
    table = prediction_table(OUTPUTS["multilabel"], MULTILABEL)
    assert list(table) == ["prediction_rain", "prediction_wind", "probability_rain", "probability_wind"]
    assert table["prediction_rain"] == ["0", "0", "1"]
    assert table["prediction_wind"] == ["1", "0", "0"]


def test_regression_columns() -> None:
    assert prediction_table(narrow([[1.5], [-2.25]]), ONE) == {"prediction": ["1.5", "-2.25"]}
    assert prediction_table(narrow([[1.5, 3.0]]), TWO) == {"prediction_price": ["1.5"], "prediction_days": ["3.0"]}


def test_csv_can_be_read_by_others() -> None:
    table = prediction_table(OUTPUTS["multiclass"], MULTICLASS)
    read = list(csv.DictReader(io.StringIO(csv_line(table) + csv_rows(table))))
    assert [row["prediction"] for row in read] == table["prediction"]
    assert float(read[2]["probability_ä%s"]) == 1e-12


def test_no_rows_are_no_lines() -> None:
    table = prediction_table(np.empty(0), BINARY)
    assert csv_rows(table) == json_rows(table, BINARY) == ""


def test_json_lines() -> None:
    table = prediction_table(OUTPUTS["multiclass"], MULTICLASS)
    before = json_members({'100% "x"': [1, None, "%d"], "y": [None, None, 0.5]})
    lines = [json.loads(line) for line in json_rows(table, MULTICLASS, before).splitlines()]
    assert lines[0] == {
        '100% "x"': 1,
        "prediction": "ä%s",
        "probabilities": {'a "b", c': 0.1, "ä%s": 0.7, "3": 0.2},
    }
    assert list(lines[1]) == ["prediction", "probabilities"]
    assert (lines[2]['100% "x"'], lines[2]["y"]) == ("%d", 0.5)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["0", "1"], 1),
        (["-1", "2.5"], 2.5),
        (["00", "01"], "01"),
        (["1e3", "2"], "2"),
        (["false", "true"], "true"),
        (["1", "NaN"], "NaN"),
    ],
)
def test_labels_that_are_numbers_are_numbers_in_json(classes: list[str], expected: object) -> None:
    layout = Layout("binary", classes, ["y"])
    line = json_rows(prediction_table(np.array([0.75]), layout), layout)
    assert json.loads(line)["prediction"] == expected
    assert json.loads(line)["probabilities"] == {classes[0]: 0.25, classes[1]: 0.75}


def test_several_targets_are_a_mapping_in_json() -> None:
    line = json_rows(prediction_table(narrow([[0.25, 0.75]]), MULTILABEL), MULTILABEL)
    assert json.loads(line) == {
        "prediction": {"rain": 0, "wind": 1},
        "probabilities": {"rain": 0.25, "wind": 0.75},
    }
    line = json_rows(prediction_table(np.array([[1.5, np.nan]]), TWO), TWO)
    assert json.loads(line) == {"prediction": {"price": 1.5, "days": None}}


CASES = [
    (BINARY, np.array([0, 1, 1]), OUTPUTS["binary"]),
    (MULTICLASS, np.array([2, 0, 1]), OUTPUTS["multiclass"]),
    (MULTILABEL, np.array([[0, 1], [1, 1], [0, 0]]), OUTPUTS["multilabel"]),
    (ONE, np.array([[0.1], [1e300], [-3.0]]), narrow([[0.1], [2.0], [1 / 3]])),
    (TWO, np.array([[0.1, 1.0], [2.0, 7.0], [-3.0, 0.0]]), np.random.default_rng(1).normal(size=(3, 2))),
]


@pytest.mark.parametrize(("layout", "truth", "outputs"), CASES)
@pytest.mark.parametrize("weights", [None, np.array([1.0, 0.1, 2.5])])
def test_the_file_gives_back_the_very_same_arrays(layout: Layout, truth: Any, outputs: Any, weights: Any) -> None:
    text = predictions_csv(Predictions(np.array([5, 0, 9]), truth, outputs, weights), layout)
    read = read_predictions(text.encode(), "predictions.csv", layout)
    np.testing.assert_array_equal(read.rows, [5, 0, 9])
    np.testing.assert_array_equal(read.truth, truth)
    np.testing.assert_array_equal(read.outputs, outputs)
    np.testing.assert_array_equal(read.weights, weights)
    assert read.outputs.shape == outputs.shape


@pytest.mark.parametrize(("layout", "truth", "outputs"), CASES)
def test_a_file_without_rows(layout: Layout, truth: Any, outputs: Any) -> None:
    text = predictions_csv(Predictions(np.empty(0, dtype=np.int64), truth[:0], outputs[:0]), layout)
    assert len(text.splitlines()) == 1
    assert len(read_predictions(text.encode(), "predictions.csv", layout).outputs) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not enough values"),
        ("a,b\n", "its columns are a, b"),
        ("row,truth,prediction,probability_stays,probability_leaves\n0,stays\n", "shorter"),
        ("row,truth,prediction,probability_stays,probability_leaves\n0,goes,stays,0.9,0.1\n", "goes"),
        ("row,truth,prediction,probability_stays,probability_leaves\n0,stays,stays,0.9,much\n", "much"),
        ("row,truth,prediction,probability_stays,probability_leaves\nx,stays,stays,0.9,0.1\n", "x"),
        ("\udcff", "codec"),
    ],
)
def test_a_file_that_is_not_right_is_a_run_error(text: str, words: str) -> None:
    with pytest.raises(RunError, match=words) as caught:
        read_predictions(text.encode(errors="surrogateescape"), "run/predictions.csv", BINARY)
    assert str(caught.value).startswith("run/predictions.csv: ")
