"""Gradient health: what is said of norms by hand, when, once, and the same after a resume."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from nnkit.engine.gradient import StepOptions, norms_of
from nnkit.engine.health import Finding, GradientHealth, ailing, findings, named
from nnkit.engine.trainer import Trainer
from tests.engine.toy import FolderStore, data, phase, row_loss

Norms = dict[str, float | None]


def layers(*norms: float | None) -> Norms:
    return {f"dense_{number}": norm for number, norm in enumerate(norms, 1)}


def names(*numbers: int) -> list[str]:
    return [f"dense_{number}" for number in numbers]


@pytest.mark.parametrize(
    ("norms", "expected"),
    [
        ((1e-3, 1e-2, 0.1, 1.0), {}),
        ((1e-9, 1e-5, 0.1, 1.0), {"vanish": names(1)}),
        ((0.0, 1e-9, 0.1, 1.0), {"vanish": names(1, 2)}),
        # The largest of the last three is what the others are held to, not the last alone.
        ((1e-9, 1e-5, 1.0, 1e-4), {"vanish": names(1)}),
        ((0.0, 0.0, 0.1, 1.0), {"zero": names(1, 2)}),
        ((2e4, 3e2, 0.1, 1.0, 1.0), {"explode": names(1)}),
        ((1.0, None, 1.0), {"explode": names(2)}),
        # All are small: it has converged. All are large: so are the targets.
        ((1e-13, 1e-14, 1e-13), {}),
        ((1e-20, 0.0, 1e-19), {}),
        ((0.0, 0.0, 0.0), {}),
        ((1e12, 3e12, 1e12, 2e12), {}),
        ((), {}),
        ((1e-30,), {}),
    ],
)
def test_a_layer_is_held_to_those_near_the_output(norms: tuple[float | None, ...], expected: Any) -> None:
    assert ailing(layers(*norms)) == expected


def test_layers_that_follow_each_other_are_named_as_a_range() -> None:
    every = names(*range(1, 21))
    assert named(names(3), every) == "dense_3"
    assert named(names(1, 2, 3), every) == "dense_1 to dense_3 (3 layers)"
    assert named(names(1, 2, 5), every) == "dense_1 to dense_2 (2 layers) and dense_5"
    assert named(names(1, 3, 5, 7, 9, 10), every) == "dense_1, dense_3, dense_5 and 3 more"


def history(*epochs: Norms, phase: str = "supervised") -> list[dict[str, Any]]:
    return [{"phase": phase, "epoch": epoch, "gradient_norms": norms} for epoch, norms in enumerate(epochs, 1)]


GOOD, LOW, LOWER, NONE = layers(1, 1, 1), layers(1e-8, 1, 1), layers(1e-8, 1e-8, 1), layers(0, 1, 1)


def told(records: list[dict[str, Any]]) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(finding.kind, finding.epoch, finding.layers) for finding in findings(records)]


def test_it_is_said_once_after_three_epochs_in_a_row() -> None:
    assert told(history(GOOD, LOW, LOWER, GOOD, LOW, LOW)) == []
    assert told(history(GOOD, LOW, LOWER, LOW, LOW, GOOD, LOW, LOW, LOW)) == [("vanish", 4, ("dense_1",))]
    assert told(history(LOWER, LOW, LOW)) == [("vanish", 3, ("dense_1",))]


def test_zeros_may_come_of_one_small_batch_and_must_stay_longer() -> None:
    assert told(history(*[NONE] * 9, GOOD)) == []
    assert told(history(GOOD, *[NONE] * 10)) == [("zero", 11, ("dense_1",))]


def test_a_short_phase_is_judged_by_all_its_epochs() -> None:
    assert told(history(LOW)) == [("vanish", 1, ("dense_1",))]
    assert told(history(GOOD, LOW)) == []
    assert told(history(NONE)) == []
    both = history(LOW, LOW, phase="head") + history(GOOD, GOOD, LOW, phase="all")
    assert told(both) == [("vanish", 2, ("dense_1",))]


def test_a_history_without_norms_has_nothing_to_say() -> None:
    assert findings([]) == []
    assert findings([{"phase": "supervised", "epoch": 1}, {"epoch": 2, "gradient_norms": {}}]) == []


def test_the_words_name_layers_and_a_way_out() -> None:
    [vanish] = findings(history(LOWER, LOWER, LOWER))
    assert "gradients vanish: those of dense_1 to dense_2 (2 layers) are less than a millionth" in vanish.words
    assert "residual connections" in vanish.words
    [explode] = findings(history(*[layers(1e5, 1, 1, 1)] * 3))
    assert explode.words.startswith("gradients explode: those of dense_1 are more than ten thousand times")
    [zero] = findings(history(*[NONE] * 10))
    assert zero.words.startswith("gradients are zero: nothing comes down to dense_1,")


@pytest.mark.parametrize("at", range(5))
def test_the_hook_goes_on_where_it_was(at: int) -> None:
    records = history(GOOD, LOW, LOW, LOW, LOW)
    notes: list[str] = []
    anyone: Any = None
    hook = GradientHealth(notes.append)
    hook.phase_started(anyone)
    for number, record in enumerate(records):
        if number == at:
            state = json.loads(json.dumps(hook.state()))
            hook = GradientHealth(notes.append)
            hook.load(state)
        assert hook.epoch_ended(anyone, record) is None
    hook.phase_ended(anyone)
    [finding] = findings(records)
    assert notes == [f"after epoch 4: {finding.words}"]
    hook.phase_started(anyone)
    for record in records[2:]:
        hook.epoch_ended(anyone, record)
    assert len(notes) == 2
    assert isinstance(finding, Finding)


def test_norms_are_those_of_a_gradient_by_hand(tmp_path: Path) -> None:
    """A rate of 0 leaves the weights, so the last step's gradient can be computed again from them alone."""
    still = phase(1, batch_size=23, make_optimizer=lambda parameters: torch.optim.SGD(parameters, 0.0))
    network: Any = still.network
    network.generator, network.forward = None, lambda inputs: network.second(torch.relu(network.first(inputs["input"])))
    store = FolderStore(tmp_path)
    Trainer([], store).fit([still])
    rows, weights = data(), {name: torch.from_numpy(array).double() for name, array in still.weights().items()}
    for weight in weights.values():
        weight.requires_grad_()
    x: Any = rows.floats(torch.float64)["input"]
    hidden = torch.relu(x @ weights["first.weight"].T + weights["first.bias"])
    outputs = hidden @ weights["second.weight"].T + weights["second.bias"]
    row_loss(outputs, rows.aligned(outputs)[1].double()).mean().backward()  # type: ignore[no-untyped-call]
    expected = {
        layer: float(torch.cat([weights[f"{layer}.{part}"].grad.flatten() for part in ("weight", "bias")]).norm())  # type: ignore[union-attr]
        for layer in ("first", "second")
    }
    [record] = store.history
    found = record["gradient_norms"]
    assert isinstance(found, dict)
    assert found == pytest.approx(expected, rel=1e-4)
    assert record["gradient_norm"] == pytest.approx(math.hypot(*expected.values()), rel=1e-4)


def test_norms_are_taken_after_clipping(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    Trainer([], store).fit([phase(1, options=StepOptions(5, clip_norm=0.01))])
    norms = store.history[0]["gradient_norms"]
    assert isinstance(norms, dict)
    assert math.hypot(*[norm or 0.0 for norm in norms.values()]) == pytest.approx(0.01, rel=1e-3)


def test_tiny_gradients_are_not_taken_for_zeros() -> None:
    """Their squares are below the smallest float32."""
    tiny = torch.full((4,), 1e-30)
    assert norms_of([tiny, None]) == [pytest.approx(2e-30), 0.0]
    assert norms_of([None]) == [0.0]
