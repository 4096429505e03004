"""Trees from end to end: train, check, evaluate, predict, plot, resume; and all that can be wrong with them."""

import csv
import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.cli import run
from nnkit.commands.train import train
from nnkit.config.document import dump_yaml
from nnkit.runs.folder import RunFolder
from nnkit.tensors import read_tensors
from tests.commands.changes import change
from tests.commands.test_interrupt import kill_and_resume

BANK = Path(__file__).resolve().parents[2] / "data" / "tree_sentiment.txt"
METRICS = ["accuracy", "node_accuracy", "binary_accuracy", "node_binary_accuracy", "f1"]
CLASSES = "01234"


def spec(path: Path, **changes: Any) -> dict[str, Any]:
    """Return a small experiment; ``a__b=c`` changes a.b."""
    value: dict[str, Any] = {
        "name": "small",
        "seed": 3,
        "data": {
            "source": {"type": "trees", "path": str(path)},
            "target": "label",
            "split": {"test": 0.2, "validation": 0.2},
            "transforms": ["vocabulary"],
        },
        "model": {"type": "rntn", "units": 6, "dropout": 0.1, "l2": 1e-4},
        "training": {
            "procedure": {
                "type": "supervised",
                "loss": "categorical_cross_entropy",
                "optimizer": {"type": "adagrad", "lr": 0.05},
            },
            "epochs": 4,
            "batch_size": 16,
            "metrics": METRICS,
        },
    }
    change(value, changes)
    return value


def write(folder: Path, trees: int = 240, **changes: Any) -> Path:
    data = folder / "trees.txt"
    data.write_text("".join(BANK.read_text().splitlines(keepends=True)[:trees]))
    path = folder / "spec.yaml"
    path.write_text(dump_yaml(spec(data, **changes)))
    return path


@dataclass(frozen=True)
class Trained:
    run: Path
    data: Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trees")
    path = write(folder, training__epochs=8, model__dropout=0.0)
    return Trained(train(path, out=folder / "runs"), folder / "trees.txt")


def failing(arguments: list[Any], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(list(map(str, arguments))) == code
    return capsys.readouterr().err


def output(arguments: list[Any], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run(list(map(str, arguments))) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def rows(name: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(name.read_text())))


def test_a_run_has_metrics_of_roots_and_of_all_nodes(trained: Trained) -> None:
    metrics = json.loads((trained.run / "metrics.json").read_text())
    roots, nodes = rows(trained.run / "predictions.csv"), rows(trained.run / "nodes.csv")
    assert list(metrics["test"]) == METRICS
    assert len(roots) == 48
    for table, prefix in ((roots, ""), (nodes, "node_")):
        hits = [row["truth"] == row["prediction"] for row in table]
        assert metrics["test"][f"{prefix}accuracy"] == pytest.approx(np.mean(hits))
        sides = [
            (float(row["probability_3"]) + float(row["probability_4"]))
            > (float(row["probability_0"]) + float(row["probability_1"]))
            for row in table
            if row["truth"] != "2"
        ]
        truths = [int(row["truth"]) > 2 for row in table if row["truth"] != "2"]
        assert metrics["test"][f"{prefix}binary_accuracy"] == pytest.approx(np.mean(np.equal(sides, truths)))
    assert metrics["test"]["node_accuracy"] > 0.9
    history = [json.loads(line) for line in (trained.run / "history.jsonl").read_text().splitlines()]
    assert {f"validation_{name}" for name in METRICS} <= history[-1].keys()
    assert history[-1]["validation_node_accuracy"] == pytest.approx(metrics["validation"]["node_accuracy"])


def test_the_roots_of_nodes_csv_are_predictions_csv(trained: Trained) -> None:
    roots = {row["row"]: row for row in rows(trained.run / "predictions.csv")}
    last = {row["row"]: row for row in rows(trained.run / "nodes.csv")}  # of each tree the last node
    assert last == roots
    confusion = (trained.run / "confusion_matrix.csv").read_text().splitlines()[1:]
    assert sum(int(cell) for line in confusion for cell in line.split(",")[1:]) == len(roots)


def test_the_vocabulary_is_that_of_the_training_trees(tmp_path: Path) -> None:
    path = write(tmp_path, 60, data__split={"order": True, "test": 0.5}, training__epochs=1)
    data = tmp_path / "trees.txt"
    data.write_text(
        "\n".join(["(1 (2 once) (1 (2 twice) (2 twice)))"] * 1 + ["(3 (2 a) (1 b))"] * 9 + ["(3 (2 x) (1 b))"] * 10)
    )
    known = json.loads((train(path, out=tmp_path / "runs") / "pipeline.json").read_text())
    assert known["transforms"][0]["states"]["tree"]["tokens"] == ["a", "b", "twice"]
    assert known["target"]["classes"] == ["1", "2", "3"]


def test_weights_have_the_layout_that_is_documented(trained: Trained) -> None:
    arrays, _ = read_tensors(trained.run / "weights.safetensors")
    words = len(RunFolder.open(trained.run).pipeline().to_json()["transforms"][0]["states"]["tree"]["tokens"]) + 1
    assert {name: array.shape for name, array in arrays.items()} == {
        "words.embeddings": (words, 6),
        "compose.kernel": (12, 6),
        "compose.bias": (6,),
        "compose.tensor": (12, 12, 6),
        "classify.kernel": (6, 5),
        "classify.bias": (5,),
    }


def test_evaluate_counts_the_same_from_its_files_and_from_the_data(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = json.loads(output(["evaluate", trained.run, "--json"], capsys))
    metrics = json.loads((trained.run / "metrics.json").read_text())
    assert stored["test"] == metrics["test"]
    lines = trained.data.read_text().splitlines(keepends=True)
    test = tmp_path / "test.trees"
    test.write_text("".join(lines[int(row["row"])] for row in rows(trained.run / "predictions.csv")))
    again = json.loads(output(["evaluate", trained.run, test, "--json"], capsys))
    assert again["test"] == pytest.approx(stored["test"])
    assert again["confusion"] == stored["confusion"]
    assert run(["evaluate", str(trained.run), "--fail-under", "node_accuracy=1.01"]) == 8


def test_predict_writes_trees_with_their_labels(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    found = output(["predict", trained.run, trained.data], capsys).splitlines()
    given = trained.data.read_text().splitlines()
    shape = str.maketrans("", "", CLASSES)
    assert [tree.translate(shape) for tree in found] == [tree.translate(shape) for tree in given]
    right = [a == b for a, b in zip("".join(found), "".join(given), strict=True) if b in CLASSES]
    assert np.mean(right) > 0.9
    kept = (trained.run / "trees.txt").read_text().splitlines()
    assert kept == [found[int(row["row"])] for row in rows(trained.run / "predictions.csv")]


def test_predict_writes_csv_and_json_lines_too(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "few.txt.gz"
    packed.write_bytes(gzip.compress(b"".join(trained.data.read_bytes().splitlines(keepends=True)[:5])))
    trees = output(["predict", trained.run, packed], capsys).splitlines()
    table = list(csv.DictReader(io.StringIO(output(["predict", trained.run, packed, "--format", "csv"], capsys))))
    assert [row["predicted_tree"] for row in table] == trees
    assert [row["prediction"] for row in table] == [tree[1] for tree in trees]
    assert sum(float(table[0][f"probability_{name}"]) for name in CLASSES) == pytest.approx(1, abs=1e-6)
    objects = output(["predict", trained.run, packed, "--format", "jsonl", "--keep"], capsys).splitlines()
    first = json.loads(objects[0])
    assert list(first) == ["tree", "label", "predicted_tree", "prediction", "probabilities"]
    assert first["tree"] == trained.data.read_text().splitlines()[0]


def test_a_prediction_depends_on_its_tree_alone(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    whole = output(["predict", trained.run, trained.data, "--format", "csv"], capsys)
    for size in (1, 7, 100):
        cut = output(["predict", trained.run, trained.data, "--format", "csv", "--chunk-rows", size], capsys)
        assert cut == whole


def test_predict_takes_any_labels_and_words(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = tmp_path / "fresh.txt"
    fresh.write_text("(S (NP unheard) (ADJ great))\n")
    [tree] = output(["predict", trained.run, fresh], capsys).splitlines()
    assert tree.translate(str.maketrans("", "", CLASSES)) == "( ( unheard) ( great))"
    assert "the target label is 'S'; the model's classes are 0, 1, 2, 3, 4" in failing(
        ["evaluate", trained.run, fresh], 4, capsys
    )
    fresh.write_text("(2 (NP unheard) (4 great))\n")
    assert "a node has the label 'NP'; the model's classes are" in failing(["evaluate", trained.run, fresh], 4, capsys)


def test_bad_trees_are_refused_or_kept_apart(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = tmp_path / "fresh.txt"
    fresh.write_text("(2 (2 a) (2 b))\n(2 (2 a) (2 b) (2 c))\nno tree\n(2 (2 a) (3 b))\n")
    message = failing(["predict", trained.run, fresh], 4, capsys)
    assert f"{fresh}:2: the node with the label '2' has 3 children" in message
    assert f"{fresh}:3: expected a tree" in message
    rejects = tmp_path / "rejects.csv"
    assert len(output(["predict", trained.run, fresh, "--rejects", rejects], capsys).splitlines()) == 2
    assert [row["line"] for row in rows(rejects)] == ["2", "3"]
    fresh.write_text("(2 " * 100_000 + "a" + ")" * 100_000)
    assert f"{fresh}:1: brackets nested deeper than 1,000" in failing(["predict", trained.run, fresh], 4, capsys)
    fresh.write_bytes(b"(2 (2 a) (2 b))\n(2 (2 caf\xe9) (2 b))\n")
    assert f"{fresh}:2: the byte 0xe9 is not utf-8 text" in failing(["evaluate", trained.run, fresh], 4, capsys)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(2 (2 a) (2 b)", ":1: the tree that begins here is never closed"),
        ("()", ":1: empty brackets"),
        ("(2 (2 a) (9 b))", ":1: the label '9' is none of the source's labels"),
        ("", "has no rows"),
        ("(2 (2 a) (2 a))", "the target label has one class only"),
        ("(2 (2 a) (3 b))", "no word of tree comes 2 times"),
    ],
)
def test_what_cannot_be_trained_on_ends_with_4(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, data__source={"type": "trees", "path": "trees.txt", "labels": [0, 1, 2, 3, 4]})
    (tmp_path / "trees.txt").write_text(text)
    changes = ["--set", "data.split={}"]
    assert message in failing(["check", path, *changes], 4, capsys)


def test_a_test_file_has_the_labels_of_the_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.txt"
    other.write_text("(2 (2 a) (2 b))\n(2 (7 a) (2 b))\n")
    path = write(tmp_path, 60, data__split={"test": {"type": "trees", "path": str(other)}})
    message = failing(["check", path], 4, capsys)
    assert f"{other}:2: a node has the label '7'; the model's classes are 0, 1, 2, 3, 4" in message


MISTAKES: list[tuple[Mapping[str, Any], str]] = [
    ({"model": {"type": "network", "layers": [{"type": "dense", "units": 5}]}}, "model.type: the data is trees"),
    ({"data__transforms": []}, "data.transforms: a model takes numbers, and the trees of tree are of words"),
    ({"data__transforms": [{"type": "vocabulary", "columns": ["label"]}]}, "there is no column|hold no trees"),
    ({"data__target": "tree"}, "tree holds trees; only features can"),
    ({"model__activation": {"type": "softmax", "axis": 9}}, "model.activation: softmax has no axis 9"),
    ({"training__compile": True}, "training.compile: is not for trees"),
    ({"training__precision": "bfloat16"}, "training.precision: expected float32 or float64"),
    ({"training__procedure__loss": "mean_squared_error"}, "."),
    ({"training__engine": "native"}, "training.engine: the native engine cannot train this"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_mistakes_in_a_spec_are_told(
    tmp_path: Path, changes: Mapping[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    code = 4 if message == "." else 3
    assert re.search(message, failing(["check", write(tmp_path, **changes)], code, capsys))


def test_what_is_for_trees_alone_is_told_of_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.commands.experiments import write as write_table

    path = write_table(tmp_path)
    loss = ["--set", "training.procedure.root_weight=2", "--set", "training.metrics=[node_accuracy]"]
    message = failing(["check", path, *loss], 3, capsys)
    assert "training.procedure.root_weight: is for trees" in message
    assert "training.metrics[0]: node_accuracy is for trees" in message
    message = failing(["check", path, "--set", "model={type: rntn}"], 3, capsys)
    assert "model.type: rntn takes trees as its only input" in message


def test_trees_are_not_traced(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trace", str(trained.run)]) == 2
    assert f"{trained.run}: trees cannot be traced; nnkit predict --format trees tells" in capsys.readouterr().err


@pytest.mark.parametrize("composition", ["tensor", "matrix", "tree_lstm"])
def test_every_composition_learns(tmp_path: Path, composition: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, model__composition=composition, training__epochs=6, training__procedure__root_weight=2.0)
    folder = train(path, out=tmp_path / "runs")
    losses = [json.loads(line)["validation_loss"] for line in (folder / "history.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0] * 0.8


def test_class_weights_weigh_the_nodes(tmp_path: Path) -> None:
    loss = {}
    for name, weights in (("none", None), ("ones", dict.fromkeys(CLASSES, 1.0)), ("twos", dict.fromkeys(CLASSES, 2.0))):
        folder = tmp_path / name
        folder.mkdir()
        changes = {"training__procedure__class_weights": weights, "model__l2": 0.0, "training__epochs": 1}
        run_path = train(write(folder, 60, **changes), out=folder)
        loss[name] = json.loads((run_path / "history.jsonl").read_text())["train_loss"]
    assert loss["ones"] == loss["none"]
    assert loss["twos"] == pytest.approx(2 * loss["none"], rel=0.05)


def test_the_card_says_what_can_be_predicted(trained: Trained) -> None:
    text = (trained.run / "README.md").read_text()
    assert "written as the source `trees` reads them" in text
    assert "nnkit predict . rows.txt" in text


def test_plot_draws_the_trees_again(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = output(["plot", trained.run, "--out", tmp_path], capsys).split()
    assert str(tmp_path / "trees.png") in paths
    assert (tmp_path / "trees.png").read_bytes() == (trained.run / "trees.png").read_bytes()


def test_folds_and_seeds_of_trees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, 90, data__split={"folds": 3}, training__epochs=1)
    folder = train(path, out=tmp_path / "folds")
    report = json.loads(output(["evaluate", folder, "--json"], capsys))
    assert sum(map(sum, report["confusion"])) == 90
    assert report["test"]["node_accuracy"] is not None
    assert len({row["row"] for row in rows(folder / "nodes.csv")}) == 90
    several = train(write(tmp_path, 90, training__epochs=1), out=tmp_path / "seeds", seeds=[1, 2])
    assert json.loads(output(["evaluate", several, "--json"], capsys))["test"]["node_accuracy"] is not None


def test_killed_runs_of_trees_end_byte_equal_when_resumed(tmp_path: Path) -> None:
    callbacks = [{"type": "checkpoint", "every_seconds": 0.02}]
    path = write(tmp_path, training__epochs=12, training__callbacks=callbacks, training__procedure__sampling="balanced")
    kill_and_resume(tmp_path, path, kills=2, seed=4)


def test_the_treebank(shared_data: Path, tmp_path: Path) -> None:
    from nnkit.data.prepare import read
    from nnkit.data.sources import SOURCES

    raw = read(SOURCES.decode({"type": "trees", "path": str(shared_data / "sst" / "dev.txt")}, {"base": tmp_path}))
    trees = raw.cells["tree"]
    assert (len(trees), len(trees.left)) == (1101, 41447)
    assert [raw.cells["label"].count(label) for label in CLASSES] == [139, 289, 229, 279, 165]
    assert trees.tolist() == (shared_data / "sst" / "dev.txt").read_text(encoding="utf-8").splitlines()
