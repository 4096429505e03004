"""What a plan tells before anything is built."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from nnkit.errors import SpecError
from nnkit.models.plan import BLOCK_ROWS, BLOCK_VALUES, Plan, check_memory, human_bytes
from nnkit.shapes import Shape
from tests.models.tools import by_hand, dense, filled, outputs, plan


def test_weights_are_drawn_by_name_so_that_another_layer_changes_none() -> None:
    short = plan(dense(3, name="a")).initial_weights(5)
    long = plan(dense(2, name="b"), dense(3, name="a")).initial_weights(5)
    other = plan(dense(3, name="a")).initial_weights(6)
    assert np.array_equal(short["a.kernel"], long["a.kernel"])
    assert not np.array_equal(short["a.kernel"], other["a.kernel"])


def test_weights_by_hand_win_and_the_others_are_drawn() -> None:
    layer = dense(2, weights={"bias": [1, 0.5]}, init="ones")
    arrays = plan(layer).initial_weights(0)
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "dense_1.kernel": [[1, 1], [1, 1]],
        "dense_1.bias": [1, 0.5],
    }
    assert all(array.dtype == np.float32 for array in arrays.values())


def test_the_built_network_has_the_plans_weights() -> None:
    net = plan(dense(3), "batch_norm", {"type": "scale", "learned": True}, "prelu", dense(1))
    state = filled(net).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        name: weight.shape for name, weight in net.weights().items()
    }


@pytest.mark.parametrize(
    "end",
    [
        [dense(1), {"type": "activation", "activation": "sigmoid"}],
        [dense(1, activation="sigmoid")],
    ],
)
def test_the_head_is_the_activation_at_the_end(end: list[object]) -> None:
    net = plan(*end)
    assert net.head is not None
    assert net.head.type_name == "sigmoid"
    assert net.without_head().head is None
    x = {"input": [[0.3, -2.0]]}
    assert torch.equal(outputs(net.without_head(), x).sigmoid(), outputs(net, x))


@pytest.mark.parametrize("last", [dense(1), "flatten"])
def test_without_an_activation_at_the_end_there_is_no_head(last: object) -> None:
    net = plan(dense(1, activation="sigmoid"), last)
    assert net.head is None
    assert net.without_head() == net


def test_rows_tell_shapes_and_parameters() -> None:
    net = plan(dense(3), "batch_norm", dense(1, trainable=False))
    rows = [(row.name, row.type, row.inputs, row.shape, row.parameters, row.trainable) for row in net.rows()]
    assert rows == [
        ("dense_1", "dense", ("input",), (3,), 9, 9),
        ("batch_norm_1", "batch_norm", ("dense_1",), (3,), 12, 6),
        ("dense_2", "dense", ("batch_norm_1",), (1,), 4, 0),
    ]


def test_the_memory_is_that_of_weights_gradients_adam_and_values() -> None:
    net = plan(dense(3), dense(1))
    assert net.memory(10) == 4 * (4 * (9 + 4) + 2 * 10 * (2 + 3 + 1))


def test_a_net_too_large_for_the_machine_is_refused_with_the_estimate() -> None:
    huge = plan(dense(10**12), dense(1))
    message = r"layers\[0\]: training would take about 291\.0 TiB, and this machine has 8\.0 GiB; .* the layer dense_1:"
    with pytest.raises(SpecError, match=message):
        check_memory(huge, 32, 8 * 2**30)
    check_memory(plan(dense(1)), 32, 8 * 2**30)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**30, "3.0 GiB"), (2**60, "1024 PiB")]
)
def test_human_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


def test_a_plan_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from nnkit.models.base import MODELS; from nnkit.models.plan import check_memory;"
        "plan = MODELS.decode({'type': 'network', 'layers': [{'type': 'dense', 'units': 3}]}).plan({'input': (2,)});"
        "plan.rows(); plan.head; plan.without_head(); check_memory(plan, 1, 10**9);"
        "print(sorted({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_weights_by_hand_of_a_frozen_layer_stay() -> None:
    network = filled(plan(by_hand([[1], [2]], trainable=False)))
    assert [parameter.requires_grad for parameter in network.parameters()] == [False]
    assert network.state_dict()["dense_1.kernel"].tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("shapes", "rows"),
    [
        ([(6,), (1,)], BLOCK_ROWS),
        ([(28, 28, 32), (10,)], 512),
        ([(None, 2**14)], 4),
        ([(BLOCK_VALUES // 3,)], 2),
        ([(BLOCK_VALUES,)], 1),
        ([(BLOCK_VALUES, 10)], 1),
    ],
)
def test_larger_networks_have_smaller_blocks(shapes: list[Shape], rows: int) -> None:
    node = plan(dense(1)).nodes[0]
    assert Plan(tuple(replace(node, output=shape) for shape in shapes), {}).block_rows == rows


def test_multiplications_count_a_weight_once_at_each_place() -> None:
    flat = plan(dense(3), dense(1))
    assert flat.multiplications() == sum(weight.size for weight in flat.weights().values())
    wide = plan({"type": "reshape", "shape": [4, 2]}, dense(3), input=(8,))
    assert wide.multiplications() == 4 * (2 * 3 + 3)
