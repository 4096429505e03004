"""Runs that learn from pictures: checked, trained, used on folders and files, resumed."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnkit import cli
from nnkit.commands.predict import predict
from nnkit.commands.train import resume, train
from nnkit.config.document import dump_yaml
from nnkit.data.sources import images as images_module
from nnkit.engine.listener import Silence, Value
from nnkit.errors import DataError, RunError
from nnkit.frames import galleries
from tests.frames.drawn import encoded, folder, photo, png, unreadable

DRAW = np.random.default_rng(7)


def shade(bright: bool, height: int = 6, width: int = 8) -> bytes:
    """Return a picture that is light or dark."""
    return png(DRAW.integers(0, 100, (height, width, 3)) + (150 if bright else 0))


def shades(path: Path, count: int = 20) -> Path:
    """Write light and dark pictures of many sizes, a folder for each class."""
    names = {f"{'light' if n % 2 else 'dark'}/{n:02}.png": (bool(n % 2), 6 + n % 3, 8 + n % 5) for n in range(count)}
    return folder(path, {name: shade(*drawn) for name, drawn in names.items()})


def spec(path: Path, source: dict[str, Any], **changes: Any) -> Path:
    value: dict[str, Any] = {
        "name": "shades",
        "data": {"source": source, "target": "label", "split": {"test": 0.2}} | changes.pop("data", {}),
        "model": {"type": "network", "layers": ["flatten", {"type": "dense", "units": 1, "activation": "sigmoid"}]},
        "training": {
            "procedure": {
                "type": "supervised",
                "loss": "binary_cross_entropy",
                "optimizer": {"type": "adam", "lr": 0.05},
            },
            "epochs": 20,
            "batch_size": 8,
            "metrics": ["accuracy"],
        }
        | changes,
    }
    path.write_text(dump_yaml(value))
    return path


def images(path: Path, **options: Any) -> dict[str, Any]:
    return {"type": "images", "path": str(path), "size": [5, 5], **options}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train on light and dark pictures."""
    home = tmp_path_factory.mktemp("shades")
    return train(spec(home / "s.yaml", images(shades(home / "data"))), out=home / "runs")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def cli_predict(*arguments: Any) -> int:
    return cli.run(["predict", *map(str, arguments)])


def test_a_line_for_each_picture_and_which_it_is(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fresh = {
        "b.png": shade(True),
        "a.png": shade(False),
        "c.JPG": photo(),
        ".hidden": b"",
        "sub.bmp": shade(True, 40, 9),
    }
    folder(tmp_path, fresh)
    assert cli_predict(run, tmp_path, "--keep") == 0
    found = rows(capsys.readouterr().out)
    assert [row["file"] for row in found] == ["a.png", "b.png", "c.JPG", "sub.bmp"]
    assert [row["prediction"] for row in found][:2] == ["dark", "light"]
    assert list(found[0]) == ["file", "prediction", "probability_dark", "probability_light"]
    assert cli_predict(run, tmp_path) == 0
    assert [row["prediction"] for row in rows(capsys.readouterr().out)] == [row["prediction"] for row in found]
    assert cli_predict(run, tmp_path / "b.png", "--format", "jsonl", "--keep") == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["file"] == "b.png"
    assert json.loads(line)["probabilities"]["light"] == pytest.approx(float(found[1]["probability_light"]))


def test_pictures_one_by_one_or_together_give_the_same(run: Path, tmp_path: Path) -> None:
    shades(tmp_path, 9)
    texts = set()
    for size in (1, 4, 100):
        output = io.StringIO()
        predict(run, tmp_path, output, chunk_rows=size, keep=True)
        texts.add(output.getvalue())
    assert len(texts) == 1
    assert [row["label"] for row in rows(texts.pop())] == ["dark"] * 5 + ["light"] * 4


def bad_folder(path: Path) -> Path:
    return folder(path, {"good.png": shade(True)} | {name: data for name, (data, _) in unreadable().items()})


def test_predict_names_every_bad_picture_and_ends_with_4(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bad_folder(tmp_path)
    for options in ([], ["--chunk-rows", 1]):
        assert cli_predict(run, path, *options) == 4
        told = capsys.readouterr().err.splitlines()
        for name, (_, reason) in unreadable().items():
            [line] = [line for line in told if line.startswith(f"{path / name}: ")]
            assert reason in line
        assert told[-1] == "--rejects FILE writes there what cannot be read, and goes on"
        assert len(told) == len(unreadable()) + 1


def test_predict_goes_on_with_rejects(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bad_folder(tmp_path / "data")
    assert cli_predict(run, path, "--keep", "--rejects", tmp_path / "bad.csv") == 0
    captured = capsys.readouterr()
    assert [row["file"] for row in rows(captured.out)] == ["good.png"]
    assert captured.err.startswith(f"rows that could not be read: {len(unreadable())}; they are in ")
    rejected = rows((tmp_path / "bad.csv").read_text())
    assert {row["row"] for row in rejected} == set(unreadable())
    assert all(unreadable()[row["row"]][1] in row["reason"] for row in rejected)


def test_check_names_every_bad_picture_and_ends_with_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shades(tmp_path / "data")
    folder(path / "dark", {name: data for name, (data, _) in unreadable().items()})
    file = spec(tmp_path / "s.yaml", images(path))
    assert cli.run(["check", str(file)]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    told = captured.err.splitlines()
    assert told[0] == f"{path}: {len(unreadable())} of {20 + len(unreadable())} pictures cannot be read:"
    assert [line.split(": ")[0] for line in told[1:-1]] == sorted(str(path / "dark" / name) for name in unreadable())
    assert cli.run(["train", str(file), "--out", str(tmp_path / "runs")]) == 4
    assert not (tmp_path / "runs").exists()


def test_what_a_mode_would_convert_is_listed_until_the_spec_says_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shades(tmp_path / "data")
    inks = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    deep = Image.fromarray(np.zeros((4, 4), np.uint16))
    odd = {"i.jpg": (encoded(inks, "JPEG"), "is CMYK"), "p.png": (encoded(inks.convert("P")), "has a palette")}
    odd |= {"q.png": (encoded(deep), "has 16 bits a channel")}
    for name, (data, _) in odd.items():
        (path / "dark" / name).write_bytes(data)
    file = spec(tmp_path / "s.yaml", images(path))
    assert cli.run(["check", str(file)]) == 4
    told = capsys.readouterr().err
    for name, (_, reason) in odd.items():
        assert f"{path / 'dark' / name}: {reason}; set mode: RGB, RGBA or grey in the source, which converts it" in told
    assert cli.run(["check", str(file), "--set", "data.source.mode=RGB"]) == 0
    assert cli.run(["check", str(file), "--set", "data.source.on_bad=skip"]) == 0
    assert "is CMYK" in capsys.readouterr().err


def test_what_the_spec_skips_is_counted_by_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shades(tmp_path / "data")
    (path / "dark" / "x.png").write_bytes(b"")
    file = spec(tmp_path / "s.yaml", images(path, on_bad="skip"))
    said = f"{path}: pictures that cannot be read and are skipped: 1 of 21\n{path}/dark/x.png: is empty\n"
    assert cli.run(["check", str(file), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == said
    assert json.loads(captured.out)["notes"] == said.splitlines()
    assert sum(json.loads(captured.out)["splits"].values()) == 20
    assert cli.run(["train", str(file), "--out", str(tmp_path / "runs")]) == 0
    captured = capsys.readouterr()
    assert said in captured.err
    run = captured.out.strip()
    skipped = f"files that are skipped: 1\n{path}/dark/x.png: is empty\n"
    assert cli_predict(run, path) == 0
    captured = capsys.readouterr()
    assert captured.err == skipped
    assert len(rows(captured.out)) == 20
    assert cli_predict(run, path, "--rejects", tmp_path / "bad.csv") == 0
    assert capsys.readouterr().err == f"rows that could not be read: 1; they are in {tmp_path / 'bad.csv'}\n"
    assert cli.run(["evaluate", run, str(path), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == skipped
    assert json.loads(captured.out)["notes"] == skipped.splitlines()


def test_evaluate_takes_a_folder_of_classes(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shades(tmp_path, 12)
    assert cli.run(["evaluate", str(run), str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test"]["accuracy"] == 1
    assert cli.run(["evaluate", str(run), str(path / "dark")]) == 4
    assert "lacks the columns label; it has: file, image" in capsys.readouterr().err
    (path / "green").mkdir()
    (path / "green" / "1.png").write_bytes(shade(True))
    assert cli.run(["evaluate", str(run), str(path)]) == 4
    assert "the target label is 'green'; the model's classes are dark, light" in capsys.readouterr().err


def test_pictures_beside_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path, {f"p/{n}.png": shade(bool(n % 2)) for n in range(20)})
    lines = [f"p/{n}.png,{n},{'yes' if n % 2 else 'no'}" for n in range(20)]
    (tmp_path / "list.csv").write_text("\n".join(["file,age,label", *lines]) + "\n")
    value = {"inputs": {"image": ["image"], "facts": ["age"]}}
    file = spec(tmp_path / "s.yaml", images(tmp_path / "list.csv"), data=value, epochs=2)
    layers = [
        {"name": "look", "type": "flatten", "inputs": ["input.image"]},
        {"name": "both", "type": "concatenate", "inputs": ["look", "input.facts"]},
        {"type": "dense", "units": 1, "activation": "sigmoid"},
    ]
    assert (
        cli.run(["train", str(file), "--set", f"model.layers={json.dumps(layers)}", "--out", str(tmp_path / "r")]) == 0
    )
    run = capsys.readouterr().out.strip()
    (tmp_path / "fresh.csv").write_text("file,age\np/3.png,4\np/nowhere.png,5\np/5.png,\n")
    assert cli_predict(run, tmp_path / "fresh.csv") == 4
    assert f"{tmp_path}/fresh.csv:3: p/nowhere.png: not found\n" in capsys.readouterr().err
    assert cli_predict(run, tmp_path / "fresh.csv", "--keep", "--rejects", tmp_path / "bad.csv") == 0
    assert [row["file"] for row in rows(capsys.readouterr().out)] == ["p/3.png"]
    assert [row["reason"] for row in rows((tmp_path / "bad.csv").read_text())] == ["not found", "age missing"]


EVERY_EPOCH = {"type": "checkpoint", "every_seconds": 0, "monitor": "train_loss"}


class Stop(Silence):
    """Ends a training after its second epoch."""

    def epoch_ended(self, record: Mapping[str, Value]) -> None:
        if record["epoch"] == 2:
            raise KeyboardInterrupt


def test_a_picture_that_changed_is_noticed_when_a_run_goes_on(tmp_path: Path) -> None:
    path = shades(tmp_path / "data")
    file = spec(tmp_path / "s.yaml", images(path), callbacks=[EVERY_EPOCH])
    with pytest.raises(KeyboardInterrupt):
        train(file, out=tmp_path / "runs", listener=Stop())
    [run] = (tmp_path / "runs" / "shades").iterdir()
    before = (path / "dark" / "00.png").read_bytes()
    (path / "dark" / "00.png").write_bytes(shade(True))
    with pytest.raises(RunError, match=f"the data is not what the run began with: {path} changed"):
        resume(run)
    (path / "dark" / "00.png").write_bytes(before)
    whole = train(file, out=tmp_path / "whole")
    assert (resume(run) / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()


def test_a_run_does_not_need_the_folder_that_it_was_made_of(
    tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "moved"
    data = shades(tmp_path / "data")
    file = spec(tmp_path / "s.yaml", images(data), epochs=1)
    made = train(file, out=home)
    data.rename(tmp_path / "elsewhere")
    assert cli_predict(made, tmp_path / "elsewhere") == 0
    assert len(rows(capsys.readouterr().out)) == 20


def test_pictures_from_the_cache_train_the_same_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = spec(tmp_path / "s.yaml", images(shades(tmp_path / "data")), epochs=3)
    loaded = train(file, out=tmp_path / "a")
    monkeypatch.setattr(galleries, "memory_limit", lambda: 0)
    monkeypatch.setenv("NNKIT_CACHE", str(tmp_path / "cache"))
    mapped = train(file, out=tmp_path / "b")
    assert (loaded / "weights.safetensors").read_bytes() == (mapped / "weights.safetensors").read_bytes()
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1


def test_predict_stays_within_its_memory(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = galleries.fill

    def watched(entries: Any, look: Any, store: Any) -> Any:
        sizes.append(store.nbytes)
        return real(entries, look, store)

    monkeypatch.setattr(galleries, "fill", watched)
    monkeypatch.setattr(images_module, "CHUNK_BYTES", 300)
    shades(tmp_path, 11)
    output = io.StringIO()
    assert predict(run, tmp_path, output).rows == 11
    assert len(sizes) == 3
    assert max(sizes) <= 300


def test_a_bad_picture_after_good_ones(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_module, "CHUNK_BYTES", 75)
    folder(tmp_path, {"a.png": shade(True), "b.png": b"", "c.png": shade(True), "d.png": b"words"})
    output = io.StringIO()
    with pytest.raises(DataError) as caught:
        predict(run, tmp_path, output)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()[:2]] == [
        str(tmp_path / "b.png"),
        str(tmp_path / "d.png"),
    ]
    assert len(rows(output.getvalue())) == 1


def test_a_picture_whose_name_says_another_format(run: Path, tmp_path: Path) -> None:
    bright = Image.new("RGB", (9, 9), (240, 240, 240))
    folder(tmp_path, {"a.png": encoded(bright, "JPEG"), "b": encoded(bright, "BMP"), "c.txt": encoded(bright)})
    output = io.StringIO()
    predict(run, tmp_path, output)
    assert [row["prediction"] for row in rows(output.getvalue())] == ["light"] * 3


def test_cats_and_dogs(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pets = shared_data / "cats_dogs"
    test = images(pets / "test", size=[16, 16])
    file = spec(tmp_path / "s.yaml", images(pets / "train", size=[16, 16]), data={"split": {"test": test}}, epochs=1)
    run = train(file, out=tmp_path / "runs")
    assert cli_predict(run, pets / "test", "--keep") == 0
    found = rows(capsys.readouterr().out)
    assert [row["file"] for row in found] == sorted(
        str(path.relative_to(pets / "test")) for path in pets.glob("test/*/*")
    )
    assert cli.run(["evaluate", str(run), str(pets / "test"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["test"]["accuracy"] == json.loads((run / "metrics.json").read_text())["test"]["accuracy"]
