from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.data.restoring import restore
from nnkit.data.visible import picture_shapes, shades
from tests.data.helpers import ONE_HOT, people, prepared, raw_columns, write
from tests.data.test_pictures import digits, made


def restored(result: Any) -> tuple[dict[str, Any], list[str]]:
    found = restore(result.pipeline, result.train.inputs)
    columns = {
        name: np.array(column.values.words)[column.values.codes] if column.is_text else column.values
        for name, column in found.frame.items()
    }
    return columns, found.notes


@pytest.mark.parametrize(
    "transforms",
    [
        [ONE_HOT, "standard_scale"],
        [{**ONE_HOT, "drop_first": True}, "min_max_scale"],
        [{"type": "ordinal", "columns": ["land"]}, {"type": "log", "columns": ["income"]}, "robust_scale"],
        [{"type": "ordinal", "columns": ["land"], "order": ["NA", "FR", "DE"]}, {"type": "log", "columns": ["height"]}],
        [{"type": "impute", "indicator": True}, "standard_scale", ONE_HOT],
    ],
)
def test_what_transforms_did_is_undone(tmp_path: Path, transforms: list[Any]) -> None:
    path = people(tmp_path / "p.csv")
    result = prepared(path, target="left", transforms=transforms)
    columns, notes = restored(result)
    assert notes == []
    assert list(columns) == ["age", "height", "income", "land"]
    raw = raw_columns(path)
    assert columns["land"].tolist() == raw["land"].tolist()
    for name in ("age", "height", "income"):
        np.testing.assert_allclose(columns[name], raw[name].astype(float), rtol=1e-5)


def test_numbers_between_categories_become_the_likeliest_one(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"size": ["S", "L", "M", "S"], "land": [*"abca"], "y": [0, 1, 0, 1]})
    order = {"type": "ordinal", "columns": ["size"], "order": ["S", "M", "L"]}
    transforms = [order, {"type": "one_hot", "columns": ["land"], "drop_first": True}]
    pipeline = prepared(path, target="y", transforms=transforms).pipeline
    assert pipeline.feature_names == {"input": ["size", "land=b", "land=c"]}
    rows = np.array([[0.6, 0.4, 0.45], [7, 0.6, 0.7], [-3, 0.9, 0.7]])
    frame = restore(pipeline, {"input": rows}).frame
    words = {name: [column.values.words[code] for code in column.values.codes] for name, column in frame.items()}
    assert words == {"size": ["M", "L", "S"], "land": ["a", "c", "b"]}


def test_flags_are_words_and_clipped_numbers_stay_in_their_range(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"on": ["true", "false"] * 2, "n": [1, 2, 3, 4], "y": [0, 1, 0, 1]})
    pipeline = prepared(path, target="y", transforms=[{"type": "clip", "columns": ["n"], "low": 2.0}]).pipeline
    frame = restore(pipeline, {"input": np.array([[0.7, 0.5], [0.2, 3.1]])}).frame
    assert [frame["on"].values.words[code] for code in frame["on"].values.codes] == ["true", "false"]
    assert frame["n"].values.tolist() == [2.0, np.float32(3.1)]


def test_what_has_no_way_back_stays_as_the_network_sees_it_and_is_told(tmp_path: Path) -> None:
    path = people(tmp_path / "p.csv")
    transforms = ["standard_scale", {"type": "hash", "columns": ["land"], "buckets": 2}]
    columns, notes = restored(prepared(path, target="left", transforms=transforms))
    assert list(columns) == ["age", "height", "income", "land#0", "land#1"]
    assert notes == ["land: hash cannot be undone; as the network sees them are land#0, land#1"]
    np.testing.assert_allclose(columns["age"], raw_columns(path)["age"].astype(float), rtol=1e-5)


def test_a_category_whose_columns_are_not_all_there_has_no_way_back(tmp_path: Path) -> None:
    path = people(tmp_path / "p.csv")
    transforms = [ONE_HOT, {"type": "drop", "columns": ["land=FR"]}]
    columns, notes = restored(prepared(path, target="left", transforms=transforms))
    assert list(columns)[3:] == ["land=DE", "land=NA"]
    assert "one_hot cannot be undone" in notes[0]


def test_columns_that_a_model_does_not_see_do_not_come_back(tmp_path: Path) -> None:
    path = people(tmp_path / "p.csv")
    transforms = [ONE_HOT, "standard_scale", {"type": "select", "columns": ["age", "land"]}]
    columns, notes = restored(prepared(path, target="left", transforms=transforms))
    assert (list(columns), notes) == (["age", "land"], [])


def test_scaled_pictures_are_from_0_to_1_again(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)
    result = made(digits(tmp_path, pixels), transforms=["standard_scale"])
    frame = restore(result.pipeline, {"input": np.asarray(result.train.inputs["input"])}).frame
    np.testing.assert_allclose(frame["image"].values, pixels / 255, atol=1e-6)
    assert picture_shapes(result.pipeline) == {"input": (4, 5, 3)}


def test_columns_named_after_the_places_of_pixels_are_a_picture(tmp_path: Path) -> None:
    def shape_of(names: list[str]) -> Any:
        path = write(tmp_path / "t.csv", {name: [1, 2] for name in names} | {"y": [0, 1]})
        return picture_shapes(prepared(path, target="y").pipeline)

    places = [f"pixel_{row}_{column}" for row in range(2) for column in range(3)]
    assert shape_of(places) == {"input": (2, 3, 1)}
    assert shape_of([f"{row}x{column}" for row in range(1, 3) for column in range(1, 4)]) == {"input": (2, 3, 1)}
    assert shape_of(places[:-1]) == {}
    assert shape_of([*places[:2], places[3], places[2], *places[4:]]) == {}
    assert shape_of([*places, "age"]) == {}
    assert shape_of(["a_0_0", "a_0_1", "b_1_0", "b_1_1"]) == {}


def test_shades_are_the_values_or_span_from_the_smallest_to_the_largest() -> None:
    plain = shades(np.array([[0.25, 1.0, 0.0, 0.5]]), (2, 2, 1))
    assert plain.shape == (1, 2, 2, 1)
    assert plain.ravel().tolist() == [0.25, 1.0, 0.0, 0.5]
    wide = shades(np.array([[-1.0, 3.0], [0.0, 1.0]]), (1, 2, 1))
    assert wide.ravel().tolist() == [0.0, 1.0, 0.25, 0.5]
