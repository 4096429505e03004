"""What is said of adversarial games that go wrong."""

from typing import Any

from nnkit.engine.game import Course, GameHealth, course_findings
from nnkit.engine.health import ailing
from tests.engine.games import game


def record(epoch: int, spread: float = 1.0, real: float = 0.3, generated: float = 0.2) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "train_sample_spread": spread,
        "train_real_error": real,
        "train_generated_error": generated,
    }


def test_samples_that_stay_alike_are_told_once() -> None:
    said: list[str] = []
    hook = GameHealth(said.append, judges=True)
    hook.phase_started(game())
    for epoch in range(1, 12):
        hook.epoch_ended(game(), record(epoch, spread=0.01))
    assert len(said) == 1
    assert said[0].startswith("after epoch 5: the generator has collapsed: its samples are nearly all alike")
    assert "0.01 of that of real rows" in said[0]


def test_a_discriminator_that_is_never_wrong_is_told_but_for_a_critic() -> None:
    records = [record(epoch, real=0.001, generated=0.0) for epoch in range(1, 8)]
    [sentence] = course_findings(records, judges=True)
    assert "the discriminator is never wrong: it takes 0.001 of the real rows and 0 of the generated ones" in sentence
    assert course_findings(records, judges=False) == []


def test_good_games_and_bad_beginnings_are_not_told() -> None:
    records = [record(epoch, spread=0.01 if epoch < 5 else 0.9) for epoch in range(1, 20)]
    assert course_findings(records, judges=True) == []
    assert course_findings([{"epoch": 1, "train_loss": 0.1}] * 9, judges=True) == []


def test_a_resumed_course_goes_on() -> None:
    said: list[str] = []
    first = GameHealth(said.append, judges=True)
    for epoch in range(1, 5):
        first.epoch_ended(game(), record(epoch, spread=0.0))
    second = GameHealth(said.append, judges=True)
    second.load(first.state())
    second.epoch_ended(game(), record(5, spread=0.0))
    assert len(said) == 1
    third = GameHealth(said.append, judges=True)
    third.load(second.state())
    third.epoch_ended(game(), record(6, spread=0.0))
    assert len(said) == 1


def test_a_course_that_recovers_begins_anew() -> None:
    course = Course()
    spreads = [0.0] * 4 + [1.0] + [0.0] * 4
    assert not [word for epoch, spread in enumerate(spreads) for word in course.add(record(epoch, spread))]


def test_gradients_of_the_two_are_not_compared_with_each_other() -> None:
    norms = {"generator/dense_1": 1.0, "generator/dense_2": 2.0, "discriminator/dense_1": 1e-8}
    assert ailing(norms) == {}
    assert ailing({**norms, "generator/dense_1": 1e-9}) == {"vanish": ["generator/dense_1"]}
    assert ailing({name.replace("/", "_"): norm for name, norm in norms.items()}) != {}
