import json
from typing import Any

import pytest
from pydantic import ValidationError

from nnkit.layers.base import LAYERS
from nnkit.layers.dense import Dense
from nnkit.layers.node import Node, array_shape


def test_a_nodes_options_stand_beside_its_layers() -> None:
    node = Node.model_validate({"type": "dense", "units": 3, "name": "a", "l2": 0.1, "inputs": ["input"]})
    assert node.layer == Dense(units=3)
    assert (node.name, node.l2, node.inputs) == ("a", 0.1, ["input"])
    assert Node.model_validate("flatten") == Node(layer=LAYERS.decode("flatten"))


def test_a_node_is_written_flat_with_every_default_and_reads_back() -> None:
    node = Node.model_validate(
        {"type": "repeat", "times": 2, "layers": [{"type": "dense", "units": 1, "weights": {"bias": [0.5]}}]}
    )
    written = json.loads(json.dumps(node.model_dump(mode="json")))
    assert written == {
        "type": "repeat",
        "times": 2,
        "layers": [
            {
                "type": "dense",
                "units": 1,
                "activation": {"type": "linear"},
                "use_bias": True,
                "init": {"type": "glorot_uniform"},
                "bias_init": {"type": "zeros"},
                "weights": {"bias": [0.5]},
                "trainable": True,
                "l1": 0.0,
                "l2": 0.0,
            }
        ],
        "trainable": True,
        "l1": 0.0,
        "l2": 0.0,
    }
    assert Node.model_validate(written) == node


@pytest.mark.parametrize(
    ("value", "shape"), [(1, ()), ([1, 2.5], (2,)), ([[1, 2, 3], [4, 5, 6]], (2, 3)), ([], (0,)), ([[], []], (2, 0))]
)
def test_array_shape(value: Any, shape: tuple[int, ...]) -> None:
    assert array_shape(value) == shape


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1, 2], [3]], "of one length"),
        ([1, [2]], "of one length"),
        (["a"], "expected a number or nested lists of numbers, found 'a'"),
        ([True], "found True"),
        ({"a": 1}, "found {'a': 1}"),
        ([float("nan")], "expected finite numbers"),
        ([1e39], "expected finite numbers of up to 3.403e.38, found 1e.39"),
        ([10**400], "expected finite numbers"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Node.model_validate({"type": "dense", "units": 1, "weights": {"kernel": value}})


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "a b", "é", "a\n", "a" * 101])
def test_names_are_safe(name: str) -> None:
    with pytest.raises(ValidationError, match="expected a name of letters, digits, _ and -"):
        Node.model_validate({"type": "flatten", "name": name})


def test_there_is_one_way_to_write_a_node() -> None:
    with pytest.raises(ValidationError, match="a layer needs 'type'"):
        Node.model_validate({"layer": {"type": "dense", "units": 3}})
