"""Muon for matrices and AdamW for all other weights, as the one optimizer that a training loop deals with."""

from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import Any

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
        parameters: Iterable[torch.nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float,
        nesterov: bool,
        ns_steps: int,
        weight_decay: float,
        betas: tuple[float, float],
        eps: float,
        fused: bool,
    ) -> None:
        groups = [each if isinstance(each, dict) else {"params": [each]} for each in parameters]
        matrices = _only(groups, lambda weight: weight.ndim == 2)
        others = _only(groups, lambda weight: weight.ndim != 2)
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
        groups = iter(self.param_groups)
        for part in self._parts:
            part.param_groups = list(islice(groups, len(part.param_groups)))
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


def _only(
    groups: Iterable[dict[str, Any]], wanted: Callable[[torch.nn.Parameter], bool]
) -> list[torch.nn.Parameter] | list[dict[str, Any]]:
    """Return the wanted weights of each group, and as one group those of groups that have no options of their own."""
    plain = [weight for group in groups if len(group) == 1 for weight in group["params"] if wanted(weight)]
    own = [{**group, "params": list(filter(wanted, group["params"]))} for group in groups if len(group) > 1]
    first = [{"params": plain}] if plain else []
    return [*first, *(group for group in own if group["params"])]
