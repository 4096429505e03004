"""What pipeline.json holds of a run's data."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from nnkit.config.piece import Options
from nnkit.data.sources import SourceChoice
from nnkit.data.sources.audio import Audio
from nnkit.data.target import TargetState
from nnkit.data.transforms import TransformChoice
from nnkit.data.transforms.base import OnUnseen, State
from nnkit.data.windows import Windowed

MAX_COLUMNS = 1_000_000

Kind = Literal["number", "category", "code", "boolean", "array", "image", "audio", "tree", "list"]


class Fitted(Options):
    """A transform with what it learned of each column."""

    transform: TransformChoice
    states: dict[str, Any] = Field(max_length=MAX_COLUMNS)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        for name, state in self.states.items():
            if not isinstance(state, State):
                self.states[name] = self.transform.state.model_validate(state)
        if self.transform.width(self.states) > MAX_COLUMNS:
            raise ValueError(f"{self.transform.type_name} would make more than {MAX_COLUMNS} columns")
        return self


class Known(Options):
    """What pipeline.json holds."""

    source: SourceChoice
    columns: dict[str, Kind] = Field(max_length=MAX_COLUMNS)
    """The columns that fresh rows must have, and their kinds."""
    transforms: list[Fitted] = Field(max_length=1000)
    features: dict[str, list[str]] = Field(min_length=1, max_length=1000)
    """Columns after the transforms, by input."""
    shapes: dict[str, Annotated[list[int], Field(max_length=8)]]
    """The shape of a row of each input; 0 is an axis that varies from row to row."""
    target: TargetState
    target_kinds: dict[str, Kind]
    weight: str | None = None
    rows: int = Field(default=0, ge=0, le=2**40)
    """Rows that train, for models that keep them; 0 where nothing is kept of any."""
    on_unseen: OnUnseen = "ignore"
    windows: Windowed | None = None
    """What a forecast knows of its windows."""

    @property
    def sources(self) -> list[str]:
        """The columns that targets come from."""
        return list(self.windows.targets if self.windows else self.target.columns)

    @property
    def sample_rate(self) -> int | None:
        """The samples a second of inputs that are sound, None where none is."""
        if not isinstance(self.source, Audio) or "audio" not in self.columns.values():
            return None
        return self.source.sample_rate
