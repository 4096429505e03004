import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.errors import ResourceError, RunError
from nnkit.runs import folder
from nnkit.runs.folder import RunFolder
from nnkit.runs.manifest import Manifest, new_manifest

CONTENT = {
    folder.SPEC: "name: toy\n",
    folder.RESOLVED: "name: toy\n",
    folder.PIPELINE: "{}\n",
    folder.METRICS: '{"test": {"accuracy": 0.5}}\n',
    folder.HISTORY: '{"epoch": 1}\n',
    folder.CARD: "# toy\n",
    folder.HISTORY_PICTURE: "a picture",
    folder.LAST: "a checkpoint",
}


def manifest_of(**changes: Any) -> Manifest:
    manifest = new_manifest("toy", ["nnkit", "train"], seed=0, threads=1, device="cpu")
    return manifest.model_copy(update=changes)


def fill(run: RunFolder) -> None:
    for name, text in CONTENT.items():
        run.write(name, text)
    run.write_weights({"dense.kernel": np.ones((2, 3), dtype=np.float32)})


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder.create(tmp_path / "runs", "toy")
    fill(run)
    run.seal(manifest_of(), "finished")
    return RunFolder.open(run.path)


def test_the_folder_is_named_by_time_and_letters(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs", "toy")
    assert run.path.parent == tmp_path / "runs" / "toy"
    assert re.fullmatch(r"\d{8}-\d{6}-[a-z]{4}", run.path.name)


def test_runs_made_at_once_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.choice", lambda letters: letters[0])
    monkeypatch.setattr(folder, "_stamp", lambda: "20250101-000000")
    RunFolder.create(tmp_path, "toy")
    with pytest.raises(ResourceError, match="every name tried"):
        RunFolder.create(tmp_path, "toy")
    monkeypatch.undo()
    runs: list[RunFolder] = []
    threads = [threading.Thread(target=lambda: runs.append(RunFolder.create(tmp_path, "toy"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.path for run in runs}) == 20


def test_a_file_where_the_folder_should_be_is_a_resource_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(ResourceError, match="a part of the path is a file"):
        RunFolder.create(tmp_path / "runs", "toy")


def test_a_sealed_run_is_whole(run: RunFolder) -> None:
    run.verify()
    assert run.finished
    assert run.manifest.finished is not None
    assert set(run.manifest.files) == {*CONTENT, folder.WEIGHTS}
    assert run.metrics() == {"test": {"accuracy": 0.5}}
    assert run.history() == [{"epoch": 1}]


def test_the_seal_takes_no_leftovers_and_no_links(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "toy")
    fill(run)
    (run.path / ".weights.safetensors.12.tmp").write_text("half")
    (run.path / "checkpoints" / ".last.safetensors.12.tmp").write_text("half")
    (run.path / "link").symlink_to("/etc/hostname")
    run.seal(manifest_of(), "finished")
    assert set(run.manifest.files) == {*CONTENT, folder.WEIGHTS}
    assert not list(run.path.rglob("*.tmp"))


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_while_a_run_goes_on_only_what_is_fixed_is_hashed(tmp_path: Path, status: Any) -> None:
    run = RunFolder.create(tmp_path, "toy")
    fill(run)
    run.seal(manifest_of(), status)
    run.write(folder.HISTORY, '{"epoch": 1}\n{"epoch": 2}\n')
    opened = RunFolder.open(run.path)
    opened.verify()
    assert set(opened.manifest.files) == {folder.SPEC, folder.RESOLVED, folder.PIPELINE}
    assert not opened.finished
    with pytest.raises(RunError, match=f"status is {status}; finish it with: nnkit train --resume"):
        opened.check_usable()


def test_a_diverged_run_says_how_to_train_anew(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "toy")
    run.seal(manifest_of(), "diverged")
    with pytest.raises(RunError, match="has no weights: its status is diverged; train anew with a lower"):
        run.check_usable()


def test_what_people_may_edit_or_throw_away_is_not_missed(run: RunFolder) -> None:
    (run.path / folder.CARD).write_text("# Toy, with notes of mine\n")
    (run.path / folder.HISTORY_PICTURE).unlink()
    (run.path / folder.LAST).unlink()
    (run.path / "notes.txt").write_text("a file of mine")
    RunFolder.open(run.path).verify()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def edit(path: Path) -> None:
    path.write_bytes(b"#" + path.read_bytes()[1:])


def link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("name", [folder.SPEC, folder.RESOLVED, folder.PIPELINE, folder.WEIGHTS, folder.METRICS])
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (Path.unlink, "missing"),
        (cut_short, "cut short or changed"),
        (edit, "cut short or changed"),
        (link, "a link"),
        (make_folder, "cannot be read"),
        (make_pipe, "not a plain file"),
    ],
)
def test_harm_to_any_file_is_noticed(run: RunFolder, name: str, harm: Callable[[Path], None], words: str) -> None:
    harm(run.path / name)
    with pytest.raises(RunError, match=words) as caught:
        RunFolder.open(run.path).verify()
    assert str(run.path / name) in str(caught.value)


def test_all_harm_is_told_at_once(run: RunFolder) -> None:
    (run.path / folder.SPEC).unlink()
    edit(run.path / folder.METRICS)
    with pytest.raises(RunError) as caught:
        run.verify()
    assert len(str(caught.value).splitlines()) == 2


def test_a_link_in_place_of_a_folder_is_not_followed(run: RunFolder, tmp_path: Path) -> None:
    (run.path / folder.CHECKPOINTS).rename(tmp_path / "elsewhere")
    (run.path / folder.CHECKPOINTS).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="checkpoints: a link"):
        run.read(folder.LAST)


def test_the_run_folder_itself_may_be_reached_by_a_link(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(run.path)
    RunFolder.open(tmp_path / "latest").verify()


def change_manifest(run: RunFolder, **changes: Any) -> None:
    path = run.path / folder.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_manifest_that_names_too_little_is_not_enough(run: RunFolder) -> None:
    change_manifest(run, files={})
    with pytest.raises(RunError, match=r"lists no metrics\.json, pipeline\.json, .*weights\.safetensors"):
        RunFolder.open(run.path).verify()


def test_a_newer_run_is_not_read(run: RunFolder) -> None:
    change_manifest(run, format_version=2)
    with pytest.raises(RunError, match="update nnkit"):
        RunFolder.open(run.path)


def test_what_is_not_a_run(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="missing; expected a run folder"):
        RunFolder.open(tmp_path / "none")
    with pytest.raises(RunError, match="a file; expected a run folder"):
        RunFolder.open(run.path / folder.SPEC)
    with pytest.raises(RunError, match="not a run, or was cut short"):
        RunFolder.open(run.path / folder.CHECKPOINTS)
    with pytest.raises(RunError, match=f"it holds runs, such as {re.escape(str(run.path))}"):
        RunFolder.open(run.path.parent)


def test_numbers_that_json_lacks_are_not_written(run: RunFolder) -> None:
    with pytest.raises(ValueError, match="JSON"):
        run.write_json(folder.METRICS, {"test": {"accuracy": float("nan")}})


def test_a_run_of_folds_says_which_one_to_use(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "toy")
    for name in (folder.SPEC, folder.RESOLVED, folder.METRICS):
        run.write(name, CONTENT[name])
    for number in (1, 2):
        fold = run.member(f"folds/{number}")
        assert not fold.finished
        fill(fold)
        fold.seal(manifest_of(), "finished")
        assert run.member(f"folds/{number}").finished
    run.seal(manifest_of(folds=2), "finished")
    run.verify()
    with pytest.raises(
        RunError, match=re.escape(f"has 2 folds, each with its own model; choose one, as {run.path}/folds/1")
    ):
        run.check_usable()
    RunFolder.open(run.path / "folds" / "2").check_usable()
    edit(run.path / "folds" / "2" / folder.WEIGHTS)
    with pytest.raises(RunError, match=r"folds/2/weights\.safetensors: cut short or changed"):
        RunFolder.open(run.path).verify()


@pytest.mark.parametrize("place", ["history.jsonl", "checkpoints/last.safetensors", "folds/1/x", "notes"])
def test_a_run_with_anything_but_plain_files_in_it_is_not_opened(run: RunFolder, tmp_path: Path, place: str) -> None:
    path = run.path / place
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(tmp_path)
    with pytest.raises(RunError, match=f"{place}: a link; a run folder holds only plain files"):
        RunFolder.open(run.path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RunError, match=f"{place}: not a plain file"):
        RunFolder.open(run.path)


def test_a_file_that_would_not_fit_in_memory_is_not_read(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnkit.files.available_memory", lambda: 32 * 20)
    with pytest.raises(RunError, match=r"metrics.json: cannot be read: it has \d+ bytes, and at most 20 are read"):
        run.metrics()
    run.verify()


def test_a_file_larger_than_the_memory_is_not_even_compared(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnkit.runs.folder.physical_memory", lambda: 3)
    with pytest.raises(RunError, match=r"weights\.safetensors: larger than this machine's memory"):
        run.verify()
