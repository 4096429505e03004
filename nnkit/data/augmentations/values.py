"""Augmentations that change a picture's values and leave everything at its place."""

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from nnkit.config.piece import check_ordered
from nnkit.data.augmentations.base import AUGMENTATIONS, Augmentation
from nnkit.data.augmentations.moves import Amount, amount_problem

if TYPE_CHECKING:
    from nnkit.nn.augment import Step


@AUGMENTATIONS.register("brightness")
class Brightness(Augmentation):
    """Adds one number to all values of a picture, and cuts off at 0 and 1: Keras' RandomBrightness.

    It takes values from 0 to 1, as pictures have them; other inputs are refused.
    """

    unit_range = True

    factor: float = Field(default=0.2, gt=0, le=1, description="Largest number added or taken away.")

    def build(self, name: str) -> "Step":
        """Return the change."""
        from nnkit.nn.augment import Brightness

        return Brightness(name, self.probability, self.factor)


@AUGMENTATIONS.register("contrast")
class Contrast(Augmentation):
    """Multiplies how far values are from their channel's mean by 1 - factor to 1 + factor: Keras' RandomContrast.

    It takes values from 0 to 1, as pictures have them, and cuts off there; other inputs are refused.
    """

    unit_range = True

    factor: float = Field(default=0.2, gt=0, le=1, description="Largest change of the multiplier, which is about 1.")

    def build(self, name: str) -> "Step":
        """Return the change."""
        from nnkit.nn.augment import Contrast

        return Contrast(name, self.probability, self.factor)


@AUGMENTATIONS.register("blur")
class Blur(Augmentation):
    """Blurs pictures by a Gaussian: torchvision's GaussianBlur, with a kernel that nothing cuts off.

    At the border the weights of the pixels that are there are scaled up to a sum of 1.
    """

    probability: float = Field(default=0.5, ge=0, le=1, description="Share of the rows that are changed.")
    low: float = Field(default=0.1, gt=0, le=100, description="Smallest standard deviation, in pixels.")
    high: float = Field(default=1.0, gt=0, le=100, description="Largest standard deviation, in pixels.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_ordered(self.low, self.high)
        return self

    def build(self, name: str) -> "Step":
        """Return the change."""
        from nnkit.nn.augment import Blur

        return Blur(name, self.probability, self.low, self.high)


@AUGMENTATIONS.register("noise")
class Noise(Augmentation):
    """Adds normal noise to every value, and cuts off at 0 and 1.

    It takes values from 0 to 1, as pictures have them; for other inputs there is the layer `noise`.
    """

    unit_range = True

    stddev: float = Field(default=0.05, gt=0, le=1, description="Standard deviation of the noise.")

    def build(self, name: str) -> "Step":
        """Return the change."""
        from nnkit.nn.augment import Noise

        return Noise(name, self.probability, self.stddev)


@AUGMENTATIONS.register("cutout")
class Cutout(Augmentation):
    """Fills a square of the picture, so that a network cannot rely on one part alone (DeVries and Taylor, 2017).

    The square's middle is any pixel, so the square may reach over the border.
    """

    size: Amount = Field(
        default=0.25, description="The square's side: a whole number is pixels, below 1 a share of the shorter side."
    )
    fill_value: float = Field(default=0.0, description="Value in the square.")

    def build(self, name: str) -> "Step":
        """Return the change."""
        from nnkit.nn.augment import Cutout

        return Cutout(name, self.probability, self.size, self.fill_value)

    def problem(self, height: int, width: int) -> str | None:
        """Return why a square is all of a picture, or none."""
        return amount_problem("size", self.size, (min(height, width),), height, width)
