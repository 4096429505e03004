"""A part of a stream of fresh rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnkit.data.dataset import Dataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import BadRow, Raw


@dataclass(frozen=True)
class Chunk:
    """Some fresh rows: those that can be used, and those that cannot."""

    dataset: Dataset
    rejected: "list[BadRow]"
    part: "Raw"
    """All rows as they were read."""
    kept: "NDArray[np.int64]"
    """The places of those that can be used among them."""

    @property
    def raw(self) -> dict[str, Sequence[Any]]:
        """The raw cells of the rows that can be used, by column; pictures and sounds are left out."""
        from nnkit.frames.kinds import is_whole

        return {name: self._used(cells) for name, cells in self.part.cells.items() if not is_whole(cells)}

    def _used(self, cells: Any) -> Sequence[Any]:
        from nnkit.frames.cells import Text

        columns: Sequence[Any] = cells if isinstance(cells, Text | list) else cells.tolist()
        if len(self.kept) == len(self.part):
            return columns
        return columns.take(self.kept) if isinstance(columns, Text) else [columns[row] for row in self.kept.tolist()]


def rejected_of(part: "Raw", refused: Mapping[int, str]) -> "list[BadRow]":
    """Return the rows of a part that cannot be used, with those that could not be read."""
    from nnkit.data.fresh import row_text
    from nnkit.frames.table import BadRow

    places = part.places or [""] * len(part)
    rows = [BadRow(part.lines[row], reason, row_text(part, row), places[row]) for row, reason in refused.items()]
    return sorted([*rows, *part.bad], key=lambda bad: bad.line)
