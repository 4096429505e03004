"""Augmentations that move the picture's plane; those that follow each other are one resampling.

What one of them moves out of the picture another one can so bring back, and nothing is blurred twice.
"""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from nnkit.config.piece import check_ordered
from nnkit.data.augmentations.base import AUGMENTATIONS, Augmentation
from nnkit.shapes import pixels

if TYPE_CHECKING:
    from nnkit.nn.augment import Step
    from nnkit.nn.warp import Sampling

Amount = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)]
Direction = Literal["horizontal", "vertical", "both"]


class Moving(Augmentation):
    """An augmentation after which some places of the picture have to be filled."""

    fill_mode: Literal["constant", "nearest", "reflect"] = Field(
        default="constant",
        description="What comes in from outside: `fill_value`, the border's value, or a mirror image.",
    )
    fill_value: float = Field(
        default=0.0,
        description="Value outside with `fill_mode: constant`: 0 is black, or the mean after `standard_scale`.",
    )

    @model_validator(mode="after")
    def _filled(self) -> Self:
        if self.fill_value and self.fill_mode != "constant":
            raise ValueError(
                f"fill_value is for fill_mode: constant; expected it to be left out with {self.fill_mode}, "
                f"found {self.fill_value:g}"
            )
        return self

    def sampling(self) -> "Sampling":
        """Return how values are taken from outside of the picture and between pixels."""
        from nnkit.nn.warp import Sampling

        return Sampling(self.fill_mode, self.fill_value)


class Resampling(Moving):
    """An augmentation after which pixels lie between those that there were."""

    interpolation: Literal["bilinear", "nearest"] = Field(
        default="bilinear", description="Between pixels: a mean of the four around, or the nearest one."
    )

    def sampling(self) -> "Sampling":
        """Return how values are taken from outside of the picture and between pixels."""
        from nnkit.nn.warp import Sampling

        return Sampling(self.fill_mode, self.fill_value, self.interpolation)


@AUGMENTATIONS.register("translate")
class Translate(Moving):
    """Shifts pictures by whole pixels, to each side and up and down.

    Each number of pixels from none to the largest is drawn as often, in both directions, so nothing is blurred. Keras'
    RandomTranslation shifts by parts of pixels; torchvision's RandomAffine(translate=...) by whole ones, as here.
    """

    shift: Amount = Field(
        default=0.1, description="Largest shift: a whole number is pixels, a number below 1 a share of the size."
    )
    direction: Direction = Field(default="both", description="Along which axes.")

    def build(self, name: str) -> "Step":
        """Return the move."""
        from nnkit.nn.warp import Shift

        return Shift(name, self.probability, self.sampling(), self.shift, self.direction)

    def problem(self, height: int, width: int) -> str | None:
        """Return why a shift leaves nothing of a picture, or does nothing."""
        axes = {"horizontal": (width,), "vertical": (height,), "both": (height, width)}[self.direction]
        return amount_problem("shift", self.shift, axes, height, width)


@AUGMENTATIONS.register("crop")
class Crop(Moving):
    """Pads pictures on all sides and cuts them at a random place to the size that they had, as is usual for CIFAR.

    It is torchvision's RandomCrop(size, padding) with the pictures' own size, so what follows sees no other shape.
    """

    padding: Amount = Field(
        default=4, description="Padding on each side: a whole number is pixels, a number below 1 a share of the size."
    )

    def build(self, name: str) -> "Step":
        """Return the move: a crop of a padded picture is a shift."""
        from nnkit.nn.warp import Shift

        return Shift(name, self.probability, self.sampling(), self.padding)

    def problem(self, height: int, width: int) -> str | None:
        """Return why a crop may have nothing of a picture in it, or does nothing."""
        return amount_problem("padding", self.padding, (height, width), height, width)


@AUGMENTATIONS.register("flip")
class Flip(Augmentation):
    """Mirrors pictures, left to right or upside down: Keras' RandomFlip.

    Only for things that stay what they are: a mirrored 2 is no 2.
    """

    probability: float = Field(
        default=0.5, ge=0, le=1, description="Share of the rows that are changed; with `both` in each direction."
    )
    direction: Direction = Field(default="horizontal", description="`horizontal` swaps left and right.")

    def build(self, name: str) -> "Step":
        """Return the move."""
        from nnkit.nn.warp import Flip

        return Flip(name, self.probability, self.direction)


@AUGMENTATIONS.register("rotate")
class Rotate(Resampling):
    """Turns pictures about their middle, by any angle up to the largest, to either side.

    torchvision's RandomRotation(degrees); Keras' RandomRotation counts in whole turns.
    """

    degrees: float = Field(default=15.0, gt=0, le=180, description="Largest angle.")

    def build(self, name: str) -> "Step":
        """Return the move."""
        from nnkit.nn.warp import Rotate

        return Rotate(name, self.probability, self.sampling(), self.degrees)


@AUGMENTATIONS.register("zoom")
class Zoom(Resampling):
    """Makes what is seen larger or smaller, about the middle; the size of the picture stays.

    It is torchvision's RandomAffine(scale=(low, high)). Keras' RandomZoom gives a change of the size instead, where
    -0.1 is larger.
    """

    low: float = Field(default=0.9, gt=0, le=10, description="Smallest factor; below 1 things become smaller.")
    high: float = Field(default=1.1, gt=0, le=10, description="Largest factor.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_ordered(self.low, self.high)
        return self

    def build(self, name: str) -> "Step":
        """Return the move."""
        from nnkit.nn.warp import Zoom

        return Zoom(name, self.probability, self.sampling(), self.low, self.high)


@AUGMENTATIONS.register("shear")
class Shear(Resampling):
    """Slants pictures about their middle, by any angle up to the largest, to either side; areas stay.

    torchvision's RandomAffine(shear=degrees) for `horizontal`, which makes a handwriting lean.
    """

    degrees: float = Field(default=10.0, gt=0, lt=80, description="Largest angle.")
    direction: Direction = Field(default="horizontal", description="`horizontal` moves lines, `vertical` columns.")

    def build(self, name: str) -> "Step":
        """Return the move."""
        from nnkit.nn.warp import Shear

        return Shear(name, self.probability, self.sampling(), self.degrees, self.direction)


def amount_problem(option: str, amount: float, axes: tuple[int, ...], height: int, width: int) -> str | None:
    """Return why an amount of pixels, along axes of these sizes, is none or all of a picture; None where it is not."""
    size = f"{height} x {width}"
    if all(pixels(amount, axis) == 0 for axis in axes):
        return f"would do nothing: {option} {amount:g} is less than half a pixel of {size}; give it in pixels"
    if any(pixels(amount, axis) >= axis for axis in axes):
        return f"would leave nothing: expected {option} under {min(axes)}, found {amount:g}; pictures are {size}"
    return None
