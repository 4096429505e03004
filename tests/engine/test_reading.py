"""What a language model says of a text: in one go, in windows, in streams and token by token it is the same."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from nnkit.engine.reading import Reader, foretold, judged, sees_ahead
from nnkit.engine.streams import LEAST_WINDOWS
from nnkit.frames.running import windows
from nnkit.nn.graph import GraphNetwork
from tests.models.tools import dense, filled, plan

TOKENS = 7
CPU = torch.device("cpu")
EMBEDDING = {"type": "embedding", "input_dim": TOKENS, "output_dim": 6, "init": {"type": "normal", "stddev": 1.0}}
CAUSAL = {"type": "transformer_encoder", "num_heads": 2, "units": 8, "causal": True}


def network(*layers: Any) -> GraphNetwork:
    return filled(plan(EMBEDDING, *layers, dense(TOKENS), input=(None,))).eval()


def lstm(**options: Any) -> dict[str, Any]:
    return {"type": "lstm", "units": 5, "return_sequences": True, **options}


def text(count: int) -> Any:
    return np.random.default_rng(3).integers(TOKENS, size=count)


def at_once(net: GraphNetwork, numbers: Any) -> Any:
    """Return the log-probability of each token after the first, and the likeliest, from one pass over the whole."""
    with torch.no_grad():
        logs = torch.log_softmax(net({"input": torch.from_numpy(numbers[None, :-1]).float()})[0], -1).numpy()
    return np.stack([logs[np.arange(len(logs)), numbers[1:]], logs.argmax(-1)], -1)


@pytest.mark.parametrize("layers", [[lstm()], [lstm(), {"type": "gru", "units": 4, "return_sequences": True}]], ids=len)
@pytest.mark.parametrize(("count", "length"), [(2, 5), (61, 7), (120, 1), (90, 200)])
def test_windows_with_carried_state_say_what_the_whole_text_does(layers: Any, count: int, length: int) -> None:
    net, numbers = network(*layers), text(count)
    said = foretold(net, *windows(numbers, length), 1, True, CPU, torch.float32)
    assert np.allclose(said, at_once(net, numbers), atol=1e-5)


@pytest.mark.parametrize("most", [1, 3, 64])
def test_windows_without_state_do_not_depend_on_how_many_go_through_at_once(most: int) -> None:
    net, numbers = network(lstm()), text(61)
    said = foretold(net, *windows(numbers, 7), most, False, CPU, torch.float32)
    each = [at_once(net, numbers[start : start + 8]) for start in range(0, 60, 7)]
    assert np.allclose(said, np.concatenate(each), atol=1e-6)


def test_streams_go_on_each_by_itself() -> None:
    net, numbers = network(lstm()), text(2 * LEAST_WINDOWS * 3 + 1)
    said = foretold(net, *windows(numbers, 3), 64, True, CPU, torch.float32)
    half = LEAST_WINDOWS * 3
    halves = [at_once(net, numbers[: half + 1]), at_once(net, numbers[half:])]
    assert np.allclose(said, np.concatenate(halves), atol=1e-5)


def test_reading_leaves_what_training_carries() -> None:
    net = network(lstm(stateful=True)).train()
    net({"input": torch.zeros(2, 3)})
    before = net.carried()
    net.eval()
    foretold(net, *windows(text(20), 4), 1, True, CPU, torch.float32)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.carried().items())


@pytest.mark.parametrize(
    ("layers", "goes_on"),
    [
        ([lstm()], True),
        ([], True),
        ([CAUSAL], False),
        ([lstm(units=4), CAUSAL], False),
        ([{"type": "conv1d", "filters": 4, "kernel_size": 3, "padding": "causal"}], False),
        ([{"type": "position_embedding", "max_length": 8, "init": {"type": "normal", "stddev": 1.0}}, lstm()], False),
    ],
    ids=str,
)
def test_a_reader_says_what_the_whole_text_does(layers: Any, goes_on: bool) -> None:
    net, numbers = network(*layers), text(8)
    with torch.no_grad():
        whole = net({"input": torch.from_numpy(numbers[None]).float()})[0].numpy()
    with Reader(net, TOKENS, 8, CPU, torch.float32) as reader:
        assert reader.goes_on == goes_on
        said = [reader.read(numbers[:3]), *(reader.read(numbers[place : place + 1]) for place in range(3, 8))]
    assert np.allclose(said, whole[2:], atol=1e-5)


def test_a_reader_that_reads_anew_sees_the_last_window() -> None:
    net, numbers = network(CAUSAL), text(20)
    with Reader(net, TOKENS, 5, CPU, torch.float32) as reader:
        said = [reader.read(numbers[:12]), reader.read(numbers[12:13])]
    with torch.no_grad():
        expected = [net({"input": torch.from_numpy(numbers[None, end - 5 : end]).float()})[0, -1] for end in (12, 13)]
    assert np.allclose(said, torch.stack(expected).numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "sees"),
    [
        ([lstm()], False),
        ([CAUSAL], False),
        ([{**CAUSAL, "causal": False}], True),
        ([lstm(go_backwards=True)], True),
        ([{"type": "bidirectional", "layer": lstm()}], True),
        ([{"type": "conv1d", "filters": 4, "kernel_size": 3, "padding": "causal"}], False),
        ([{"type": "conv1d", "filters": 4, "kernel_size": 3, "padding": "same"}], True),
    ],
    ids=str,
)
def test_a_network_that_sees_ahead_is_found_out(layers: Any, sees: bool) -> None:
    assert sees_ahead(network(*layers).double(), TOKENS, 10) == sees


def test_what_is_kept_of_outputs_by_hand() -> None:
    outputs = torch.tensor([[0.0, math.log(3.0)], [5.0, 5.0]])
    assert judged(outputs, torch.tensor([0, 1])).tolist() == [
        pytest.approx([math.log(0.25), 1.0]),
        pytest.approx([math.log(0.5), 0.0]),
    ]
