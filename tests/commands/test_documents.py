"""Documents from end to end: trained from an archive, predicted from folders, archives, files and pipes."""

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest

from nnkit import cli
from nnkit.config.document import dump_yaml
from tests.data.test_documents import PATTERN, folder, packed

GOOD, BAD = ("fine", "lovely", "moving", "fresh"), ("dull", "tired", "endless", "flat")


def reviews(count: int = 60, seed: int = 0) -> dict[str, str]:
    """Return short reviews by file name, of six folds."""
    draw = random.Random(seed)
    files = {}
    for number in range(count):
        for label, words in (("pos", GOOD), ("neg", BAD)):
            text = " ".join(draw.choice([*words, "the", "film", "is"]) for _ in range(20))
            files[f"{label}/cv{number // 10}{number % 10:02}_{number}.txt"] = f"{text}\n"
    return files


def spec(folder: Path, path: Path, **options: Any) -> Path:
    """Write a small experiment on documents."""
    layers = [{"type": "embedding", "output_dim": 8}, "sequence_pool"]
    value = {
        "name": "reviews",
        "data": {
            "source": {"type": "documents", "path": str(path), "pattern": PATTERN, **options},
            "target": "label",
            "split": {"column": "fold", "validation": [4], "test": [5]},
            "transforms": [{"type": "words", "columns": ["text"]}],
        },
        "model": {"type": "network", "layers": [*layers, {"type": "dense", "units": 1, "activation": "sigmoid"}]},
        "training": {
            "procedure": {
                "type": "supervised",
                "loss": "binary_cross_entropy",
                "optimizer": {"type": "adam", "lr": 0.05},
            },
            "epochs": 4,
            "metrics": ["accuracy"],
        },
    }
    (folder / "s.yaml").write_text(dump_yaml(value))
    return folder / "s.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run trained from an archive that is there no more."""
    place = tmp_path_factory.mktemp("documents")
    archive = packed(place / "r.tar.gz", reviews(), "reviews/")
    assert cli.run(["train", str(spec(place, archive)), "--out", str(place / "runs"), "--quiet"]) == 0
    archive.unlink()
    [path] = (place / "runs" / "reviews").iterdir()
    return path


def said(arguments: list[str | Path], capsys: pytest.CaptureFixture[str], code: int = 0) -> tuple[str, str]:
    """Run a command; return what it wrote on both streams."""
    assert cli.run([*map(str, arguments)]) == code, capsys.readouterr().err
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_the_held_back_fold_is_foretold(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] >= 0.9
    rows = list(csv.DictReader((run / "predictions.csv").read_text().splitlines()))
    assert len(rows) == 20


def test_predict_and_evaluate_take_folders_archives_and_files(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = dict(sorted(reviews(10, seed=1).items()))
    outputs = []
    for path in (folder(tmp_path / "f", files), packed(tmp_path / "f.zip", files), packed(tmp_path / "f.tgz", files)):
        out, err = said(["predict", run, path, "--keep"], capsys)
        rows = list(csv.DictReader(out.splitlines()))
        assert [row["file"].removeprefix("txt/") for row in rows] == list(files)
        assert sum(row["label"] == row["prediction"] for row in rows) >= 18
        assert err == ""
        outputs.append([row["probability_pos"] for row in rows])
        assert json.loads(said(["evaluate", run, path, "--json"], capsys)[0])["test"]["accuracy"] >= 0.9
    assert outputs[0] == outputs[1] == outputs[2]
    [row] = csv.DictReader(said(["predict", run, tmp_path / "f" / "pos" / "cv000_0.txt"], capsys)[0].splitlines())
    assert row["probability_pos"] == outputs[0][10]


class Pipe(io.TextIOWrapper):
    """Standard input that holds some bytes."""


def test_predict_reads_a_document_from_a_pipe(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Pipe(io.BytesIO(b"a lovely, fresh film\n")))
    assert said(["predict", run, "-"], capsys)[0].splitlines()[1].startswith("pos,")


def test_what_cannot_be_read_is_an_error_or_goes_to_a_file(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder(tmp_path / "f", {"a.txt": b"fine", "b.txt": b"na\xefve", "c.md": b"no", "d.txt": b""})
    out, err = said(["predict", run, path], capsys, 4)
    assert out == ""
    assert err.splitlines() == [
        f"{path}/b.txt: line 1: byte 3 of the file, 0xef, is no UTF-8; set the source's encoding, such as latin-1 or "
        "cp1252",
        f"{path}/d.txt: is empty",
        "--rejects FILE writes there what cannot be read, and goes on",
    ]
    out, err = said(["predict", run, path, "--rejects", tmp_path / "bad.csv"], capsys)
    assert len(out.splitlines()) == 2
    rejected = list(csv.DictReader((tmp_path / "bad.csv").read_text().splitlines()))
    assert [row["row"] for row in rejected] == ["b.txt", "c.md", "d.txt"]


def test_unsafe_archives_end_with_code_4_and_the_member(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = packed(tmp_path / "x.tar", {"ok.txt": "fine", "../../evil.txt": "bad"}, "")
    commands: list[list[str | Path]] = [
        ["predict", run, path],
        ["evaluate", run, path],
        ["predict", run, path, "--rejects", tmp_path / "bad.csv"],
    ]
    for arguments in commands:
        _, err = said(arguments, capsys, 4)
        assert f"{path}: ../../evil.txt: a path with .., which leads out of its folder\n" in err
    _, err = said(["check", spec(tmp_path, path)], capsys, 4)
    assert f"{path}: ../../evil.txt: a path with .." in err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bad.csv", "s.yaml", "x.tar"]


@pytest.mark.slow
def test_film_reviews_beat_a_line_through_word_counts(
    shared_data: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from nnkit.data.sources.documents import Documents

    path = shared_data / "review_polarity" / "review_polarity.tar.gz"
    setting = ["--set", f"data.source.path={path}", "--out", str(tmp_path)]
    out, _ = said(["train", root / "experiments" / "film_reviews.yaml", *setting], capsys)
    accuracy = json.loads((Path(out.strip()) / "metrics.json").read_text())["test"]["accuracy"]
    cells = Documents(path=path, pattern=PATTERN).whole().cells
    texts: dict[bool, list[str]] = {True: [], False: []}
    labels: dict[bool, list[str]] = {True: [], False: []}
    for text, label, fold in zip(cells["text"], cells["label"], cells["fold"], strict=True):
        texts[fold == "9"].append(text)
        labels[fold == "9"].append(label)
    counts = TfidfVectorizer().fit(texts[False])
    line = LogisticRegression(max_iter=1000).fit(counts.transform(texts[False]), labels[False])
    assert accuracy >= max(0.80, line.score(counts.transform(texts[True]), labels[True]))
