from pathlib import Path
from typing import Any

import pytest

from nnkit.config.decode import decode
from nnkit.config.document import dump_yaml, parse_document
from nnkit.runs.card import model_card
from nnkit.runs.manifest import Manifest, new_manifest
from nnkit.spec import Experiment
from tests.commands.conftest import make_spec

METRICS = {"train": {"accuracy": 0.91234567, "f1": 0.5}, "test": {"accuracy": 0.8, "f1": None}}
CONFUSION = 'truth,no,"yes | so, so"\nno,30,4\n"yes | so, so",5,9\n'


def manifest_of(**changes: Any) -> Manifest:
    manifest = new_manifest("toy", ["nnkit", "train", "my spec.yaml"], seed=7, threads=2, device="cpu")
    return manifest.model_copy(update=changes)


@pytest.fixture
def experiment() -> Experiment:
    spec = make_spec(Path("toy.csv"), "binary") | {"description": "Who will leave?"}
    return decode(Experiment, parse_document(dump_yaml(spec), "toy.yaml", Path()))


def test_it_says_what_the_model_is_and_how_good(experiment: Experiment) -> None:
    lines = model_card(manifest_of(data={"toy.csv": "a" * 64}), experiment, METRICS, CONFUSION).splitlines()
    assert lines[:3] == ["# toy", "", "Who will leave?"]
    assert "that predicts `left`" in lines[4]
    for line in (
        "| metric | train | test |",
        "| accuracy | 0.9123 | 0.8000 |",
        "| f1 | 0.5000 | undefined |",
        "| truth | no | yes \\| so, so |",
        "| yes \\| so, so | 5 | 9 |",
        "nnkit predict . rows.csv",
        f"| `toy.csv` | {'a' * 64} |",
        "| command | `nnkit train 'my spec.yaml'` |",
        "| seed | 7 |",
        "| device | cpu, 2 threads |",
    ):
        assert line in lines


def test_a_card_of_folds_has_means_and_deviations(experiment: Experiment) -> None:
    metrics = {"mean": METRICS, "deviation": {"train": {"accuracy": 0.01}, "test": {"accuracy": 0.02}}, "folds": [1, 2]}
    card = model_card(manifest_of(folds=2), experiment, metrics)
    assert "Mean of 2 folds:" in card
    assert "| accuracy | 0.0100 | 0.0200 |" in card
    assert "folds/1` to `folds/2`" in card
    assert "Confusion" not in card


def test_warnings_are_sentences_of_their_own(experiment: Experiment) -> None:
    card = model_card(manifest_of(), experiment, METRICS, warnings=["gradients vanish: try relu", "all is lost"])
    assert "\n## Warnings\n\nGradients vanish: try relu.\n\nAll is lost.\n\n## Use\n" in card
    assert "Warnings" not in model_card(manifest_of(), experiment, METRICS)


def test_tables_have_as_many_cells_in_each_row(experiment: Experiment) -> None:
    card = model_card(manifest_of(), experiment, METRICS, CONFUSION)
    for block in card.split("\n\n"):
        rows = [line.replace("\\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1


def test_no_label_is_markdown_or_html(experiment: Experiment) -> None:
    label = "<img src=x onerror=alert(1)> [a](http://b) `c` *d*\x1b[2J"
    confusion = f'truth,"{label}"\n"{label}",5\n'
    data = {"`a` <b>\x1b.csv": "a" * 64}
    changed = experiment.model_copy(update={"description": "![seen](http://b/x.png) <script>"})
    card = model_card(manifest_of(data=data), changed, METRICS, confusion)
    written = r"\<img src=x onerror=alert(1)\> \[a\](http://b) \`c\` \*d\*\\x1b\[2J"
    assert f"| truth | {written} |" in card
    assert "`` `a` <b>\\x1b.csv ``" in card
    assert r"!\[seen](http://b/x.png) \<script>" in card
    assert "\x1b" not in card
