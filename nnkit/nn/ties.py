"""Modules that compute with the kernel of another."""

from collections.abc import Mapping

from torch import Tensor, nn

from nnkit.nn.parts import PartedNetwork


def share(network: PartedNetwork, ties: Mapping[str, tuple[str, bool]]) -> None:
    """Let modules, by ``part/step``, compute with the kernels of others, with the two axes exchanged where so said."""
    for name, (source, turned) in ties.items():
        _share(_module(network, name), _module(network, source), turned)


def _module(network: PartedNetwork, name: str) -> nn.Module:
    part, _, step = name.partition("/")
    return next(known.module for known in network.parts[part].steps if known.name == step)


def _share(module: nn.Module, source: nn.Module, turned: bool) -> None:
    del module._parameters["kernel"]

    def lend(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        kernel = source.get_parameter("kernel")
        # Not as a parameter: it is the other module's, and would be counted, saved and trained twice.
        module.__dict__["kernel"] = kernel.T if turned else kernel

    module.register_forward_pre_hook(lend)
