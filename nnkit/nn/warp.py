"""Moves of a picture's plane: each says where a new pixel comes from, and several in a row are one resampling.

Pictures are [n, height, width, channels]. A matrix [n, 3, 3] takes a pixel's place in the new picture, (x, y, 1) from
the middle and in pixels, to the place in the old one; so the matrices of moves that follow each other are multiplied.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from nnkit.nn.random import Draws
from nnkit.shapes import pixels

FillMode: TypeAlias = Literal["constant", "nearest", "reflect"]
Interpolation: TypeAlias = Literal["bilinear", "nearest"]
Direction: TypeAlias = Literal["horizontal", "vertical", "both"]
PADDING = {"constant": "zeros", "nearest": "border", "reflect": "reflection"}


@dataclass(frozen=True)
class Sampling:
    """How values are taken from places outside of a picture and between its pixels; None where that never matters."""

    fill_mode: FillMode | None = None
    fill_value: float = 0.0
    interpolation: Interpolation | None = None

    def joined(self, other: "Sampling") -> "Sampling | None":
        """Return what does for both, or None where they differ."""
        for mine, theirs in ((self.fill_mode, other.fill_mode), (self.interpolation, other.interpolation)):
            if mine is not None and theirs is not None and mine != theirs:
                return None
        if self.fill_mode is not None and other.fill_mode is not None and self.fill_value != other.fill_value:
            return None
        fill = other if self.fill_mode is None else self
        return replace(fill, interpolation=self.interpolation or other.interpolation)


class Move:
    """A random move of the plane, with a probability; ``name`` says who draws."""

    values = 1
    """Draws from 0 to 1 for a row, besides the one for the probability."""
    whole = False
    """Whether pixels come to lie on pixels and keep their axes, so that nothing is between them."""

    def __init__(self, name: str, probability: float, sampling: Sampling) -> None:
        self.name, self.probability, self.sampling = name, probability, sampling

    def matrices(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the move of each row's picture [n, 3, 3]."""
        drawn = draws.uniform(self.name, x, 1 + self.values)
        moves = self.moves(drawn[:, 1:], x.shape[1], x.shape[2])
        acts = (drawn[:, 0] < self.probability)[:, None, None]
        return torch.where(acts, moves, torch.eye(3, dtype=x.dtype, device=x.device))

    def moves(self, drawn: Tensor, height: int, width: int) -> Tensor:
        """Return a move for each row of ``drawn`` [n, values]."""
        raise TypeError(f"{type(self).__name__} does not say how it moves")


def affine(like: Tensor, xx: Tensor, xy: Tensor, x: Tensor, yx: Tensor, yy: Tensor, y: Tensor) -> Tensor:
    """Return matrices [n, 3, 3] of x' = xx x + xy y + x and y' = yx x + yy y + y, each number [n] or for all rows."""
    zero, one = torch.zeros_like(like), torch.ones_like(like)
    numbers = [number.expand_as(like) for number in (xx, xy, x, yx, yy, y)]
    return torch.stack([*numbers, zero, zero, one], dim=1).view(-1, 3, 3)


class Shift(Move):
    """Moves by whole pixels, each number of them up to ``amount`` as often, to both sides."""

    values = 2
    whole = True

    def __init__(
        self, name: str, probability: float, sampling: Sampling, amount: float, direction: Direction = "both"
    ) -> None:
        super().__init__(name, probability, sampling)
        self.amount, self.direction = amount, direction

    def moves(self, drawn: Tensor, height: int, width: int) -> Tensor:
        """Return shifts to the side and downwards."""
        most_x = 0 if self.direction == "vertical" else pixels(self.amount, width)
        most_y = 0 if self.direction == "horizontal" else pixels(self.amount, height)
        x, y = (
            (drawn[:, axis] * (2 * most + 1)).floor().clamp(max=2 * most) - most
            for axis, most in enumerate((most_x, most_y))
        )
        zero, one = drawn.new_zeros(()), drawn.new_ones(())
        return affine(x, one, zero, -x, zero, one, -y)


class Flip(Move):
    """Mirrors, in each direction with the probability by itself."""

    values = 2
    whole = True

    def __init__(self, name: str, probability: float, direction: Direction) -> None:
        super().__init__(name, 1.0, Sampling())
        self.each, self.direction = probability, direction

    def moves(self, drawn: Tensor, height: int, width: int) -> Tensor:
        """Return mirrors at the middle."""
        x, y = (
            torch.where(drawn[:, axis] < (0 if self.direction == other else self.each), -1.0, 1.0).to(drawn.dtype)
            for axis, other in enumerate(("vertical", "horizontal"))
        )
        zero = drawn.new_zeros(())
        return affine(x, x, zero, zero, zero, y, zero)


class Rotate(Move):
    """Turns about the middle by an angle between -degrees and degrees."""

    def __init__(self, name: str, probability: float, sampling: Sampling, degrees: float) -> None:
        super().__init__(name, probability, sampling)
        self.degrees = degrees

    def moves(self, drawn: Tensor, height: int, width: int) -> Tensor:
        """Return turns."""
        angle = math.radians(self.degrees) * (2 * drawn[:, 0] - 1)
        sine, cosine, zero = angle.sin(), angle.cos(), drawn.new_zeros(())
        return affine(angle, cosine, -sine, zero, sine, cosine, zero)


class Zoom(Move):
    """Makes what is seen larger by a factor between low and high, about the middle."""

    def __init__(self, name: str, probability: float, sampling: Sampling, low: float, high: float) -> None:
        super().__init__(name, probability, sampling)
        self.low, self.high = low, high

    def moves(self, drawn: Tensor, height: int, width: int) -> Tensor:
        """Return zooms."""
        factor, zero = self.low + (self.high - self.low) * drawn[:, 0], drawn.new_zeros(())
        return affine(factor, 1 / factor, zero, zero, zero, 1 / factor, zero)


class Shear(Move):
    """Slants by an angle between -degrees and degrees, about the middle; keeps areas, also in both directions."""

    values = 2

    def __init__(self, name: str, probability: float, sampling: Sampling, degrees: float, direction: Direction) -> None:
        super().__init__(name, probability, sampling)
        self.degrees, self.direction = degrees, direction

    def moves(self, drawn: Tensor, height: int, width: int) -> Tensor:
        """Return a slant downwards after one to the side."""
        tangents = torch.tan(math.radians(self.degrees) * (2 * drawn - 1))
        zero, one = drawn.new_zeros(()), drawn.new_ones(())
        x = zero if self.direction == "vertical" else tangents[:, 0]
        y = zero if self.direction == "horizontal" else tangents[:, 1]
        return affine(drawn[:, 0], 1 + x * y, x, zero, y, one, zero)


class Warp:
    """Moves that follow each other, as one: what one of them moves out of the picture another can bring back."""

    def __init__(self, moves: tuple[Move, ...], sampling: Sampling) -> None:
        whole = all(move.whole for move in moves)
        self.moves, self.sampling = moves, replace(sampling, interpolation="nearest") if whole else sampling

    def __call__(self, x: Tensor, draws: Draws, picture: str) -> Tensor:
        """Return pictures [n, h, w, c] moved; those that no draw moves stay as they are, bit for bit."""
        first, *others = (move.matrices(x, draws) for move in self.moves)
        total = first
        for matrices in others:
            total = (total[:, :, :, None] * matrices[:, None]).sum(2)  # What matmul does, without waking threads.
        moved = (total != torch.eye(3, dtype=x.dtype, device=x.device)).flatten(1).any(1)
        new = resampled(x, total, self.sampling)
        return torch.where(moved[:, None, None, None], new, x)


def resampled(x: Tensor, matrices: Tensor, sampling: Sampling) -> Tensor:
    """Return what lies at the places [n, 3, 3] of pixels, between pixels as ``sampling`` says."""
    n, height, width, channels = x.shape
    # torch counts places from -1 at the one border to 1 at the other.
    scale = torch.tensor([2 / width, 2 / height, 1], dtype=x.dtype, device=x.device)
    theta = (scale[:, None] * matrices / scale)[:, :2]
    grid = functional.affine_grid(theta, [n, channels, height, width], align_corners=False)
    outside = sampling.fill_value if sampling.fill_mode == "constant" else 0.0
    planes = (x - outside if outside else x).permute(0, 3, 1, 2)
    between, beyond = sampling.interpolation or "bilinear", PADDING[sampling.fill_mode or "constant"]
    new = functional.grid_sample(planes, grid, between, beyond, align_corners=False).permute(0, 2, 3, 1)
    return new + outside if outside else new.contiguous()


T = TypeVar("T")


def in_warps(steps: Iterable[Move | T]) -> Iterator[Warp | T]:
    """Yield steps in order, with moves that follow each other and sample alike as one warp."""
    moves: list[Move] = []
    sampling = Sampling()
    for step in steps:
        joined = sampling.joined(step.sampling) if isinstance(step, Move) else None
        if moves and joined is None:
            yield Warp(tuple(moves), sampling)
            moves = []
        if isinstance(step, Move):
            sampling = joined if moves and joined else step.sampling
            moves.append(step)
        else:
            yield step
    if moves:
        yield Warp(tuple(moves), sampling)
