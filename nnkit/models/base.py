"""What every model says of itself."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.errors import Problem, SpecError
from nnkit.shapes import Shape

if TYPE_CHECKING:
    from nnkit.data.pipeline import Pipeline
    from nnkit.models.plan import Plan


class Model(Piece):
    """What is trained."""

    @property
    def told(self) -> Sequence[str]:
        """The values beside the loss that the history of such a model has for each epoch."""
        return ()

    def plan(
        self,
        inputs: Mapping[str, Shape],
        vocabularies: Mapping[str, int] | None = None,
        sample_rate: int | None = None,
    ) -> "Plan":
        """Lay the model out for inputs of these shapes; raises ``SpecError`` with every mistake.

        ``vocabularies`` says how many tokens there are in each input of tokens, ``sample_rate`` how many samples a
        second there are in sounds.
        """
        raise TypeError(f"{type(self).__name__} does not say its plan")

    def plan_for(self, pipeline: "Pipeline") -> "Plan":
        """Lay the model out for a run's data; raises ``SpecError`` with every mistake."""
        self.refuse_trees(pipeline)
        return self.plan(pipeline.input_shapes, pipeline.vocabularies, pipeline.known.sample_rate)

    def refuse_trees(self, pipeline: "Pipeline") -> None:
        """Raise ``SpecError`` where the data is trees."""
        if pipeline.tree_input is not None:
            message = f"the data is trees, which {self.type_name} cannot take; set model.type: rntn"
            raise SpecError([Problem(("model", "type"), message)])


MODELS = Registry("models", "model", Model, home="nnkit.models")
ModelChoice: TypeAlias = Annotated[Model, MODELS]
