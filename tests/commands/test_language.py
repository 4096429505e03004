"""Language models as users meet them: trained, evaluated, let go on with a text, and refused where they don't fit."""

import csv
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nnkit.cli import run
from nnkit.commands.generate import Options, generate
from nnkit.commands.train import train
from nnkit.errors import UsageError
from tests.commands.conftest import Toys
from tests.commands.texts import WORDS, sentences, text_spec

EMBEDDING = {"type": "embedding", "output_dim": 8}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a small model of characters."""
    folder = tmp_path_factory.mktemp("language")
    return train(text_spec(folder, training__epochs=12), out=folder / "runs")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a small model of words, which knows five of them."""
    folder = tmp_path_factory.mktemp("words")
    spec = text_spec(
        folder,
        data__transforms=[{"type": "words", "columns": ["text"], "max_size": 5}],
        model__layers=[
            EMBEDDING,
            {"type": "transformer_encoder", "num_heads": 2, "units": 8, "causal": True},
            {"type": "dense", "units": "vocabulary", "activation": "softmax"},
        ],
        training__metrics=[],
    )
    return train(spec, out=folder / "runs")


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> tuple[str, str]:
    assert run(arguments) == code
    result = capsys.readouterr()
    return result.out, result.err


def values(folder: Path) -> dict[str, dict[str, float]]:
    result: dict[str, dict[str, float]] = json.loads((folder / "metrics.json").read_text())
    return result


def test_history_and_metrics_say_how_well_the_text_is_foretold(model: Path) -> None:
    records = [json.loads(line) for line in (model / "history.jsonl").read_text().splitlines()]
    for part in ("train", "validation"):
        for record in records:
            nats = record[f"{part}_log_loss"]
            assert record[f"{part}_perplexity"] == pytest.approx(math.exp(nats))
            assert record[f"{part}_bits_per_character"] == pytest.approx(nats / math.log(2))
            assert record[f"{part}_loss"] == pytest.approx(nats, rel=1e-5)
        assert records[-1][f"{part}_log_loss"] < 1.6 < records[0][f"{part}_log_loss"]
    assert values(model)["validation"]["log_loss"] == pytest.approx(records[-1]["validation_log_loss"], rel=1e-5)
    assert values(model)["test"]["accuracy"] > 0.5


def test_predictions_have_a_row_for_each_character_that_is_foretold(model: Path) -> None:
    with (model / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    text = sentences(120)
    start = len(text) - round(0.2 * len(text))
    assert "".join(row["truth"] for row in rows) == text[start + 1 :]
    nats = -sum(float(row["log_probability"]) for row in rows) / len(rows)
    assert nats == pytest.approx(values(model)["test"]["log_loss"])
    right = sum(row["truth"] == row["prediction"] for row in rows) / len(rows)
    assert right == pytest.approx(values(model)["test"]["accuracy"])


def test_evaluation_is_of_the_test_part_or_of_a_fresh_text(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = json.loads(printed(["evaluate", str(model), "--json"], capsys)[0])
    assert own["test"] == pytest.approx(values(model)["test"])
    text = sentences(120)
    part = tmp_path / "part.txt"
    part.write_text(text[len(text) - round(0.2 * len(text)) :])
    again = json.loads(printed(["evaluate", str(model), str(part), "--json"], capsys)[0])
    assert again["test"] == pytest.approx(values(model)["test"], rel=1e-6)
    part.write_text(sentences(5, seed=9) + "§§")
    out, said = printed(["evaluate", str(model), str(part), "--fail-under", "perplexity=1.01"], capsys, 8)
    assert "perplexity" in out
    assert f"part.txt: 2 of {len(sentences(5, seed=9)) + 1} characters are not in the vocabulary" in said


def test_what_is_evaluated_does_not_depend_on_the_batches_of_training(tmp_path: Path) -> None:
    found = []
    for size in (3, 50):
        folder = tmp_path / str(size)
        folder.mkdir()
        spec = text_spec(folder, training__batch_size=size, training__procedure__optimizer={"type": "sgd", "lr": 1e-9})
        found.append(values(train(spec, out=folder))["validation"])
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_a_generated_text_is_the_prompt_gone_on_with_and_the_same_each_time(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["generate", str(model), "--prompt", "The cat", "-n", "300", "--temperature", "0.5", "--seed", "7"]
    first, said = printed(command, capsys)
    assert said == ""
    assert first.startswith("The cat")
    assert len(first) == 7 + 300 + 1
    assert printed(command, capsys)[0] == first
    assert printed([*command[:-1], "8"], capsys)[0] != first
    known = sum(word in WORDS for word in re.findall("[a-z]+", first.lower()))
    assert known > 0.5 * len(first.split())


def test_a_run_folder_alone_is_enough_in_another_process(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(model), str(copy)], check=True)
    command = [sys.executable, "-m", "nnkit", "generate", str(copy), "--prompt", "A dog", "-n", "40"]
    outputs = [
        subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, env=dict(os.environ)).stdout
        for _ in range(2)
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].startswith(b"A dog")
    assert len(outputs[0]) == 5 + 40 + 1


def test_pieces_come_one_by_one(model: Path) -> None:
    pieces = generate(model, "The", Options(tokens=10**9))
    assert next(pieces) == "The"
    assert all(len(next(pieces)) == 1 for _ in range(5))


def test_without_temperature_the_likeliest_is_taken_whatever_the_seed(model: Path) -> None:
    texts = {"".join(generate(model, "The ", Options(20, temperature=0, seed=seed))) for seed in range(3)}
    texts |= {"".join(generate(model, "The ", Options(20, top_k=1, seed=seed))) for seed in range(3)}
    assert len(texts) == 1


def test_without_a_prompt_a_new_line_begins(model: Path) -> None:
    assert next(generate(model)) == "\n"


def test_unknown_characters_of_a_prompt_are_left_out_and_told(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, said = printed(["generate", str(model), "--prompt", "Thé cat", "-n", "30"], capsys)
    assert said == ("--prompt: the model does not know 1 of its 7 characters, 'é', and reads the prompt without them\n")
    assert out.startswith("Thé cat")
    without, _ = printed(["generate", str(model), "--prompt", "Th cat", "-n", "30"], capsys)
    assert out[7:] == without[6:]
    assert printed(["generate", str(model), "--prompt", "Thé", "-n", "1", "-q"], capsys)[1] == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--prompt", ""], "--prompt '': has no characters; give some to go on with"),
        (["--prompt", "éü"], "the model knows none of its characters"),
        (["--temperature", "-0.1"], "--temperature -0.1: expected 0 or more"),
        (["--temperature", "nan"], "--temperature nan: expected 0 or more"),
        (["--temperature", "inf"], "--temperature inf: expected 0 or more"),
        (["--top-k", "-1"], "--top-k -1: expected a number of tokens, or 0 for all"),
        (["--top-p", "0"], "--top-p 0: expected more than 0 and at most 1"),
        (["--top-p", "1.5"], "--top-p 1.5: expected more than 0 and at most 1"),
        (["-n", "0"], "--tokens 0: expected 1 or more"),
        (["--seed", "-1"], "--seed -1: expected 0 or more"),
    ],
)
def test_options_out_of_their_bounds_are_usage_errors(
    options: list[str], words: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, said = printed(["generate", str(model), *options], capsys, 2)
    assert out == ""
    assert words in said


def test_words_are_joined_as_they_are_written(words: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = printed(["generate", str(words), "--prompt", "The cat", "-n", "40"], capsys)
    assert re.fullmatch(r"The cat(\.| [a-z]+)+\n", out)
    assert set(re.findall(r"[a-z]+|\.", out.lower())) <= {*WORDS, "."}
    assert "<unknown>" not in out
    assert "reads them as one unknown token" in printed(["generate", str(words), "--prompt", "the zebra."], capsys)[1]
    assert "\n" not in next(generate(words))
    assert list(values(words)["test"]) == ["log_loss", "perplexity", "accuracy"]


def test_a_model_of_words_has_no_bits_per_character(words: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = words.parent.parent.parent / "t.txt"
    arguments = ["evaluate", str(words), str(data), "--fail-under", "bits_per_character=2"]
    assert "these tokens are words: use perplexity" in printed(arguments, capsys, 2)[1]


def test_other_runs_do_not_generate(toys: Toys) -> None:
    with pytest.raises(UsageError, match=r"is no language model but predicts left; use nnkit predict"):
        generate(toys.runs["binary"], "x")


def test_a_language_model_does_not_predict_rows_but_traces_a_text(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = printed(["predict", str(model), str(tmp_path.parent)], capsys, 2)[1]
    assert "nnkit generate RUN --prompt TEXT goes on with a text" in said
    trace = ["trace", str(model), "--input", "text=cat"]
    assert "3 x 24" in printed([*trace, "--of", "output[0,0]"], capsys)[0]
    assert "a text has a loss at each step" in printed([*trace, "--of", "loss"], capsys, 2)[1]
    assert "no column 'next'" in printed([*trace, "--input", "next=a", "--of", "output[0,0]"], capsys, 2)[1]


def test_the_model_card_says_how_the_model_is_used(model: Path) -> None:
    card = (model / "README.md").read_text()
    assert "goes on with a text token by token" in card
    assert "nnkit generate . --prompt TEXT" in card
    assert "predict . rows.csv" not in card


def checked(folder: Path, capsys: pytest.CaptureFixture[str], code: int, **changes: Any) -> str:
    out, said = printed(["check", str(text_spec(folder, **changes))], capsys, code)
    return said if code else out


LAST = {"type": "dense", "units": "vocabulary", "activation": "softmax"}
LSTM = {"type": "lstm", "units": 4, "return_sequences": True}


def test_check_says_what_a_language_model_comes_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = checked(tmp_path, capsys, 0)
    assert re.search(r"tokens +24, the unknown one among them", said)
    assert re.search(r"windows train +\d+", said)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"model__layers": [EMBEDDING, LSTM, {**LAST, "units": 23}]},
            "needs ? x 24 for 24 tokens, the unknown one among them, at each step",
        ),
        (
            {"model__layers": [EMBEDDING, {"type": "bidirectional", "layer": LSTM}, LAST]},
            "model.layers: the network sees the tokens that it shall foretell; set causal: true",
        ),
        (
            {"model__layers": [EMBEDDING, {"type": "position_embedding", "max_length": 11}, LSTM, LAST]},
            "model.layers[1].max_length: knows 11 places, and a window has 12 steps",
        ),
        (
            {"training__procedure": {"type": "supervised", "loss": "mean_squared_error"}},
            "training.procedure.loss: the next token is one of many: choose a loss for several classes",
        ),
        (
            {
                "data__transforms": [{"type": "words", "columns": ["text"]}],
                "model__layers": [EMBEDDING, LSTM, LAST],
            },
            "training.metrics[2]: bits_per_character is for characters; these tokens are words",
        ),
        (
            {"training__accumulate": 2},
            "training.accumulate: the layer lstm_1 is stateful",
        ),
        ({"training__procedure__class_weights": "balanced"}, "classes weigh only in binary and multiclass"),
        (
            {"training__metrics": ["f1"]},
            "f1 is for binary and multiclass and multilabel and tagging; this experiment is next",
        ),
        ({"training__engine": "native"}, "training.engine: the native engine cannot train this"),
    ],
)
def test_what_does_not_fit_is_told_before_training(
    changes: dict[str, Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in checked(tmp_path, capsys, 3, **changes)


def test_seeds_share_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = text_spec(tmp_path, training__epochs=1)
    out, _ = printed(["train", str(spec), "--seeds", "1,2", "--out", str(tmp_path / "r"), "--jobs", "1"], capsys)
    metrics = json.loads((Path(out.strip()) / "metrics.json").read_text())
    assert metrics["seeds"]["1"] != metrics["seeds"]["2"]


@pytest.mark.parametrize("data", [b"", b"ab\n", b"abc\xff" * 40])
def test_a_text_that_cannot_be_read_on_is_exit_code_4(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = text_spec(tmp_path)
    (tmp_path / "t.txt").write_bytes(data)
    assert "t.txt" in printed(["check", str(spec)], capsys, 4)[1] or data == b"ab\n"


@pytest.mark.parametrize("size", [1, 16, 1000])
@pytest.mark.parametrize("stateful", [True, False])
@pytest.mark.parametrize("count", [13, 40, 120])
def test_texts_of_any_size_train(count: int, stateful: bool, size: int, tmp_path: Path) -> None:
    layers = [EMBEDDING, {**LSTM, "stateful": stateful}, LAST]
    other = tmp_path / "other.txt"
    other.write_text("ab")
    split = {"test": {"type": "text", "path": str(other)}}
    text = ("abcdefg" * 30)[:count]
    changes = {"model__layers": layers, "data__split": split, "training__batch_size": size, "training__epochs": 1}
    folder = train(text_spec(tmp_path, text, **changes), out=tmp_path / "r")
    assert values(folder)["train"]["log_loss"] < 2.2
    assert values(folder)["test"]["log_loss"] < 2.2
