import re
from typing import Any

import numpy as np
import pytest
import torch

from nnkit.errors import DataError
from nnkit.layers.base import LAYERS, ShapeError
from nnkit.shapes import Shape
from tests.layers.tools import build


def test_learned_positions_are_added_by_the_place() -> None:
    table = torch.randn(5, 2)
    x = torch.randn(3, 4, 2)
    module = build({"type": "position_embedding", "max_length": 5}, (None, 2), embeddings=table)
    torch.testing.assert_close(module(x), x + table[:4])
    with pytest.raises(DataError, match="knows 5 places, and a row has 6 steps; set max_length to the longest row's"):
        module(torch.randn(1, 6, 2))


@pytest.mark.parametrize("size", [4, 5])
def test_sinusoids_are_the_papers(size: int) -> None:
    expected = np.empty((6, size))
    for place in range(6):
        for i in range(size):
            angle = place / 10_000 ** (2 * (i // 2) / size)
            expected[place, i] = np.cos(angle) if i % 2 else np.sin(angle)
    found = build("sinusoidal_position", (6, size))(torch.zeros(1, 6, size))[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_steps_are_brought_together_up_to_their_ends() -> None:
    x = torch.tensor([[[1.0, -1], [2, -2], [3, -6]], [[4, -4], [9, 9], [9, 9]], [[9, 9], [9, 9], [9, 9]]])
    ends = torch.tensor([3, 1, 0])
    expected: dict[Any, list[list[float]]] = {
        "last_step": [[3, -6], [4, -4], [0, 0]],
        "mean": [[2, -3], [4, -4], [0, 0]],
        "max": [[3, -1], [4, -4], [0, 0]],
        "sum": [[6, -9], [4, -4], [0, 0]],
    }
    for name, rows in expected.items():
        module = build(name if name == "last_step" else {"type": "sequence_pool", "mode": name}, (None, 2))
        assert module(x, lengths=[ends]).tolist() == rows
        assert module(x[:1]).tolist() == rows[:1]
        assert module(x[:, :0]).tolist() == [[0, 0]] * 3


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({"type": "position_embedding", "max_length": 3}, (4, 2), "knows 3 places, got 4 steps; set max_length"),
        ({"type": "position_embedding", "max_length": 3}, (4,), "needs steps x features, got 4"),
        ("sinusoidal_position", (4,), "needs steps x features, got 4"),
        ("last_step", (4,), "a recurrent layer gives all its steps with return_sequences: true"),
        ("sequence_pool", (4, None), "behind them axes of known size, got 4 x ?"),
    ],
)
def test_shapes_that_do_not_fit_are_named(options: Any, shape: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS.decode(options).out_shape(shape)
