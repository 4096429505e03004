"""Lengths on their way through a graph network."""

from typing import Any

import torch
from torch import Tensor, nn

from nnkit.nn.basic import Apply
from nnkit.nn.graph import GraphNetwork, Step
from nnkit.nn.sequence import Lengths, Padded, SequenceModule, first, inside, zeroed


class Told(SequenceModule):
    """Sums each row up to its end, at every place or once; halves the lengths where told to."""

    def __init__(self, halves: bool = False) -> None:
        super().__init__()
        self.halves = halves
        self.seen: Lengths = ()

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        self.seen = lengths
        return zeroed(x, first(lengths)).cumsum(1)[:, :: 2 if self.halves else 1]

    def out_lengths(self, lengths: Lengths) -> Tensor | None:
        known = first(lengths)
        return (known + 1) // 2 if self.halves and known is not None else known


class Last(Told):
    """Gives the sum alone."""

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        return super().forward(x, lengths)[:, -1]


def step(name: str, module: nn.Module, read: int, varies: bool = True) -> Step:
    return Step(name, module, (read,), varies=varies)


ROWS = Padded(torch.tensor([[1.0, 2, 3, 4], [5, 6, 9, 9], [7, 9, 9, 9]])[..., None], torch.tensor([4, 2, 1]))


def test_lengths_reach_the_modules_that_ask_and_change_as_they_say() -> None:
    told, last = Told(halves=True), Last()
    double = Apply(lambda x: 2 * x)
    network = GraphNetwork(
        [step("a", double, 0), step("b", told, 1), step("c", double, 2), step("d", last, 3, varies=False)], ["input"]
    )
    output = network({"input": ROWS})
    assert [known.tolist() for known in told.seen if known is not None] == [[4, 2, 1]]
    assert [known.tolist() for known in last.seen if known is not None] == [[2, 1, 1]]
    assert output[:, 0].tolist() == [4 * (1 + 6), 4 * 5, 4 * 7]


def test_rows_of_one_length_have_no_lengths() -> None:
    told = Told()
    assert GraphNetwork([step("a", told, 0)], ["input"])({"input": ROWS.values}).shape == (3, 4, 1)
    assert told.seen == ()


def test_behind_a_value_that_no_longer_varies_there_are_no_lengths() -> None:
    last, after = Last(), Told()
    network = GraphNetwork(
        [step("a", last, 0, varies=False), step("b", Apply(lambda x: x[:, None]), 1, False), step("c", after, 2)],
        ["input"],
    )
    network({"input": ROWS})
    assert list(after.seen) == [None]


def test_places_before_the_ends() -> None:
    assert inside(torch.tensor([2, 0, 3]), 3).tolist() == [[True, True, False], [False] * 3, [True] * 3]
    rows: Any = zeroed(ROWS.values, ROWS.lengths)[..., 0]
    assert rows.tolist() == [[1, 2, 3, 4], [5, 6, 0, 0], [7, 0, 0, 0]]
    assert zeroed(ROWS.values, None) is ROWS.values
