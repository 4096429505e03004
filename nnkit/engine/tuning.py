"""What makes torch quicker for everyone: memory that is kept, and wrappers around optimizers that are left out."""

import ctypes
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from nnkit.errors import ResourceError
from nnkit.nn.graph import GraphNetwork
from nnkit.nn.sequence import Padded

KEEP_BYTES = 2**30
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def tune() -> None:
    """Tune torch in this process; may be called again."""
    keep_memory()
    leave_compiler_out()


def keep_memory() -> bool:
    """Let glibc keep freed memory instead of giving it back and asking again at each step; tells whether it does.

    Tensors of more than 128 KiB would otherwise each be mapped and unmapped, and their pages zeroed again.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False  # Another C library, which has thresholds of its own.
    return bool(mallopt(_M_MMAP_THRESHOLD, KEEP_BYTES) and mallopt(_M_TRIM_THRESHOLD, KEEP_BYTES))


def leave_compiler_out() -> None:
    """Keep optimizers from importing torch's compiler, which takes a second, only to tell it to leave them alone.

    torch stores what it would import on each of these methods; here it finds the method itself.
    """
    for name in _WRAPPED:
        method = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if method is not None and not hasattr(method, "__dynamo_disable"):
            method.__dynamo_disable = method


def bare_step(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """Return an optimizer's step without the wrappers for hooks, profiler and compiler, which nnkit does not use."""
    function: Any = type(optimizer).step
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__

    def step() -> None:
        with torch.no_grad():
            function(optimizer)

    return step


def compiled(network: GraphNetwork) -> Callable[[Mapping[str, torch.Tensor | Padded]], torch.Tensor]:
    """Return the forward pass of ``network`` through torch.compile, random numbers left out of it.

    The first calls take seconds to minutes. They raise ``ResourceError`` where the compiler cannot work here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What the compiler says of its own workings, here and below.
        from torch._dynamo.exc import TorchDynamoException

        network.set_draws(_Outside(network))
        forward = torch.compile(network)

    def call(inputs: Mapping[str, torch.Tensor | Padded]) -> torch.Tensor:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outputs: torch.Tensor = forward(inputs)
        except TorchDynamoException as error:
            reason = str(error).strip().splitlines()[0]
            raise ResourceError(
                f"training.compile: torch.compile cannot work here: {reason:.200}; it needs a C++ compiler; "
                "or set training.compile: false"
            ) from error
        return outputs

    return call


class _Outside:
    """A network's draws, which the compiler is not to look into."""

    def __init__(self, network: GraphNetwork) -> None:
        draws = network.draws
        assert draws is not None  # noqa: S101 - the phase has set them
        self.kept = torch.compiler.disable(draws.kept)  # type: ignore[no-untyped-call]
        self.normal = torch.compiler.disable(draws.normal)  # type: ignore[no-untyped-call]
        self.uniform = torch.compiler.disable(draws.uniform)  # type: ignore[no-untyped-call]
