"""Layers whose kernels are divided by their spectral norm."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nnkit.nn.sequence import Lengths, SequenceModule, first

TINY = 1e-12


class SpectralNorm(SequenceModule):
    """A layer with its kernels divided by their largest singular value (Miyato and others, 2018).

    ``kernels`` names them with the axes that count units. The value comes from power iteration, ``iterations`` of them
    in each training pass, which goes on from the vector that the one before has left in ``<kernel>_u`` [units].
    """

    def __init__(self, layer: nn.Module, kernels: Mapping[str, tuple[int, ...]], iterations: int) -> None:
        super().__init__()
        self.layer = layer
        self.kernels = dict(kernels)
        self.iterations = iterations
        for name, axes in self.kernels.items():
            self.register_buffer(f"{name}_u", torch.ones(as_matrix(layer.get_parameter(name), axes).shape[0]))

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute the layer."""
        kernels = {name: self._divided(name, axes) for name, axes in self.kernels.items()}
        options = {"lengths": lengths} if isinstance(self.layer, SequenceModule) else {}
        output: Tensor = torch.func.functional_call(self.layer, kernels, (x,), options)
        return output

    def out_lengths(self, lengths: Lengths) -> Tensor | None:
        """Return the layer's."""
        return self.layer.out_lengths(lengths) if isinstance(self.layer, SequenceModule) else first(lengths)

    def _divided(self, name: str, axes: tuple[int, ...]) -> Tensor:
        kernel = self.layer.get_parameter(name)
        matrix = as_matrix(kernel, axes)
        left, right = self._vectors(name, matrix.detach())
        return kernel / torch.dot(left, matrix @ right)

    @torch.no_grad()
    def _vectors(self, name: str, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Return the singular vectors [units], [rest] of the largest singular value, as far as they are known."""
        kept = self.get_buffer(f"{name}_u")
        left = nn.functional.normalize(kept, dim=0, eps=TINY)
        right = nn.functional.normalize(matrix.T @ left, dim=0, eps=TINY)
        if self.training:
            for _ in range(self.iterations):
                right = nn.functional.normalize(matrix.T @ left, dim=0, eps=TINY)
                left = nn.functional.normalize(matrix @ right, dim=0, eps=TINY)
            kept.copy_(left)
        return left, right


def as_matrix(kernel: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return a kernel as a matrix [units, rest]; ``axes`` are those that count units."""
    units = [axis % kernel.dim() for axis in axes]
    rest = [axis for axis in range(kernel.dim()) if axis not in units]
    count = 1
    for axis in units:
        count *= kernel.shape[axis]
    return kernel.permute(*units, *rest).reshape(count, -1)
