"""What autoencoders of each kind cost in training, and what trained ones say of rows."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from nnkit.engine.objective import Seen
from nnkit.nn.codes import Codebook, drawn, kl_to_normal, log_normal, moments
from nnkit.nn.parts import PartedNetwork
from nnkit.nn.random import RandomModule

Inputs = Mapping[str, Tensor]
Values = dict[str, Tensor]
RowLoss = Callable[[Tensor, Tensor], Tensor]
"""f(outputs, rows) -> [n]."""
NOISE = "code"
"""Who draws codes."""


class LogLikelihood(Protocol):
    """Says how likely rows are by what a decoder gives, and by a number learned beside it."""

    def __call__(self, outputs: Tensor, rows: Tensor, number: Tensor | None) -> Tensor:
        """Return the log likelihood in nats [n] of rows [n, ...]."""


class Networks:
    """The parts of an autoencoder."""

    def __init__(self, network: PartedNetwork) -> None:
        self._network = network
        self.encoder, self.decoder = network.parts["encoder"], network.parts["decoder"]
        code = network.parts.get("code")
        self._layers: dict[str, nn.Module] = {step.name: step.module for step in code.steps} if code else {}

    @property
    def training(self) -> bool:
        """Whether the networks train."""
        return self._network.training

    def hidden(self, rows: Tensor) -> Tensor:
        """Return the encoder's output for rows [n, ...]."""
        hidden: Tensor = self.encoder({self.encoder.inputs[0]: rows})
        return hidden

    def decoded(self, codes: Tensor) -> Tensor:
        """Return what the decoder gives for codes [n, ...]."""
        given: Tensor = self.decoder({self.decoder.inputs[0]: codes})
        return given

    def distribution(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log variances of a variational code."""
        return moments(self._layers["moments"](hidden))

    @property
    def number(self) -> Tensor | None:
        """The number that a likelihood has learned."""
        layer = self._layers.get("log_stddev")
        return None if layer is None else layer.get_parameter("value")

    @property
    def codebook(self) -> Codebook:
        """The vectors of a quantised code."""
        layer = self._layers["codebook"]
        assert isinstance(layer, Codebook)  # noqa: S101 - so the plan says
        return layer

    def code(self, rows: Tensor) -> Tensor:
        """Return the codes of rows as people see them: means, numbers of vectors, or the encoder's output."""
        hidden = self.hidden(rows)
        if "moments" in self._layers:
            return self.distribution(hidden)[0]
        return self.codebook.quantise(hidden).numbers if "codebook" in self._layers else hidden

    def given_back(self, rows: Tensor) -> Tensor:
        """Return what the decoder gives for the codes of rows."""
        hidden = self.hidden(rows)
        if "codebook" in self._layers:
            return self.decoded(self.codebook(hidden))
        return self.decoded(self.distribution(hidden)[0] if "moments" in self._layers else hidden)


class Penalised(Protocol):
    """A penalty on codes, made of rows, for each row [n] or for all together."""

    def __call__(self, codes: Tensor, rows: Tensor) -> Tensor:
        """Return the penalty."""


class Objective:
    """What each row costs: the distance of what is given back, and what its code costs."""

    def __init__(
        self,
        networks: Networks,
        loss: RowLoss,
        noise: RandomModule | None = None,
        penalty: Penalised | None = None,
        weight: float = 0.0,
        needs_slopes: bool = False,
    ) -> None:
        """Make it; ``noise`` disturbs what the encoder sees in training, ``weight`` is the factor on the penalty."""
        self.networks = networks
        self.loss = loss
        self._noise = noise
        self._penalty = penalty
        self._weight = weight
        self._needs_slopes = needs_slopes

    def __call__(self, seen: Seen) -> Values:
        """Return the values of each row [n]."""
        [rows] = seen.inputs.values()
        assert isinstance(rows, Tensor)  # noqa: S101 - the model takes rows of one shape
        with _slopes(self._needs_slopes):
            disturbed = self._disturbed(rows, seen)
            codes, values = self.cost(self.networks.hidden(disturbed), rows, seen)
            if self._penalty is None:
                return values
            penalty = self._penalty(codes, disturbed).expand(len(rows))
        told = {"reconstruction": values["loss"]} | values
        return told | {"loss": values["loss"] + self._weight * penalty, "penalty": penalty}

    def _disturbed(self, rows: Tensor, seen: Seen) -> Tensor:
        if self._noise is not None and self.networks.training:
            self._noise.draws = seen.draws
            rows = self._noise.disturb(rows)
        # A copy, since what inference mode has made can have no gradient.
        return rows.clone().requires_grad_() if self._needs_slopes else rows

    def cost(self, hidden: Tensor, rows: Tensor, seen: Seen) -> tuple[Tensor, Values]:
        """Return the codes that a penalty is on, and the values of each row by the encoder's output for it."""
        return hidden, {"loss": self._distance(self.networks.decoded(hidden), rows)}

    def _distance(self, given: Tensor, rows: Tensor) -> Tensor:
        return self.loss(given.flatten(1), rows.flatten(1))


@contextmanager
def _slopes(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    with torch.inference_mode(False), torch.enable_grad():
        yield


class QuantisedObjective(Objective):
    """The distance of what is given back, and how far codes are from the vectors that stand for them."""

    def __init__(self, *given: Any, commitment: float) -> None:
        """Make it; ``commitment`` is the factor on how far codes are from their vectors."""
        super().__init__(*given)
        self._commitment = commitment

    def cost(self, hidden: Tensor, rows: Tensor, seen: Seen) -> tuple[Tensor, Values]:
        """Return the encoder's output and the values."""
        found = self.networks.codebook.quantise(hidden)
        distance = self._distance(self.networks.decoded(found.vectors), rows)
        loss = distance + self._commitment * found.commitment
        if self.networks.codebook.decay is None:
            loss = loss + found.codebook
        return hidden, {"loss": loss, "reconstruction": distance, "commitment": found.commitment}


class VariationalObjective(Objective):
    """Minus the bound on the log likelihood of rows, with a factor on the divergence of their codes."""

    def __init__(
        self, *given: Any, likelihood: LogLikelihood, factor: Callable[[int], float], last: float = 1.0
    ) -> None:
        """Make it; ``factor`` is that on the divergence by the 0-based epoch, ``last`` the one for validation rows."""
        super().__init__(*given)
        self._likelihood = likelihood
        self._factor = factor
        self._last = last

    def cost(self, hidden: Tensor, rows: Tensor, seen: Seen) -> tuple[Tensor, Values]:
        """Return the mean codes and the values."""
        mean, log_variance = self.networks.distribution(hidden)
        codes = drawn(mean, log_variance, seen.draws.normal(NOISE, mean))
        reconstruction = -self._likelihood(self.networks.decoded(codes), rows, self.networks.number)
        kl = kl_to_normal(mean, log_variance)
        factor = self._factor(seen.epoch) if self.networks.training else self._last
        loss = reconstruction + factor * kl
        return mean, {"loss": loss, "bound": -reconstruction - kl, "reconstruction": reconstruction, "kl": kl}


def bounds(networks: Networks, rows: Tensor, likelihood: LogLikelihood, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return the bound in nats, and the importance-weighted estimate of the log likelihood, of each row [n].

    ``noise`` [draws, n, ...] is normal. The estimate is that of Burda and others, 2016; its mean lies between the
    bound and the log likelihood.
    """
    mean, log_variance = networks.distribution(networks.hidden(rows))
    kl = kl_to_normal(mean, log_variance)
    total, weights = torch.zeros_like(kl), []
    for one in noise:
        codes = drawn(mean, log_variance, one)
        log = likelihood(networks.decoded(codes), rows, networks.number)
        total = total + log
        weights.append(log + log_normal(codes, 0.0, 0.0) - log_normal(codes, mean, log_variance))
    estimate = torch.stack(weights).logsumexp(0) - torch.tensor(float(len(noise))).log()
    return total / len(noise) - kl, estimate
