"""Published networks, against what their own libraries compute; no test downloads anything."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nnkit.errors import ResourceError
from nnkit.nn import public
from nnkit.nn.public import UnfitError, build, download, published
from tests.nn.libraries import optional

MEAN, DEVIATION = torch.tensor(public.MEAN), torch.tensor(public.DEVIATION)


def features(model: Any, x: torch.Tensor) -> torch.Tensor:
    """Return the last feature maps of a ResNet of either library for [n, h, w, 3], channels last."""
    y = ((x - MEAN) / DEVIATION).permute(0, 3, 1, 2)
    y = model.maxpool((model.relu if hasattr(model, "relu") else model.act1)(model.bn1(model.conv1(y))))
    y = model.layer4(model.layer3(model.layer2(model.layer1(y))))
    result: torch.Tensor = y.permute(0, 2, 3, 1)
    return result


def own(source: str) -> Any:
    if source == "torchvision":
        return optional("torchvision").models.get_model("resnet18", weights=None).eval()
    return optional("timm").create_model("resnet18", pretrained=False).eval()


@pytest.mark.parametrize("source", ["torchvision", "timm"])
def test_a_network_gives_the_features_that_its_library_computes_before_pooling(source: str) -> None:
    model = own(source)
    module = build(source, "resnet18", None, (64, 96, 3)).eval()
    missing, unexpected = module.load_state_dict(model.state_dict(), strict=False)
    assert (missing, [name for name in unexpected if "num_batches" not in name]) == ([], ["fc.weight", "fc.bias"])
    x = torch.rand(2, 64, 96, 3)
    with torch.inference_mode():
        torch.testing.assert_close(module(x), features(model, x), rtol=1e-4, atol=1e-4)
        grey = x[..., :1]
        torch.testing.assert_close(module(grey), module(grey.expand(-1, -1, -1, 3)))


@pytest.mark.parametrize("source", ["torchvision", "timm"])
def test_what_is_known_before_it_is_built_is_what_is_built(source: str) -> None:
    optional(source), optional("torchvision")
    for until, shape in ((None, (2, 3, 512)), ("layer2", (8, 12, 128))):
        known = published(source, "resnet18", until, (64, 96, 3))
        module = build(source, "resnet18", until, (64, 96, 3)).eval()
        assert known.output == shape == tuple(module(torch.rand(1, 64, 96, 3)).shape[1:])
        assert {name: of for name, (of, _) in known.weights.items()} == {
            name: tuple(tensor.shape) for name, tensor in module.state_dict().items()
        }
        assert {name for name, (_, trained) in known.weights.items() if trained} == dict(
            module.named_parameters()
        ).keys()
        assert all(tensor.is_floating_point() for tensor in module.state_dict().values())


def test_names_that_there_are_not_are_told_with_the_nearest() -> None:
    optional("torchvision")
    for options, message in (
        (("resnt18", None, (64, 64, 3)), "torchvision has no network 'resnt18'; did you mean resnet18"),
        (("zzz", None, (64, 64, 3)), "torchvision has no network 'zzz'; it has"),
        (("resnet18", "layr3", (64, 64, 3)), "resnet18 has no node 'layr3'; did you mean 'layer3'?"),
        (("vgg11", None, (8, 8, 3)), "vgg11 cannot take pictures of 8 x 8"),
        (("vit_b_16", None, (224, 224, 3)), "vit_b_16 has no global pooling to end at; say by until"),
    ):
        with pytest.raises(UnfitError) as caught:
            published("torchvision", *options)
        assert message in str(caught.value)


def test_a_library_of_another_build_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(ResourceError, match=r"timm does not fit the installed torch .*nms does not exist"):
        public.library("timm")


class Timm:
    """What of timm a download asks."""

    def list_models(self) -> list[str]:
        return ["resnet18"]

    def list_pretrained(self, pattern: str) -> list[str]:
        assert pattern == "resnet18.*"
        return ["resnet18.a1_in1k", "resnet18.old"]

    def get_pretrained_cfg(self, name: str) -> Any:
        return SimpleNamespace(hf_hub_id=None if name == "resnet18.old" else f"timm/{name}")


def stub(monkeypatch: pytest.MonkeyPatch, fetch: Any) -> None:
    hub = SimpleNamespace(hf_hub_download=fetch, errors=SimpleNamespace(HfHubHTTPError=ConnectionError))
    monkeypatch.setattr(public, "library", lambda name: Timm() if name == "timm" else hub)


def test_only_the_safetensors_file_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def fetch(repository: str, name: str) -> str:
        asked.append((repository, name))
        return "/cache/model.safetensors"

    stub(monkeypatch, fetch)
    assert download("resnet18", "a1_in1k") == Path("/cache/model.safetensors")
    assert asked == [("timm/resnet18.a1_in1k", "model.safetensors")]


def test_a_download_that_cannot_be_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(repository: str, name: str) -> str:
        raise ConnectionError("no network\nand more")

    stub(monkeypatch, fetch)
    with pytest.raises(ResourceError, match=r"resnet18\.a1_in1k/model\.safetensors cannot be downloaded: no network;"):
        download("resnet18", "a1_in1k")
    with pytest.raises(UnfitError, match="timm has no weights 'a9' for resnet18; it has: a1_in1k, old"):
        download("resnet18", "a9")
    with pytest.raises(UnfitError, match=r"timm publishes no safetensors file for resnet18\.old"):
        download("resnet18", "old")
    with pytest.raises(UnfitError, match="timm has no network 'resnet19'; did you mean resnet18"):
        download("resnet19", "a1_in1k")
