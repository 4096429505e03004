"""Yardsticks: what forecasts are measured against."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Yardstick:
    """The forecasts of naive methods, by name, for n rows and k targets [n, k], and the scales of their errors [n, k].

    A scale is the mean size of the method's error one season ahead on the training rows of the row's series.
    """

    forecasts: "Mapping[str, Floats]"
    scales: "Mapping[str, Floats]"

    def __getitem__(self, rows: Any) -> "Yardstick":
        """Return some rows."""
        return Yardstick(
            {name: values[rows] for name, values in self.forecasts.items()},
            {name: values[rows] for name, values in self.scales.items()},
        )
