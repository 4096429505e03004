"""What networks compute."""

import time

import pytest
import torch

from tests.models.tools import by_hand, dense, filled, outputs, plan


def test_the_courses_two_layer_net_gives_364() -> None:
    net = plan(by_hand([[2, 4], [4, -5]], "relu"), by_hand([[-1, 2], [1, 2]], "relu"), by_hand([[2], [7]]))
    assert outputs(net, {"input": [[3, 5]]}).tolist() == [[364]]


@pytest.mark.parametrize(("activation", "expected"), [("relu", -3.0), ("tanh", 0.990109)])
def test_the_courses_one_layer_net(activation: str, expected: float) -> None:
    net = plan(by_hand([[3, 1], [3, 5]], activation), by_hand([[2], [-1]]))
    assert outputs(net, {"input": [[-1, 2]]}).item() == pytest.approx(expected, abs=1e-6)


def test_the_courses_rows_with_relu_on_the_output() -> None:
    net = plan(by_hand([[3, 1], [3, 5]], "relu"), by_hand([[2], [-1]], "relu"))
    assert outputs(net, {"input": [[-1, -1], [2, 2]]}).tolist() == [[0], [12]]


def test_a_graph_computes_what_it_says() -> None:
    net = plan(
        by_hand([[1, 0], [0, 1]], name="a"),
        by_hand([[2, 0], [0, 2]], name="b", inputs=["input"]),
        {"type": "add", "name": "sum", "inputs": ["a", "b", "input"]},
        {"type": "multiply", "inputs": ["sum", "a"]},
    )
    assert outputs(net, {"input": [[1, 2]]}).tolist() == [[4, 16]]


def test_several_inputs_are_read_by_name() -> None:
    both = {"type": "concatenate", "inputs": ["input.left", "input.right"]}
    net = plan(both, by_hand([[1], [10], [100]]), left=(1,), right=(2,))
    assert outputs(net, {"left": [[1]], "right": [[2, 3]]}).tolist() == [[321]]


def test_a_single_named_input_needs_no_name_to_be_read() -> None:
    net = plan(by_hand([[2]]), {"type": "add", "inputs": ["dense_1", "input.facts"]}, facts=(1,))
    assert outputs(net, {"facts": [[5]]}).tolist() == [[15]]


BLOCK = [by_hand([[1]], name="x"), {"type": "add", "inputs": ["input", "x"]}]


def test_repeat_chains_its_list_and_input_is_what_one_repetition_receives() -> None:
    net = plan({"type": "repeat", "times": 3, "layers": BLOCK}, input=(1,))
    assert outputs(net, {"input": [[5]]}).tolist() == [[40]]
    assert [row.name for row in net.rows()][:3] == ["repeat_1/1/x", "repeat_1/1/add_1", "repeat_1/2/x"]


def test_repeats_nest_and_are_read_by_their_name() -> None:
    inner = {"type": "repeat", "name": "2", "times": 2, "layers": BLOCK}
    net = plan(
        {"type": "repeat", "name": "a", "times": 2, "layers": [inner]},
        {"type": "repeat", "name": "a_2", "times": 1, "layers": BLOCK},
        {"type": "subtract", "inputs": ["a_2", "a"]},
        input=(1,),
    )
    assert outputs(net, {"input": [[1]]}).tolist() == [[16]]
    assert len({row.name for row in net.rows()}) == len(net.rows()) == 11


def test_a_repeat_may_read_data_but_no_layer_outside() -> None:
    body = [{"type": "add", "inputs": ["input", "input.b"]}]
    net = plan({"type": "repeat", "times": 3, "inputs": ["input.a"], "layers": body}, a=(1,), b=(1,))
    assert outputs(net, {"a": [[1]], "b": [[10]]}).tolist() == [[31]]


def test_a_thousand_layers_are_planned_built_and_run_in_linear_time() -> None:
    began = time.process_time()
    net = plan(dense(4), {"type": "repeat", "times": 1000, "layers": [dense(4)]})
    network = filled(net).train()
    network({"input": torch.ones(1, 2)}).sum().backward()
    assert len(net.rows()) == 1001
    assert time.process_time() - began < 5


def test_layers_may_have_the_names_of_attributes() -> None:
    names = ("forward", "train", "inputs", "steps", "parameters", "keys")
    net = plan(*(by_hand([[2]], name=name) for name in names), input=(1,))
    assert outputs(net, {"input": [[1]]}).tolist() == [[64]]
