"""Progress for people: lines, and a bar on a terminal."""

import io

import pytest
from rich.console import Console

from nnkit.progress import Bar, Lines, Values, epoch_line

RECORD: Values = {"phase": "supervised", "epoch": 2, "train_loss": 0.123456, "validation_loss": None, "lr": 0.001}


def test_the_line_of_an_epoch() -> None:
    assert epoch_line(RECORD) == "supervised epoch 2: train_loss 0.1235, lr 0.001"


@pytest.mark.parametrize("epochs", [False, True])
def test_lines(epochs: bool) -> None:
    said: list[str] = []
    lines = Lines(said.append, epochs)
    lines.phase_started("supervised", 2, 10)
    lines.step(0, 5)
    lines.members("seeds", 40, 12, 0.3)
    lines.epoch_ended(RECORD)
    lines.note("look")
    lines.ended()
    all_lines = ["supervised: 2 epochs of 10 steps", "supervised epoch 2: train_loss 0.1235, lr 0.001", "look"]
    assert said == (all_lines if epochs else ["look"])


def test_a_bar_moves_and_leaves_its_last_state() -> None:
    screen = io.StringIO()
    bar = Bar(Console(file=screen, force_terminal=True, width=100, color_system=None), epochs=True)
    bar.phase_started("supervised", 2, 10)
    bar.step(0, 5)
    assert bar.progress.tasks[0].completed == 5
    bar.epoch_ended(RECORD)
    bar.note("look at [this]")
    bar.step(1, 10)
    assert bar.progress.finished
    bar.ended()
    text = screen.getvalue()
    assert "look at [this]" in text
    assert "supervised epoch 2" in text
    assert "supervised 2/2" in text
    assert "train_loss 0.1235" in text


def test_one_bar_for_many_trainings() -> None:
    screen = io.StringIO()
    bar = Bar(Console(file=screen, force_terminal=True, width=100, color_system=None), epochs=False)
    bar.members("seeds", 40, 0, 0.0)
    bar.members("seeds", 40, 12, 0.4)
    [task] = bar.progress.tasks
    assert task.completed == pytest.approx(16)
    bar.epoch_ended({**RECORD, "phase": "seed 3: supervised"})
    bar.ended()
    assert "12 of 40 seeds done" in screen.getvalue()


def test_a_bar_that_never_began_ends_quietly() -> None:
    screen = io.StringIO()
    Bar(Console(file=screen), epochs=False).ended()
    assert screen.getvalue() == ""
