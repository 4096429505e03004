import math

import pytest
import torch

from nnkit.errors import DataError
from nnkit.layers.base import LAYERS, ShapeError
from nnkit.models.base import MODELS
from tests.layers.tools import build

TABLE = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
OPTIONS = {"type": "embedding", "input_dim": 3, "output_dim": 2}


def test_embedding_looks_up_the_vectors_of_indices_that_are_floats() -> None:
    module = build(OPTIONS, (2,), embeddings=TABLE)
    assert module(torch.tensor([[0.0, 2.0], [1.0, 1.0]])).tolist() == [[[1, 2], [5, 6]], [[3, 4], [3, 4]]]
    assert module(torch.empty(0, 2)).shape == (0, 2, 2)


@pytest.mark.parametrize("odd", [3.0, -1.0, 0.5, math.nan])
def test_what_is_no_index_is_refused(odd: float) -> None:
    module = build(OPTIONS, (2,), embeddings=TABLE)
    with pytest.raises(DataError, match=f"takes whole numbers from 0 to 2 and got {odd:g}; encode the column"):
        module(torch.tensor([[0.0, odd]]))


def test_the_size_of_the_vocabulary_is_that_of_the_input() -> None:
    layer = LAYERS.decode({"type": "embedding", "output_dim": 2})
    with pytest.raises(ShapeError, match="embedding needs input_dim here"):
        layer.out_shape((None,))
    assert layer.for_vocabulary(7).weights((None,))["embeddings"].shape == (7, 2)
    assert LAYERS.decode(OPTIONS).for_vocabulary(7).weights((None,))["embeddings"].shape == (3, 2)


def test_a_network_knows_the_vocabularies_of_its_inputs() -> None:
    layers = [{"type": "embedding", "output_dim": 2}, {"type": "dense", "units": 3}]
    network = MODELS.decode({"type": "network", "layers": layers}).plan({"input": (None,)}, {"input": 9})
    assert network.weights()["embedding_1.embeddings"].shape == (9, 2)
    assert network.output_shape == (None, 3)


def test_tokens_of_which_some_become_unknown_are_still_tokens() -> None:
    layers = [{"type": "input_dropout", "rate": 0.2}, {"type": "embedding", "output_dim": 2}]
    plan = MODELS.decode({"type": "network", "layers": layers}).plan({"input": (None,)}, {"input": 7})
    assert plan.nodes[1].weights["embeddings"].shape == (7, 2)


def test_a_time_is_one_number() -> None:
    layer = LAYERS.decode({"type": "time_embedding", "units": 6})
    assert layer.out_shape((1,)) == (6,)
    with pytest.raises(ShapeError, match="time_embedding reads one time, a last axis of 1, got 3"):
        layer.out_shape((3,))
