"""Pictures drawn again from a run's own files."""

import json
import shutil
from pathlib import Path

import pytest

from nnkit import cli
from nnkit.commands.evaluate import evaluate
from nnkit.commands.plot import plot
from nnkit.errors import ResourceError, RunError
from nnkit.runs.folder import RunFolder
from nnkit.runs.manifest import Status
from tests.commands.conftest import TARGETS, Toys, make_rows, make_spec, train_spec, write_csv
from tests.test_import_time import probe

HISTORY = {"history.png", "gradients.png"}
CURVES = {"roc.png", "precision_recall.png", "calibration.png"}
PICTURES = {
    "binary": {*HISTORY, "confusion_matrix.png", *CURVES},
    "multiclass": {*HISTORY, "confusion_matrix.png", *CURVES},
    "multilabel": {*HISTORY, *CURVES},
    "regression": {*HISTORY, "residuals.png"},
    "regressions": {*HISTORY, "residuals.png"},
}


def pictures_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


@pytest.fixture
def copied(toys: Toys, tmp_path: Path) -> Path:
    """A run of two classes, away from where it was made."""
    return Path(shutil.copytree(toys.runs["binary"], tmp_path / "elsewhere"))


@pytest.mark.parametrize("kind", sorted(TARGETS))
def test_the_pictures_are_those_that_training_drew(toys: Toys, kind: str, tmp_path: Path) -> None:
    run = Path(shutil.copytree(toys.runs[kind], tmp_path / "run"))
    drawn = pictures_of(run)
    for name in drawn:
        (run / name).unlink()
    paths = plot(run)
    assert {path.name for path in paths} == PICTURES[kind] == set(drawn)
    assert {path.parent for path in paths} == {run}
    assert pictures_of(run) == drawn


def test_drawing_again_does_not_break_the_run(copied: Path) -> None:
    (copied / "roc.png").write_bytes(b"scribbled over")
    assert copied / "roc.png" in plot(copied)
    assert (copied / "roc.png").read_bytes().startswith(b"\x89PNG")
    assert evaluate(copied).failed == []


def test_another_folder_is_made_and_the_run_left_alone(copied: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    paths = plot(copied, tmp_path / "new" / "pictures")
    assert sorted(paths) == sorted((tmp_path / "new" / "pictures").iterdir())
    assert {path.name for path in paths} == PICTURES["binary"]
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before


def test_folds_draw_no_pictures_until_they_are_asked(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "toy.csv", make_rows(60))
    run = train_spec(tmp_path, make_spec(data, "binary", folds=2))
    fold = run / "folds" / "1"
    assert pictures_of(fold) == {}
    drawn = pictures_of(run)
    assert set(drawn) == PICTURES["binary"] - HISTORY
    plot(run)
    assert pictures_of(run) == drawn
    assert {path.name for path in plot(fold)} == PICTURES["binary"]
    assert evaluate(run).failed == evaluate(fold).failed == []


def stopped(run: Path, *gone: str, status: Status = "interrupted") -> Path:
    """Make a finished run one that was stopped before some of its files were written."""
    for name in gone:
        (run / name).unlink()
    folder = RunFolder.open(run)
    folder.seal(folder.manifest, status)
    return run


def test_of_a_run_that_was_stopped_the_history_is_drawn(copied: Path) -> None:
    stopped(copied, "predictions.csv", *PICTURES["binary"])
    assert plot(copied) == [copied / "history.png", copied / "gradients.png"]


def test_a_run_with_nothing_to_draw(copied: Path) -> None:
    stopped(copied, "predictions.csv", "history.jsonl")
    with pytest.raises(RunError, match=r"its status is interrupted; go on with: nnkit train --resume"):
        plot(copied)


def test_files_that_are_missing_or_changed(copied: Path, tmp_path: Path) -> None:
    text = (copied / "predictions.csv").read_text()
    (copied / "predictions.csv").write_text(text.replace("no,yes", "no,no"))
    with pytest.raises(RunError, match=r"predictions\.csv: cut short or changed"):
        plot(copied)
    (copied / "predictions.csv").unlink()
    with pytest.raises(RunError, match=r"predictions\.csv: missing"):
        plot(copied)
    with pytest.raises(RunError, match="missing; expected a run folder"):
        plot(tmp_path / "nowhere")


def test_a_history_that_is_a_link_is_not_followed(copied: Path, tmp_path: Path) -> None:
    (copied / "history.jsonl").rename(tmp_path / "secret")
    (copied / "history.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(RunError, match=r"history\.jsonl: a link"):
        plot(copied)


def test_a_folder_that_cannot_be_written(copied: Path) -> None:
    with pytest.raises(ResourceError, match="cannot be written"):
        plot(copied, copied / "README.md")


def test_the_command_prints_paths(copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pictures"
    assert cli.run(["plot", str(copied), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {Path(line) for line in lines} == {out / name for name in PICTURES["binary"]}
    assert cli.run(["plot", str(copied), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": str(copied), "pictures": lines}
    assert cli.run(["plot", str(tmp_path)]) == 5
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", sorted(TARGETS))
def test_evaluating_stored_predictions_loads_neither_torch_nor_tables_nor_pictures(toys: Toys, kind: str) -> None:
    probe(("torch", "pandas", "sklearn", "scipy", "matplotlib", "pyarrow"), ["evaluate", str(toys.runs[kind])])


@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression"])
def test_pictures_load_only_what_draws_them(toys: Toys, kind: str, tmp_path: Path) -> None:
    forbidden = ("torch", "pandas", "sklearn", "scipy", "pyarrow", "matplotlib.pyplot")
    probe(forbidden, ["plot", str(toys.runs[kind]), "--out", str(tmp_path)])
