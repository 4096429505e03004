"""Reading: what a language model says of a text, at every step of it or after its last token."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnkit.engine.batches import Batch
from nnkit.engine.ragged import Ragged
from nnkit.engine.streams import places, side_by_side, usual
from nnkit.nn.sequence import Padded

INPUT = "input"
PROBE = 12
"""Tokens by which it is found out how a network reads."""
NEAR = 1e-4


class Readable(Protocol):
    """A network as a reader sees it: in evaluation, its outputs [n, steps, tokens] before their softmax."""

    def __call__(self, inputs: Mapping[str, Tensor | Padded]) -> Tensor:
        """Compute the outputs."""

    def stepping(self) -> AbstractContextManager[None]:
        """Let recurrent layers go on from call to call."""


def judged(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return for outputs [n, tokens] before their softmax, and what came [n], the array of ``nnkit.tasks`` [n, 2]."""
    logs = outputs.log_softmax(-1)
    return torch.stack((logs.gather(-1, targets[:, None])[:, 0], outputs.argmax(-1).to(logs.dtype)), -1)


@torch.inference_mode()
def foretold(
    network: Readable,
    text: Ragged,
    targets: Ragged,
    most: int,
    carries: bool,
    device: torch.device,
    dtype: torch.dtype,
) -> NDArray[np.float64]:
    """Return what a network says of each step of a text, cut into windows: the array of ``nnkit.tasks`` [steps, 2].

    At most ``most`` windows go through it at once. Where it ``carries``, each goes on where the one before ended, in as
    many streams as ``usual`` says; else each begins anew. Neither depends on how the network was trained.
    """
    rows, after, at_once = text, targets, most
    if carries:
        at_once, length = usual(len(text), most), int(text.lengths[0])
        rows, after = (side_by_side(part, at_once, length) for part in (text, targets))
    said = []
    with network.stepping() if carries else nullcontext():
        for part in Batch({INPUT: rows}, after, None, device).split(at_once):
            outputs, came, _ = part.aligned(network(part.floats(dtype)))
            said.append(judged(outputs, came).double().cpu().numpy())
    in_order = np.empty((int(text.lengths.sum()), 2))
    in_order[places(after, targets)] = np.concatenate(said)
    return in_order


class Reader:
    """Reads a text part by part; to be used as a context manager.

    A network whose layers look back by their carried states alone gets each token once, so that time is linear in the
    text; any other gets the last ``window`` tokens anew each time.
    """

    def __init__(self, network: Readable, tokens: int, window: int, device: torch.device, dtype: torch.dtype) -> None:
        """Make a reader of a network that knows so many ``tokens``."""
        self._network = network
        self._window = window
        self._device = device
        self._dtype = dtype
        self._read = np.empty(0, np.int64)
        self._stack = ExitStack()
        self.goes_on = self._can_go_on(np.arange(min(window, PROBE)) % tokens)

    @torch.inference_mode()
    def _can_go_on(self, tokens: NDArray[np.int64]) -> bool:
        """Tell whether the network says of a text read in parts what it says of the whole."""
        whole = self._outputs(tokens)
        with self._network.stepping():
            parts = torch.cat(
                [self._outputs(part) for part in np.split(tokens, [len(tokens) // 2, len(tokens) - 1])], 0
            )
        return torch.allclose(parts, whole, rtol=NEAR, atol=NEAR * float(whole.abs().max()))

    def __enter__(self) -> Self:
        if self.goes_on:
            self._stack.enter_context(self._network.stepping())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @torch.inference_mode()
    def read(self, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """Read on by one or more tokens, and return the scores [tokens] of what comes next, before their softmax."""
        if not self.goes_on:
            tokens = self._read = np.concatenate([self._read, tokens])[-self._window :]
        return self._outputs(tokens)[-1].double().cpu().numpy()

    def _outputs(self, tokens: NDArray[np.int64]) -> Tensor:
        """Return the outputs [steps, tokens] at each of the tokens; nothing for none."""
        given = torch.from_numpy(tokens)[None].to(self._device, self._dtype)
        return self._network({INPUT: given})[0]


def sees_ahead(network: Readable, tokens: int, steps: int) -> bool:
    """Tell whether what a float64 network says at a step depends on tokens after it, which it shall foretell."""
    text = torch.arange(steps, dtype=torch.float64)[None] % tokens
    other = text.clone()
    other[:, steps // 2 :] = (other[:, steps // 2 :] + 1) % tokens
    with torch.inference_mode():
        said, said_of_other = (network({INPUT: given})[:, : steps // 2] for given in (text, other))
    return not torch.allclose(said, said_of_other, rtol=0, atol=1e-9)
