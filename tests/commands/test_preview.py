"""``nnkit preview``: the very pictures of training, read back from what is drawn."""

import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from nnkit import cli
from nnkit.commands.preview import preview
from nnkit.commands.train import train
from nnkit.errors import ResourceError, SpecError, UsageError
from nnkit.figures.canvas import DOTS_PER_INCH, EDGE, TITLE_BAND
from nnkit.figures.pictures import HEADING, TEXT, Tile, picture_grid, scaled, shown
from tests.commands.experiments import write
from tests.commands.pictures import archive, picture_spec

AUGMENT = [{"type": "translate", "shift": 2}, "rotate", "flip", "noise", {"type": "mixup", "alpha": 1}]


@pytest.fixture
def grids(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[list[Tile]], list[str], str]]:
    """Return what was drawn: tiles, columns and title."""
    kept: list[Any] = []

    def keep(tiles: Any, columns: Any, title: str) -> bytes:
        kept.append((tiles, columns, title))
        return picture_grid(tiles, columns, title)

    monkeypatch.setattr("nnkit.figures.pictures.picture_grid", keep)
    return kept


@pytest.mark.parametrize("changes", [{}, {"training__accumulate": 2}], ids=str)
def test_it_shows_what_training_then_sees(
    tmp_path: Path, grids: list[Any], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    spec = picture_spec(tmp_path, AUGMENT, **changes)
    assert preview(spec, tmp_path / "grid.png", rows=5, epochs=3) == tmp_path / "grid.png"
    [(tiles, columns, title)] = grids
    assert columns == ["original", "epoch 1", "epoch 2", "epoch 3"]
    assert title == "small: 5 augmentations"
    seen: list[NDArray[Any]] = []
    from nnkit.nn import augment

    call = augment.Augmenter.__call__

    def spy(self: Any, inputs: Any, draws: Any) -> augment.Augmented:
        result = call(self, inputs, draws)
        seen.append(result.inputs["input"].numpy().copy())
        return result

    monkeypatch.setattr(augment.Augmenter, "__call__", spy)
    train(spec, out=tmp_path / "runs", device="cpu")
    per_epoch = [np.concatenate(seen[start : start + len(seen) // 3]) for start in range(0, len(seen), len(seen) // 3)]
    for line in tiles:
        for number, pictures in enumerate(per_epoch, 1):
            assert (pictures == line[number].values).all((1, 2, 3)).sum() == 1
    for row, line in enumerate(tiles):
        np.testing.assert_array_equal(per_epoch[0][row], line[1].values)
        assert line[0].lines[0] in ("top", "bottom")
    mixed = {text for line in tiles for tile in line[1:] for text in tile.lines}
    assert mixed
    assert all(re.fullmatch(r"(top|bottom) \(\d{1,2}%\)", text) for text in mixed), mixed


def test_without_augmentation_it_shows_different_pictures(tmp_path: Path, grids: list[Any]) -> None:
    preview(picture_spec(tmp_path, []), tmp_path / "grid.png", rows=3, epochs=4)
    [(tiles, columns, title)] = grids
    assert [len(line) for line in tiles] == [5, 5, 5]
    assert len({tile.values.tobytes() for line in tiles for tile in line}) == 15
    assert (columns, title) == ([], "small: no augmentation")


def test_there_are_no_more_lines_than_rows(tmp_path: Path, grids: list[Any]) -> None:
    archive(tmp_path / "p.npz", rows=10)
    preview(picture_spec(tmp_path, ["flip"], data__split={"test": 0.2}), tmp_path / "grid.png", rows=50, epochs=1)
    preview(picture_spec(tmp_path, [], data__split={"test": 0.2}), tmp_path / "grid.png", rows=50, epochs=2)
    assert len(grids[0][0]) == 8
    assert [len(line) for line in grids[1][0]] == [3, 3, 2]


def test_scaled_inputs_are_drawn_between_their_ends(tmp_path: Path, grids: list[Any]) -> None:
    spec = picture_spec(tmp_path, ["flip"], data__transforms=["standard_scale"])
    preview(spec, tmp_path / "grid.png", rows=4, epochs=1)
    [(tiles, _, title)] = grids
    originals = np.stack([line[0].values for line in tiles])
    assert (originals.min(), originals.max()) == (0, 1)
    assert "(black is -" in title


def test_a_row_that_an_epoch_leaves_out_has_an_empty_place(tmp_path: Path, grids: list[Any]) -> None:
    procedure = {"type": "supervised", "loss": "binary_cross_entropy", "sampling": "balanced"}
    preview(picture_spec(tmp_path, ["flip"], training__procedure=procedure), tmp_path / "grid.png", epochs=3)
    [(tiles, _, _)] = grids
    assert all(line[1] is not None for line in tiles)
    assert any(tile is None for line in tiles for tile in line)


@pytest.mark.parametrize("augment", [["rotate"], []], ids=str)
def test_pictures_of_several_inputs_stand_below_each_other(
    tmp_path: Path, grids: list[Any], augment: list[str]
) -> None:
    path = archive(tmp_path / "p.npz")
    with np.load(path) as arrays:
        np.savez(path, left=arrays["image"], right=1 - arrays["image"], amount=arrays["amount"])
    layers = [
        {"name": "a", "type": "flatten", "inputs": ["input.left"]},
        {"name": "b", "type": "flatten", "inputs": ["input.right"]},
        {"type": "concatenate", "inputs": ["a", "b"]},
        {"type": "dense", "units": 1},
    ]
    spec = picture_spec(
        tmp_path,
        augment,
        data__source__arrays=["left", "right", "amount"],
        data__target="amount",
        data__inputs={"left": ["left"], "right": ["right"]},
        model__layers=layers,
        training__procedure={"type": "supervised", "loss": "mean_squared_error"},
        training__metrics=[],
    )
    preview(spec, tmp_path / "grid.png", rows=2, epochs=1)
    [(tiles, _, _)] = grids
    assert len(tiles) == 4
    np.testing.assert_allclose(tiles[1][0].values, 1 - tiles[0][0].values, atol=1e-6)
    names = [line[0].lines[0].split(": ") for line in tiles]
    assert [name for name, _ in names] == ["left", "right", "left", "right"]
    assert all(0 < float(number) < 1 for _, number in names)


def test_pixels_are_drawn_as_they_are(tmp_path: Path) -> None:
    values = np.zeros((2, 3, 3), np.float32)
    values[0, 1], values[1, 2] = (1, 0, 0), (0, 0.5, 1)
    file = tmp_path / "grid.png"
    file.write_bytes(picture_grid([[Tile(values, ("below",)), None]], ["name", "none"], "title"))
    drawn = np.asarray(Image.open(file).convert("RGB")).astype(int)
    times = 50
    expected = np.round(values * 255).astype(int).repeat(times, 0).repeat(times, 1)
    top, left = round((TITLE_BAND + HEADING) * DOTS_PER_INCH), round(EDGE * DOTS_PER_INCH)
    near = [drawn[start : start + 2 * times, left : left + 3 * times] for start in (top - 1, top, top + 1)]
    assert any(np.array_equal(block, expected) for block in near)
    below = drawn[top + 2 * times + 3 : top + 2 * times + round(TEXT * DOTS_PER_INCH)]
    assert (below < 128).any()


@pytest.mark.parametrize(
    ("channels", "values", "expected"),
    [
        (1, [0.5], (128, 128, 128)),
        (2, [0.0, 1.0], (128, 128, 128)),
        (3, [0.0, 0.5, 1.0], (0, 128, 255)),
        (4, [1.0, 0.0, 0.0, 0.5], (255, 128, 128)),
        (5, [0.2] * 5, (51, 51, 51)),
        (1, [7.0], (255, 255, 255)),
        (1, [-7.0], (0, 0, 0)),
    ],
)
def test_channels_become_colours(channels: int, values: list[float], expected: tuple[int, ...]) -> None:
    picture = np.broadcast_to(np.array(values, np.float32), (2, 2, channels))
    assert tuple(shown(picture)[1, 1].tolist()) == expected


def test_large_pictures_are_averaged() -> None:
    large = np.random.default_rng(0).integers(256, size=(301, 500, 3)).astype(np.uint8)
    small = scaled(large)
    assert small.shape == (75, 125, 3)
    np.testing.assert_array_equal(small[2, 3], np.round(large[8:12, 12:16].mean((0, 1))))


def test_the_command_prints_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, file = picture_spec(tmp_path, ["flip"]), tmp_path / "grid.png"
    command = ["preview", str(spec), "--out", str(file), "--rows", "2", "--versions", "2", "--seed", "5"]
    assert cli.run([*command, "--set", "data.augment=[rotate]"]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    first = file.read_bytes()
    width, height = struct.unpack(">II", first[16:24])
    assert min(width, height) > 200
    assert zlib.crc32(first[12:29]) == struct.unpack(">I", first[29:33])[0]
    assert cli.run([*command, "--set", "data.augment=[rotate]"]) == 0
    assert file.read_bytes() == first
    command[-1] = "6"
    assert cli.run([*command, "--set", "data.augment=[rotate]"]) == 0
    assert file.read_bytes() != first


def test_mistakes_are_told(tmp_path: Path) -> None:
    spec = picture_spec(tmp_path, ["flip"])
    with pytest.raises(UsageError, match=r"--out .*grid\.jpg: expected a file that ends in \.png"):
        preview(spec, tmp_path / "grid.jpg")
    with pytest.raises(ResourceError, match="the folder is not there"):
        preview(spec, tmp_path / "none" / "grid.png")
    with pytest.raises(SpecError, match=r"data\.augment\[0\]"):
        preview(spec, tmp_path / "grid.png", overrides=["data.augment=[{type: translate, shift: 9}]"])
    table = write(tmp_path)
    expected = (
        r"data\.source: there is nothing to draw: expected an input of height x width x channels, found input \(\d\)"
    )
    with pytest.raises(SpecError, match=expected):
        preview(table, tmp_path / "grid.png")
    assert not list(tmp_path.glob("*.png"))


def test_bytes_are_numbers_from_0_to_1() -> None:
    from nnkit.commands.preview import values_of
    from nnkit.data.dataset import Dataset

    pixels: Any = np.array([[[[0], [51]]], [[[255], [1]]]], np.uint8)
    values = values_of(Dataset({"image": pixels}, np.arange(2)), "image", [1, 0])
    assert values.dtype == np.float32
    assert torch.equal(torch.from_numpy(values), torch.from_numpy(pixels[[1, 0]]).float().div_(255))
