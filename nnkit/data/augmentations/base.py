"""What every augmentation says of itself, and how a list of them is checked and built."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.errors import Path, Problem, show_path
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    from nnkit.data.dataset import Dataset
    from nnkit.nn.augment import Augmenter, Step

PATH: Path = ("data", "augment")


class Augmentation(Piece):
    """A random change of the pictures in training batches, drawn for each row by itself; other rows never change.

    Pictures are inputs of three axes: height x width x channels.
    """

    unit_range: ClassVar[bool] = False
    """Whether it takes values from 0 to 1 and keeps them there."""
    mixes: ClassVar[bool] = False
    """Whether it mixes rows, and with them their targets."""

    probability: float = Field(default=1.0, ge=0, le=1, description="Share of the rows that are changed.")

    def build(self, name: str) -> "Step":
        """Return what changes tensors [n, h, w, c]; it draws under ``name``."""
        raise TypeError(f"{type(self).__name__} does not say what it does")

    def problem(self, height: int, width: int) -> str | None:
        """Return why pictures of that size cannot be changed so, or None where they can."""
        return None


AUGMENTATIONS = Registry("augmentations", "augmentation", Augmentation, home="nnkit.data.augmentations")
AugmentationChoice: TypeAlias = Annotated[Augmentation, AUGMENTATIONS]


def pictures(shapes: Mapping[str, Shape]) -> dict[str, tuple[int, int, int]]:
    """Return those inputs that are pictures, with height, width and channels; no axis of a picture varies."""
    found = {}
    for name, shape in shapes.items():
        match shape:
            case (int(height), int(width), int(channels)):
                found[name] = (height, width, channels)
    return found


def augmenter(augment: Sequence[Augmentation], shapes: Mapping[str, Shape]) -> "Augmenter | None":
    """Return what changes the inputs of training batches, or None where nothing does."""
    from nnkit.nn.augment import Augmenter

    if not augment:
        return None
    steps = [piece.build(show_path((*PATH, index))) for index, piece in enumerate(augment)]
    return Augmenter(steps, list(pictures(shapes)))


def unfit(
    augment: Sequence[Augmentation], shapes: Mapping[str, Shape], train: "Dataset", batch_size: int
) -> list[Problem]:
    """Return why augmentations do not fit the inputs, whose shapes and training rows are given, each at its path."""
    problems = []
    for index, piece in enumerate(augment):
        message = _misfit(piece, shapes, train, batch_size)
        if message is not None:
            problems.append(Problem((*PATH, index), f"{piece.type_name} {message}"))
    return problems


def _misfit(piece: Augmentation, shapes: Mapping[str, Shape], train: "Dataset", batch_size: int) -> str | None:
    found = pictures(shapes)
    listed = ", ".join(f"{name} ({show(shape)})" for name, shape in shapes.items())
    if not found:
        return f"is for pictures, which are height x width x channels; there is no such input: {listed}"
    for height, width, _ in found.values():
        if message := piece.problem(height, width):
            return message
    if piece.mixes and len(shapes) > 1:
        return f"mixes whole rows, so the picture must be the only input; expected one, found {listed}"
    if piece.mixes and batch_size == 1:
        return "mixes the rows of a batch; expected training.batch_size of 2 or more, found 1"
    return _range_problem(found, train) if piece.unit_range else None


def _range_problem(found: Mapping[str, object], train: "Dataset") -> str | None:
    """Return which input does not hold values from 0 to 1; pixels that are whole numbers are made so later."""
    import numpy as np

    for name in found:
        values: Any = train.inputs[name]
        if not np.issubdtype(getattr(values, "dtype", np.uint8), np.floating):
            continue
        low, high = float(values.min()), float(values.max())
        if low < 0 or high > 1:
            return (
                f"takes values from 0 to 1, and {name} holds {low:g} to {high:g}; bring them there by the transform "
                "min_max_scale in data.transforms, or take this augmentation out"
            )
    return None
