"""Augmentations that mix each row with another one of its batch, and with the pictures the targets."""

from typing import TYPE_CHECKING

from pydantic import Field

from nnkit.data.augmentations.base import AUGMENTATIONS, Augmentation

if TYPE_CHECKING:
    from nnkit.nn.augment import Step


class Mixing(Augmentation):
    """An augmentation after which a row's loss is share * loss(own target) + (1 - share) * loss(the other's target).

    The share is drawn for each row. Row weights and class weights go with the target that they belong to.
    """

    mixes = True


@AUGMENTATIONS.register("mixup")
class Mixup(Mixing):
    """Adds up the pictures of two rows, and their losses, in a random share (Zhang and others, 2018).

    The share is from Beta(alpha, alpha): a small alpha leaves most rows nearly alone. Metrics of training rows compare
    mixtures with each row's own target, and look worse than the network is; validation shows how good it is.
    """

    alpha: float = Field(
        default=0.2, gt=0, le=100, description="Of the beta distribution; 1 draws all shares as often."
    )

    def build(self, name: str) -> "Step":
        """Return the mixture."""
        from nnkit.nn.augment import Mixup

        return Mixup(name, self.probability, self.alpha)


@AUGMENTATIONS.register("cutmix")
class Cutmix(Mixing):
    """Puts a box of another row's picture into each picture, and mixes losses by its area (Yun and others, 2019).

    The box's share is from Beta(alpha, alpha); what of it is over the border counts for nothing. Metrics of training
    rows compare mixtures with each row's own target; validation shows how good the network is.
    """

    probability: float = Field(default=0.5, ge=0, le=1, description="Share of the rows that are changed.")
    alpha: float = Field(
        default=1.0, gt=0, le=100, description="Of the beta distribution; 1 draws all shares as often."
    )

    def build(self, name: str) -> "Step":
        """Return the mixture."""
        from nnkit.nn.augment import Cutmix

        return Cutmix(name, self.probability, self.alpha)
