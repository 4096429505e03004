"""Several networks that are one model, such as an encoder and a decoder."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nnkit.nn.arrays import ArraysModule
from nnkit.nn.graph import GraphNetwork
from nnkit.nn.random import Draws


class PartedNetwork(ArraysModule):
    """Networks by name; a weight is called ``part/step.weight``.

    What the parts have to do with each other is the procedure's to say: it calls ``parts[name]`` itself.
    """

    def __init__(self, parts: Mapping[str, GraphNetwork]) -> None:
        super().__init__()
        self.parts = dict(parts)
        for name, part in parts.items():
            self.add_module(name, part)

    def state_dict(self, *args: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return the live parameters and buffers by name."""
        return {f"{name}/{key}": value for name, part in self.parts.items() for key, value in part.state_dict().items()}

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Iterate over the parameters, part by part."""
        for name, part in self.parts.items():
            for key, parameter in part.named_parameters(remove_duplicate=remove_duplicate):
                yield f"{name}/{key}", parameter

    def set_draws(self, draws: Draws) -> None:
        """Let every random module draw from ``draws``, under the name of its part and step."""
        for name, part in self.parts.items():
            part.set_draws(draws, f"{name}/")

    def penalty(self) -> Tensor | None:
        """Return the sum of the layers' own penalties, or None if there is none."""
        terms = [term for part in self.parts.values() if (term := part.penalty()) is not None]
        return torch.stack(terms).sum() if terms else None

    def constrain(self) -> None:
        """Apply the layers' constraints after a step."""
        for part in self.parts.values():
            part.constrain()

    def carried(self) -> dict[str, Tensor]:
        """Return what stateful modules carry to the next batch of training, by name."""
        return {f"{name}/{key}": value for name, part in self.parts.items() for key, value in part.carried().items()}

    def set_carried(self, state: Mapping[str, Tensor]) -> None:
        """Let the next batch of training go on from what ``carried`` gave; raises ``ValueError`` for other names."""
        for name, part in self.parts.items():
            own = f"{name}/"
            part.set_carried({key.removeprefix(own): value for key, value in state.items() if key.startswith(own)})

    def clear_carried(self) -> None:
        """Let the next batch of training start anew."""
        for part in self.parts.values():
            part.clear_carried()
