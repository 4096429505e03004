"""What ``nnkit generate`` makes of what a sampler draws; samplers themselves are tested beside their procedures."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnkit.cli import run
from nnkit.commands.train import train
from nnkit.inference import Predictor
from tests.commands.conftest import CITIES, Toys
from tests.commands.pictures import SIZE, picture_spec


class Drawing:
    """Draws rows of a known shape by numpy, and remembers what it was asked."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.asked: list[Any] = []

    def sample(self, count: int, seed: int, label: str | None, steps: int | None) -> dict[str, Any]:
        self.asked.append((count, seed, label, steps))
        return {"input": np.random.default_rng(seed).random((count, *self.shape), np.float32)}


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Drawing:
    """Let every run draw rows of age, balance and three cities."""
    drawing = Drawing((5,))
    monkeypatch.setattr(Predictor, "sampler", lambda predictor: drawing)
    return drawing


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Drawing:
    """Let every run draw pictures."""
    drawing = Drawing(SIZE)
    monkeypatch.setattr(Predictor, "sampler", lambda predictor: drawing)
    return drawing


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run whose input is pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    return train(picture_spec(folder, []), out=folder / "runs", device="cpu")


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> tuple[str, str]:
    assert run(["generate", *arguments]) == code
    result = capsys.readouterr()
    return result.out, result.err


def test_columns_are_written_in_the_units_of_the_data(
    toys: Toys, rows: Drawing, capsys: pytest.CaptureFixture[str]
) -> None:
    out, said = printed([str(toys.runs["binary"]), "-n", "4", "--seed", "7"], capsys)
    assert said == ""
    found = list(csv.DictReader(io.StringIO(out, newline="")))
    assert rows.asked == [(4, 7, None, None)]
    assert list(found[0]) == ["age", "balance", "city"]
    drawn = np.random.default_rng(7).random((4, 5), np.float32)
    known = json.loads((toys.runs["binary"] / "pipeline.json").read_text())["transforms"]
    scales = known[1]["states"]
    for place, name in enumerate(["age", "balance"]):
        wanted = drawn[:, place] * scales[name]["scale"] + scales[name]["shift"]
        np.testing.assert_allclose([float(row[name]) for row in found], wanted, rtol=1e-6)
    shifted = np.stack(
        [drawn[:, 2 + k] * scales[f"city={c}"]["scale"] + scales[f"city={c}"]["shift"] for k, c in enumerate(CITIES)]
    )
    assert [row["city"] for row in found] == [CITIES[place] for place in shifted.argmax(0)]


def test_json_lines_have_the_same_rows(toys: Toys, rows: Drawing, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(toys.runs["binary"]), "-n", "3"]
    table = list(csv.DictReader(io.StringIO(printed(arguments, capsys)[0], newline="")))
    lines = [json.loads(line) for line in printed([*arguments, "--format", "jsonl"], capsys)[0].splitlines()]
    assert [{name: str(value) for name, value in line.items()} for line in lines] == table
    assert isinstance(lines[0]["age"], float)


def test_a_table_goes_to_the_file_that_is_named(
    toys: Toys, rows: Drawing, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(toys.runs["binary"]), "-n", "3"]
    expected = printed(arguments, capsys)[0]
    assert printed([*arguments, "--out", str(tmp_path / "s.csv")], capsys)[0] == f"{tmp_path / 's.csv'}\n"
    assert (tmp_path / "s.csv").read_text() == expected
    expected = printed([*arguments, "--format", "jsonl"], capsys)[0]
    printed([*arguments, "--out", str(tmp_path / "s.jsonl")], capsys)
    assert (tmp_path / "s.jsonl").read_text() == expected


def test_what_stays_in_other_units_is_told(
    toys: Toys, rows: Drawing, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nnkit.data.transforms.encode import OneHot

    monkeypatch.setattr(OneHot, "restore_column", lambda *given: None)
    out, said = printed([str(toys.runs["binary"]), "-n", "3"], capsys)
    assert next(csv.reader([out.splitlines()[0]])) == ["age", "balance", *(f"city={city}" for city in CITIES)]
    assert "city: one_hot cannot be undone; as the network sees them are city=Bern, " in said
    assert printed([str(toys.runs["binary"]), "-q"], capsys)[1] == ""


def test_pictures_go_to_a_grid(
    pictured: Path,
    pictures: Drawing,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert printed([str(pictured), "-n", "5", "--label", "top", "--steps", "9"], capsys) == ("samples.png\n", "")
    assert pictures.asked == [(5, 0, "top", 9)]
    with Image.open("samples.png") as image:
        grid = np.asarray(image)
    times, (high, wide, _) = 64 // 10, SIZE
    assert grid.shape == (2 * (high * times + 2) + 2, 3 * (wide * times + 2) + 2)
    first = np.random.default_rng(0).random((5, *SIZE), np.float32)[0, :, :, 0]
    np.testing.assert_array_equal(
        grid[2 : 2 + high * times : times, 2 : 2 + wide * times : times], np.rint(255 * first).astype(np.uint8)
    )
    before = Path("samples.png").read_bytes()
    printed([str(pictured), "-n", "5", "--out", "again.png"], capsys)
    assert Path("again.png").read_bytes() == before


def test_pictures_go_one_by_one_into_a_folder(
    pictured: Path, pictures: Drawing, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "some" / "samples"
    assert printed([str(pictured), "-n", "12", "--out", str(folder)], capsys)[0] == f"{folder}\n"
    assert sorted(path.name for path in folder.iterdir()) == [f"{number:02}.png" for number in range(1, 13)]
    wanted = np.rint(255 * np.random.default_rng(0).random((12, *SIZE), np.float32)).astype(np.uint8)
    with Image.open(folder / "03.png") as image:
        assert np.array_equal(np.asarray(image), wanted[2, :, :, 0])
    said = printed([str(pictured), "--out", str(folder)], capsys, 7)[1]
    assert "there are files in it, among which the pictures would be lost" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-n", "0"], "-n 0: expected 1 or more"),
        (["--seed", "-1"], "--seed -1: expected 0 or more"),
        (["--steps", "0"], "--steps 0: expected 1 or more"),
        (["--prompt", "x"], "the model draws rows and no text; leave out --prompt"),
        (["--temperature", "0.5"], "the model draws rows and no text; leave out --temperature"),
        (["--top-k", "3"], "the model draws rows and no text; leave out --top-k"),
        (["--top-p", "0.3"], "the model draws rows and no text; leave out --top-p"),
        (["--out", "x.png"], "--out x.png: the model draws columns and no pictures; end the name in .csv or .jsonl"),
        (["--out", "x"], "--out x: the model draws columns and no pictures; end the name in .csv or .jsonl"),
        (["--out", "x.jsonl", "--format", "csv"], "--format csv: x.jsonl is no name of a csv file; end it in .csv"),
    ],
)
def test_options_that_do_not_fit(
    toys: Toys, rows: Drawing, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, said = printed([str(toys.runs["binary"]), *options], capsys, 2)
    assert (out, message in said) == ("", True), said


@pytest.mark.parametrize("options", [["--out", "x.csv"], ["--format", "csv"]])
def test_pictures_are_no_table(
    pictured: Path, pictures: Drawing, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "the model draws pictures, which no csv file holds" in printed([str(pictured), *options], capsys, 2)[1]


def test_a_grid_that_would_be_too_large(
    pictured: Path, pictures: Drawing, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = printed([str(pictured), "-n", "100000", "--out", str(tmp_path / "x.png")], capsys, 2)[1]
    assert "100000 pictures of 8 x 10 are too many for one grid; give a folder, or a smaller -n" in said


def test_a_run_that_draws_nothing(toys: Toys, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing that supervised trains draws rows" in printed([str(toys.runs["binary"])], capsys, 2)[1]
