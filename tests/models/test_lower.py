"""The lower part of a list of layers, against what a whole network computes there."""

from typing import Any

import pytest
import torch

from nnkit.layers.node import Node
from nnkit.models.layout import lay_out
from nnkit.models.lower import below_last, endings, lower, taken_over
from tests.models.tools import dense, filled, plan

BLOCK = [{"name": "x", **dense(2)}, {"type": "add", "inputs": ["input", "x"]}]
LAYERS: list[Any] = [
    dense(2),
    dense(3, name="side", inputs=["input"]),
    {"type": "repeat", "name": "r", "times": 3, "layers": BLOCK, "inputs": ["dense_1"]},
    {"type": "block", "name": "b", "layers": [dense(4), dense(2)]},
    {"type": "concatenate", "inputs": ["b", "side"]},
    dense(1),
]


def nodes(layers: list[Any]) -> list[Node]:
    return [Node.model_validate(layer) for layer in layers]


@pytest.mark.parametrize(
    ("until", "last", "names"),
    [
        ("dense_1", "dense_1", ["dense_1"]),
        ("side", "side", ["side"]),
        ("r", "r/3/add_1", ["dense_1", *(f"r/{n}/{name}" for n in (1, 2, 3) for name in ("x", "add_1"))]),
        ("r/1", "r/1/add_1", ["dense_1", "r/1/x", "r/1/add_1"]),
        (
            "b/dense_1",
            "b/dense_1",
            ["dense_1", *(f"r/{n}/{name}" for n in (1, 2, 3) for name in ("x", "add_1")), "b/dense_1"],
        ),
    ],
)
def test_the_lower_part_computes_what_the_whole_network_has_there(until: str, last: str, names: list[str]) -> None:
    whole = plan(*LAYERS)
    part = lay_out(lower(nodes(LAYERS), until, "input"), {"input": (2,)})
    assert [node.name for node in part.nodes] == names
    network, seen = filled(whole), {}
    for step in network.steps:
        step.module.register_forward_hook(lambda _, inputs, output, name=step.name: seen.update({name: output}))
    x = torch.randn(5, 2)
    network.eval()({"input": x})
    torch.testing.assert_close(filled(part).eval()({"input": x}), seen[last])


def test_a_name_that_is_not_there_is_a_lookup_error() -> None:
    for until in ("dense_9", "r/4", "r/0", "r/x", "b/dense_3", "side/1"):
        with pytest.raises(LookupError):
            lower(nodes(LAYERS), until, "input")


def test_the_names_that_there_are() -> None:
    assert list(endings(nodes(LAYERS))) == [
        *("dense_1", "side", "r", "r/1", "r/2", "r/3", "b", "b/dense_1", "b/dense_2", "concatenate_1", "dense_3")
    ]


def test_the_layer_below_the_last_one() -> None:
    assert below_last(nodes(LAYERS)) == "concatenate_1"
    assert below_last(nodes([dense(1)])) is None
    assert below_last(nodes([dense(1), dense(1), {"type": "add", "inputs": ["dense_1", "dense_2"]}])) is None


def test_what_is_taken_over_is_frozen_or_trained_throughout_and_begins_with_no_weights_by_hand() -> None:
    layer = {"type": "repeat", "times": 2, "layers": [dense(1, l2=0.1, weights={"bias": [1]})]}
    node = Node.model_validate(layer)
    frozen, trained = (taken_over(node, trainable).layer.model_dump()["layers"][0] for trainable in (False, True))
    assert (frozen["trainable"], frozen["l2"]) == (False, 0.0)
    assert (trained["trainable"], trained["l2"]) == (True, 0.1)
    assert "weights" not in frozen.keys() | trained.keys()
