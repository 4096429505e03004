"""What every entry of every registry must fulfil; a new one joins by being registered.

That each is documented and appears in the reference is in test_reference.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from nnkit.activations import ACTIVATIONS
from nnkit.config.document import parse_document
from nnkit.config.piece import Piece
from nnkit.config.reference import entry
from nnkit.config.registry import Registry, dump_piece
from nnkit.families import FAMILIES
from nnkit.initializers import INITIALIZERS
from nnkit.layers.base import LAYERS, Activated, Layer, ShapeError
from nnkit.layers.pretrained import Pretrained
from nnkit.layers.repeat import Composite
from nnkit.nn.random import GeneratorDraws, RandomModule
from nnkit.seeds import generator
from nnkit.shapes import Shape

ROWS = 5
VARYING = 5
"""How long axes of varying length are here."""
ENTRIES = [(family, name) for family, registry in FAMILIES.items() for name in registry.entries]
CONTEXT = {"base": Path()}


def shortest(family: str, name: str) -> Any:
    """Return the shortest way to write a piece."""
    written = entry(FAMILIES, family, name).example
    tree: Any = parse_document(f"piece: {written}", "", Path()).tree
    return tree["piece"]


def variants(registry: Registry[Any], piece: Piece) -> Iterator[Any]:
    """Yield a piece, and it with each other value of each option that is a switch or a choice of words."""
    yield piece
    for name, field in type(piece).model_fields.items():
        kind: Any = field.annotation
        words = get_args(kind) if get_origin(kind) is Literal else ()
        for choice in (True, False) if kind is bool else words:
            if choice != getattr(piece, name):
                try:
                    yield registry.decode({**dump_piece(piece), name: choice}, CONTEXT)
                except ValidationError:  # The choice needs another option too.
                    continue


@pytest.mark.parametrize(("family", "name"), ENTRIES)
def test_a_piece_is_written_out_with_every_default_and_reads_back(family: str, name: str) -> None:
    registry = FAMILIES[family]
    for piece in variants(registry, registry.decode(shortest(family, name), CONTEXT)):
        written = dump_piece(piece)
        assert written["type"] == name
        again = registry.decode(written, CONTEXT)
        assert again == piece
        assert dump_piece(again) == written


@pytest.mark.parametrize("family", FAMILIES)
def test_a_taken_name_is_refused(family: str) -> None:
    name, kind = next(iter(FAMILIES[family].entries.items()))
    with pytest.raises(ValueError, match=f"{family}: the name '{name}' is taken by {kind.__name__}"):
        FAMILIES[family].register(name)(kind)


# What a composite or a pretrained layer builds is others' to say; they have tests of their own.
KINDS = {name: kind for name, kind in LAYERS.entries.items() if not issubclass(kind, Composite | Pretrained)}


def layers(name: str) -> Iterator[tuple[Layer, tuple[Shape, ...]]]:
    """Yield the variants of a layer's example with each of its inputs' shapes that they take."""
    example = KINDS[name].example
    for layer in variants(LAYERS, LAYERS.decode({"type": name, **example.options})):
        yield layer, example.shapes
        for shapes in example.others:
            yield layer, shapes


def built(layer: Layer, shapes: tuple[Shape, ...]) -> tuple[torch.nn.Module, list[torch.Tensor]]:
    """Return the layer's module with its first weights, and inputs of these shapes."""
    module = layer.build(*shapes)
    arrays = {}
    for name, weight in layer.weights(*shapes).items():
        values = weight.initializer.sample(weight.shape, weight.fan_in, weight.fan_out, generator(1, name))
        arrays[name] = torch.from_numpy(values)
    module.load_state_dict(arrays)
    for part in module.modules():
        if isinstance(part, RandomModule):
            part.draws = GeneratorDraws(torch.Generator().manual_seed(0))
    draw = np.random.default_rng(0)
    sizes = [(ROWS, *(axis or VARYING for axis in shape)) for shape in shapes]
    if layer.example.below is not None:
        return module, [torch.from_numpy(draw.integers(layer.example.below, size=size)).float() for size in sizes]
    return module, [torch.from_numpy(draw.normal(size=size)).float() for size in sizes]


def concrete(shape: Shape, like: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape whose varying axes have the sizes that came out."""
    assert len(shape) == len(like)
    return tuple(found if axis is None else axis for axis, found in zip(shape, like, strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_out_shape_is_the_built_modules(name: str) -> None:
    for layer, shapes in layers(name):
        module, inputs = built(layer, shapes)
        rows, *found = module.eval()(*inputs).shape
        assert (rows, *found) == (ROWS, *concrete(layer.out_shape(*shapes), tuple(found)))


@pytest.mark.parametrize("name", KINDS)
def test_weights_are_the_modules(name: str) -> None:
    for layer, shapes in layers(name):
        module, _ = built(layer, shapes)
        weights = layer.weights(*shapes)
        assert {key: weight.shape for key, weight in weights.items()} == {
            key: tuple(tensor.shape) for key, tensor in module.state_dict().items()
        }
        assert {key for key, weight in weights.items() if weight.trained} == {
            key for key, _ in module.named_parameters()
        }
        assert set(layer.kernels) <= weights.keys()


@pytest.mark.parametrize("name", KINDS)
def test_a_gradient_reaches_every_trained_weight_and_the_input(name: str) -> None:
    for layer, shapes in layers(name):
        module, inputs = built(layer, shapes)
        continuous = layer.example.below is None
        inputs = [tensor.requires_grad_(continuous) for tensor in inputs]
        output = module.train()(*inputs)
        (output * torch.arange(output.numel()).reshape(output.shape)).sum().backward()
        reached = [*module.parameters(), *(inputs if continuous else [])]
        assert all(tensor.grad is not None and bool((tensor.grad != 0).any()) for tensor in reached)


@pytest.mark.parametrize("name", KINDS)
def test_a_row_is_computed_alone_outside_of_training(name: str) -> None:
    for layer, shapes in layers(name):
        module, inputs = built(layer, shapes)
        together = module.eval()(*inputs)
        alone = torch.cat([module(*(tensor[row : row + 1] for tensor in inputs)) for row in range(ROWS)])
        torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_zero_rows_give_zero_rows(name: str) -> None:
    for layer, shapes in layers(name):
        module, inputs = built(layer, shapes)
        output = module.eval()(*(tensor[:0] for tensor in inputs))
        rows, *found = output.shape
        assert (rows, *found) == (0, *concrete(layer.out_shape(*shapes), tuple(found)))


@pytest.mark.parametrize("name", KINDS)
def test_a_number_of_inputs_that_does_not_fit_is_refused(name: str) -> None:
    layer, (first, *others) = next(layers(name))
    with pytest.raises(ShapeError, match=name):
        layer.out_shape(*(layer.example.misfit or ((first, first) if not others else (first,))))


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if issubclass(kind, Activated)])
def test_an_activation_along_an_axis_that_is_not_there_is_refused(name: str) -> None:
    softmax = {"type": "softmax", "axis": 9}
    layer = LAYERS.decode({"type": name, **KINDS[name].example.options, "activation": softmax})
    with pytest.raises(ShapeError, match="softmax has no axis 9"):
        layer.out_shape(*layer.example.shapes)


@pytest.mark.parametrize("name", ACTIVATIONS.entries)
def test_activations_keep_the_shape_and_are_finite_with_finite_gradients(name: str) -> None:
    for piece in variants(ACTIVATIONS, ACTIVATIONS.decode(shortest("activations", name))):
        x = torch.linspace(-40, 40, 24).reshape(2, 3, 4).requires_grad_()
        y = piece.build()(x)
        y.sum().backward()
        assert y.shape == x.shape
        assert bool(torch.isfinite(y).all())
        assert x.grad is not None
        assert bool(torch.isfinite(x.grad).all())


@pytest.mark.parametrize("name", INITIALIZERS.entries)
@pytest.mark.parametrize("shape", [(6, 4), (4,), (2, 3, 4)])
def test_initializers_give_float32_of_the_shape_from_the_generator_alone(name: str, shape: tuple[int, ...]) -> None:
    for piece in variants(INITIALIZERS, INITIALIZERS.decode(shortest("initializers", name))):
        first, again = (piece.sample(shape, 6, 4, generator(2, "w")) for _ in range(2))
        assert (first.dtype, first.shape) == (np.float32, shape)
        assert np.array_equal(first, again)
