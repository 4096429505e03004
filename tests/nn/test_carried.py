"""State that goes from batch to batch: in training for stateful layers, and step by step for any recurrent layer."""

from typing import Any

import pytest
import torch

from nnkit.nn.graph import GraphNetwork
from nnkit.nn.sequence import Padded
from tests.models.tools import filled, plan

KINDS: list[dict[str, Any]] = [
    {"type": "simple_rnn"},
    {"type": "gru"},
    {"type": "gru", "reset_after": False},
    {"type": "lstm"},
    {"type": "lstm", "activation": "relu"},
]


def network(options: dict[str, Any], **more: Any) -> GraphNetwork:
    layer = {**options, "units": 3, "return_sequences": True, **more}
    return filled(plan(layer, {**layer, "name": "second"}, input=(None, 2)))


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_a_stateful_layer_goes_on_in_training_where_the_batch_before_ended(options: dict[str, Any]) -> None:
    x = torch.randn(4, 9, 2)
    whole = network(options)({"input": x})
    parts = network(options, stateful=True).train()
    found = [parts({"input": x[:, :4]}), parts({"input": x[:, 4:5]}), parts({"input": x[:, 5:]})]
    torch.testing.assert_close(torch.cat(found, 1), whole, atol=1e-6, rtol=1e-6)
    parts.clear_carried()
    assert torch.equal(parts({"input": x[:, :4]}), found[0])


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_each_row_goes_on_from_its_own_end(options: dict[str, Any]) -> None:
    x, ends = torch.randn(3, 6, 2), torch.tensor([2, 0, 4])
    parts = network(options, stateful=True).train()
    parts({"input": Padded(x[:, :4], ends)})
    found = parts({"input": x[:, 4:]})
    for number, end in enumerate(ends.tolist()):
        row = torch.cat((x[number, :end], x[number, 4:]))
        whole = network(options)({"input": row[None]})[0]
        torch.testing.assert_close(found[number], whole[-2:], atol=1e-6, rtol=1e-6)


def test_no_gradient_flows_back_into_the_batch_before() -> None:
    parts, x = network({"type": "lstm"}, stateful=True).train(), torch.randn(2, 3, 2, requires_grad=True)
    parts({"input": x})
    assert not any(tensor.requires_grad for tensor in parts.carried().values())
    parts({"input": torch.randn(2, 3, 2)}).sum().backward()
    assert x.grad is None


def test_evaluation_starts_anew_and_leaves_what_training_carries() -> None:
    parts, x = network({"type": "lstm"}, stateful=True).train(), torch.randn(2, 3, 2)
    first = parts({"input": x}).detach()
    before = parts.carried()
    with torch.inference_mode():
        torch.testing.assert_close(parts.eval()({"input": x}), first)
    after = parts.train().carried()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_a_frozen_layer_carries_in_training_too() -> None:
    x = torch.randn(2, 6, 2)
    parts = network({"type": "lstm"}, stateful=True, trainable=False).train()
    found = torch.cat((parts({"input": x[:, :3]}), parts({"input": x[:, 3:]})), 1)
    torch.testing.assert_close(found, network({"type": "lstm"})({"input": x}), atol=1e-6, rtol=1e-6)
    assert torch.equal(parts.eval()({"input": x}), parts({"input": x}))


def test_a_batch_of_another_size_starts_anew() -> None:
    parts, x = network({"type": "gru"}, stateful=True).train(), torch.randn(3, 4, 2)
    parts({"input": x})
    assert torch.equal(parts({"input": x[:2]}), network({"type": "gru"})({"input": x[:2]}))


def test_what_is_carried_has_names_and_can_be_set() -> None:
    x = torch.randn(2, 6, 2)
    first, second = (network({"type": "lstm"}, stateful=True).train() for _ in range(2))
    first({"input": x[:, :3]})
    assert list(first.carried()) == ["lstm_1.0", "lstm_1.1", "second.0", "second.1"]
    second.set_carried(first.carried())
    assert torch.equal(second({"input": x[:, 3:]}), first({"input": x[:, 3:]}))
    with pytest.raises(ValueError, match=r"no layer carries third\.0"):
        first.set_carried({"third.0": x})


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_any_recurrent_network_can_be_fed_step_by_step(options: dict[str, Any]) -> None:
    one, x = network(options).eval(), torch.randn(1, 5, 2)
    with torch.inference_mode():
        whole = one({"input": x})
        for _ in range(2):  # each time anew
            with one.stepping():
                steps = [one({"input": x[:, step : step + 1]}) for step in range(5)]
            torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(one({"input": x}), whole)


def test_feeding_step_by_step_leaves_what_training_carries() -> None:
    parts, x = network({"type": "lstm"}, stateful=True).train(), torch.randn(2, 3, 2)
    parts({"input": x})
    before = parts.carried()
    with torch.inference_mode(), parts.eval().stepping():
        parts({"input": torch.randn(1, 1, 2)})
    assert all(torch.equal(parts.carried()[name], tensor) for name, tensor in before.items())


GRU, ATTENDING = {"type": "gru", "units": 4, "return_sequences": True}, {"num_heads": 2, "units": 3}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([GRU, "layer_norm", {"type": "lstm", "units": 3, "return_sequences": True}], True),
        ([{"type": "embedding", "input_dim": 9, "output_dim": 4}, GRU, {"type": "dense", "units": 9}], True),
        ([{**GRU, "go_backwards": True}], False),
        ([{"type": "bidirectional", "layer": GRU}], False),
        ([{"type": "transformer_decoder", **ATTENDING}], False),
        (["sinusoidal_position", GRU], False),
        ([GRU, {"type": "reshape", "shape": [10, 2]}], False),
    ],
)
def test_what_can_be_fed_step_by_step_is_found_out(layers: list[Any], expected: bool) -> None:
    is_text = isinstance(layers[0], dict) and layers[0]["type"] == "embedding"
    built = filled(plan(*layers, input=(5,) if is_text else (5, 4))).eval()
    x = torch.tensor([[1.0, 2, 3, 8, 0]]) if is_text else torch.randn(1, 5, 4)
    assert built.steps_alone({"input": x}) is expected
