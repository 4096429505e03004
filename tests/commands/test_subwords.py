"""A language model of sub-words, from end to end."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nnkit import cli
from nnkit.commands.train import train
from nnkit.runs.folder import RunFolder
from tests.commands.texts import sentences, text_spec

pytest.importorskip("tokenizers")


def subwords(folder: Path, algorithm: str, **changes: Any) -> Path:
    """Write the spec of a small language model of sub-words."""
    transform = {"type": "subwords", "columns": ["text"], "max_size": 60, "algorithm": algorithm}
    metrics = ["perplexity", "accuracy"]
    return text_spec(folder, data__transforms=[transform], training__metrics=metrics, training__epochs=8, **changes)


def said(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> tuple[str, str]:
    """Run a command; return what it wrote on both streams."""
    assert cli.run(arguments) == code, capsys.readouterr().err
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.parametrize("algorithm", ["bpe", "word_piece"])
def test_a_language_model_of_subwords_writes_whole_words(
    algorithm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(subwords(tmp_path, algorithm), out=tmp_path / "r")
    pipeline = RunFolder.open(run).pipeline()
    text = sentences(120)
    numbers = pipeline.numbers(text).tolist()
    written = ""
    for number in numbers:
        written += pipeline.tokenizer.joined(written[-2:], pipeline.classes[number])
    assert written == text
    assert len(numbers) < len(text) / 2
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["perplexity"] < len(pipeline.classes) / 2
    out, err = said(["generate", str(run), "--prompt", "The cat sees", "-n", "30", "--temperature", "0"], capsys)
    assert out.startswith("The cat sees")
    assert err == ""
    assert set(out.replace(".", " ").replace("\n", " ").lower().split()) <= set(text.replace(".", " ").lower().split())
    out, err = said(["generate", str(run), "-n", "5", "--temperature", "0"], capsys)
    assert out.startswith("\n")
    fresh = tmp_path / "fresh.txt"
    fresh.write_text(sentences(20, seed=5) + "Zebra§\n")
    out, err = said(["evaluate", str(run), str(fresh)], capsys)
    assert "subwords are not in the vocabulary and stand as unknown" in err


def test_what_a_prompt_has_that_no_subword_knows_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(subwords(tmp_path, "bpe"), out=tmp_path / "r")
    out, err = said(["generate", str(run), "--prompt", "The c§t", "-n", "3", "--temperature", "0"], capsys)
    assert out.startswith("The c§t")
    assert "the model does not know 1 of its" in err
    assert "subwords, '§'" in err
    _, err = said(["generate", str(run), "--prompt", "§§"], capsys, 2)
    assert "the model knows none of its subwords" in err


def test_characters_of_subwords_have_no_bits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = subwords(tmp_path, "bpe")
    _, err = said(["check", str(spec), "--set", "training.metrics=[bits_per_character]"], capsys, 3)
    assert "bits_per_character is for characters; these tokens are subwords: use perplexity" in err


def test_without_the_library_check_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    _, err = said(["check", str(subwords(tmp_path, "bpe"))], capsys, 7)
    assert err == "the transform subwords needs tokenizers; run: pip install 'nnkit[subwords]'\n"


def test_a_table_of_texts_is_classified_by_subwords(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{word} and {word}er,{label}" for n in range(30) for word, label in (("good", "pos"), ("dull", "neg"))]
    (tmp_path / "t.csv").write_text("\n".join(["text,y", *rows]) + "\n")
    spec = tmp_path / "s.yaml"
    spec.write_text(
        """\
name: small
data:
  source: {type: csv, path: t.csv}
  target: y
  transforms: [{type: subwords, columns: [text], max_size: 40}]
model:
  type: network
  layers: [{type: embedding, output_dim: 4}, sequence_pool, {type: dense, units: 1, activation: sigmoid}]
training:
  procedure: {type: supervised, loss: binary_cross_entropy, optimizer: {type: adam, lr: 0.1}}
  epochs: 3
  metrics: [accuracy]
"""
    )
    run = said(["train", str(spec), "--out", str(tmp_path / "r")], capsys)[0].strip()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"text\nthe goodest\nduller\n")))
    out, _ = said(["predict", run, "-"], capsys)
    assert [line.split(",")[0] for line in out.splitlines()[1:]] == ["pos", "neg"]
