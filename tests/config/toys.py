"""A small spec language for the tests of nnkit.config: a family of fruit, and a basket that holds some."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from nnkit.config.paths import SpecPath
from nnkit.config.piece import Options, Piece
from nnkit.config.registry import Registry


class Fruit(Piece):
    """Something sweet."""


FRUIT = Registry("fruit", "fruit", Fruit, home="tests.config.toys")
FruitChoice: TypeAlias = Annotated[Fruit, FRUIT]


@FRUIT.register("apple")
class Apple(Fruit):
    """Grows on trees.

    In ``autumn``.
    """

    weight: float = Field(default=0.2, gt=0, lt=1, description="In kilograms.")
    colour: Literal["red", "green"] = Field(default="red", description="Of the skin.")


@FRUIT.register("cherry")
class Cherry(Fruit):
    """Comes with others."""

    count: int = Field(ge=1, description="How many there are.")
    beside: FruitChoice | None = Field(default=None, description="What lies beside them.")


@FRUIT.register("salad")
class Salad(Fruit):
    """Is made of others."""

    of: list[FruitChoice] = Field(min_length=1, description="What it is made of.")
    dressing: FruitChoice = Field(default=Apple(colour="green"), description="What is poured over.")


class Label(Options):
    """What is written on a basket."""

    text: str = Field(min_length=1, description="The words.")
    size: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(default="auto", description="Of the letters.")


class Basket(Options):
    """Holds fruit."""

    name: str = Field(pattern="^[a-z]+$", description="Of the basket.")
    fruit: list[FruitChoice] = Field(default=[], description="What is in it.")
    best: FruitChoice = Field(default_factory=lambda: FRUIT.decode("apple"), description="What lies on top.")
    label: Label | None = Field(default=None, description="What is written on it.")
    prices: dict[str, float] | Literal["free"] = Field(default="free", description="By fruit.")
    sizes: list[int] | int | None = Field(default=None, description="Of the baskets.")
    grid: list[list[float]] = Field(default=[], description="Some numbers.")
    shut: bool = Field(default=False, description="Whether it has a lid.")
    source: SpecPath | None = Field(default=None, description="Where it comes from.")

    @field_validator("name")
    @classmethod
    def _not_bad(cls, name: str) -> str:
        if name == "bad":
            raise ValueError("no basket {is} bad")
        return name

    @model_validator(mode="after")
    def _closed(self) -> "Basket":
        if self.shut and not self.fruit:
            raise ValueError("an empty basket is not shut; set shut: false")
        return self
