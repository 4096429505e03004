"""Muon for matrices and AdamW for all other weights, as the one optimizer that a training loop deals with."""

from collections.abc import Callable, Iterable
from itertools import chain

import torch

from nnkit.engine.state import Tree


class MuonAndAdamW(torch.optim.Optimizer):
    """Muon over the weights with two axes, AdamW over the rest; both work on the groups and the state of this one.

    Muon's steps are scaled to the size of AdamW's (0.2 * sqrt(larger side), Liu and others, 2025), which also makes no
    difference between a matrix and its transpose: torch's own scaling takes rows as outputs, nnkit's kernels have them
    as inputs.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        lr: float,
        momentum: float,
        nesterov: bool,
        ns_steps: int,
        weight_decay: float,
        betas: tuple[float, float],
        eps: float,
        fused: bool,
    ) -> None:
        weights = list(parameters)
        matrices = [weight for weight in weights if weight.ndim == 2]
        others = [weight for weight in weights if weight.ndim != 2]
        self._parts: list[torch.optim.Optimizer] = []
        if matrices:
            muon = torch.optim.Muon(
                matrices, lr, weight_decay, momentum, nesterov, ns_steps=ns_steps, adjust_lr_fn="match_rms_adamw"
            )
            self._parts.append(muon)
        if others:
            self._parts.append(torch.optim.AdamW(others, lr, betas, eps, weight_decay, fused=fused or None))
        super().__init__(list(chain.from_iterable(part.param_groups for part in self._parts)), {})
        self._share()

    def _share(self) -> None:
        for part, group in zip(self._parts, self.param_groups, strict=True):
            part.param_groups = [group]
            part.state = self.state

    def load_state_dict(self, state_dict: Tree) -> None:
        """Go on from the state of another one over weights of the same shapes."""
        super().load_state_dict(state_dict)
        self._share()

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change the weights once; ``closure`` computes the loss and the gradients anew where it is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss
