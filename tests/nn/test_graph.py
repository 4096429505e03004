import weakref

import pytest
import torch
from torch import Tensor

from nnkit.nn.basic import Apply, Embedding
from nnkit.nn.graph import GraphNetwork, Step
from nnkit.nn.random import GeneratorDraws
from tests.models.tools import by_hand, dense, filled, plan


def test_frozen_layers_keep_their_weights_and_their_statistics() -> None:
    network = filled(
        plan({"type": "batch_norm", "trainable": False}, {"type": "dropout", "rate": 0.5}, dense(1), input=(2,))
    )
    network.set_draws(GeneratorDraws(torch.Generator().manual_seed(0)))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network({"input": torch.randn(8, 2)}).sum().backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert [name for name, p in network.named_parameters() if p.grad is not None] == ["dense_1.kernel", "dense_1.bias"]


def test_frozen_layers_are_in_evaluation_while_the_others_train() -> None:
    network = plan({"type": "batch_norm", "trainable": False}, "batch_norm").build()
    assert [step.module.training for step in network.steps] == [False, True]
    assert [step.module.training for step in network.eval().steps] == [False, False]
    assert [step.module.training for step in network.train().steps] == [False, True]


def test_every_random_layer_draws_from_the_one_source() -> None:
    dropout = {"type": "dropout", "rate": 0.5}
    network = filled(plan(dropout, {"type": "noise", "stddev": 1.0})).train()
    x = {"input": torch.ones(20, 2)}
    draws = []
    for seed in (1, 1, 2):
        network.set_draws(GeneratorDraws(torch.Generator().manual_seed(seed)))
        draws.append(network(x))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_penalties_are_keras_sums() -> None:
    network = filled(plan(by_hand([[3, 0], [4, 1]], l1=0.1, l2=0.01), by_hand([[2, 0], [0, 1]], l2=0.5), dense(1)))
    penalty = network.penalty()
    assert penalty is not None
    assert float(penalty.detach()) == pytest.approx(0.1 * 8 + 0.01 * 26 + 0.5 * 5)
    penalty.backward()  # type: ignore[no-untyped-call]
    kernel = network.get_parameter("dense_1.kernel")
    assert kernel.grad is not None
    torch.testing.assert_close(kernel.grad, torch.tensor([[0.1 + 0.06, 0.0], [0.1 + 0.08, 0.1 + 0.02]]))
    assert filled(plan(dense(1))).penalty() is None


def test_max_norm_bounds_the_weights_into_each_unit_and_leaves_shorter_ones() -> None:
    network = filled(plan(by_hand([[3, 0.5, 0], [4, 1, 0]], max_norm=2.0)))
    network.constrain()
    kernel = network.state_dict()["dense_1.kernel"]
    torch.testing.assert_close(kernel, torch.tensor([[3 * 2 / 5, 0.5, 0], [4 * 2 / 5, 1, 0]]))


def test_max_norm_bounds_each_vector_of_an_embedding() -> None:
    layer = {
        "type": "embedding",
        "input_dim": 2,
        "output_dim": 2,
        "max_norm": 2.0,
        "weights": {"embeddings": [[3, 4], [1, 0]]},
    }
    network = filled(plan(layer))
    network.constrain()
    expected = torch.tensor([[1.2, 1.6], [1.0, 0.0]])
    torch.testing.assert_close(network.state_dict()["embedding_1.embeddings"], expected)


def test_penalties_and_bounds_follow_the_weights_when_they_are_converted() -> None:
    network = filled(plan(by_hand([[3], [4]], l2=1.0, max_norm=1.0))).double()
    penalty = network.penalty()
    assert penalty is not None
    assert (penalty.dtype, float(penalty.detach())) == (torch.float64, 25.0)
    network.constrain()
    assert float(network.get_parameter("dense_1.kernel").detach().norm()) == pytest.approx(1)


def test_values_are_freed_after_their_last_use() -> None:
    alive: list[weakref.ref[Tensor]] = []
    most = 0

    def step(*inputs: Tensor) -> Tensor:
        nonlocal most
        most = max(most, sum(ref() is not None for ref in alive))
        result = inputs[0] + 1
        alive.append(weakref.ref(result))
        return result

    steps = [Step("0", Apply(step), (0, 0)), *(Step(str(n), Apply(step), (n, n)) for n in range(1, 20))]
    network = GraphNetwork(steps, ["input"])
    with torch.inference_mode():
        assert float(network({"input": torch.zeros(1)})) == 20
    assert most <= 2


def test_arrays_of_other_names_or_shapes_are_refused() -> None:
    network = GraphNetwork([Step("a", Embedding(2, 3), (0,))], ["input"])
    with pytest.raises(ValueError, match=r"missing, unknown or of other shapes: a\.embeddings$"):
        network.load_arrays({"a.embeddings": torch.zeros(3, 3).numpy()})
    with pytest.raises(ValueError, match=r"of other shapes: a\.embeddings, b$"):
        network.load_arrays({"b": torch.zeros(2, 3).numpy()})


def test_what_is_trained_can_change_down_to_parts_of_a_module() -> None:
    body = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2))
    steps = [Step("base/net", body, (0,), trainable=False), Step("head", torch.nn.Linear(2, 1), (1,), max_norm=1.0)]
    network = GraphNetwork(steps, ["input"])
    network.set_trainable(["head", "base/net/1", "base/net/2"], ["base/net/1"])
    assert [name for name, weight in network.named_parameters() if weight.requires_grad] == [
        *("base/net.2.weight", "base/net.2.bias", "head.weight", "head.bias")
    ]
    assert [module.training for module in (body[0], body[1], body[2], steps[1].module)] == [False, False, True, True]
    assert not any(module.training for module in network.eval().modules())
    network.set_trainable(["base/net"])
    network.train()
    assert [step.trainable for step in network.steps] == [True, False]
    assert [module.training for module in (*body, steps[1].module)] == [True, True, True, False]
