"""Schedules against torch's schedulers, Keras' formulas and numbers worked out by hand."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.optim import lr_scheduler

from nnkit.schedules import SCHEDULES, Schedule

EPOCHS = 20
REQUIRED: dict[str, dict[str, object]] = {
    "step": {"step_size": 3.0},
    "multi_step": {"milestones": [4.0, 9.0]},
    "piecewise": {"boundaries": [5.0], "factors": [1.0, 0.5]},
    "cosine_restarts": {"period": 4.0},
}


def schedule(name: str, **options: object) -> Schedule:
    return SCHEDULES.decode({"type": name, **REQUIRED.get(name, {}), **options})


def torchs(make: Callable[[torch.optim.Optimizer], Any], epochs: int = EPOCHS) -> list[float]:
    """The rates that torch's scheduler sets in each epoch, from a rate of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(epochs):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


TORCH: list[tuple[str, dict[str, object], Callable[[torch.optim.Optimizer], Any]]] = [
    ("step", {"step_size": 3.0, "gamma": 0.5}, lambda o: lr_scheduler.StepLR(o, 3, 0.5)),
    ("multi_step", {"milestones": [4.0, 9.0]}, lambda o: lr_scheduler.MultiStepLR(o, [4, 9])),
    ("exponential", {"gamma": 0.9}, lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    ("linear", {"start": 0.2, "end": 0.7}, lambda o: lr_scheduler.LinearLR(o, 0.2, 0.7, EPOCHS)),
    ("polynomial", {"power": 2.0}, lambda o: lr_scheduler.PolynomialLR(o, EPOCHS, 2.0)),
    ("cosine", {"end": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS, 0.1)),
    ("cosine_restarts", {"period": 4.0}, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4)),
    (
        "cosine_restarts",
        {"period": 3.0, "growth": 2.0, "end": 0.1},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2, 0.1),
    ),
    (
        "cosine",
        {"warmup": 5.0, "warmup_start": 0.25},
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 0.25, 1, 5), lr_scheduler.CosineAnnealingLR(o, EPOCHS - 5)], [5]
        ),
    ),
]


@pytest.mark.parametrize(("name", "options", "make"), TORCH)
# torch's own SequentialLR calls its schedulers in a way that torch warns of.
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")
def test_the_rates_are_torchs(
    name: str, options: dict[str, object], make: Callable[[torch.optim.Optimizer], Any]
) -> None:
    piece = schedule(name, **options)
    assert [piece.factor(epoch, EPOCHS) for epoch in range(EPOCHS)] == pytest.approx(torchs(make), abs=1e-9)


def test_one_cycle_is_torchs_but_for_the_last_step_of_each_half() -> None:
    """torch reaches the peak and the end one step early; over many steps that makes no difference."""
    steps = 10_000
    expected = torchs(lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=steps + 1, cycle_momentum=False), steps)
    piece = schedule("one_cycle")
    given = [piece.factor(step / steps * EPOCHS, EPOCHS) for step in range(steps)]
    assert given == pytest.approx(expected, abs=5e-4)
    assert max(given) == 1


def keras_restarts(step: float, first: float, t_mul: float, m_mul: float, alpha: float) -> float:
    """Keras 3's CosineDecayRestarts, written out."""
    completed = step / first
    if t_mul == 1:
        restart = math.floor(completed)
        completed -= restart
    else:
        restart = math.floor(math.log(1 - completed * (1 - t_mul)) / math.log(t_mul))
        completed = (completed - (1 - t_mul**restart) / (1 - t_mul)) / t_mul**restart
    cosine = 0.5 * m_mul**restart * (1 + math.cos(math.pi * completed))
    return (1 - alpha) * cosine + alpha


def test_restarts_that_get_lower_are_keras() -> None:
    for growth in (1.0, 1.5, 2.0):
        piece = schedule("cosine_restarts", period=4.0, growth=growth, damping=0.8)
        for number in range(200):
            expected = keras_restarts(number / 10 + 0.01, 4, growth, 0.8, 0)
            assert piece.factor(number / 10 + 0.01, EPOCHS) == pytest.approx(expected)


def test_keras_formulas() -> None:
    for epoch in (0, 0.5, 7, 20):
        assert schedule("inverse_time", rate=0.5).factor(epoch, EPOCHS) == pytest.approx(1 / (1 + 0.5 * epoch))
        expected = (1 - 0.1) * (1 - epoch / EPOCHS) ** 0.5 + 0.1
        assert schedule("polynomial", power=0.5, end=0.1).factor(epoch, EPOCHS) == pytest.approx(expected)


def test_steps_by_hand() -> None:
    piece = schedule("piecewise", boundaries=[2.0, 4.0], factors=[1.0, 0.5, 0.1])
    assert [piece.factor(epoch, 6) for epoch in (0, 1.99, 2, 3, 4, 5)] == [1, 1, 0.5, 0.5, 0.1, 0.1]
    assert schedule("constant").factor(3.7, 6) == 1


@pytest.mark.parametrize("name", SCHEDULES.entries)
def test_a_warm_up_rises_in_a_line_then_the_schedule_has_what_is_left(name: str) -> None:
    plain, warmed = schedule(name), schedule(name, warmup=4.0, warmup_start=0.0)
    top = plain.factor(0, EPOCHS - 4)
    assert [warmed.factor(epoch, EPOCHS) for epoch in (0, 1, 2.5)] == pytest.approx([0, top / 4, top * 2.5 / 4])
    for epoch in (4, 4.5, 7, 19):
        assert warmed.factor(epoch, EPOCHS) == pytest.approx(plain.factor(epoch - 4, EPOCHS - 4))


@pytest.mark.parametrize("name", SCHEDULES.entries)
@pytest.mark.parametrize("epochs", [1, 3, EPOCHS])
def test_factors_are_never_negative_nor_above_one(name: str, epochs: int) -> None:
    for warmup in (0.0, 0.5, 3.0, 100.0):
        piece = schedule(name, warmup=warmup)
        factors = [piece.factor(epochs * part / 64, epochs) for part in range(65)]
        assert all(0 <= factor <= 1 for factor in factors)


def test_a_warm_up_longer_than_the_training_is_all_there_is() -> None:
    piece = schedule("cosine", warmup=10.0, warmup_start=0.0)
    assert [piece.factor(epoch, 5) for epoch in range(5)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


MISTAKES = [
    ({"type": "multi_step", "milestones": [3.0, 3.0]}, "expected milestones that rise, found 3 after 3"),
    (
        {"type": "piecewise", "boundaries": [4.0, 2.0], "factors": [1.0, 1.0, 1.0]},
        "boundaries that rise, found 2 after 4",
    ),
    (
        {"type": "piecewise", "boundaries": [4.0], "factors": [1.0, 0.5, 0.1]},
        "expected 2 factors for 1 boundaries, found 3",
    ),
    ({"type": "cosine", "end": 1.5}, "from 0 to 1"),
    ({"type": "step", "step_size": 0}, "greater than 0"),
]


@pytest.mark.parametrize(("spec", "message"), MISTAKES)
def test_mistakes_are_named(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SCHEDULES.decode(spec)
    assert message in str(caught.value)
