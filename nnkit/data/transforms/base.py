"""What every transform says of itself."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from nnkit.config.piece import Options, Piece
from nnkit.config.registry import Registry
from nnkit.config.spelling import nearest
from nnkit.errors import DataError, Path, Problem, SpecError

if TYPE_CHECKING:
    from nnkit.frames.table import Column, Frame

OnUnseen: TypeAlias = Literal["error", "ignore"]


@dataclass
class Notes:
    """What applying transforms to some rows has come across."""

    on_unseen: OnUnseen
    unseen: Counter[str] = field(default_factory=Counter)
    """Cells by column whose category no training row has."""
    refused: dict[int, str] = field(default_factory=dict)
    """Rows that cannot be used, and why."""


class State(Options):
    """What a transform has learned of one column."""


class Transform(Piece):
    """A change of columns, learned from training rows."""

    state: ClassVar[type[State]] = State
    text_too: ClassVar[bool] = False
    """Whether the transform takes columns of text."""
    consumes_text: ClassVar[bool] = False
    """Whether columns of text are numbers afterwards, or gone."""
    arrays_too: ClassVar[bool] = False
    """Whether the transform takes columns whose cells are arrays."""

    columns: list[str] | None = Field(
        default=None, min_length=1, description="Columns to change; default: all columns of numbers."
    )

    def fit(self, frame: "Frame", path: Path) -> dict[str, State]:
        """Return what is learned of each column, by its name; raises ``SpecError`` for columns that are not there."""
        return {name: self.fit_column(frame[name], (*path, name)) for name in self.chosen(frame, path)}

    def chosen(self, frame: "Frame", path: Path) -> list[str]:
        """Return the names of the columns that the transform changes."""
        if self.columns is None:
            numbers = [name for name, column in frame.items() if column.is_picture or not column.is_whole]
            numbers = [name for name in numbers if not frame[name].is_text]
            return [name for name in numbers if self.arrays_too or frame[name].values.ndim == 1]
        names = matching(frame, self.columns, (*path, "columns"))
        texts = [name for name in names if frame[name].is_text or frame[name].is_list]
        arrays = [name for name in names if frame[name].values.ndim > 1]
        sequences = [name for name in names if frame[name].is_sequence or frame[name].is_tree]
        if sequences and not self.text_too:
            message = f"{self.type_name} is for numbers; {', '.join(sequences)} hold sequences: leave them out of it"
            raise SpecError([Problem((*path, "columns"), message)])
        if texts and not self.text_too:
            message = f"{self.type_name} is for numbers; {', '.join(texts)} hold text: encode them first, as by one_hot"
            raise SpecError([Problem((*path, "columns"), message)])
        if arrays and not self.arrays_too:
            message = f"{self.type_name} is for columns of one value a row; {', '.join(arrays)} hold arrays"
            raise SpecError([Problem((*path, "columns"), message)])
        return names

    def fit_column(self, column: "Column", path: Path) -> State:
        """Return what is learned of one column of the training rows."""
        return State()

    def apply(self, frame: "Frame", states: Mapping[str, State], notes: Notes) -> "Frame":
        """Return the columns after the change; columns that ``frame`` lacks are passed over.

        Raises ``DataError`` where a new column would have the name of another.
        """
        result: Frame = {}
        for name, column in frame.items():
            made = self.apply_column(name, column, states[name], notes) if name in states else {name: column}
            doubles = result.keys() & made
            if doubles:
                raise DataError(f"two columns would be called {min(doubles)}; drop or rename one of them")
            result |= made
        return result

    def made(self, column: str) -> str:
        """Return the name of the column that a vocabulary for a column numbers."""
        return column

    def width(self, states: Mapping[str, State]) -> int:
        """Return a bound on the number of columns that the transform makes."""
        return 2 * len(states)

    def apply_column(self, name: str, column: "Column", state: Any, notes: Notes) -> "Frame":
        """Return what becomes of one column."""
        raise TypeError(f"{type(self).__name__} does not say what it does")

    def restore_column(self, name: str, made: "Frame", state: Any) -> "Column | None":
        """Return the column ``name`` as far as the columns that it became tell it; None where there is no way back."""
        return None


TRANSFORMS = Registry("transforms", "transform", Transform, home="nnkit.data.transforms")
TransformChoice: TypeAlias = Annotated[Transform, TRANSFORMS]


def matching(frame: "Frame", wanted: Sequence[str], path: Path) -> list[str]:
    """Return the columns that names mean: those of the name, and those made from the source's column of the name."""
    sources = {column.source for column in frame.values()}
    known = [*frame, *(source for source in sources if source not in frame)]
    unknown = [
        Problem((*path, index), f"there is no column {name!r}{nearest(name, known)} There are: {', '.join(frame)}")
        for index, name in enumerate(wanted)
        if name not in frame and name not in sources
    ]
    if unknown:
        raise SpecError(unknown)
    return [name for name, column in frame.items() if name in wanted or column.source in wanted]
