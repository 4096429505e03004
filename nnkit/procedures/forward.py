"""What trained torch networks say of rows, the same for a row however the rows are cut into chunks."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.models.plan import Plan
from nnkit.procedures.base import Arrays, Place

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.nn.graph import GraphNetwork
    from nnkit.nn.sequence import Padded

    Compute: TypeAlias = Callable[[Any, Mapping[str, torch.Tensor | Padded]], NDArray[np.float64]]


class BlockForward:
    """A torch network, or several of a ``PartedPlan``, asked in blocks.

    The last bits of a matrix product depend on how many rows it has and on where a row stands among them. So the
    network always gets blocks of one size, and a row stands in its block where its number in the stream says: blocks
    that are not full are padded. ``compute(network, inputs)`` gives the outputs [n, ...] of inputs by name [n, ...].
    """

    def __init__(self, plan: Plan, weights: Arrays, place: Place, compute: "Compute") -> None:
        import torch

        from nnkit.engine.device import pick, use_threads

        self._compute = compute
        self._device = pick(place.device)
        use_threads(place.threads)
        self._dtype = torch.float64 if place.double else torch.float32
        self._network = plan.build()
        self._network.load_arrays(weights)
        self._network.to(self._device, self._dtype).eval()
        self._block = plan.block_rows

    def outputs(self, rows: "Dataset", start: int) -> "NDArray[np.float64]":
        """Return the outputs for ``rows``, the first of which has the number ``start``."""
        import numpy as np

        begins = range(-(start % self._block), max(len(rows), 1), self._block)
        return np.concatenate([self._outputs(rows, begin) for begin in begins])

    def _outputs(self, rows: "Dataset", begin: int) -> "NDArray[np.float64]":
        """Return the outputs for the block that begins at row ``begin``, which is negative before the first row."""
        import torch

        first, last = max(begin, 0), min(begin + self._block, len(rows))
        inputs = {name: self._padded(array[first:last], first - begin) for name, array in rows.inputs.items()}
        with torch.inference_mode():
            outputs = self._compute(self._network, inputs)
        return outputs[first - begin : last - begin]

    def _padded(self, rows: Any, before: int) -> "torch.Tensor | Padded":
        import torch

        from nnkit.engine.batches import as_floats, padded
        from nnkit.engine.ragged import Ragged

        if isinstance(rows, Ragged):
            return padded(rows.filled(self._block, before), self._device, self._dtype)
        given = torch.from_numpy(rows)
        block = torch.zeros((self._block, *rows.shape[1:]), dtype=given.dtype)
        block[before : before + len(rows)] = given
        return as_floats(block, self._device, self._dtype)


def in_float64(plan: Plan, weights: Arrays, place: Place) -> "tuple[torch.device, GraphNetwork]":
    """Return a network that computes in float64, and the device that it is on."""
    import torch

    from nnkit.engine.device import pick, use_threads

    device = pick(place.device)
    if device.type == "mps":  # It has no float64.
        device = torch.device("cpu")
    use_threads(place.threads)
    network = plan.build()
    network.load_arrays(weights)
    network.to(device, torch.float64).eval()
    return device, network
