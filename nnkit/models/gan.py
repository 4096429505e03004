"""Generative adversarial nets: a network that makes rows of noise, and one that tells them from real rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nnkit.errors import Path, Problem, SpecError
from nnkit.layers.node import Node
from nnkit.models.base import MODELS, Model
from nnkit.models.layout import lay_out
from nnkit.models.plan import PartedPlan, Plan
from nnkit.models.rows import ROWS, label_shape, row_shape
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    from nnkit.data.pipeline import Pipeline

GENERATOR, DISCRIMINATOR = "generator", "discriminator"
PLACES: dict[str, Path] = {part: ("model", part) for part in (GENERATOR, DISCRIMINATOR)}
UNREAD = "leave model.conditional out"

Distribution = Literal["normal", "uniform"]


@dataclass(frozen=True)
class GanPlan(PartedPlan):
    """Both networks, and how the generator's noise is drawn."""

    distribution: Distribution = "normal"

    @property
    def noise(self) -> int:
        """How many numbers a row is made of."""
        [size] = self.parts[GENERATOR].inputs[ROWS]
        assert size is not None  # noqa: S101 - the model says it
        return size

    @property
    def conditional(self) -> bool:
        """Whether both networks read labels."""
        return len(self.parts[GENERATOR].inputs) > 1


@MODELS.register("gan")
class Gan(Model):
    """A generator that makes rows of noise, and a discriminator that tells them from real ones (Goodfellow, 2014).

    The first layer of `generator` reads the noise, and its last one gives a row of the data; the first layer of
    `discriminator` reads such a row, and its last one gives one number. With `conditional` layers of both may read the
    row's label as `input.label` too: a one among zeros (a `dense` layer without bias makes a learned vector of it). In
    `inputs`, the noise and the row are called `input`.
    """

    noise: int = Field(default=64, gt=0, le=100_000, description="Numbers that the generator makes a row of.")
    noise_distribution: Distribution = Field(
        default="normal", description="How they are drawn: `normal`, or `uniform` from -1 to 1."
    )
    conditional: bool = Field(
        default=False, description="Learn rows by the label in `data.target`, which layers then read as `input.label`."
    )
    generator: list[Node] = Field(
        min_length=1,
        description="The layers from the noise to a row.",
        examples=[[{"type": "dense", "units": 64, "activation": "sigmoid"}]],
    )
    discriminator: list[Node] = Field(
        min_length=1,
        description="The layers from a row to one number.",
        examples=[[{"type": "dense", "units": 1}]],
    )

    def plan(
        self, inputs: Mapping[str, Shape], vocabularies: Mapping[str, int] | None = None, sample_rate: int | None = None
    ) -> GanPlan:
        """Lay both networks out, without labels; raises ``SpecError`` with every mistake."""
        return self.laid_out(row_shape(self.type_name, inputs), inputs, {})

    def plan_for(self, pipeline: "Pipeline") -> GanPlan:
        """Lay the model out for a run's data; raises ``SpecError`` with every mistake."""
        if pipeline.tree_input is not None:
            super().plan_for(pipeline)
        inputs = pipeline.input_shapes
        label = label_shape(self.type_name, pipeline) if self.conditional else {}
        return self.laid_out(row_shape(self.type_name, inputs), inputs, label)

    def laid_out(self, row: Shape, inputs: Mapping[str, Shape], label: Mapping[str, Shape]) -> GanPlan:
        """Lay both networks out for rows of a shape, with the input of labels where there is one."""
        parts: dict[str, Plan] = {}
        problems: list[Problem] = []
        given: dict[str, tuple[list[Node], Shape]] = {
            GENERATOR: (self.generator, (self.noise,)),
            DISCRIMINATOR: (self.discriminator, row),
        }
        for part, (nodes, shape) in given.items():
            try:
                parts[part] = lay_out(nodes, {ROWS: shape, **label}, {}, PLACES[part], first=ROWS, spare=UNREAD)
            except SpecError as error:
                problems += error.problems
        problems += _misfits(parts, row)
        if problems:
            raise SpecError(problems)
        return replace(GanPlan.of(parts, inputs), distribution=self.noise_distribution)


def _misfits(parts: Mapping[str, Plan], row: Shape) -> list[Problem]:
    """Return what is wrong with the shapes that the two networks end in."""
    wanted: dict[str, tuple[Shape, str]] = {
        GENERATOR: (row, f"a row of the data is {show(row)}"),
        DISCRIMINATOR: (
            (1,),
            "it must give one number, which says how real a row is: end it in a dense layer of 1 unit",
        ),
    }
    found = []
    for part, plan in parts.items():
        (shape, why), last = wanted[part], plan.nodes[-1]
        if plan.output_shape != shape:
            message = f"the {part}'s last layer, {last.name}, gives {show(plan.output_shape)}; {why}"
            found.append(Problem(last.path, message))
    return found
