"""What a spec may say of a published network; what the libraries make of it is in tests/nn/test_public.py."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nnkit.errors import ResourceError
from nnkit.layers.base import ShapeError
from nnkit.layers.node import Node
from nnkit.layers.pretrained import Pretrained
from nnkit.nn import public

CONTEXT = {"base": Path("/specs")}
FILE = {"type": "pretrained", "source": "torchvision", "name": "resnet18", "weights": "resnet18.safetensors"}


def node(**options: Any) -> Node:
    given = {name: value for name, value in {**FILE, **options}.items() if value is not None}
    return Node.model_validate(given, context=CONTEXT)


def test_the_networks_name_is_the_layers_too_and_its_weights_are_a_file_beside_the_spec() -> None:
    found = node()
    assert found.name == "resnet18"
    assert found.weights is None
    assert not found.trainable
    assert isinstance(found.layer, Pretrained)
    assert (found.layer.network, found.layer.file) == ("resnet18", "/specs/resnet18.safetensors")
    assert Node.model_validate(found.model_dump(mode="json")) == found
    assert node(trainable=True).trainable


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": None}, "name is missing beside source: torchvision"),
        ({"weights": None}, "weights is missing beside source: torchvision"),
        ({"weights": "resnet18.pth"}, "resnet18.pth is a pickle, and opening one can run code"),
        ({"weights": "IMAGENET1K_V1"}, "torchvision publishes IMAGENET1K_V1 as a pickle, and opening one can run code"),
        ({"weights": "IMAGENET1K_V1", "download": True}, "or take the same weights from timm"),
        ({"source": "timm", "weights": "tv_in1k"}, "nothing is downloaded unless download: true is said"),
        ({"source": "timm", "download": True}, "download: the weights are a file; leave download out"),
        ({"source": "keras"}, "expected one of torchvision, timm or null, found 'keras'"),
        ({"weights": {"kernel": [1]}}, "weights"),
    ],
)
def test_mistakes_say_what_was_expected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        node(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize("shape", [(64,), (64, 64), (64, 64, 2), (64, None, 3), (4, 64, 64, 3)])
def test_only_pictures_go_in(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(ShapeError, match="pretrained"):
        node().layer.out_shape(shape)


@pytest.mark.parametrize("source", ["torchvision", "timm"])
def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setitem(__import__("sys").modules, source, None)
    public.published.cache_clear()
    with pytest.raises(ResourceError, match=r"is not installed; install it: pip install 'nnkit\[pretrained\]'"):
        node(source=source).layer.out_shape((64, 64, 3))
    assert ResourceError.exit_code == 7


def test_a_run_has_to_be_opened_before_its_layers_are_planned() -> None:
    with pytest.raises(TypeError, match="the run /specs/old was not opened"):
        Node.model_validate({"type": "pretrained", "run": "old"}, context=CONTEXT).layer.out_shape((8,))
