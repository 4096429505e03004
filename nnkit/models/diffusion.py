"""Diffusion: a network that says what noise is in a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from nnkit.errors import Problem, SpecError
from nnkit.layers.node import Node
from nnkit.models.base import MODELS, Model
from nnkit.models.layout import lay_out
from nnkit.models.plan import Plan
from nnkit.models.rows import LABEL, ROWS, TIME, is_picture, label_shape, row_shape
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    from nnkit.data.pipeline import Pipeline

Range = Annotated[list[float], Field(min_length=2, max_length=2)]


@dataclass(frozen=True)
class DiffusionPlan(Plan):
    """The network, and how rows become noise."""

    noise_steps: int = 1000
    """Steps in which a row becomes noise."""
    schedule: Literal["linear", "cosine"] = "cosine"
    data_range: tuple[float, float] | None = None
    """The least and the largest value of the data, where these are known."""

    @property
    def row(self) -> tuple[int, ...]:
        """The shape of a row."""
        return tuple(axis for axis in self.inputs[ROWS] if axis is not None)

    @property
    def classes(self) -> int | None:
        """How many labels there are where the network reads them."""
        return self.inputs[LABEL][0] if LABEL in self.inputs else None


@MODELS.register("diffusion")
class Diffusion(Model):
    """A network that tells the noise in a row, so that rows can be made of nothing but noise (Ho and others, 2020).

    The first of `layers` reads a row with noise in it (`input`), and the last gives the noise, in the same shape and
    without an activation. Some layer must read `input.time`, which says how much noise there is: one number from 0 to 1
    (best through `time_embedding`). With `conditional` layers may read `input.label`, a one among zeros.
    """

    layers: list[Node] = Field(min_length=1, description="The layers from a noisy row to the noise in it.")
    steps: int = Field(default=1000, gt=1, le=10_000, description="Steps in which a row becomes noise.")
    schedule: Literal["linear", "cosine"] = Field(
        default="cosine", description="How much noise comes in each step: Ho's (2020) or Nichol's (2021) schedule."
    )
    data_range: Range | None = Field(
        default=None,
        description="Least and largest value of the data, which are brought to -1 and 1 for the network, and bound "
        "samples; default: 0 and 1 for pictures, else rows are taken as they are, best scaled by standard_scale.",
    )
    conditional: bool = Field(
        default=False, description="Learn rows by the label in `data.target`, which layers then read as `input.label`."
    )

    @field_validator("data_range")
    @classmethod
    def _rises(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError(f"expected the smaller of two different values first, found {value}")
        return value

    def plan(
        self, inputs: Mapping[str, Shape], vocabularies: Mapping[str, int] | None = None, sample_rate: int | None = None
    ) -> DiffusionPlan:
        """Lay the network out, without labels; raises ``SpecError`` with every mistake."""
        return self._laid_out(row_shape(self.type_name, inputs), {}, None)

    def plan_for(self, pipeline: "Pipeline") -> DiffusionPlan:
        """Lay the model out for a run's data; raises ``SpecError`` with every mistake."""
        if pipeline.tree_input is not None:
            super().plan_for(pipeline)
        row = row_shape(self.type_name, pipeline.input_shapes)
        label = label_shape(self.type_name, pipeline) if self.conditional else {}
        return self._laid_out(row, label, (0.0, 1.0) if is_picture(pipeline) else None)

    def _laid_out(self, row: Shape, label: Mapping[str, Shape], usual: tuple[float, float] | None) -> DiffusionPlan:
        inputs: dict[str, Shape] = {ROWS: row, TIME: (1,), **label}
        spare = "leave model.conditional out" if label else None
        plan = lay_out(self.layers, inputs, {}, first=ROWS, spare=spare)
        last = plan.nodes[-1]
        if plan.output_shape != row:
            message = f"the last layer, {last.name}, gives {show(plan.output_shape)}; a row of the data is {show(row)}"
            raise SpecError([Problem(last.path, message)])
        if plan.head is not None:
            message = (
                f"the last layer, {last.name}, ends in {plan.head.type_name}, and noise is any number; leave it out"
            )
            raise SpecError([Problem(last.path, message)])
        bounds = usual if self.data_range is None else (self.data_range[0], self.data_range[1])
        return DiffusionPlan(plan.nodes, plan.inputs, plan.steps, self.steps, self.schedule, bounds)
