"""Published networks: built by torchvision or timm without their weights, cut off before the head, fed with pictures.

Both libraries are optional and come with ``nnkit[pretrained]``; they are imported when one is asked for. Networks are
looked up in the libraries' own registers, never imported by name.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nnkit.errors import ResourceError
from nnkit.shapes import Shape

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue on a scale from 0 to 1: what nearly all published weights expect."""
POOLS = ("adaptive_avg_pool2d", "mean")
NODE = "features"
MOST_NAMES = 12


class UnfitError(Exception):
    """There is no such network or node, or it cannot take such pictures; the message says what there is."""


@dataclass(frozen=True)
class Published:
    """What is known of a network before it is built: its output's shape, its weights and whether they are trained."""

    output: Shape
    weights: Mapping[str, tuple[tuple[int, ...], bool]]


@lru_cache(maxsize=16)
def published(source: str, network: str, until: str | None, picture: tuple[int, ...]) -> Published:
    """Return what a network gives for pictures of ``height, width, channels``; raises as ``build`` does."""
    try:
        with torch.device("meta"):
            module = build(source, network, until, picture)
    except (RuntimeError, NotImplementedError):  # Some compute with numbers while they are built, which meta has not.
        module = build(source, network, until, picture).to("meta")
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output: Tensor = module.eval()(torch.empty((1, *picture), device="meta"))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        height, width, _ = picture
        raise UnfitError(f"{network} cannot take pictures of {height} x {width}: {reason:.200}") from None
    trained = {name for name, _ in module.named_parameters()}
    weights = {name: (tuple(tensor.shape), name in trained) for name, tensor in module.state_dict().items()}
    return Published(tuple(output.shape[1:]), weights)


def build(source: str, network: str, until: str | None, picture: tuple[int, ...]) -> nn.Module:
    """Return the module: pictures [n, height, width, 1 or 3] from 0 to 1 to features with the channels last.

    Raises ``UnfitError``, and ``ResourceError`` where the library is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What the libraries say of their own workings.
        if source == "torchvision":
            body, mean, deviation, last = _of_torchvision(network, until)
        else:
            body, mean, deviation, last = _of_timm(network, until)
    _keep_only_floats(body)
    body.register_forward_pre_hook(lambda _, inputs: (_normalized(inputs[0], mean, deviation),))
    body.register_forward_hook(lambda _, inputs, output: _channels_last(output, last))
    return body


def _normalized(x: Tensor, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Tensor:
    """Return pictures [n, h, w, 1 or 3] as [n, 3, h, w], on the scale that the weights expect."""
    x = x.expand(-1, -1, -1, 3)
    return ((x - x.new_tensor(mean)) / x.new_tensor(deviation)).permute(0, 3, 1, 2)


def _channels_last(output: Any, last: bool) -> Tensor:
    features: Tensor = output[NODE] if isinstance(output, dict) else output
    return features if last or features.ndim != 4 else features.permute(0, 2, 3, 1)


def _keep_only_floats(body: nn.Module) -> None:
    """Leave counters and indices out of the weights: they follow from the network and are no numbers to learn."""
    for module in body.modules():
        whole = {name for name, buffer in module.named_buffers(recurse=False) if not buffer.is_floating_point()}
        module._non_persistent_buffers_set |= whole


def _of_torchvision(name: str, until: str | None) -> tuple[nn.Module, tuple[float, ...], tuple[float, ...], bool]:
    models = library("torchvision").models
    _check_known(name, models.list_models(module=models), "torchvision")
    model: nn.Module = models.get_model(name, weights=None)
    preset: Any = models.get_model_weights(name).DEFAULT.transforms()
    mean, deviation = getattr(preset, "mean", MEAN), getattr(preset, "std", DEVIATION)
    return _cut(model, name, until or _before_pooling(model, name)), tuple(mean), tuple(deviation), False


def _of_timm(name: str, until: str | None) -> tuple[nn.Module, tuple[float, ...], tuple[float, ...], bool]:
    timm = library("timm")
    _check_known(name, timm.list_models(), "timm")
    try:
        model: Any = timm.create_model(name, pretrained=False, num_classes=0, global_pool="")
    except TypeError:  # It has no pooling to leave out.
        model = timm.create_model(name, pretrained=False, num_classes=0)
    known = model.pretrained_cfg
    mean, deviation = known.get("mean", MEAN), known.get("std", DEVIATION)
    last = getattr(model, "output_fmt", "NCHW") == "NHWC"
    return _cut(model, name, until) if until else model, tuple(mean), tuple(deviation), last


def _cut(model: nn.Module, name: str, until: str) -> nn.Module:
    """Return the part of a model that gives the output of its node ``until``."""
    from torchvision.models.feature_extraction import create_feature_extractor

    nodes = _nodes(model)
    names = {".".join(parts[:count]) for node in nodes if (parts := node.split(".")) for count in range(1, 9)}
    if until not in names:
        near = get_close_matches(until, sorted(names), 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise UnfitError(f"{name} has no node {until!r}{hint} Its last ones: {', '.join(nodes[-MOST_NAMES:])}")
    part: nn.Module = create_feature_extractor(model, {until: NODE}, suppress_diff_warning=True)
    return part


def _nodes(model: nn.Module) -> list[str]:
    from torchvision.models.feature_extraction import get_graph_node_names

    _, nodes = get_graph_node_names(model, suppress_diff_warning=True)
    return list(nodes)


def _before_pooling(model: nn.Module, name: str) -> str:
    """Return the node before the last pooling over the whole picture, of those that squeeze and excite have too."""
    nodes, modules = _nodes(model), dict(model.named_modules())
    pools = [
        place
        for place, node in enumerate(nodes)
        if isinstance(modules.get(node), nn.AdaptiveAvgPool2d) or node.rpartition(".")[2].startswith(POOLS)
    ]
    if not pools:
        raise UnfitError(
            f"{name} has no global pooling to end at; say by until which of its nodes to take, such as "
            f"{', '.join(nodes[-MOST_NAMES:])}"
        )
    return nodes[pools[-1] - 1]


def _check_known(name: str, known: list[str], source: str) -> None:
    if name not in known:
        near = get_close_matches(name, known, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {len(known)}, such as {known[0]}"
        raise UnfitError(f"{source} has no network {name!r}; {hint}")


def library(name: str) -> Any:
    """Return torchvision, timm or huggingface_hub; raises ``ResourceError`` where it cannot be used."""
    way_out = "pip install 'nnkit[pretrained]'"
    try:
        if name == "torchvision":
            import torchvision

            return torchvision
        if name == "timm":
            import timm

            return timm
        import huggingface_hub
    except ImportError as error:
        raise ResourceError(f"pretrained: {error.name or name} is not installed; install it: {way_out}") from None
    except RuntimeError as error:  # So torchvision ends where torch is of another build.
        raise ResourceError(
            f"pretrained: {name} does not fit the installed torch {torch.__version__} ({error}); install torchvision "
            "from where torch came from, such as PyTorch's own index of CPU builds"
        ) from None
    return huggingface_hub


def download(network: str, weights: str) -> Path:
    """Return timm's published weights as a safetensors file, downloaded unless that was done before.

    Only ``model.safetensors`` is taken, never a pickle. Raises ``UnfitError`` for weights that there are not, and
    ``ResourceError`` where they cannot be fetched.
    """
    timm, hub = library("timm"), library("huggingface_hub")
    full = f"{network}.{weights}"
    _check_known(network, timm.list_models(), "timm")
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{network}.*")]
    if weights not in tags:
        raise UnfitError(f"timm has no weights {weights!r} for {network}; it has: {', '.join(tags) or 'none'}")
    repository = timm.get_pretrained_cfg(full).hf_hub_id
    if not repository:
        raise UnfitError(f"timm publishes no safetensors file for {full}; choose other weights: {', '.join(tags)}")
    try:
        return Path(hub.hf_hub_download(repository, "model.safetensors"))
    except (OSError, ValueError, RuntimeError, hub.errors.HfHubHTTPError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ResourceError(
            f"pretrained: {repository}/model.safetensors cannot be downloaded: {reason:.300}; give the file itself as "
            "weights"
        ) from error
