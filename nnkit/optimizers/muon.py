"""Muon: steps along matrices whose directions all count the same."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from nnkit.optimizers import OPTIMIZERS, Optimizer, Share, can_fuse

if TYPE_CHECKING:
    import torch

    from nnkit.optimizers import Parameters


@OPTIMIZERS.register("muon")
class Muon(Optimizer):
    """Makes the momentum of each matrix nearly orthogonal before the step (Jordan, 2024); other weights go by AdamW.

    Steps along matrices are scaled to the size of AdamW's (Liu and others, 2025), so that one learning rate and one
    weight decay serve both. torch's Muon has the same defaults, scales otherwise unless told so, and leaves other
    weights to the user; Keras' default momentum is 0.95 too, its weight decay 0.004. Matrices are the kernels of
    `dense` layers, of the output layer too, and the table of an `embedding`.
    """

    momentum: float = Field(default=0.95, ge=0, lt=1, description="Factor of the running mean of a matrix' gradient.")
    nesterov: bool = Field(default=True, description="Look ahead by the momentum (Nesterov).")
    ns_steps: int = Field(default=5, ge=1, lt=100, description="Newton-Schulz steps towards an orthogonal matrix.")
    weight_decay: float = Field(
        default=0.1, ge=0, description="Factor of the weights, times the learning rate, that each step takes off them."
    )
    betas: list[Share] = Field(
        default=[0.9, 0.999], min_length=2, max_length=2, description="AdamW's betas, for weights that are no matrix."
    )
    eps: float = Field(default=1e-8, gt=0, description="AdamW's epsilon, for weights that are no matrix.")

    def build(self, parameters: "Parameters") -> "torch.optim.Optimizer":
        """Return one optimizer that steps by Muon and by AdamW."""
        from nnkit.engine.muon import MuonAndAdamW

        groups: Any = list(parameters)
        first, second = self.betas
        return MuonAndAdamW(
            groups,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            ns_steps=self.ns_steps,
            weight_decay=self.weight_decay,
            betas=(first, second),
            eps=self.eps,
            fused=can_fuse(groups, ("cpu", "cuda")),
        )
