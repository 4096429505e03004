"""Transforms that leave columns out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nnkit.data.transforms.base import TRANSFORMS, Notes, State, Transform, matching
from nnkit.errors import Path

if TYPE_CHECKING:
    from nnkit.frames.table import Column, Frame


class Chooser(Transform):
    """A transform that keeps some columns."""

    text_too = True
    consumes_text = True
    arrays_too = True

    columns: list[str] = Field(min_length=1, description="The columns, or those that all were made from.")


@TRANSFORMS.register("drop")
class Drop(Chooser):
    """Leaves columns out."""

    def apply(self, frame: "Frame", states: Mapping[str, State], notes: Notes) -> "Frame":
        """Return the other columns."""
        return {name: column for name, column in frame.items() if name not in states}


@TRANSFORMS.register("select")
class Select(Chooser):
    """Leaves out all columns but those that are named."""

    def fit(self, frame: "Frame", path: Path) -> dict[str, State]:
        """Return the columns that stay; raises ``SpecError`` for one that is not there."""
        return {name: State() for name in matching(frame, self.columns, (*path, "columns"))}

    def apply(self, frame: "Frame", states: Mapping[str, State], notes: Notes) -> "Frame":
        """Return the named columns."""
        return {name: column for name, column in frame.items() if name in states}

    def restore_column(self, name: str, made: "Frame", state: Any) -> "Column":
        """Return the column, which is as it was."""
        return made[name]
