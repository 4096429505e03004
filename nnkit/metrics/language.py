"""Metrics of language models, all of the probability that they gave to each token of a text."""

import math

from nnkit.metrics import METRICS, Metric
from nnkit.metrics.sample import Sample


class _OfText(Metric):
    """A metric of the mean of minus the log of the probability given to each token."""

    tasks = frozenset({"next"})
    goal = "min"

    def nats(self, sample: Sample) -> float:
        """Return the mean."""
        return -float(sample.mean(sample.outputs[:, 0]))


@METRICS.register("perplexity")
class Perplexity(_OfText):
    """Among how many equally likely tokens a model seems to choose: e to the power of the nats a token."""

    def value(self, sample: Sample) -> float:
        """Return the exponential of the mean; infinite where it is too large for a number."""
        nats = self.nats(sample)
        return math.exp(nats) if nats < 700 else math.inf


@METRICS.register("bits_per_character")
class BitsPerCharacter(_OfText):
    """How many bits a model needs for a character: the nats a character, divided by the log of 2.

    It is for models of characters; those of words have a perplexity.
    """

    def value(self, sample: Sample) -> float:
        """Return the mean in bits."""
        return self.nats(sample) / math.log(2)
