"""Recording a row: against torch's own gradients on networks written apart, and against finite differences."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnkit.nn.basic import Apply, Dense
from nnkit.nn.random import Dropout
from nnkit.nn.trace import Part, Recorded, Traced, as_target, record


def gradient(traced: Traced) -> NDArray[Any]:
    assert traced.gradient is not None
    return traced.gradient


def apply(name: str, function: object, *reads: str) -> Part:
    return Part(name, Apply(function), reads)  # type: ignore[arg-type]


def by_name(recorded: Recorded) -> dict[str, tuple[float, float | None]]:
    found = recorded.values.items()
    return {name: (x.value.item(), None if x.gradient is None else x.gradient.item()) for name, x in found}


def test_the_courses_graph() -> None:
    parts = [
        apply("p", lambda a, b: a + b, "x", "y"),
        apply("g", lambda a, b: a * b, "p", "z"),
    ]
    inputs = {"x": torch.tensor([[1.0]]), "y": torch.tensor([[3.0]]), "z": torch.tensor([[-3.0]])}
    expected = {"x": (1, -3), "y": (3, -3), "z": (-3, 4), "p": (4, -3), "g": (-12, 1)}
    assert by_name(record(parts, inputs, {}, "g", None)) == expected


def test_what_changes_nothing_has_a_gradient_of_its_own() -> None:
    """Dropout returns what it gets outside of training; d/dx (x * dropout(x)) is 2x, and half of it goes each way."""
    parts = [Part("dropped", Dropout(0.5).eval(), ("x",)), apply("g", lambda a, b: a * b, "x", "dropped")]
    assert by_name(record(parts, {"x": torch.tensor([[3.0]])}, {}, "g", None)) == {
        "x": (3, 6),
        "dropped": (3, 3),
        "g": (9, 1),
    }


def test_what_the_number_does_not_depend_on_has_no_gradient() -> None:
    parts = [apply("a", lambda x: 2 * x, "x"), apply("b", lambda x: x + 1, "a")]
    assert by_name(record(parts, {"x": torch.tensor([[3.0]])}, {}, "a", None)) == {
        "x": (3, 2),
        "a": (6, 1),
        "b": (7, None),
    }


def dense(inputs: int, units: int, seed: int, activation: object = None) -> Dense:
    layer = Dense(inputs, units, True, activation)  # type: ignore[arg-type]
    draw = torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=draw)
    return layer.double()


def test_agrees_with_torch_on_a_network_written_apart() -> None:
    first, second = dense(4, 5, 0, torch.tanh), dense(5, 3, 1)
    second.requires_grad_(False)
    x, target = torch.randn(1, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2)), torch.tensor([2])
    parts = [
        Part("first", first, ("x",)),
        Part("second", second, ("first",)),
        apply("loss", lambda y, t: nn.functional.cross_entropy(y, t, reduction="none"), "second", "target"),
    ]
    found = record(parts, {"x": x}, {"target": target}, "loss", None)

    one, two = nn.Linear(4, 5).double(), nn.Linear(5, 3).double()
    for linear, layer in ((one, first), (two, second)):
        assert layer.bias is not None
        linear.load_state_dict({"weight": layer.kernel.detach().T, "bias": layer.bias.detach()})
    x = x.clone().requires_grad_()
    hidden = one(x).tanh()
    hidden.retain_grad()
    loss = nn.CrossEntropyLoss()(two(hidden), target)
    loss.backward()
    assert found.values["loss"].value == pytest.approx(loss.item())
    for name, tensor in (("x", x), ("first", hidden)):
        assert tensor.grad is not None
        np.testing.assert_allclose(gradient(found.values[name]), tensor.grad[0], rtol=1e-12)
    assert one.weight.grad is not None
    np.testing.assert_allclose(gradient(found.weights["first"]["kernel"]), one.weight.grad.T, rtol=1e-12)
    frozen = found.weights["second"]["kernel"]
    assert (frozen.gradient, frozen.trained) == (None, False)
    assert found.values["target"].gradient is None


def test_agrees_with_finite_differences() -> None:
    layer, x = dense(3, 2, 3, torch.sigmoid), torch.tensor([[0.3, -1.2, 0.7]], dtype=torch.float64)
    parts = [Part("y", layer, ("x",)), apply("z", lambda y: (y * y).sum(1, keepdim=True), "y")]
    slopes = gradient(record(parts, {"x": x}, {}, "z", None).values["x"])

    def value(x: Tensor) -> float:
        return float(record(parts, {"x": x}, {}, "z", None).values["z"].value.item())

    for place in range(3):
        step = torch.zeros(1, 3, dtype=torch.float64)
        step[0, place] = 1e-6
        assert (value(x + step) - value(x - step)) / 2e-6 == pytest.approx(slopes[place], rel=1e-7)


def test_a_number_of_a_value_and_the_sum_of_all() -> None:
    parts, x = [apply("y", lambda x: x * x, "x")], torch.tensor([[1.0, 2.0, 3.0]])
    for place, expected in ((None, [2, 4, 6]), ((1,), [0, 4, 0])):
        assert gradient(record(parts, {"x": x}, {}, "y", place).values["x"]).tolist() == expected
    for wrong in ((3,), (0, 0), ()):
        with pytest.raises(IndexError) as caught:
            record(parts, {"x": x}, {}, "y", wrong)
        assert caught.value.args == ((3,),)


def test_a_lookup_passes_no_gradient_on() -> None:
    parts = [apply("row", lambda x: nn.functional.embedding(x.long(), torch.eye(3)), "x")]
    found = record(parts, {"x": torch.tensor([[2.0]])}, {}, "row", None)
    assert found.values["x"].gradient is None
    assert found.values["row"].gradient is not None


def test_targets_have_the_numbers_that_training_gives_them() -> None:
    assert as_target(np.array([[1]], np.float32), torch.float64).dtype == torch.float64
    assert as_target(np.array([2]), torch.float32).dtype == torch.int64
