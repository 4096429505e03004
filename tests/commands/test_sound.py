"""Runs that learn from sound: checked, trained, used on folders, files and pipes, killed and resumed."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit import cli
from nnkit.commands.train import train
from nnkit.config.document import dump_yaml
from tests.commands.test_interrupt import kill_and_resume
from tests.frames.heard import RATE, encoded, folder, stereo, tone

PATTERN = "{label}_{number}"


def clip(number: int, rate: int = RATE) -> Any:
    """Return a low or a high tone."""
    return tone((400 if number % 2 else 1100) + 30 * (number % 5), 0.08 + 0.01 * (number % 7), rate)


def tones(path: Path, count: int = 40) -> Path:
    return folder(path, {f"{'low' if n % 2 else 'high'}_{n:02}.wav": encoded(clip(n)) for n in range(count)})


def spec(home: Path, layers: list[Any] | None = None, source: dict[str, Any] | None = None, **training: Any) -> Path:
    """Write a spec, and the clips that it reads where there are none."""
    if not (home / "clips").exists():
        tones(home / "clips")
    value = {
        "name": "small",
        "seed": 1,
        "data": {
            "source": {"type": "audio", "path": "clips", "sample_rate": RATE, "pattern": PATTERN} | (source or {}),
            "target": "label",
            "split": {"test": 0.25, "validation": 0.2},
        },
        "model": {
            "type": "network",
            "layers": layers
            or [
                {"type": "noise", "stddev": 0.01},
                {"type": "log_mel_spectrogram", "n_mels": 16, "normalize": False},
                {"type": "spec_augment", "frequency_width": 2, "time_length": 2},
                {"type": "conv1d", "filters": 8, "kernel_size": 3, "padding": "same", "activation": "relu"},
                "sequence_pool",
                {"type": "dense", "units": 1, "activation": "sigmoid"},
            ],
        },
        "training": {
            "procedure": {
                "type": "supervised",
                "loss": "binary_cross_entropy",
                "optimizer": {"type": "adam", "lr": 0.02},
            },
            "epochs": 15,
            "batch_size": 8,
            "metrics": ["accuracy"],
        }
        | training,
    }
    (home / "s.yaml").write_text(dump_yaml(value))
    return home / "s.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tones")
    return train(spec(home), out=home / "runs")


def command(*arguments: Any) -> int:
    return cli.run([*map(str, arguments)])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_low_and_high_tones_are_told_apart(run: Path) -> None:
    assert json.loads((run / "metrics.json").read_text())["test"]["accuracy"] == 1
    card = (run / "README.md").read_text()
    assert "with a folder of clips or an audio file, or `-` for what comes through a pipe" in card


def test_check_shows_shapes_that_vary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("check", spec(tmp_path)) == 0
    said = capsys.readouterr().out
    assert "inputs input     ? x 1" in said
    assert [line.split()[3:6] for line in said.splitlines()[2:4]] == [["?", "x", "16"]] * 2


def test_a_clip_in_stereo_at_another_rate_is_what_it_is_at_the_trained_one(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = {
        "high.wav": stereo(clip(5, 44_100), 44_100),
        "low.wav": encoded(clip(5)),
        "same.flac": encoded(clip(5), form="FLAC"),
    }
    folder(tmp_path / "new", both)
    assert command("predict", run, tmp_path / "new", "--keep") == 0
    found = rows(capsys.readouterr().out)
    assert [row["file"] for row in found] == ["high.wav", "low.wav", "same.flac"]
    assert [row["prediction"] for row in found] == ["low"] * 3
    assert float(found[0]["probability_low"]) == pytest.approx(float(found[1]["probability_low"]), abs=2e-3)
    assert found[1]["probability_low"] == found[2]["probability_low"]
    assert command("predict", run, tmp_path / "new" / "high.wav") == 0
    [alone] = rows(capsys.readouterr().out)
    assert float(alone["probability_low"]) == pytest.approx(float(found[0]["probability_low"]), abs=1e-6)


def test_a_clip_through_a_pipe(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for data, code in ((encoded(clip(5)), 0), (encoded(clip(5))[:300], 4)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert command("predict", run, "-") == code
    out, said = capsys.readouterr()
    assert [row["prediction"] for row in rows(out)] == ["low"]
    assert "standard input: is cut short: its header says" in said


def test_a_clip_that_is_cut_short_ends_the_command_or_is_rejected(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = folder(tmp_path / "new", {"a.wav": encoded(clip(4)), "b.wav": encoded(clip(4))[:500], "c.wav": b"RIFF"})
    assert command("predict", run, new) == 4
    out, said = capsys.readouterr()
    assert out == ""
    assert said.splitlines()[0].startswith(f"{new / 'b.wav'}: is cut short: its header says ")
    assert said.splitlines()[1].startswith(f"{new / 'c.wav'}: is no sound of a format that is read")
    assert command("predict", run, new, "--rejects", tmp_path / "bad.csv") == 0
    out, said = capsys.readouterr()
    assert [row["prediction"] for row in rows(out)] == ["high"]
    assert [row["row"] for row in rows((tmp_path / "bad.csv").read_text())] == ["b.wav", "c.wav"]


def test_clips_that_cannot_be_read_are_skipped_where_the_spec_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tones(tmp_path / "clips")
    folder(tmp_path / "clips", {"low_99.wav": encoded(clip(1))[:100]})
    assert command("check", spec(tmp_path)) == 4
    assert f"{tmp_path / 'clips'}: 1 of 41 clips cannot be read:" in capsys.readouterr().err
    assert command("train", spec(tmp_path, source={"on_bad": "skip"}, epochs=1), "--out", tmp_path / "runs") == 0
    out, said = capsys.readouterr()
    assert "clips that cannot be read and are skipped: 1 of 41" in said
    assert command("predict", out.strip(), tmp_path / "clips") == 0
    out, said = capsys.readouterr()
    assert len(rows(out)) == 40
    assert "files that are skipped: 1" in said


def test_evaluate_takes_a_folder_whose_names_say_the_truth(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tones(tmp_path / "new", 12)
    assert command("evaluate", run, new, "--json") == 0
    assert json.loads(capsys.readouterr().out)["test"]["accuracy"] == 1
    folder(new, {"other.wav": encoded(clip(1))})
    assert command("evaluate", run, new) == 4
    assert f"{new / 'other.wav'}: the name does not fit the source's pattern, {PATTERN}" in capsys.readouterr().err
    assert command("predict", run, new) == 0


def test_nothing_to_predict_is_a_header_and_very_short_clips_are_clips(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    assert command("predict", run, tmp_path / "none") == 0
    assert capsys.readouterr().out == "prediction,probability_high,probability_low\n"
    short = folder(tmp_path / "short", {"a.wav": encoded([0.1])})
    assert command("predict", run, short) == 0
    assert len(rows(capsys.readouterr().out)) == 1


def test_a_layer_for_another_rate_is_a_mistake_in_the_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = ["sequence_pool", {"type": "dense", "units": 1, "activation": "sigmoid"}]
    path = spec(tmp_path, layers=[{"type": "mfcc", "sample_rate": 16_000}, *head])
    assert command("check", path) == 3
    said = capsys.readouterr().err
    assert (
        "mfcc is made for 16000 samples a second, and the source gives 8000; set sample_rate: 16000 in the source"
        in said
    )
    path = spec(tmp_path, layers=[{"type": "conv2d", "filters": 2, "kernel_size": 3}, *head])
    assert command("check", path) == 3


def test_layers_of_a_run_cannot_be_fed_at_another_rate(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = {"type": "pretrained", "run": str(run), "until": "sequence_pool_1"}
    layers = [base, {"type": "dense", "units": 1, "activation": "sigmoid"}]
    assert command("check", spec(tmp_path, layers)) == 0
    capsys.readouterr()
    assert command("check", spec(tmp_path, layers, {"sample_rate": 4000})) == 3
    assert "is made for 8000 samples a second, and the source gives 4000" in capsys.readouterr().err


def test_trace_and_preview_say_what_they_can(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("trace", run) == 0
    assert "log_mel_spectrogram_1" in capsys.readouterr().out
    assert command("trace", run, "--input", "audio=1") == 2
    assert "each cell of audio is an array of ? x 1; give a file with the row" in capsys.readouterr().err
    assert command("preview", spec(tmp_path), "--out", tmp_path / "p.png") == 3
    assert "expected an input of height x width x channels, found input (? x 1)" in capsys.readouterr().err


def test_windows_of_sound_and_augmented_pictures_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spec(tmp_path)
    assert command("check", path, "--set", "data.windows={length: 2}") == 3
    assert command("check", path, "--set", "data.augment=[rotate]") == 3
    assert "rotate is for pictures, which are height x width x channels" in capsys.readouterr().err


def test_what_is_predicted_does_not_depend_on_the_clips_beside_it(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    clips = {f"{n:03}.wav": encoded(draw.normal(size=draw.integers(50, 3000)) * 0.1) for n in range(130)}
    new = folder(tmp_path / "new", clips)
    assert command("predict", run, new) == 0
    together = [float(row["probability_low"]) for row in rows(capsys.readouterr().out)]
    for number in (0, 64, 129):
        assert command("predict", run, new / f"{number:03}.wav") == 0
        [alone] = rows(capsys.readouterr().out)
        assert float(alone["probability_low"]) == pytest.approx(together[number], abs=1e-6)


def test_killed_runs_end_byte_equal_when_resumed(tmp_path: Path) -> None:
    path = spec(tmp_path, epochs=40, callbacks=[{"type": "checkpoint", "every_seconds": 0.02}])
    kill_and_resume(tmp_path, path, kills=2, seed=5)
