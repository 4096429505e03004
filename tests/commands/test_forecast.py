"""Forecasts from the command line: training, evaluation, prediction of fresh history, and what is refused."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.cli import run
from nnkit.commands.predict import predict
from nnkit.commands.train import resume, train
from nnkit.config.document import dump_yaml
from nnkit.errors import InterruptError
from tests.commands.changes import change
from tests.commands.test_interrupt import Terminating

Run = tuple[int, str, str]


def rows(days: int = 60, shops: tuple[str, ...] = ("north", "south")) -> list[dict[str, Any]]:
    draw = np.random.default_rng(0)
    return [
        {
            "shop": shop,
            "day": str(np.datetime64("2023-01-01") + day),
            "sales": round(50 + 10 * np.sin(day * 2 * np.pi / 7) + place * 20 + draw.normal(), 2),
            "price": round(5 + draw.normal(), 2),
        }
        for place, shop in enumerate(shops)
        for day in range(days)
    ]


def write(path: Path, table: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return path


def spec_of(folder: Path, **changes: Any) -> Path:
    spec: dict[str, Any] = {
        "name": "shops",
        "seed": 1,
        "data": {
            "source": {"type": "csv", "path": str(folder / "shops.csv")},
            "target": "sales",
            "windows": {"length": 8, "horizon": 3, "time": "day", "series": "shop", "season": 7},
            "split": {"test": 0.2, "validation": 0.1},
            "transforms": ["standard_scale"],
            "target_transform": "standard_scale",
        },
        "model": {"type": "network", "layers": ["flatten", {"type": "dense", "units": 3}]},
        "training": {
            "procedure": {
                "type": "supervised",
                "loss": "mean_squared_error",
                "optimizer": {"type": "adam", "lr": 0.02},
            },
            "epochs": 6,
            "batch_size": 16,
        },
    }
    change(spec, changes)
    path_ = folder / "spec.yaml"
    path_.write_text(dump_yaml(spec))
    return path_


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a run and the file that it was made of."""
    folder = tmp_path_factory.mktemp("shops")
    path = write(folder / "shops.csv", rows())
    named = ["mae", "rmse", "mase", "relative_mae", {"type": "mase", "against": "seasonal_naive"}]
    named += [{"type": "mase", "steps": "horizon"}, {"type": "mase", "against": "seasonal_naive", "steps": "horizon"}]
    return train(spec_of(folder, training__metrics=named), out=folder / "runs"), path


def nnkit(capsys: pytest.CaptureFixture[str], *arguments: object) -> Run:
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_run_has_forecasts_and_naive_ones_beside(shops: tuple[Path, Path]) -> None:
    folder, _ = shops
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(metrics) == ["train", "validation", "test"]
    predictions = table((folder / "predictions.csv").read_text())
    assert len(predictions) == 2 * (12 - 2)
    first = predictions[0]
    assert (first["row"], first["series"], first["time"]) == ("47", "north", "2023-02-17")
    numbers = {
        name: np.array([[float(row[f"{name}_sales+{step}"]) for step in (1, 2, 3)] for row in predictions])
        for name in ("truth", "prediction", "naive", "seasonal_naive")
    }
    sales = {(row["shop"], row["day"]): row["sales"] for row in rows()}
    for row, truth, naive, seasonal in zip(
        predictions, numbers["truth"], numbers["naive"], numbers["seasonal_naive"], strict=True
    ):
        day = np.datetime64(row["time"])
        assert truth.tolist() == [sales[row["series"], str(day + step)] for step in (1, 2, 3)]
        assert naive.tolist() == [sales[row["series"], str(day)]] * 3
        assert seasonal.tolist() == [sales[row["series"], str(day + step - 7)] for step in (1, 2, 3)]
    for name, key in (("prediction", "mae"), ("naive", "naive_mae"), ("seasonal_naive", "seasonal_naive_mae")):
        expected = np.abs(numbers[name] - numbers["truth"]).mean()
        assert metrics["test"][key] == pytest.approx(expected, rel=1e-6)
    assert metrics["test"]["relative_mae"] == pytest.approx(metrics["test"]["mae"] / metrics["test"]["naive_mae"])
    scales = []
    for shop in ("north", "south"):
        known = np.array([row["sales"] for row in rows() if row["shop"] == shop][:42])
        scales.append(np.abs(np.diff(known)).mean())
    errors = np.abs(numbers["prediction"] - numbers["truth"])
    mase = np.mean([errors[:10].mean() / scales[0], errors[10:].mean() / scales[1]])
    assert metrics["test"]["mase"] == pytest.approx(mase, rel=1e-6)
    for key, lags in (("mase_horizon", (1, 2, 3)), ("mase_seasonal_naive_horizon", (7, 7, 7))):
        units = []
        for shop in ("north", "south"):
            known = np.array([row["sales"] for row in rows() if row["shop"] == shop][:42])
            units.append(np.mean([np.abs(known[lag:] - known[:-lag]).mean() for lag in lags]))
        expected = np.mean([errors[:10].mean() / units[0], errors[10:].mean() / units[1]])
        assert metrics["test"][key] == pytest.approx(expected, rel=1e-6)


def test_evaluate_says_the_same_of_the_folder_and_of_the_file(
    shops: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = shops
    code, out, _ = nnkit(capsys, "evaluate", folder, "--json")
    assert code == 0
    stored = json.loads((folder / "metrics.json").read_text())["test"]
    assert json.loads(out)["test"] == pytest.approx(stored)
    # The last 20 rows of a series are 8 to look back at and the 12 of the test.
    tail = [row for row in rows() if row["day"] >= "2023-02-10"]
    code, out, _ = nnkit(capsys, "evaluate", folder, write(tmp_path / "tail.csv", tail), "--json")
    assert code == 0
    assert json.loads(out)["test"] == pytest.approx(stored, rel=1e-5)
    assert nnkit(capsys, "evaluate", folder, "--fail-under", "relative_mae=0.0001")[0] == 8
    code, out, err = nnkit(capsys, "evaluate", folder, "--fail-under", "naive_mae=1")
    assert code == 2
    assert "no such metric" in err


def test_a_forecast_is_the_runs_own_prediction_of_the_same_window(
    shops: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = shops
    predictions = {(row["series"], row["time"]): row for row in table((folder / "predictions.csv").read_text())}
    for last in ("2023-02-17", "2023-02-20", "2023-02-26"):
        history = [row for row in rows() if row["day"] <= last]
        code, out, err = nnkit(capsys, "predict", folder, write(tmp_path / "history.csv", history))
        assert (code, err) == (0, "")
        lines = table(out)
        assert list(lines[0]) == ["series", "step", "time", "prediction"]
        assert len(lines) == 6
        for line in lines:
            own = predictions[line["series"], last]
            assert float(line["prediction"]) == pytest.approx(float(own[f"prediction_sales+{line['step']}"]), rel=1e-6)
            assert line["time"] == str(np.datetime64(last) + int(line["step"]))


def test_a_forecast_does_not_depend_on_chunks_or_the_order_of_rows(shops: tuple[Path, Path], tmp_path: Path) -> None:
    folder, _ = shops
    expected = io.StringIO()
    predict(folder, None, expected)
    shuffled = rows()
    np.random.default_rng(0).shuffle(shuffled)
    for name, given in (("same", rows()), ("shuffled", shuffled)):
        for chunk_rows in (1, 7, 1000):
            found = io.StringIO()
            predict(folder, write(tmp_path / f"{name}.csv", given), found, chunk_rows=chunk_rows)
            assert found.getvalue() == expected.getvalue()


def test_a_forecast_in_json_and_without_the_targets_of_later_days(
    shops: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = shops
    history = tmp_path / "history.jsonl"
    history.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    code, out, _ = nnkit(capsys, "predict", folder, history)
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3] * 2
    assert lines[0] == {"series": "north", "step": 1, "time": "2023-03-02", "prediction": lines[0]["prediction"]}


@pytest.mark.parametrize(
    ("command", "change", "message"),
    [
        ("predict", lambda table: table[:5], ":2: the series north, which begins here, has 5 rows; the input of a"),
        (
            "evaluate",
            lambda table: table[:9],
            ":2: the series north, which begins here, has 9 rows; a window (length 8",
        ),
        ("predict", lambda table: table[:55] + table[56:60], ":57: day is 2023-02-26, after 2023-02-24 in line 56"),
        ("evaluate", lambda table: table[:20] + table[21:60], ":22: day is 2023-01-22, after 2023-01-20 in line 21"),
        (
            "predict",
            lambda table: [*table[:60], table[58]],
            ":62: day is 2023-02-28, as in line 60 of the series north",
        ),
        ("evaluate", lambda table: [*table[:60], table[3]], ":62: day is 2023-01-04, as in line 5 of the series north"),
        (
            "predict",
            lambda table: [*table[:59], table[59] | {"day": "1. March"}],
            ":61: day is '1. March'; expected a time written as ISO 8601",
        ),
        ("predict", lambda table: [*table[:59], table[59] | {"day": ""}], ":61: the time day is missing"),
        ("predict", lambda table: [*table[:59], table[59] | {"sales": "many"}], ":61: sales: "),
        ("predict", lambda table: [*table[:59], table[59] | {"sales": ""}], ":61: sales missing"),
        ("evaluate", lambda table: [{"day": 1, "shop": "x"}], "lacks the columns sales, price"),
        ("predict", lambda table: [{"day": 1, "sales": 1, "price": 1}], "lacks the columns shop"),
    ],
)
def test_bad_history_is_told_with_its_place(
    shops: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    change: Any,
    message: str,
) -> None:
    folder, _ = shops
    path = write(tmp_path / "bad.csv", change(rows()))
    code, out, err = nnkit(capsys, command, folder, path)
    assert code == 4, err
    assert out == ""
    assert message in err
    assert str(path) in err


def test_rows_that_cannot_be_read_may_be_put_aside_where_none_is_needed(
    shops: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = shops
    given = rows()
    given[3]["price"] = "dear"
    path, aside = write(tmp_path / "h.csv", given), tmp_path / "aside.csv"
    code, out, err = nnkit(capsys, "predict", folder, path, "--rejects", aside)
    assert code == 0
    assert "rows that could not be read: 1" in err
    assert len(table(aside.read_text())) == 1
    code, whole, _ = nnkit(capsys, "predict", folder)
    assert out == whole


def test_what_a_forecast_cannot_do(
    shops: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, path = shops
    code, _, err = nnkit(capsys, "predict", folder, path, "--keep")
    assert code == 2
    assert "--keep: a forecast is of rows that are not in the input" in err
    code, _, err = nnkit(capsys, "predict", folder, path, "--format", "trees")
    assert code == 2
    assert "--format trees: the model forecasts numbers; use csv or jsonl" in err
    empty = tmp_path / "empty.csv"
    empty.write_text("shop,day,sales,price\n")
    code, _, err = nnkit(capsys, "predict", folder, empty)
    assert code == 4
    assert "has no rows; a forecast needs the last 8" in err
    for arguments, message in (
        (["--input", "sales=3"], "the network sees a window of several rows; give a file with them"),
        (["--row", "9999"], "has no such window; the first has the number 0, of 100"),
    ):
        code, _, err = nnkit(capsys, "trace", folder, *arguments)
        assert code == 2
        assert message in err


def test_a_window_is_traced_to_what_is_predicted_of_it(
    shops: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = shops
    predictions = table((folder / "predictions.csv").read_text())
    code, out, err = nnkit(capsys, "trace", folder, "--row", "40", "--json")
    assert code == 0, err
    traced = json.loads(out)
    own = next(row for row in predictions if (row["series"], row["row"]) == ("north", "47"))  # The 40th window's last.
    assert {name: float(value) for name, value in traced["row"]["target"].items()} == {
        f"sales+{step}": float(own[f"truth_sales+{step}"]) for step in (1, 2, 3)
    }
    known = json.loads((folder / "pipeline.json").read_text())["target"]
    node = next(node for node in traced["nodes"] if node["name"] == "dense_1")
    outputs = np.array(node["value"]["values"]).ravel() * known["scale"] + known["shift"]
    assert outputs == pytest.approx([float(own[f"prediction_sales+{step}"]) for step in (1, 2, 3)], rel=1e-5)


def test_after_a_gap_a_forecast_needs_enough_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "shops.csv", rows())
    windows = {"length": 8, "horizon": 3, "time": "day", "series": "shop", "gaps": "break"}
    folder = train(spec_of(tmp_path, data__windows=windows, training__epochs=1), out=tmp_path)
    gap = [row for row in rows() if row["shop"] == "north" and row["day"] != "2023-02-26"]
    code, _, err = nnkit(capsys, "predict", folder, write(tmp_path / "gap.csv", gap))
    assert code == 4
    assert "gap.csv:58: after a gap day goes on here, and to the end there are less than the 8 rows" in err
    assert nnkit(capsys, "predict", folder, write(tmp_path / "gap.csv", gap[:50]))[0] == 0


def test_quantiles_of_several_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "shops.csv", rows())
    spec = spec_of(
        tmp_path,
        data__target=["sales", "price"],
        model__layers=["flatten", {"type": "dense", "units": 18}],
        training__procedure__loss={"type": "quantile", "quantile": [0.1, 0.5, 0.9]},
    )
    folder = train(spec, out=tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())["test"]
    predictions = table((folder / "predictions.csv").read_text())
    truth = np.array(
        [[float(row[f"truth_{name}+{s}"]) for name in ("sales", "price") for s in (1, 2, 3)] for row in predictions]
    )
    tails = {
        tail: np.array(
            [
                [float(row[f"prediction_{name}+{s}_{tail}"]) for name in ("sales", "price") for s in (1, 2, 3)]
                for row in predictions
            ]
        )
        for tail in ("q10", "q50", "q90")
    }
    assert metrics["mae"] == pytest.approx(np.abs(tails["q50"] - truth).mean(), rel=1e-6)
    low, high = np.minimum(tails["q10"], tails["q90"]), np.maximum(tails["q10"], tails["q90"])
    inside = (np.minimum(low, tails["q50"]) <= truth) & (truth <= np.maximum(high, tails["q50"]))
    assert metrics["coverage"] == pytest.approx(inside.mean())
    assert (tails["q10"][:, :3] > 30).all()  # In the target's own units.
    assert json.loads(nnkit(capsys, "evaluate", folder, "--json")[1])["test"] == pytest.approx(metrics)
    out = nnkit(capsys, "predict", folder)[1]
    names = [f"prediction_{name}_{tail}" for name in ("sales", "price") for tail in ("q10", "q50", "q90")]
    assert list(table(out)[0]) == ["series", "step", "time", *names]
    out = nnkit(capsys, "predict", folder, "--format", "jsonl")[1]
    assert list(json.loads(out.splitlines()[0])["prediction"]) == [name.removeprefix("prediction_") for name in names]


def test_a_network_of_another_size_is_told_how_many_outputs_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "shops.csv", rows())
    loss = {"type": "quantile", "quantile": [0.1, 0.9]}
    spec = spec_of(tmp_path, training__procedure__loss=loss, training__metrics=["mase", "roc_auc"])
    code, _, err = nnkit(capsys, "check", spec)
    assert code == 3
    assert "gives 3; quantile needs 6 for 3 targets with 2 quantiles each (sales+1, sales+2, sales+3)" in err
    assert "roc_auc is for" in err
    windows = {"length": 8, "horizon": 3, "time": "day", "series": "shop"}
    metrics = [{"type": "mase", "against": "seasonal_naive"}, "coverage"]
    code, _, err = nnkit(capsys, "check", spec_of(tmp_path, data__windows=windows, training__metrics=metrics))
    assert code == 3
    assert "mase_seasonal_naive needs the length of a season; set data.windows.season" in err
    assert "coverage is of quantiles" in err


def test_folds_roll_and_are_told_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "shops.csv", rows())
    folder = train(spec_of(tmp_path, data__split={"folds": 3}), out=tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert len(metrics["folds"]) == 3
    each = [fold["test"]["naive_mae"] for fold in metrics["folds"]]
    assert metrics["mean"]["test"]["naive_mae"] == pytest.approx(np.mean(each))
    predictions = table((folder / "predictions.csv").read_text())
    assert len(predictions) == 3 * 2 * (15 - 2)
    assert {row["series"] for row in predictions} == {"north", "south"}
    assert (folder / "forecast.png").exists()
    assert nnkit(capsys, "evaluate", folder)[0] == 0
    assert nnkit(capsys, "plot", folder)[0] == 0


def test_who_does_not_beat_the_naive_forecast_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "shops.csv", rows())
    spec = spec_of(tmp_path, training__epochs=1)
    code, out, err = nnkit(capsys, "train", spec, "--out", tmp_path)
    assert code == 0
    assert "test: the seasonal naive forecast (the values of a season before) is better: mae" in err
    folder = Path(out.strip())
    assert "seasonal naive forecast" in (folder / "README.md").read_text()
    assert "seasonal naive forecast" in nnkit(capsys, "evaluate", folder)[2]
    (folder / "forecast.png").unlink()
    code, out, _ = nnkit(capsys, "plot", folder)
    assert code == 0
    assert "forecast.png" in out
    assert (folder / "forecast.png").exists()


def test_windows_that_are_not_held_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "shops.csv", rows())
    spec = spec_of(tmp_path)
    held = train(spec, out=tmp_path / "held")
    monkeypatch.setattr("nnkit.frames.windows.HELD", 0)
    cut = train(spec, out=tmp_path / "cut")
    for name in ("weights.safetensors", "predictions.csv", "metrics.json"):
        assert (cut / name).read_bytes() == (held / name).read_bytes()


def test_a_forecast_that_was_interrupted_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "shops.csv", rows())
    spec = spec_of(tmp_path, training__metrics=["mae", "mase"])
    whole = train(spec, out=tmp_path / "whole")
    with pytest.raises(InterruptError):
        train(spec, out=tmp_path / "cut", listener=Terminating(3))
    [cut] = (tmp_path / "cut" / "shops").iterdir()
    assert resume(cut) == cut
    for name in ("weights.safetensors", "predictions.csv", "metrics.json", "pipeline.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_quantiles_need_no_windows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "shops.csv", rows())
    spec = spec_of(
        tmp_path,
        data__windows=None,
        data__drop=["shop", "day"],
        model__layers=[{"type": "dense", "units": 2}],
        training__procedure__loss={"type": "quantile", "quantile": [0.025, 0.975]},
        training__metrics=["mae", "pinball", "coverage"],
    )
    folder = train(spec, out=tmp_path)
    assert set(json.loads((folder / "metrics.json").read_text())["test"]) == {"mae", "pinball", "coverage"}
    assert nnkit(capsys, "evaluate", folder)[0] == 0
    code, out, _ = nnkit(capsys, "predict", folder)
    lines = table(out)
    assert (code, len(lines), list(lines[0])) == (0, 120, ["prediction_q2.5", "prediction_q97.5"])
    kept = table(nnkit(capsys, "predict", folder, "--keep")[1])
    assert list(kept[0]) == ["shop", "day", "sales", "price", "prediction_q2.5", "prediction_q97.5"]
    out = nnkit(capsys, "predict", folder, "--format", "jsonl")[1]
    first = json.loads(out.splitlines()[0])["prediction"]
    assert first == {name: float(lines[0][f"prediction_{name}"]) for name in ("q2.5", "q97.5")}
