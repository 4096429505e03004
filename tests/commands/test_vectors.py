"""Training that begins with word vectors: the words that are found have them, and the run needs the file no more."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit import cli
from nnkit.commands.train import resume, train
from nnkit.config.document import dump_yaml
from nnkit.errors import InterruptError
from nnkit.runs.folder import RunFolder
from nnkit.runs.manifest import Manifest
from nnkit.spec import Ready, load, ready
from nnkit.tensors import read_tensors
from tests.commands.test_interrupt import Terminating, same

WORDS = {"good": [1.0, 2.0, 3.0], "film": [0.5, 0.0, -0.5], "unused": [9.0, 9.0, 9.0]}


def vectors(path: Path, words: dict[str, list[float]] | None = None) -> Path:
    """Write word vectors as GloVe does."""
    lines = (f"{word} {' '.join(map(str, values))}\n" for word, values in (words or WORDS).items())
    path.write_text("".join(lines))
    return path


def spec(folder: Path, **embedding: Any) -> Path:
    """Write short reviews and the spec of a network that begins with vectors."""
    rows = [f"a {word} film number {n % 7},{label}" for n in range(40) for word, label in (("good", 1), ("dull", 0))]
    (folder / "t.csv").write_text("\n".join(["text,y", *rows]) + "\n")
    vectors(folder / "v.txt")
    layer = {"type": "embedding", "output_dim": 3, "vectors": "v.txt", **embedding}
    value = {
        "name": "small",
        "seed": 5,
        "data": {
            "source": {"type": "csv", "path": "t.csv"},
            "target": "y",
            "split": {"test": 0.2, "validation": 0.2, "seed": 1},
            "transforms": [{"type": "words", "columns": ["text"]}],
        },
        "model": {
            "type": "network",
            "layers": [layer, "sequence_pool", {"type": "dense", "units": 1, "activation": "sigmoid"}],
        },
        "training": {
            "procedure": {
                "type": "supervised",
                "loss": "binary_cross_entropy",
                "optimizer": {"type": "adam", "lr": 0.05},
            },
            "epochs": 5,
            "metrics": ["accuracy"],
        },
    }
    path = folder / "spec.yaml"
    path.write_text(dump_yaml(value))
    return path


def embeddings(made: Ready) -> tuple[dict[str, np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Return the first vector of each word, and that of unknown ones."""
    array = made.initial_weights()["embedding_1.embeddings"]
    tokens = made.prepared.pipeline.tokens["input"]
    return dict(zip(tokens, array[1:], strict=True)), array[0]


def test_words_that_are_found_begin_with_their_vectors_and_others_as_drawn(tmp_path: Path) -> None:
    path = spec(tmp_path)
    made, plain = ready(load(path)), ready(load(path, ["model.layers[0].vectors=null"]))
    (found, unknown), (drawn, drawn_unknown) = embeddings(made), embeddings(plain)
    assert found["good"].tolist() == [1, 2, 3]
    assert found["film"].tolist() == [0.5, 0, -0.5]
    assert found["dull"].tolist() == drawn["dull"].tolist()
    assert unknown.tolist() == drawn_unknown.tolist()
    others = [name for name in plain.initial_weights() if name != "embedding_1.embeddings"]
    assert all(np.array_equal(made.initial_weights()[name], plain.initial_weights()[name]) for name in others)
    assert made.prepared.notes == [
        f"embedding_1: {tmp_path / 'v.txt'} has vectors for 2 of 12 words; the others are drawn from the seed"
    ]


def test_the_run_needs_the_file_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spec(tmp_path)
    assert cli.run(["check", str(path)]) == 0
    assert "has vectors for 2 of 12 words; the others are drawn" in capsys.readouterr().err
    assert cli.run(["train", str(path), "--out", str(tmp_path / "r")]) == 0
    captured = capsys.readouterr()
    assert "has vectors for 2 of 12 words" in captured.err
    run = Path(captured.out.strip())
    (tmp_path / "v.txt").unlink()
    for arguments in (["predict", str(run), str(tmp_path / "t.csv")], ["evaluate", str(run)], ["trace", str(run)]):
        assert cli.run(arguments) == 0, capsys.readouterr().err
        capsys.readouterr()
    card = (run / "README.md").read_text()
    assert f"| `embedding_1` began as | the vectors of 2 of 12 words from {tmp_path / 'v.txt'} (sha256 " in card


def test_a_run_that_was_interrupted_goes_on_without_the_file(tmp_path: Path) -> None:
    path = spec(tmp_path)
    whole = train(path, out=tmp_path / "whole")
    with pytest.raises(InterruptError):
        train(path, out=tmp_path / "runs", listener=Terminating(2))
    (tmp_path / "v.txt").unlink()
    [run] = (tmp_path / "runs" / "small").iterdir()
    assert resume(run) == run
    assert same(run, whole)


def test_one_killed_before_its_first_checkpoint_begins_with_the_vectors_again(tmp_path: Path) -> None:
    path = spec(tmp_path)
    whole = train(path, out=tmp_path / "whole")
    run = train(path, out=tmp_path / "runs")
    manifest: Manifest = RunFolder.open(run).manifest
    (run / "checkpoints" / "last.safetensors").unlink(missing_ok=True)
    (run / "history.jsonl").unlink()
    RunFolder.open(run).seal(manifest, "interrupted")
    (tmp_path / "v.txt").unlink()
    assert resume(run) == run
    assert same(run, whole)


def test_frozen_vectors_stay_as_they_are(tmp_path: Path) -> None:
    path = spec(tmp_path, trainable=False)
    before = ready(load(path)).initial_weights()
    run = train(path, out=tmp_path / "r")
    after, _ = read_tensors(run / "weights.safetensors")
    assert np.array_equal(after["embedding_1.embeddings"], before["embedding_1.embeddings"])
    assert not np.array_equal(after["dense_1.kernel"], before["dense_1.kernel"])


def test_seeds_share_the_vectors_and_draw_the_rest(tmp_path: Path) -> None:
    path = spec(tmp_path, trainable=False)
    run = train(path, out=tmp_path / "r", seeds=[1, 2])
    first, second = (read_tensors(run / "seeds" / n / "weights.safetensors")[0] for n in "12")
    name = "embedding_1.embeddings"
    single = train(path, out=tmp_path / "one", seed=2)
    assert np.array_equal(read_tensors(single / "weights.safetensors")[0][name], second[name])
    tokens = RunFolder.open(single).pipeline().tokens["input"]
    same_rows = (first[name] == second[name]).all(axis=1)
    assert [token for token, same in zip(["", *tokens], same_rows, strict=True) if same] == [
        token for token in tokens if token in WORDS
    ]
    assert json.loads((run / "metrics.json").read_text())["mean"]


def test_folds_have_the_vectors_of_their_own_words(tmp_path: Path) -> None:
    path = spec(tmp_path)
    folds = train(path, overrides=["data.split={folds: 2}", "training.epochs=1"], out=tmp_path / "f")
    for number in "12":
        start, origin = read_tensors(folds / "folds" / number / "pretrained" / "weights.safetensors")
        assert origin["embedding_1"].startswith("the vectors of 2 of ")
        assert np.isfinite(start["embedding_1.embeddings"]).all(axis=1).sum() == 2
    assert not (folds / "pretrained").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["model.layers[0].output_dim=4"], "v.txt:1: 3 numbers after the word, and the layer's output_dim is 4"),
        (["model.layers[0].output_dim=2"], "v.txt:1: 3 numbers after the word, and the layer's output_dim is 2"),
        (["model.layers[0].vectors=nowhere.txt"], "nowhere.txt: not found"),
    ],
)
def test_files_that_do_not_fit_are_exit_code_4(
    change: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [part for setting in change for part in ("--set", setting)]
    assert cli.run(["check", str(spec(tmp_path)), *options]) == 4
    assert message in capsys.readouterr().err


def test_vectors_of_none_of_the_words_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spec(tmp_path)
    vectors(tmp_path / "v.txt", {"Chat": [1, 2, 3]})
    assert cli.run(["check", str(path)]) == 4
    said = capsys.readouterr().err
    assert f"{tmp_path / 'v.txt'}: has a vector for none of the 12 words of the vocabulary" in said


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [{"type": "repeat", "times": 1, "layers": [{"type": "embedding", "output_dim": 3, "vectors": "v.txt"}]}],
            "model.layers[0].layers[0].vectors: a layer with vectors stands in the network's own list",
        ),
        (
            [
                {"type": "embedding", "output_dim": 1},
                {"type": "sequence_pool"},
                {"type": "embedding", "input_dim": 3, "output_dim": 3, "vectors": "v.txt"},
                "flatten",
            ],
            "model.layers[2].vectors: the layer reads sequence_pool_1, which is no input of tokens",
        ),
        (
            [
                {
                    "type": "embedding",
                    "input_dim": 12,
                    "output_dim": 3,
                    "vectors": "v.txt",
                    "weights": {"embeddings": [[0, 0, 0]] * 12},
                }
            ],
            "model.layers[0].vectors: weights and vectors both say what the layer begins with",
        ),
    ],
)
def test_layers_that_cannot_take_vectors_are_exit_code_3(
    layers: list[Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spec(tmp_path)
    ending: list[Any] = [{"type": "dense", "units": 1, "activation": "sigmoid"}]
    pool: list[Any] = [] if len(layers) > 1 else ["sequence_pool"]
    made = json.dumps([*layers, *pool, *ending])
    assert cli.run(["check", str(path), "--set", f"model.layers={made}"]) == 3
    assert message in capsys.readouterr().err


def test_a_table_without_words_has_no_vectors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spec(tmp_path)
    transform = "data.transforms=[{type: ordinal, columns: [text]}]"
    embedding = "{type: embedding, input_dim: 99, output_dim: 3, vectors: v.txt}"
    layers = f"model.layers=[{embedding}, flatten, {{type: dense, units: 1, activation: sigmoid}}]"
    assert cli.run(["check", str(path), "--set", transform, "--set", layers]) == 3
    assert "model.layers[0].vectors: the layer reads input, which is no input of tokens" in capsys.readouterr().err
