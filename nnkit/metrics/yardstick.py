"""Yardsticks: what forecasts are measured against."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]


def over_horizon(method: str) -> str:
    """Return what the scale of a naive method over all steps of the horizon is called."""
    return f"{method}_horizon"


@dataclass(frozen=True)
class Yardstick:
    """The forecasts of naive methods, by name, for n rows and k targets [n, k], and the scales of their errors [n, k].

    A scale is the mean size of the method's error one season ahead on the training rows of the row's series, or under
    the name of ``over_horizon`` that over all steps of the horizon.
    """

    forecasts: "Mapping[str, Floats]"
    scales: "Mapping[str, Floats]"

    def __getitem__(self, rows: Any) -> "Yardstick":
        """Return some rows."""
        return Yardstick(
            {name: values[rows] for name, values in self.forecasts.items()},
            {name: values[rows] for name, values in self.scales.items()},
        )
