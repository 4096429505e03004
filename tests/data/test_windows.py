"""Tables as windows: what trains, what tests, what neither may see, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import Prepared, prepare, prepare_folds
from nnkit.errors import DataError, RunError, SpecError
from tests.data.helpers import data, prepared, write

WINDOWS: dict[str, Any] = {"length": 4, "horizon": 2, "time": "day"}


def days(count: int, month: int = 1) -> list[str]:
    return [str(np.datetime64(f"2021-{month:02}-01") + number) for number in range(count)]


def series(path: Path, count: int = 40, **columns: list[Any]) -> Path:
    return write(path, {"day": days(count), "y": [number * 1.5 for number in range(count)], **columns})


def windowed(path: Path, **options: Any) -> Prepared:
    windows = WINDOWS | options.pop("windows", {})
    windows = {name: value for name, value in windows.items() if value is not None}
    return prepared(path, "regression", windows=windows, **{"target": "y", "split": {"test": 0.25}, **options})


def numbers(part: Any) -> tuple[Any, Any]:
    assert part is not None
    assert part.truth is not None
    return part.inputs["input"], part.truth


def test_a_series_becomes_windows_cut_by_time(tmp_path: Path) -> None:
    result = windowed(series(tmp_path / "s.csv"), split={"test": 0.25, "validation": 0.25})
    assert result.pipeline.input_shapes == {"input": (4, 1)}
    assert result.pipeline.targets == ["y+1", "y+2"]
    for part, first, last in (("train", 4, 20), ("validation", 20, 30), ("test", 30, 40)):
        dataset = getattr(result, part)
        inputs, truth = numbers(dataset)
        assert [row.tolist() for row in truth / 1.5] == [[start, start + 1] for start in range(first, last - 1)]
        np.testing.assert_array_equal(inputs[:, :, 0] / 1.5, truth[:, :1] / 1.5 + np.arange(-4, 0))
        assert dataset.rows.tolist() == (truth[:, 0] / 1.5 - 1).tolist()
        assert dataset.marks["time"] == [days(40)[row] for row in dataset.rows]


@pytest.mark.parametrize("seed", range(12))
def test_no_value_of_the_test_is_in_a_window_that_trains(tmp_path: Path, seed: int) -> None:
    """Property: whatever the rows' order, series, lengths and shares, training knows nothing from the cut on."""
    draw = np.random.default_rng(seed)
    rows = []
    for name in "abc"[: draw.integers(1, 4)]:
        begin = int(draw.integers(0, 20))
        rows += [(name, str(np.datetime64("2021-01-01") + day), 0) for day in range(begin, begin + 40)]
    rows = [rows[place] for place in draw.permutation(len(rows))]
    values = draw.permutation(len(rows)).astype(float)  # Each value comes once, so that it can be followed.
    path = write(
        tmp_path / "s.csv", {"name": [row[0] for row in rows], "day": [row[1] for row in rows], "y": values.tolist()}
    )
    length, horizon = int(draw.integers(1, 6)), int(draw.integers(1, 5))
    result = windowed(
        path,
        windows={"length": length, "horizon": horizon, "series": "name", "step": int(draw.integers(1, 3))},
        split={"test": float(draw.uniform(0.15, 0.4)), "validation": float(draw.uniform(0.1, 0.3))},
        target_transform="standard_scale",
    )
    day_of = {value: row[1] for value, row in zip(values.tolist(), rows, strict=True)}
    name_of = {value: row[0] for value, row in zip(values.tolist(), rows, strict=True)}
    known: dict[str, set[str]] = {}
    for part in ("train", "validation", "test"):
        inputs, truth = numbers(getattr(result, part))
        for window, future in zip(inputs[:, :, 0], truth, strict=True):
            whole = [*window.tolist(), *future.tolist()]
            moments = [np.datetime64(day_of[value]) for value in whole]
            assert (np.diff(np.array(moments)) == np.timedelta64(1, "D")).all()
            assert len({name_of[value] for value in whole}) == 1
        known[part] = {day_of[value] for value in truth.ravel().tolist()}
    seen = {day_of[value] for value in result.train.inputs["input"].ravel().tolist()} | known["train"]
    assert max(seen) < min(known["validation"])
    assert max(known["validation"]) < min(known["test"])
    before = [value for value, day in day_of.items() if day < min(known["validation"])]
    assert result.pipeline.known.target.shift == pytest.approx([np.mean(before)] * horizon)


def test_transforms_and_scales_know_the_rows_before_the_cut_alone(tmp_path: Path) -> None:
    path = series(tmp_path / "s.csv")
    result = windowed(path, transforms=["standard_scale"], target_transform="standard_scale")
    before = np.arange(30) * 1.5
    state = result.pipeline.known.target
    assert state.shift == pytest.approx([before.mean()] * 2)
    assert state.scale == pytest.approx([before.std()] * 2)
    inputs, truth = numbers(result.train)
    assert inputs[0, :, 0] == pytest.approx((before[:4] - before.mean()) / before.std(), rel=1e-6)
    assert result.train.targets is not None
    np.testing.assert_allclose(result.pipeline.restore_target(result.train.targets.astype(float)), truth, rtol=1e-6)
    assert result.pipeline.known.windows is not None
    assert result.pipeline.known.windows.scales == {
        "": {"naive": [1.5], "naive_horizon": [2.25], "deviation": [before.std()]}
    }


def test_targets_stand_side_by_side_and_features_beside_them(tmp_path: Path) -> None:
    path = series(tmp_path / "s.csv", z=[-number for number in range(40)], w=[7] * 40)
    result = windowed(path, target=["z", "y"])
    assert result.pipeline.targets == ["z+1", "z+2", "y+1", "y+2"]
    assert result.pipeline.feature_names == {"input": ["y", "z", "w"]}
    inputs, truth = numbers(result.train)
    assert inputs[0].tolist() == [[0, 0, 7], [1.5, -1, 7], [3, -2, 7], [4.5, -3, 7]]
    assert truth[0].tolist() == [-4, -5, 6, 7.5]
    named = windowed(path, target="y", inputs={"past": ["y"], "other": ["z", "w"]})
    assert named.pipeline.input_shapes == {"past": (4, 1), "other": (4, 2)}


def test_naive_forecasts_and_their_scales_are_those_of_the_rows_series(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.csv",
        {"shop": ["b"] * 20 + ["a"] * 20, "day": days(20) * 2, "y": [*range(20), *(10 * n for n in range(20))]},
    )
    result = windowed(path, windows={"series": "shop", "season": 3})
    assert result.test is not None
    yardstick, truth = result.test.yardstick, result.test.truth
    assert yardstick is not None
    assert truth is not None
    assert result.test.marks["series"] == ["a"] * 4 + ["b"] * 4
    factor = np.array([10.0] * 4 + [1] * 4)[:, None]
    np.testing.assert_array_equal(truth - yardstick.forecasts["naive"], factor * [1, 2])
    np.testing.assert_array_equal(truth - yardstick.forecasts["seasonal_naive"], factor * [3, 3])
    np.testing.assert_array_equal(yardstick.scales["naive"], factor * [1, 1])
    np.testing.assert_array_equal(yardstick.scales["seasonal_naive"], factor * [3, 3])


def test_folds_roll_the_origin(tmp_path: Path) -> None:
    spec = data(series(tmp_path / "s.csv"), target="y", windows=WINDOWS, split={"folds": 3, "validation": 0.1})
    folds = list(prepare_folds(spec, lambda count: "regression", 0))
    found = []
    for fold in folds:
        parts = [numbers(getattr(fold, part))[1] / 1.5 for part in ("train", "validation", "test")]
        found.append([(truth.min(), truth.max()) for truth in parts])
    assert found == [
        [(4, 5), (6, 9), (10, 19)],
        [(4, 15), (16, 19), (20, 29)],
        [(4, 25), (26, 29), (30, 39)],
    ]


def test_rows_without_times_stand_as_in_the_file_and_unsorted_ones_are_sorted(tmp_path: Path) -> None:
    plain = write(tmp_path / "p.csv", {"y": list(range(40))})
    result = windowed(plain, windows={"time": None})
    assert numbers(result.train)[1][0].tolist() == [4, 5]
    turned = write(tmp_path / "t.csv", {"day": days(40)[::-1], "y": list(range(40))[::-1]})
    again = windowed(turned)
    np.testing.assert_array_equal(numbers(again.train)[1], numbers(result.train)[1])
    assert again.notes == [f"{turned}: the rows are sorted by day"]
    assert again.train.rows.tolist() == (39 - result.train.rows).tolist()


def test_since_and_until_bound_the_rows(tmp_path: Path) -> None:
    path = series(tmp_path / "s.csv")
    result = windowed(path, windows={"since": "2021-01-11", "until": "2021-02-01"}, split={})
    assert numbers(result.train)[1].min() / 1.5 == 14
    assert numbers(result.train)[1].max() / 1.5 == 30
    with pytest.raises(DataError, match=r"no row is left between data.windows.since and data.windows.until"):
        windowed(path, windows={"since": "2031-01-11"})
    with pytest.raises(DataError, match=r"data.windows.until: 'soon' is no time written as those of the data are"):
        windowed(path, windows={"until": "soon"})
    years = write(tmp_path / "y.csv", {"day": list(range(1900, 1940)), "y": list(range(40))})
    assert numbers(windowed(years, windows={"until": 1920}, split={}).train)[1].max() == 19


def test_gaps_are_an_error_a_break_or_nothing(tmp_path: Path) -> None:
    times = [day for day in days(41) if day != "2021-01-16"]
    path = write(tmp_path / "s.csv", {"day": times, "y": list(range(40))})
    message = "s.csv:17: day is 2021-01-17, after 2021-01-15 in line 16; expected a step of 1 day: put the rows in"
    with pytest.raises(DataError, match=message):
        windowed(path)
    broken = numbers(windowed(path, windows={"gaps": "break"}, split={}).train)
    assert not any(
        {14, 15} <= {*window, *future}
        for window, future in zip(broken[0][:, :, 0].tolist(), broken[1].tolist(), strict=True)
    )
    assert len(broken[1]) == 10 + 20
    ignored = windowed(path, windows={"gaps": "ignore"}, split={})
    assert len(numbers(ignored.train)[1]) == 35
    assert ignored.pipeline.known.windows is not None
    assert ignored.pipeline.known.windows.spacing is None


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"day": [*days(39), "2021-01-05"]}, {}, "s.csv:41: day is 2021-01-05, as in line 6; a time comes once"),
        ({"day": [*days(39), None]}, {}, "s.csv:41: the time day is missing"),
        (
            {"day": [*days(20), "soon", *days(19, 3)]},
            {},
            "s.csv:22: day is 'soon'; expected a time written as all others, as '2021-01-01' in line 2 is",
        ),
        (
            {"shop": ["a"] * 36 + ["b"] * 4},
            {"windows": {"series": "shop"}},
            r"s.csv:38: the series b, which begins here, has 4 rows; a window \(length 4 \+ horizon 2\) takes 6",
        ),
        ({"shop": ["a"] * 39 + [None]}, {"windows": {"series": "shop"}}, "s.csv:41: the series shop is missing"),
        ({"y": [*range(39), None]}, {}, "s.csv:41: the target y is missing"),
        ({"x": [*range(39), None]}, {}, "s.csv:41: x missing; fill it by the transform impute, or drop the column"),
        ({"y": [*range(39), -1]}, {"target_transform": "log"}, "the target y is 0, which has no logarithm"),
        ({}, {"windows": {"length": 39}}, "the series, which begins here, has 40 rows; a window"),
        ({}, {"windows": {"length": 30}}, "no window of length 30 and horizon 2 is left for train"),
        ({}, {"split": {"test": 0.02}}, "no window of length 4 and horizon 2 is left for test"),
        ({"y": ["up"] * 40}, {}, "the target y holds text and the loss is for numbers"),
    ],
)
def test_what_the_rows_cannot_be(tmp_path: Path, columns: Any, options: Any, message: str) -> None:
    path = write(tmp_path / "s.csv", {"day": days(40), "y": list(range(40)), **columns})
    with pytest.raises(DataError, match=message):
        windowed(path, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windows": {"season": 5}}, "season is 5 and length 4"),
        ({"windows": {"time": None, "series": "x"}}, "series needs the column of times; set time"),
        ({"windows": {"time": None, "gaps": "break"}}, "gaps needs the column of times; set time"),
        ({"windows": {"series": "day"}}, "time and series are both day"),
        ({"windows": {"length": 0}}, "length"),
        ({"windows": {"time": "y"}}, "y is named by target and by windows"),
        ({"drop": ["day"]}, "day is named by windows and by drop"),
        ({"split": {"group": "x"}}, "split.group does not go with windows"),
        ({"split": {"stratify": True, "test": 0.1}}, "split.stratify does not go with windows"),
        ({"split": {"train": 10}}, "split.train does not go with windows"),
        ({"split": {"order": "x", "test": 0.1}}, "split.order does not go with windows"),
        ({"weight": "x"}, "weight does not go with windows"),
    ],
)
def test_what_a_spec_cannot_say(tmp_path: Path, options: Any, message: str) -> None:
    path = series(tmp_path / "s.csv", x=[1] * 40)
    with pytest.raises(ValidationError, match=message):
        windowed(path, **options)


def test_what_only_the_data_tells_of_a_spec(tmp_path: Path) -> None:
    path = series(tmp_path / "s.csv", x=["red"] * 40)
    with pytest.raises(SpecError, match=r"data.windows.time: .* has no column 'dy'; did you mean 'day'"):
        windowed(path, windows={"time": "dy"})
    with pytest.raises(SpecError, match="x hold text that no transform takes"):
        windowed(path)
    with pytest.raises(SpecError, match="windows forecast numbers, and the loss is for binary"):
        prepared(path, "binary", target="y", windows=WINDOWS)
    with pytest.raises(SpecError, match="x hold arrays, and a window has columns of numbers"):
        windowed(path, transforms=[{"type": "words", "columns": ["x"]}], inputs={"input": ["x"]})


def test_the_order_of_the_rows_may_be_said_again(tmp_path: Path) -> None:
    path = series(tmp_path / "s.csv")
    for order in (True, "day"):
        assert len(windowed(path, split={"test": 0.25, "order": order}).train) == 25


def test_parts_without_rows_are_told(tmp_path: Path) -> None:
    path = series(tmp_path / "s.csv")
    with pytest.raises(DataError, match=r"s.csv: no row is left for train; make the shares of data.split smaller"):
        windowed(path, split={"test": 0.97, "validation": 0.02})
    two = write(tmp_path / "two.csv", {"day": days(2), "y": [1, 2]})
    with pytest.raises(DataError, match="no row is left for train"):
        windowed(two, windows={"length": 1, "horizon": 1}, split={"test": 0.9, "validation": 0.05})
    with pytest.raises(DataError, match=r"s.csv: 40 folds in time need 41 rows, and there are 40"):
        windowed(path, split={"folds": 40})
    with pytest.raises(DataError, match=r"s.csv: no window of length 4 and horizon 2 is left for test"):
        windowed(path, split={"folds": 30}, windows={"step": 1})


def test_rows_may_be_chosen_before_they_become_windows(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "shop": ["a", "b"] * 20,
        "day": [day for day in days(20) for _ in "ab"],
        "y": list(range(40)),
    }
    result = windowed(write(tmp_path / "s.csv", columns), where={"shop": ["b"]}, drop=["shop"], split={})
    assert numbers(result.train)[1].tolist() == [[row, row + 2] for row in range(9, 38, 2)]
    assert result.train.rows.tolist() == list(range(7, 36, 2))


def test_a_pretrained_network_brings_no_windows(tmp_path: Path) -> None:
    path = series(tmp_path / "s.csv")
    known = windowed(path).pipeline.known
    with pytest.raises(SpecError, match="a pretrained network brings its own inputs; leave windows out"):
        prepare(data(path, target="y", windows=WINDOWS), lambda count: "regression", 0, known)


def test_a_part_may_have_a_source_of_its_own(tmp_path: Path) -> None:
    later = write(tmp_path / "later.csv", {"day": days(8, 6), "y": [float(number) for number in range(8)]})
    split = {"test": {"type": "csv", "path": str(later)}, "validation": 0.2}
    result = windowed(series(tmp_path / "s.csv"), split=split)
    assert numbers(result.test)[1].tolist() == [[4, 5], [5, 6], [6, 7]]
    assert str(later) in " ".join(result.hashes)
    write(later, {"day": days(5, 6), "y": [1] * 5})
    with pytest.raises(DataError, match=r"later.csv:2: the series, which begins here, has 5 rows"):
        windowed(series(tmp_path / "s.csv"), split=split)


def test_the_pipeline_comes_back_from_json_and_is_checked(tmp_path: Path) -> None:
    known = windowed(series(tmp_path / "s.csv"), windows={"season": 2}).pipeline.to_json()
    again = Pipeline.from_json(known)
    assert again.to_json() == known
    changes: list[dict[str, Any]] = [{"targets": ["x"]}, {"kinds": {}}, {"options": {"length": 5, "horizon": 2}}]
    changes += [
        {"way": None},
        {"way": "number"},
        {"spacing": {"unit": "number", "count": 1.0}},
        {"scales": {"": {"naive": [1.0, 2.0]}}},
        {"scales": {"": {"naive": 1.0}}},
        {"kinds": {"day": "number"}},
        {"options": known["windows"]["options"] | {"time": None}},
    ]
    for change in changes:
        with pytest.raises(RunError):
            Pipeline.from_json(known | {"windows": known["windows"] | change})
    with pytest.raises(RunError):
        Pipeline.from_json(known | {"windows": None})
