"""Augmentation in the phase: what the loss of mixed rows is, which rows change, and that resuming draws the same."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnkit.data.augmentations import AUGMENTATIONS, augmenter
from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.draws import PhaseDraws, PlacedDraws, StreamDraws
from nnkit.engine.gradient import GradientPhase, StepOptions
from nnkit.engine.order import RowDraws, RowOrder
from nnkit.engine.scoring import Scoring
from nnkit.losses import LOSSES
from tests.engine.toy import Plain

SHAPE, ROWS = (5, 6, 1), 24


class Net(Plain):
    """A dense layer that remembers what it was given."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.dense = nn.Linear(30, outputs)
        self.seen: list[tuple[bool, Tensor]] = []

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        self.seen.append((self.training, inputs["input"].clone()))
        output: Tensor = self.dense(inputs["input"].flatten(1))
        return output


def rows(loss: str, weighted: bool, seed: int = 0) -> Batch:
    draw = np.random.default_rng(seed)
    x = torch.from_numpy(draw.random((ROWS, *SHAPE), np.float32))
    classes = torch.from_numpy(draw.integers(3, size=ROWS))
    targets = {
        "categorical_cross_entropy": classes,
        "binary_cross_entropy": (classes > 0).float()[:, None],
        "mean_squared_error": x.mean((1, 2, 3))[:, None],
    }[loss]
    weights = torch.from_numpy(draw.random(ROWS)) + 0.5 if weighted else None
    return Batch({"input": x}, targets, weights)


def pictures(batch: Batch) -> Tensor:
    x = batch.floats(torch.float32)["input"]
    assert isinstance(x, Tensor)
    return x


def targets(batch: Batch) -> Tensor:
    return batch.aligned(torch.empty(len(batch)))[1]


def phase(
    pieces: list[Any],
    loss: str = "categorical_cross_entropy",
    part: int = ROWS,
    weighted: bool = False,
    draws: PhaseDraws | None = None,
) -> tuple[GradientPhase, Net]:
    net = Net(3 if loss == "categorical_cross_entropy" else 1)
    train = rows(loss, weighted)
    scoring = Scoring(None, lambda outputs: outputs.numpy(), targets(train).numpy(), targets(train).numpy())
    made = GradientPhase(
        name="p",
        epochs=2,
        network=net,
        loss=LOSSES.decode(loss).build(loss != "mean_squared_error"),
        optimizer=torch.optim.SGD(net.parameters(), 0.1),
        data=RowBatches(train, ROWS, RowOrder(ROWS, 5, "p")),
        validation=rows(loss, weighted, 1),
        scoring=scoring,
        options=StepOptions(part),
        draws=draws or PlacedDraws(RowDraws(5, "p")),
        lr_factor=lambda epoch: 1.0,
        augment=augmenter([AUGMENTATIONS.decode(piece) for piece in pieces], {"input": SHAPE}),
    )
    return made, net


def epoch(made: GradientPhase, number: int = 0) -> None:
    for batch in made.batches(number, 0):
        made.step(batch)


def plain_loss(loss: str, output: Tensor, target: Tensor) -> Tensor:
    """Return the loss of one row, written out."""
    if loss == "categorical_cross_entropy":
        return -torch.log_softmax(output, 0)[int(target)]
    if loss == "binary_cross_entropy":
        probability = torch.sigmoid(output[0])
        return -(target[0] * probability.log() + (1 - target[0]) * (1 - probability).log())
    return (output[0] - target[0]) ** 2


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pieces", [["mixup"], ["cutmix"], ["mixup", "rotate", "cutmix"]], ids=str)
@pytest.mark.parametrize("loss", ["categorical_cross_entropy", "binary_cross_entropy", "mean_squared_error"])
def test_gradients_of_mixed_rows_are_those_of_a_loop(loss: str, pieces: list[str], weighted: bool) -> None:
    given = [{"type": name, "alpha": 1} if name != "rotate" else name for name in pieces]
    made, net = phase(given, loss, weighted=weighted)
    again = Net(net.dense.out_features)
    ordered = rows(loss, weighted).at(torch.from_numpy(RowOrder(ROWS, 5, "p").of(0)))
    draws = PlacedDraws(RowDraws(5, "p"))
    augment = augmenter([AUGMENTATIONS.decode(piece) for piece in given], {"input": SHAPE})
    assert augment is not None
    seen = augment(ordered.inputs, draws)
    assert seen.parts is not None
    total = torch.zeros(())
    for row in range(ROWS):
        output = again({"input": seen.inputs["input"][row : row + 1]})[0]
        for index, share in seen.parts:
            other = int(index[row])
            weight = 1.0 if ordered.weights is None else float(ordered.weights[other])
            total = total + float(share[row]) * weight * plain_loss(loss, output, targets(ordered)[other])
    (total / ROWS).backward()  # type: ignore[no-untyped-call]
    epoch(made)
    assert again.dense.weight.grad is not None
    torch.testing.assert_close(net.dense.weight.grad, again.dense.weight.grad, rtol=1e-4, atol=1e-6)
    assert made.losses()[0] == pytest.approx(float(total.detach()) / ROWS, rel=1e-5)


@pytest.mark.parametrize("pieces", [["translate", "rotate"], ["flip", "cutout", "brightness"]], ids=str)
def test_parts_of_a_batch_are_augmented_as_the_whole_is(pieces: list[str]) -> None:
    (whole, whole_net), (parts, parts_net) = phase(pieces), phase(pieces, part=7)
    epoch(whole)
    epoch(parts)
    [(_, together)] = whole_net.seen
    assert len(parts_net.seen) == 4
    assert torch.equal(torch.cat([x for _, x in parts_net.seen]), together)
    torch.testing.assert_close(parts_net.dense.weight, whole_net.dense.weight, rtol=1e-4, atol=1e-6)


def test_training_rows_change_anew_each_epoch_and_validation_rows_never() -> None:
    made, net = phase(["translate", "rotate", "noise"])
    for number in range(2):
        epoch(made, number)
        made.summary(number)
    (training, first), (evaluation, validated), (_, second), (_, again) = net.seen
    assert (training, evaluation) == (True, False)
    validation = pictures(rows("categorical_cross_entropy", False, 1))
    assert torch.equal(validated, validation)
    assert torch.equal(again, validation)
    original = pictures(rows("categorical_cross_entropy", False))
    for number, seen in ((0, first), (1, second)):
        ordered = original[torch.from_numpy(RowOrder(ROWS, 5, "p").of(number))]
        assert (seen != ordered).flatten(1).any(1).float().mean() > 0.9
    back = [x[np.argsort(RowOrder(ROWS, 5, "p").of(number))] for number, x in enumerate((first, second))]
    assert (back[0] != back[1]).flatten(1).any(1).all()


def test_rows_in_memory_are_not_changed() -> None:
    made, _ = phase(["brightness", "noise", "cutout", "cutmix", "translate"])
    before = pictures(rows("categorical_cross_entropy", False))
    epoch(made)
    assert torch.equal(pictures(made._data.rows), before)


@pytest.mark.parametrize("stream", [False, True])
def test_a_phase_goes_on_as_it_would_have(stream: bool) -> None:
    def draws() -> PhaseDraws:
        return StreamDraws(torch.Generator().manual_seed(4)) if stream else PlacedDraws(RowDraws(5, "p"))

    pieces = ["translate", "rotate", "noise", "mixup"]
    straight, straight_net = phase(pieces, draws=draws())
    epoch(straight, 0)
    state = straight.state()
    epoch(straight, 1)
    resumed, net = phase(pieces, draws=draws())
    resumed.load(state)
    epoch(resumed, 1)
    assert torch.equal(net.seen[-1][1], straight_net.seen[-1][1])
    assert torch.equal(net.dense.weight, straight_net.dense.weight)
