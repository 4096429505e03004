"""The spec's `data`: where rows come from and what becomes of them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nnkit.config.piece import Options
from nnkit.data.augmentations import AugmentationChoice
from nnkit.data.sources import SourceChoice
from nnkit.data.sources.text import TextFile
from nnkit.data.split import Split
from nnkit.data.transforms import TransformChoice
from nnkit.data.transforms.base import OnUnseen
from nnkit.data.windows import Windows
from nnkit.data.words import Label

NEXT = "next"
"""The target of a language model: at each step the token after it."""


class Data(Options):
    """What the model learns from."""

    source: SourceChoice = Field(description="Where rows come from.")
    target: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None,
        description="The column to predict, or several; `next` with the source `text`: the next token. Procedures of "
        "unlabelled data need none; the labels of one then serve only to judge and to colour.",
    )
    positive: Label | None = Field(
        default=None, description="Of two classes, the one that counts as positive; default: the second in order."
    )
    where: dict[str, Annotated[list[Label], Field(min_length=1)]] = Field(
        default={},
        description="Columns and the values that a row must have there to be used; fresh rows are not held to it.",
    )
    drop: list[str] = Field(default=[], description="Columns that are not used.")
    types: dict[str, Literal["number", "category", "boolean"]] = Field(
        default={}, description="Kinds of columns, where looking at the cells would not tell or tell wrong."
    )
    weight: str | None = Field(default=None, description="Column of row weights: factors on the loss and in metrics.")
    windows: Windows | None = Field(
        default=None, description="Makes windows of rows in time order, for a forecast of what comes next."
    )
    split: Split = Field(default=Split(), description="Which rows train, validate and test.")
    transforms: list[TransformChoice] = Field(
        default=[], description="Changes of the columns, one after the other, learned from training rows."
    )
    augment: list[AugmentationChoice] = Field(
        default=[], description="Random changes of the pictures in training batches, one after the other."
    )
    inputs: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], list[str]] | None = Field(
        default=None, min_length=1, description="Named inputs and their columns, which layers read as `input.NAME`."
    )
    target_transform: Literal["standard_scale", "min_max_scale", "log"] | None = Field(
        default=None, description="Change of the target of a regression while training; undone in all that is reported."
    )
    on_unseen: OnUnseen = Field(
        default="ignore", description="What a category means that no training row has: an error, or all zeros."
    )

    @model_validator(mode="after")
    def _one_role(self) -> Self:
        targets = self.targets
        if len(set(targets)) < len(targets):
            raise ValueError("target names a column twice")
        roles: dict[str, list[str | None]] = {
            "drop": [*self.drop],
            "weight": [self.weight],
            "split": [*self.split.uses],
            "windows": [*(self.windows.uses if self.windows else [])],
        }
        for option, names in roles.items():
            both = [name for name in targets if name in names]
            if both:
                raise ValueError(f"{both[0]} is named by target and by {option}; take it out of one")
        return self

    @model_validator(mode="after")
    def _fits_windows(self) -> Self:
        if self.windows is None:
            return self
        ways = [f"split.{name}" for name in ("stratify", "group", "column", "train", "train_per_class")]
        given = [way for way in ways if getattr(self.split, way.removeprefix("split."))]
        given += ["split.order"] if self.split.order not in (False, True, self.windows.time) else []
        given += ["weight"] if self.weight else []
        given += ["augment"] if self.augment else []
        if given:
            raise ValueError(
                f"{given[0]} does not go with windows, whose parts follow each other in time; leave it out"
            )
        dropped = [name for name in self.windows.uses if name in self.drop]
        if dropped:
            raise ValueError(f"{dropped[0]} is named by windows and by drop; take it out of one")
        return self

    @property
    def uses(self) -> list[str]:
        """Columns that only say where rows stand or belong; they are no features."""
        return [*self.split.uses, *(self.windows.uses if self.windows else [])]

    @property
    def is_text(self) -> bool:
        """Whether the data is one text, of which the next token is learned."""
        return isinstance(self.source, TextFile)

    @property
    def targets(self) -> list[str]:
        """The target columns; nothing where the data is unlabelled."""
        return [self.target] if isinstance(self.target, str) else list(self.target or [])
