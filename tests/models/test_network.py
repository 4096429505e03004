import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nnkit.errors import SpecError
from nnkit.models.base import MODELS, Model
from nnkit.models.plan import Plan, check_memory
from nnkit.shapes import Shape


def model(*layers: Any) -> Model:
    return MODELS.decode({"type": "network", "layers": list(layers)})


def plan(*layers: Any, **inputs: Shape) -> Plan:
    return model(*layers).plan(inputs or {"input": (2,)})


def outputs(plan: Plan, inputs: Mapping[str, Any], seed: int = 0) -> Tensor:
    network = plan.build().eval()
    network.load_arrays(plan.initial_weights(seed))
    with torch.inference_mode():
        return network({name: torch.tensor(value, dtype=torch.float32) for name, value in inputs.items()})


def problems(*layers: Any, **inputs: Shape) -> list[str]:
    with pytest.raises(SpecError) as caught:
        plan(*layers, **inputs)
    return str(caught.value).splitlines()


def by_hand(kernel: list[list[float]], activation: str = "linear") -> dict[str, Any]:
    units = len(kernel[0])
    return {"type": "dense", "units": units, "use_bias": False, "activation": activation, "weights": {"kernel": kernel}}


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
        {"name": "a", **by_hand([[1, 0], [0, 1]])},
        {"name": "b", "inputs": ["input"], **by_hand([[2, 0], [0, 2]])},
        {"type": "add", "name": "sum", "inputs": ["a", "b", "input"]},
        {"type": "multiply", "inputs": ["sum", "a"]},
    )
    assert outputs(net, {"input": [[1, 2]]}).tolist() == [[4, 16]]


def test_several_inputs_are_read_by_name() -> None:
    net = plan(
        {"type": "concatenate", "inputs": ["input.left", "input.right"]},
        by_hand([[1], [10], [100]]),
        left=(1,),
        right=(2,),
    )
    assert outputs(net, {"left": [[1]], "right": [[2, 3]]}).tolist() == [[321]]


def test_repeat_chains_its_list_and_input_is_what_one_repetition_receives() -> None:
    block = {
        "type": "repeat",
        "times": 3,
        "layers": [{"name": "x", **by_hand([[1]])}, {"type": "add", "inputs": ["input", "x"]}],
    }
    net = plan(block, input=(1,))
    assert outputs(net, {"input": [[5]]}).tolist() == [[40]]
    assert [row.name for row in net.rows()][:3] == ["repeat_1_1/x", "repeat_1_1/add_1", "repeat_1_2/x"]


def test_a_thousand_layers_are_planned_and_built_in_linear_time() -> None:
    began = time.perf_counter()
    net = plan(
        {"type": "dense", "units": 4}, {"type": "repeat", "times": 1000, "layers": [{"type": "dense", "units": 4}]}
    )
    network = net.build()
    network.load_arrays(net.initial_weights(0))
    assert outputs(net, {"input": [[1, 2]]}).shape == (1, 4)
    assert time.perf_counter() - began < 5


def test_layers_may_have_the_names_of_attributes() -> None:
    names = ("forward", "train", "inputs", "steps", "parameters", "keys")
    net = plan(*({"name": name, **by_hand([[2]])} for name in names), input=(1,))
    assert outputs(net, {"input": [[1]]}).tolist() == [[64]]


def test_weights_are_drawn_by_name_so_that_another_layer_changes_none() -> None:
    short = plan({"name": "a", "type": "dense", "units": 3}).initial_weights(5)
    long = plan({"name": "b", "type": "dense", "units": 2}, {"name": "a", "type": "dense", "units": 3}).initial_weights(
        5
    )
    assert np.array_equal(short["a.kernel"], long["a.kernel"])
    assert not np.array_equal(
        short["a.kernel"], plan({"name": "a", "type": "dense", "units": 3}).initial_weights(6)["a.kernel"]
    )


def test_the_head_is_the_activation_at_the_end() -> None:
    net = plan({"type": "dense", "units": 1}, {"type": "activation", "activation": "sigmoid"})
    assert net.head is not None
    assert net.head.type_name == "sigmoid"
    assert net.without_head().head is None
    x = {"input": [[0.3, -2.0]]}
    assert torch.equal(outputs(net.without_head(), x).sigmoid(), outputs(net, x))
    assert plan({"type": "dense", "units": 1}).head is None


def test_frozen_layers_keep_their_weights_and_their_statistics() -> None:
    net = plan(
        {"type": "batch_norm", "trainable": False}, {"type": "dropout", "rate": 0.5}, {"type": "dense", "units": 1}
    )
    network = net.build()
    network.load_arrays(net.initial_weights(0))
    network.set_generator(torch.Generator().manual_seed(0))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()
    network({"input": torch.randn(8, 2)}).sum().backward()  # type: ignore[no-untyped-call]
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert [name for name, p in network.named_parameters() if p.grad is not None] == ["dense_1.kernel", "dense_1.bias"]
    assert net.rows()[0].trainable == 0


def test_penalties_and_max_norm() -> None:
    net = plan({**by_hand([[3, 0], [4, 1]]), "l1": 0.1, "l2": 0.01, "max_norm": 2.0})
    network = net.build()
    network.load_arrays(net.initial_weights(0))
    penalty = network.penalty()
    assert penalty is not None
    assert float(penalty.detach()) == pytest.approx(0.1 * 8 + 0.01 * 26)
    network.constrain()
    kernel = network.state_dict()["dense_1.kernel"]
    assert kernel.flatten().tolist() == pytest.approx([3 * 2 / 5, 0, 4 * 2 / 5, 1])


def test_every_mistake_of_a_graph_is_told_at_once() -> None:
    found = problems(
        {"name": "a", "type": "dense", "units": 3},
        {"name": "b", "type": "dense", "units": 4, "inputs": ["input"]},
        {"type": "add", "inputs": ["a", "b"]},
        {"name": "a", "type": "dense", "units": 2, "inputs": ["bb"]},
        {"type": "dropout", "rate": 0.1, "l2": 0.1, "inputs": ["b"]},
        {"type": "dense", "units": 1, "weights": {"kernel": [[1, 2]], "bia": [1]}},
    )
    assert found == [
        "model.layers[2]: add_1 reads a (3) and b (4): add needs inputs of one shape, got 3 and 4",
        "model.layers[3].name: two layers are called 'a', this one and one above (layers[0]); rename one",
        "model.layers[3].inputs[0]: there is no layer 'bb' above this one; did you mean 'b'? "
        "Above are: input, a, b, add_1",
        "model.layers[4].l2: the layer dropout has no kernel for l2 to act on; leave it out",
        "model.layers[5].weights.kernel: kernel is 1 x 2, and the layer dense needs 4 x 1 here",
        "model.layers[5].weights.bia: the layer dense has no weight 'bia'; did you mean 'bias'? It has: kernel, bias",
        "model.layers[2]: nothing reads the layer add_1; name it in another layer's inputs, or take it out",
    ]


def test_reading_a_layer_below_is_no_cycle_but_a_mistake() -> None:
    assert (
        "there is no layer 'b' above this one"
        in problems({"name": "a", "type": "add", "inputs": ["input", "b"]}, {"name": "b", "type": "dense", "units": 2})[
            0
        ]
    )


def test_with_several_inputs_the_first_layer_must_say_which() -> None:
    assert "must say by inputs" in problems({"type": "dense", "units": 1}, x=(1,), y=(2,))[0]
    assert (
        "read one of them: input.x, input.y"
        in problems({"type": "dense", "units": 1, "inputs": ["input"]}, x=(1,), y=(2,))[0]
    )


def test_a_net_too_large_for_the_machine_is_refused_with_the_estimate() -> None:
    huge = plan({"type": "dense", "units": 10**12}, {"type": "dense", "units": 1})
    with pytest.raises(
        SpecError, match=r"layers\[0\]: training would take about 291\.0 TiB, and this machine has 8\.0 GiB"
    ) as error:
        check_memory(huge, 32, 8 * 2**30)
    assert "dense_1" in str(error.value)
