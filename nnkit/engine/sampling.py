"""Sampling: one token of many, by their scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn.

    ``temperature`` divides the scores: below 1 likely tokens become likelier, and 0 takes the likeliest. Only the
    ``top_k`` likeliest are drawn from (0: all), and of these only the likeliest that together have the probability
    ``top_p`` (Holtzman and others, 2020).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def draw(self, scores: NDArray[np.float64], generator: np.random.Generator) -> int:
        """Return the number of a token, never 0, which stands for the unknown; ``scores`` are before their softmax."""
        order = 1 + np.argsort(-scores[1:], kind="stable")
        if self.temperature == 0:
            return int(order[0])
        order = order[: self.top_k or None]
        with np.errstate(over="ignore"):
            chances = np.exp((scores[order] - scores[order[0]]) / self.temperature)
        chances /= chances.sum()
        before = np.cumsum(chances) - chances
        kept = chances[: max(1, int((before < self.top_p).sum()))]
        limits = np.cumsum(kept)
        place = np.searchsorted(limits, generator.random() * limits[-1], side="right")
        return int(order[min(int(place), len(kept) - 1)])
