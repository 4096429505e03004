"""The data sets that come with scikit-learn."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, Source

if TYPE_CHECKING:
    from nnkit.frames.table import Raw


@SOURCES.register("sklearn")
class Sklearn(Source):
    """Reads one of scikit-learn's own data sets: feature columns under their names, and `target`.

    The classes of iris, wine, breast_cancer and digits are numbers; linnerud has the targets Weight, Waist and Pulse.
    """

    name: Literal["iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud"] = Field(
        description="Which data set."
    )

    @property
    def title(self) -> str:
        """The data set."""
        return f"scikit-learn's {self.name}"

    def chunks(self, chunk_rows: int = CHUNK_ROWS) -> "Iterator[Raw]":
        """Yield the rows."""
        from sklearn import datasets

        from nnkit.frames.table import Raw, in_chunks

        loaded: Any = getattr(datasets, f"load_{self.name}")()
        cells = {str(name): loaded.data[:, index] for index, name in enumerate(loaded.feature_names)}
        if loaded.target.ndim == 1:
            cells["target"] = loaded.target
        else:
            cells |= {str(name): loaded.target[:, index] for index, name in enumerate(loaded.target_names)}
        return in_chunks(Raw(cells, list(range(1, len(loaded.data) + 1))), chunk_rows)
