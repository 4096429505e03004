"""What every entry of every registry must fulfil; a new one joins by being registered."""

from typing import Any

import numpy as np
import pytest
import torch

from nnkit.activations import ACTIVATIONS
from nnkit.config.registry import Registry, dump_piece
from nnkit.families import FAMILIES
from nnkit.initializers import INITIALIZERS
from nnkit.layers.base import LAYERS, Layer
from nnkit.layers.repeat import Composite
from nnkit.seeds import generator

ENTRIES = [(family, name) for family, registry in FAMILIES.items() for name in registry.entries]
ROWS = 5


def registry(family: str) -> Registry[Any]:
    return FAMILIES[family]


@pytest.mark.parametrize(("family", "name"), ENTRIES)
def test_documented(family: str, name: str) -> None:
    kind = registry(family).entries[name]
    assert kind.__doc__
    assert len(kind.__doc__.strip().splitlines()[0]) > 10
    assert kind.__doc__ != kind.__mro__[1].__doc__
    undocumented = [option for option, field in kind.model_fields.items() if not field.description]
    assert undocumented == []


@pytest.mark.parametrize(("family", "name"), ENTRIES)
def test_defaults_round_trip(family: str, name: str) -> None:
    """A piece is written out with every default and decodes to itself."""
    kind = registry(family).entries[name]
    example = getattr(kind, "example", None)
    options = example.options if example is not None else _required(kind)
    piece = registry(family).decode({"type": name, **options})
    again = registry(family).decode(dump_piece(piece))
    assert again == piece
    assert dump_piece(again) == dump_piece(piece)


def _required(kind: Any) -> dict[str, Any]:
    from nnkit.config.mistakes import schema_of
    from nnkit.config.reference import _sample

    properties = schema_of(kind)["properties"]
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    return {name: _sample(FAMILIES, properties[name], name) for name in needed}


PLAIN_LAYERS = [name for name, kind in LAYERS.entries.items() if not issubclass(kind, Composite)]


def layer(name: str) -> Layer:
    return LAYERS.decode({"type": name, **LAYERS.entries[name].example.options})


def built(name: str) -> tuple[Layer, torch.nn.Module, list[torch.Tensor]]:
    piece = layer(name)
    shapes = piece.example.shapes
    module = piece.build(*shapes)
    arrays = {
        key: torch.from_numpy(weight.initializer.sample(weight.shape, weight.fan_in, weight.fan_out, generator(1, key)))
        for key, weight in piece.weights(*shapes).items()
    }
    module.load_state_dict(arrays)
    draw = np.random.default_rng(0)
    inputs = [
        torch.from_numpy(draw.random((ROWS, *(axis or 3 for axis in shape)), dtype=np.float32)) for shape in shapes
    ]
    return piece, module, inputs


@pytest.mark.parametrize("name", PLAIN_LAYERS)
def test_out_shape_is_the_built_modules(name: str) -> None:
    piece, module, inputs = built(name)
    assert tuple(module.eval()(*inputs).shape) == (ROWS, *piece.out_shape(*piece.example.shapes))


@pytest.mark.parametrize("name", PLAIN_LAYERS)
def test_weights_are_the_modules(name: str) -> None:
    piece, module, _ = built(name)
    trained = dict(module.named_parameters())
    weights = piece.weights(*piece.example.shapes)
    assert {key: weight.shape for key, weight in weights.items()} == {
        key: tuple(tensor.shape) for key, tensor in module.state_dict().items()
    }
    assert {key for key, weight in weights.items() if weight.trained} == trained.keys()
    assert set(piece.kernels) <= weights.keys()


@pytest.mark.parametrize("name", PLAIN_LAYERS)
def test_a_gradient_reaches_every_trained_weight_and_the_input(name: str) -> None:
    _, module, inputs = built(name)
    if name != "embedding":
        for tensor in inputs:
            tensor.requires_grad_()
    output = module.train()(*(tensor - 0.3 for tensor in inputs) if name == "prelu" else inputs)
    (output * torch.arange(output.numel()).reshape(output.shape)).sum().backward()
    reached = [*module.parameters(), *(tensor for tensor in inputs if tensor.requires_grad)]
    assert all(tensor.grad is not None and bool((tensor.grad != 0).any()) for tensor in reached)


@pytest.mark.parametrize("name", ACTIVATIONS.entries)
def test_activations_keep_the_shape_and_are_finite(name: str) -> None:
    x = torch.linspace(-4, 4, 24).reshape(2, 3, 4)
    y = ACTIVATIONS.decode(name).build()(x)
    assert y.shape == x.shape
    assert bool(torch.isfinite(y).all())


@pytest.mark.parametrize("name", INITIALIZERS.entries)
def test_initializers_give_float32_of_the_shape_from_the_generator_alone(name: str) -> None:
    piece = INITIALIZERS.decode(name)
    first, again = (piece.sample((6, 4), 6, 4, generator(2, "w")) for _ in range(2))
    assert first.dtype == np.float32
    assert first.shape == (6, 4)
    assert np.array_equal(first, again)


def test_a_taken_name_is_refused() -> None:
    with pytest.raises(ValueError, match="the name 'dense' is taken by Dense"):
        LAYERS.register("dense")(LAYERS.entries["dense"])
