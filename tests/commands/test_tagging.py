"""Sentences whose words have tags, from end to end: train, evaluate, predict, trace, resume; and bad files."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.cli import run
from nnkit.commands.train import train
from nnkit.config.document import dump_yaml
from tests.commands.changes import change
from tests.commands.test_interrupt import kill_and_resume

NEWS = Path(__file__).resolve().parents[2] / "data" / "village_news.conll"
METRICS = ["entity_f1", "entity_precision", "entity_recall", "accuracy", "f1"]
TAGS = ["B-firm", "B-person", "B-place", "I-firm", "I-person", "I-place", "O"]


def write(folder: Path, sentences: int = 200, **changes: Any) -> Path:
    """Write a part of the news and a small spec; ``a__b=c`` changes a.b."""
    data = folder / "news.conll"
    data.write_text("\n\n".join(NEWS.read_text().split("\n\n")[:sentences]) + "\n")
    value: dict[str, Any] = {
        "name": "small",
        "seed": 3,
        "data": {
            "source": {"type": "conll", "path": str(data)},
            "target": "tag",
            "split": {"test": 0.2, "validation": 0.2},
            "transforms": [
                {"type": "words", "columns": ["token"], "into": "word", "min_count": 2},
                {"type": "word_characters", "columns": ["token"], "into": "letters", "length": 8},
            ],
            "inputs": {"words": ["word"], "letters": ["letters"]},
        },
        "model": {
            "type": "network",
            "layers": [
                {"name": "word", "type": "embedding", "output_dim": 8, "inputs": ["input.words"]},
                {"name": "letter", "type": "embedding", "output_dim": 6, "inputs": ["input.letters"]},
                {
                    "type": "time_distributed",
                    "layer": {"type": "conv1d", "filters": 8, "kernel_size": 3, "padding": "same"},
                },
                {"name": "spelling", "type": "time_distributed", "layer": "global_max_pool"},
                {"type": "concatenate", "inputs": ["word", "spelling"]},
                {"type": "dropout", "rate": 0.1},
                {"type": "bidirectional", "layer": {"type": "lstm", "units": 10, "return_sequences": True}},
                {"type": "dense", "units": 7, "activation": "softmax"},
            ],
        },
        "training": {
            "procedure": {
                "type": "supervised",
                "loss": "categorical_cross_entropy",
                "optimizer": {"type": "adam", "lr": 0.02},
            },
            "epochs": 15,
            "batch_size": 16,
            "metrics": METRICS,
        },
    }
    change(value, changes)
    path = folder / "spec.yaml"
    path.write_text(dump_yaml(value))
    return path


@dataclass(frozen=True)
class Trained:
    run: Path
    data: Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("tags")
    return Trained(train(write(folder), out=folder / "runs"), folder / "news.conll")


def failing(arguments: list[Any], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(list(map(str, arguments))) == code
    return capsys.readouterr().err


def output(arguments: list[Any], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run(list(map(str, arguments))) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def sentences(text: str) -> list[list[list[str]]]:
    """Return the cells of each line of each sentence."""
    blocks = text.removesuffix("\n").split("\n\n") if text.strip() else []
    return [[line.split("\t") for line in block.strip("\n").split("\n")] for block in blocks]


def rows(name: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(name.read_text())))


def test_a_run_has_entities_and_a_line_for_each_word(trained: Trained) -> None:
    metrics = json.loads((trained.run / "metrics.json").read_text())
    table = rows(trained.run / "predictions.csv")
    assert list(table[0]) == ["row", "step", "word", "truth", "prediction", *(f"probability_{tag}" for tag in TAGS)]
    given = sentences(trained.data.read_text())
    numbers = list(dict.fromkeys(row["row"] for row in table))
    assert len(numbers) == 40
    assert [[row["word"], row["truth"]] for row in table] == [line for row in numbers for line in given[int(row)]]
    assert metrics["test"]["accuracy"] == pytest.approx(np.mean([row["truth"] == row["prediction"] for row in table]))
    assert metrics["test"]["entity_f1"] > 0.6
    history = [json.loads(line) for line in (trained.run / "history.jsonl").read_text().splitlines()]
    assert {f"{part}_{name}" for part in ("train", "validation") for name in METRICS} <= history[-1].keys()
    assert history[-1]["validation_entity_f1"] == pytest.approx(metrics["validation"]["entity_f1"])
    confusion = rows(trained.run / "confusion_matrix.csv")
    assert [line["truth"] for line in confusion] == TAGS
    assert sum(int(line[tag]) for line in confusion for tag in TAGS) == len(table)


def test_the_scores_are_those_of_seqeval(trained: Trained) -> None:
    oracle = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    table = rows(trained.run / "predictions.csv")
    numbers = list(dict.fromkeys(row["row"] for row in table))
    truth, decided = (
        [[row[side] for row in table if row["row"] == number] for number in numbers] for side in ("truth", "prediction")
    )
    stored = json.loads((trained.run / "metrics.json").read_text())["test"]
    assert stored["entity_f1"] == pytest.approx(oracle.f1_score(truth, decided))
    assert stored["entity_precision"] == pytest.approx(oracle.precision_score(truth, decided))
    assert stored["entity_recall"] == pytest.approx(oracle.recall_score(truth, decided))


def test_evaluate_counts_the_same_from_its_files_and_from_the_data(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = json.loads(output(["evaluate", trained.run, "--json"], capsys))
    given = trained.data.read_text().split("\n\n")
    numbers = dict.fromkeys(int(row["row"]) for row in rows(trained.run / "predictions.csv"))
    test = tmp_path / "test.conll"
    test.write_text("\n\n".join(given[number].strip("\n") for number in numbers))
    again = json.loads(output(["evaluate", trained.run, test, "--json"], capsys))
    assert again["test"] == pytest.approx(stored["test"])
    assert again["per_class"] == stored["per_class"]
    assert again["confusion"] == stored["confusion"]
    table = output(["evaluate", trained.run], capsys)
    assert [line.split()[0] for line in table.split("\n\n")[1].splitlines()] == ["entity", "firm", "person", "place"]
    assert run(["evaluate", str(trained.run), "--fail-under", "entity_f1=1.01"]) == 8


def test_predict_writes_conll(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = output(["predict", trained.run, trained.data], capsys)
    given = sentences(trained.data.read_text())
    found = sentences(text)
    assert [[line[0] for line in sentence] for sentence in found] == [[line[0] for line in each] for each in given]
    assert all(line[1] in TAGS for sentence in found for line in sentence)
    assert text.endswith("\n\n")
    words = tmp_path / "words.conll"
    words.write_text("\n\n".join("\n".join(line[0] for line in sentence) for sentence in given))  # no end of line
    assert output(["predict", trained.run, words], capsys) == text
    kept = sentences(output(["predict", trained.run, trained.data, "--keep"], capsys))
    assert [[line[:2] for line in sentence] for sentence in kept] == given
    assert [[[line[0], line[2]] for line in sentence] for sentence in kept] == found


def test_predict_writes_csv_and_json_lines_too(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    found = sentences(output(["predict", trained.run, trained.data], capsys))
    command = ["predict", trained.run, trained.data, "--format"]
    table = list(csv.DictReader(io.StringIO(output([*command, "csv"], capsys))))
    assert [[row["token"], row["prediction"]] for row in table] == [line for sentence in found for line in sentence]
    assert [(row["row"], row["step"]) for row in table] == [
        (str(number), str(step)) for number, sentence in enumerate(found) for step in range(len(sentence))
    ]
    assert sum(float(table[0][f"probability_{tag}"]) for tag in TAGS) == pytest.approx(1, abs=1e-6)
    objects = [json.loads(line) for line in output([*command, "jsonl", "--keep"], capsys).splitlines()]
    assert list(objects[0]) == ["token", "tag", "prediction", "probabilities"]
    assert [list(map(list, zip(each["token"], each["prediction"], strict=True))) for each in objects] == found
    assert objects[0]["probabilities"]["O"][0] == float(table[0]["probability_O"])
    assert "use conll, csv or jsonl" in failing([*command, "trees"], 2, capsys)


def test_a_prediction_depends_on_its_sentence_alone(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", trained.run, trained.data, "--format", "csv"]
    whole = output(command, capsys)
    for size in (1, 7, 150):
        assert output([*command, "--chunk-rows", size], capsys) == whole
    alone = tmp_path / "alone.conll"
    given = trained.data.read_text().split("\n\n")
    alone.write_text(given[5])
    wanted = [line.split(",", 1)[1] for line in whole.splitlines() if line.startswith("5,")]
    one = output(["predict", trained.run, alone, "--format", "csv"], capsys).splitlines()[1:]
    assert [line.split(",", 1)[1] for line in one] == wanted


def test_outputs_are_those_of_the_network_in_single_rows(trained: Trained) -> None:
    import torch

    from nnkit.engine.batches import floats
    from nnkit.inference import Predictor, plan_of
    from nnkit.runs.folder import RunFolder

    folder = RunFolder.open(trained.run)
    predictor = Predictor(folder)
    chunks = list(predictor.pipeline.stream(trained.data))
    data = chunks[0].dataset
    plan = plan_of(folder, folder.experiment(), predictor.pipeline)
    network = plan.build()
    network.load_arrays(folder.weights(plan))
    network.double().eval()
    with torch.inference_mode():
        single = [
            network({name: floats(x[[row]], torch.device("cpu"), torch.float64) for name, x in data.inputs.items()})[0]
            for row in range(len(data))
        ]
    assert predictor.outputs(data) == pytest.approx(np.concatenate([each.numpy() for each in single]), abs=1e-7)


def test_sentences_on_a_pipe_are_answered_as_they_come(trained: Trained) -> None:
    command = [sys.executable, "-m", "nnkit", "predict", str(trained.run), "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for words in ("Tea with Balasa", "The road to Corenby"):
            process.stdin.write(words.replace(" ", "\n") + "\n\n")
            process.stdin.flush()
            lines = [process.stdout.readline() for _ in range(len(words.split()) + 1)]
            assert [line.split("\t")[0].strip() for line in lines] == [*words.split(), ""]
        process.stdin.close()
        assert process.wait(60) == 0


def test_nothing_in_is_nothing_out(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.conll"
    empty.write_text("\n\n")
    assert output(["predict", trained.run, empty], capsys) == ""
    assert "has no rows to evaluate" in failing(["evaluate", trained.run, empty], 4, capsys)


def test_bad_sentences_are_refused_or_kept_apart(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = tmp_path / "fresh.conll"
    fresh.write_text("Tea\tO\n\nwith\tO\tO\n\nBalasa\tO\n")
    assert f"{fresh}:3: 3 cells, expected 2 (token, tag)" in failing(["predict", trained.run, fresh], 4, capsys)
    rejects = tmp_path / "rejects.csv"
    kept = sentences(output(["predict", trained.run, fresh, "--rejects", rejects], capsys))
    assert [line[0] for sentence in kept for line in sentence] == ["Tea", "Balasa"]
    assert [(row["line"], row["row"]) for row in rows(rejects)] == [("3", "with\tO\tO")]
    fresh.write_text("a\tB-x\n")
    message = failing(["evaluate", trained.run, fresh], 4, capsys)
    assert f"{fresh}:1: the tag of word 1 is 'B-x'; the model's are B-firm, B-person" in message
    fresh.write_bytes(b"Tea\tO\ncaf\xe9\tO\n")
    assert f"{fresh}:2: the byte 0xe9 is not utf-8 text" in failing(["predict", trained.run, fresh], 4, capsys)
    fresh.write_text("word\n" * 10_001)
    assert "are there blank lines between sentences?" in failing(["predict", trained.run, fresh], 4, capsys)
    fresh.write_text("I live in Ulm\n")
    assert "one word a line, and a blank line between" in failing(["predict", trained.run, fresh], 4, capsys)


def test_columns_can_be_named(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fresh = tmp_path / "fresh.conll"
    fresh.write_text("1\tTea\n2\twith\n")
    found = sentences(output(["predict", trained.run, fresh, "--columns", "number,token"], capsys))
    assert [line[:2] for line in found[0]] == [["1", "Tea"], ["2", "with"]]
    message = failing(["predict", trained.run, fresh, "--columns", "a,b"], 4, capsys)
    assert "lacks the columns token; it has: a, b" in message


def test_a_long_sentence_and_many_short_ones_are_predicted(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = tmp_path / "fresh.conll"
    fresh.write_text("Tea\nwith\n" * 4000 + "\n" + "Tea\n\n" * 300)
    found = sentences(output(["predict", trained.run, fresh], capsys))
    assert list(map(len, found)) == [8000, *[1] * 300]


def test_no_entity_in_a_file_leaves_recall_undefined(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = tmp_path / "fresh.conll"
    fresh.write_text("Last\tO\n\nit\tO\nrained\tO\n")
    report = json.loads(output(["evaluate", trained.run, fresh, "--json"], capsys))
    assert report["test"]["entity_recall"] is None


def test_a_sentence_is_traced_without_its_loss(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand = ["trace", trained.run, "--input", "token=Tea with Balasa", "--of", "output[2,1]", "--json"]
    report = json.loads(output(by_hand, capsys))
    assert report["nodes"][-1]["shape"] == [3, 7]
    assert "a sentence has a loss at each word" in failing(["trace", trained.run, "--of", "loss"], 2, capsys)


def test_plot_draws_the_pictures_again(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output(["plot", trained.run, "--out", tmp_path], capsys)
    again = (tmp_path / "confusion_matrix.png").read_bytes()
    assert again == (trained.run / "confusion_matrix.png").read_bytes()


def test_folds_and_the_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, 60, data__split={"folds": 3}, training__epochs=1)
    folder = train(path, out=tmp_path / "runs")
    table = rows(folder / "predictions.csv")
    given = sentences((tmp_path / "news.conll").read_text())
    assert [[row["word"], row["truth"]] for row in table] == [line for sentence in given for line in sentence]
    assert "entity_f1" in output(["evaluate", folder], capsys)


def test_the_card_says_what_can_be_predicted(trained: Trained) -> None:
    assert "written as the source `conll` reads them" in (trained.run / "README.md").read_text()


def test_killed_runs_end_byte_equal_when_resumed(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, write(tmp_path, 300, training__epochs=12), kills=1, seed=5)


SPEC_MISTAKES: list[tuple[dict[str, Any], int, str]] = [
    ({"training__procedure__class_weights": "balanced"}, 3, "classes weigh only in binary and multiclass"),
    ({"training__procedure__sampling": "balanced"}, 3, "classes weigh only in binary and multiclass"),
    ({"training__procedure__loss": "mean_squared_error"}, 3, "data.target: a tag for each word takes a loss for"),
    ({"training__metrics": ["mae"]}, 3, "mae is for regression; this experiment is tagging"),
    ({"data__source__scheme": "none"}, 3, "entity_f1 is for tags that mark entities; set source.scheme"),
    ({"training__engine": "native"}, 3, "training.engine: the native engine cannot train this"),
]


@pytest.mark.parametrize(("changes", "code", "message"), SPEC_MISTAKES)
def test_mistakes_in_a_spec_are_told(
    tmp_path: Path, changes: dict[str, Any], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, 30)
    source = {"data__source": {"type": "conll", "path": str(tmp_path / "news.conll"), "scheme": "none"}}
    changes = source if "data__source__scheme" in changes else changes
    assert message in failing(["check", write(tmp_path, 30, **changes)], code, capsys)
    assert path.exists()


def test_plain_tags_are_judged_as_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, 40, training__metrics=[], training__epochs=1)
    (tmp_path / "news.conll").write_text("a DET\nb NOUN\n\n" * 20)
    changes = [
        "--set",
        "data.source.scheme=none",
        "--set",
        "model.layers[7].units=2",
        "--set",
        "data.split={test: 0.5}",
    ]
    folder = Path(output(["train", path, "--out", tmp_path / "runs", "-q", *changes], capsys).strip())
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(metrics["test"]) == ["accuracy", "f1", "log_loss"]
    report = json.loads(output(["evaluate", folder, "--json"], capsys))
    assert [row["class"] for row in report["per_class"]] == ["DET", "NOUN"]
    message = failing(["evaluate", folder, "--fail-under", "entity_f1=0.1"], 2, capsys)
    assert "--fail-under entity_f1: no such metric" in message


def test_seeds_are_told_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, 40, training__epochs=1)
    folder = output(["train", path, "--seeds", "0,1", "--jobs", "1", "-q", "--out", tmp_path / "runs"], capsys).strip()
    assert "test, mean of 2 seeds" in output(["evaluate", folder], capsys)


def test_the_last_layer_must_give_a_row_for_each_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, 30)
    message = failing(["check", path, "--set", "model.layers[7].units=5"], 3, capsys)
    assert "gives ? x 5; categorical_cross_entropy needs ? x 7 for 7 tags for each word" in message
    message = failing(["check", path, "--set", "model.layers[6].layer.stateful=true"], 3, capsys)
    assert "leave stateful out" in message


def test_other_runs_do_not_write_conll(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.commands.conftest import make_rows, make_spec, train_spec, write_csv

    data = write_csv(tmp_path / "t.csv", make_rows(40))
    folder = train_spec(tmp_path, make_spec(data, "binary"))
    message = failing(["predict", folder, data, "--format", "conll"], 2, capsys)
    assert "--format conll: the model does not tag words; use csv or jsonl" in message


def test_memory_stays_the_same_however_many_sentences_come(trained: Trained, tmp_path: Path) -> None:
    """The peak for eight times as many sentences is hardly higher."""
    code = (
        "import resource, sys; from nnkit.cli import run; code = run(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
    )
    peaks = []
    for times in (1, 8):
        fresh = tmp_path / f"{times}.conll"
        fresh.write_text((trained.data.read_text() + "\n") * 4 * times)
        command = ["predict", str(trained.run), str(fresh), "--chunk-rows", "200", "-q"]
        done = subprocess.run(
            [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True, env=dict(os.environ)
        )
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] < peaks[0] + 40_000
