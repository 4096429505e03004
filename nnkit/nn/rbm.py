"""Restricted Boltzmann machines: two layers of units whose states follow from each other by one matrix product.

With visible values v, hidden values h, a kernel W and biases a and b, the energy is -a.v - b.h - vWh for Bernoulli
visible units, and |v - a|^2 / 2 - b.h - vWh for Gaussian ones of unit variance (Hinton, 2012, "A practical guide to
training restricted Boltzmann machines").
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

Visible = Literal["bernoulli", "gaussian"]
Hidden = Literal["bernoulli", "rectified"]

LEAST = 0.01
"""A visible unit counts as on in at least this share of rows, and in at most the rest, where it has to have odds."""


class Draws(Protocol):
    """Where random numbers come from; ``name`` says who draws."""

    def normal(self, name: str, x: Tensor) -> Tensor:
        """Return normal draws [like x]."""

    def uniform(self, name: str, x: Tensor, values: int) -> Tensor:
        """Return draws from 0 to 1 [n, values] for the n rows of ``x``."""


@dataclass(frozen=True)
class Machine:
    """The weights of a machine, and the kinds of its units. Its tensors are others' own, and change with these.

    Rectified hidden units are the many copies of a Bernoulli unit of Nair and Hinton (2010), with biases 1/2, 3/2, ...
    lower: a unit's value is how many of them are on, drawn as max(0, x + N(0, sigmoid(x))).
    """

    kernel: Tensor
    """[visible, hidden]"""
    visible_bias: Tensor
    hidden_bias: Tensor
    visible: Visible = "bernoulli"
    hidden: Hidden = "bernoulli"

    def hidden_input(self, v: Tensor) -> Tensor:
        """Return what hidden units get [n, hidden] of visible values [n, visible]."""
        return torch.addmm(self.hidden_bias, v, self.kernel)

    def hidden_mean(self, x: Tensor) -> Tensor:
        """Return the mean of hidden values by what they get."""
        return torch.sigmoid(x) if self.hidden == "bernoulli" else functional.softplus(x)

    def hidden_sample(self, x: Tensor, draws: Draws, name: str) -> Tensor:
        """Draw hidden values by what they get."""
        if self.hidden == "bernoulli":
            return bernoulli(torch.sigmoid(x), draws, name)
        return (x + draws.normal(name, x) * torch.sigmoid(x).sqrt()).clamp_(min=0)

    def visible_mean(self, h: Tensor) -> Tensor:
        """Return the mean of visible values [n, visible] for hidden values [n, hidden]."""
        y = torch.addmm(self.visible_bias, h, self.kernel.t())
        return torch.sigmoid(y) if self.visible == "bernoulli" else y

    def visible_sample(self, h: Tensor, draws: Draws, name: str) -> Tensor:
        """Draw visible values [n, visible] for hidden values [n, hidden]."""
        mean = self.visible_mean(h)
        return bernoulli(mean, draws, name) if self.visible == "bernoulli" else mean + draws.normal(name, mean)

    def reconstructed(self, v: Tensor) -> Tensor:
        """Return visible values [n, visible] by the means of hidden ones, without a draw."""
        return self.visible_mean(self.hidden_mean(self.hidden_input(v)))

    def free_energy(self, v: Tensor, x: Tensor | None = None) -> Tensor:
        """Return -log of the sum over all hidden values of exp(-energy) [n]; ``x`` is ``hidden_input(v)`` if known."""
        x = self.hidden_input(v) if x is None else x
        if self.visible == "bernoulli":
            return -(v @ self.visible_bias) - self.softness(x).sum(1)
        return (v - self.visible_bias).square().sum(1) / 2 - self.softness(x).sum(1)

    def softness(self, x: Tensor) -> Tensor:
        """Return what a hidden unit that gets ``x`` takes off the free energy."""
        return functional.softplus(x) if self.hidden == "bernoulli" else softplus_steps(x)

    def pseudo_likelihood(self, v: Tensor, flips: Tensor) -> Tensor:
        """Estimate the log pseudo-likelihood [n] of Bernoulli values by one unit of each row, ``flips`` int64 [n].

        It is visible units * log P(this unit | all others), as scikit-learn's ``BernoulliRBM.score_samples`` has it.
        """
        x = self.hidden_input(v)
        turn = 1 - 2 * v.gather(1, flips[:, None])
        turned = self.softness(x + turn * self.kernel[flips]) - self.softness(x)
        rise = -turn[:, 0] * self.visible_bias[flips] - turned.sum(1)
        return v.shape[1] * functional.logsigmoid(rise)


def bernoulli(chances: Tensor, draws: Draws, name: str) -> Tensor:
    """Draw ones and zeros [n, units] with these chances of a one."""
    return (draws.uniform(name, chances, chances.shape[1]) < chances).to(chances.dtype)


def softplus_steps(x: Tensor) -> Tensor:
    """Return the sum of softplus(x - i + 1/2) over i = 1, 2, ...: of all copies of a rectified unit.

    By Euler and Maclaurin it is the integral of softplus, -Li2(-e^x), less a 24th of its slope and so on, to 1e-4.
    """
    rest = _dilog(torch.exp(-x.abs()))
    whole = torch.where(x > 0, x.square() / 2 + math.pi**2 / 6 + rest, -rest)
    s = torch.sigmoid(x)
    return whole - s / 24 + 7 / 5760 * s * (1 - s) * (1 - 2 * s)


def _dilog(y: Tensor) -> Tensor:
    """Return Li2(-y) for y from 0 to 1 by Bernoulli's numbers (Lewin, 1981): a series in log(1 + y)."""
    u = -torch.log1p(y)
    return u - u**2 / 4 + u**3 / 36 - u**5 / 3600 + u**7 / 211680


def odds(mean: Tensor, visible: Visible) -> Tensor:
    """Return the biases by which visible units alone, without hidden ones, have these means."""
    return torch.logit(mean.clamp(LEAST, 1 - LEAST)) if visible == "bernoulli" else mean.clone()


def alone(machine: Machine, base: Tensor, count: int, draws: Draws) -> Tensor:
    """Draw visible values [count, visible] of units with the biases ``base`` that do not know of hidden ones."""
    h = base.new_zeros(count, machine.kernel.shape[1])
    return replace(machine, visible_bias=base).visible_sample(h, draws, "visible")


def moved(
    machine: Machine, base: Tensor, v: Tensor, beta: float, draws: Draws, hidden_input: Tensor | None = None
) -> Tensor:
    """Draw visible values [n, visible] anew by a step of Gibbs sampling at an inverse temperature.

    At 0 units are independent, with the biases ``base``, and at 1 they are the machine's.
    """
    x = machine.hidden_input(v) if hidden_input is None else hidden_input
    h = machine.hidden_sample(x * beta, draws, "hidden")
    warm = replace(machine, visible_bias=torch.lerp(base, machine.visible_bias, beta))
    return warm.visible_sample(h * beta, draws, "visible")


class Binarise(nn.Module):
    """Makes rows [n, ...] flat and, where asked, each of their values 0 or 1.

    By a threshold, from which on a value is 1; or in training by a draw, with the value as its chance, and by the
    threshold 1/2 elsewhere, where a row shall always give the same.
    """

    def __init__(self, how: "float | Literal['sample'] | None") -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        """Return values [n, visible] without a draw."""
        flat = x.flatten(1)
        if self.how is None:
            return flat
        return (flat >= (0.5 if self.how == "sample" else self.how)).to(flat.dtype)

    def drawn(self, x: Tensor, draws: Draws) -> Tensor:
        """Return values [n, visible] for training."""
        return bernoulli(x.flatten(1), draws, "binarise") if self.how == "sample" else self(x)


class Rbm(nn.Module):
    """A machine as a network of one layer: rows [n, ...] in, the means of hidden units [n, hidden] out.

    Beside its weights it has the mean of the training rows, by which the estimate of its partition function begins,
    and the logarithm of that function, 0 until it is known.
    """

    kernel: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor
    visible_mean: Tensor
    log_partition: Tensor

    def __init__(
        self,
        inputs: int,
        units: int,
        visible: Visible,
        hidden: Hidden,
        binarise: "float | Literal['sample'] | None",
    ) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.zeros(inputs, units))
        self.register_buffer("visible_bias", torch.zeros(inputs))
        self.register_buffer("hidden_bias", torch.zeros(units))
        self.register_buffer("visible_mean", torch.zeros(inputs))
        self.register_buffer("log_partition", torch.zeros(()))
        self.kinds: tuple[Visible, Hidden] = (visible, hidden)
        self.binarise = Binarise(binarise)

    @property
    def machine(self) -> Machine:
        """The machine of these weights, which are the same tensors."""
        return Machine(self.kernel, self.visible_bias, self.hidden_bias, *self.kinds)

    def forward(self, x: Tensor) -> Tensor:
        """Return the means of hidden units."""
        machine = self.machine
        return machine.hidden_mean(machine.hidden_input(self.binarise(x)))

    @torch.no_grad()
    def begin(self, mean: Tensor) -> None:
        """Start the visible biases from the mean of the training rows [visible]."""
        self.visible_mean.copy_(mean)
        self.visible_bias.copy_(odds(mean, self.kinds[0]))


@dataclass
class Annealing:
    """Annealed importance sampling of the log partition function (Salakhutdinov and Murray, 2008).

    Chains [chains, visible] go from independent units with the biases ``base`` to the machine, whose hidden units must
    be Bernoulli, by inverse temperatures that rise from 0 to 1; ``log_weights`` float64 [chains] say what they gained.
    """

    machine: Machine
    base: Tensor
    chains: Tensor
    log_weights: Tensor

    @classmethod
    def start(cls, machine: Machine, base: Tensor, chains: int, draws: Draws) -> Self:
        """Draw the first states."""
        states = alone(machine, base, chains, draws)
        return cls(machine, base, states, torch.zeros(chains, dtype=torch.float64, device=base.device))

    def step(self, before: float, beta: float, draws: Draws) -> None:
        """Weigh the chains by what changes from one inverse temperature to the next, and move them there."""
        machine = self.machine
        x = machine.hidden_input(self.chains)
        slope = self.chains @ (machine.visible_bias - self.base)
        gained = (functional.softplus(x * beta) - functional.softplus(x * before)).sum(1)
        self.log_weights += slope.double() * (beta - before) + gained.double()
        self.chains = moved(machine, self.base, self.chains, beta, draws, x)

    def result(self) -> tuple[float, float]:
        """Return the log partition function and the standard error of it."""
        machine, base = self.machine, self.base.double()
        units = machine.kernel.shape[1] * math.log(2)
        if machine.visible == "bernoulli":
            start = float(functional.softplus(base).sum()) + units
        else:
            shift = (base.square().sum() - machine.visible_bias.double().square().sum()) / 2
            start = len(base) * math.log(2 * math.pi) / 2 + float(shift) + units
        count = len(self.log_weights)
        mean = float(self.log_weights.logsumexp(0)) - math.log(count)
        shares = (self.log_weights - mean).exp()
        return start + mean, float(shares.std(correction=1)) / math.sqrt(count)


class Stage(nn.Module):
    """A layer of a deep belief net: a dense layer upwards, and beside it the machine that it was trained as.

    Rows [n, ...] in, [n, hidden] out: the means of Bernoulli units, or max(0, x) for rectified ones.
    """

    visible_mean: Tensor

    def __init__(self, inputs: int, units: int, visible: Visible, hidden: Hidden) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(inputs, units))
        self.bias = nn.Parameter(torch.zeros(units))
        self.down_kernel = nn.Parameter(torch.zeros(inputs, units), requires_grad=False)
        self.visible_bias = nn.Parameter(torch.zeros(inputs), requires_grad=False)
        self.hidden_bias = nn.Parameter(torch.zeros(units), requires_grad=False)
        self.register_buffer("visible_mean", torch.zeros(inputs))
        self.kinds: tuple[Visible, Hidden] = (visible, hidden)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Train what goes up, or not; what goes down has no gradients."""
        self.train_down(False)
        for weight in (self.kernel, self.bias):
            weight.requires_grad_(requires_grad)
        return self

    def train_down(self, requires_grad: bool) -> None:
        """Train what goes down as well, as a decoder, or not."""
        for weight in (self.down_kernel, self.visible_bias):
            weight.requires_grad_(requires_grad)

    @property
    def machine(self) -> Machine:
        """The machine of the weights downwards, which are the same tensors."""
        kernel, visible, hidden = self.down_kernel.detach(), self.visible_bias.detach(), self.hidden_bias.detach()
        return Machine(kernel, visible, hidden, *self.kinds)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layer above sees."""
        y = torch.addmm(self.bias, x.flatten(1), self.kernel)
        return torch.sigmoid(y) if self.kinds[1] == "bernoulli" else torch.relu(y)

    def decoded(self, y: Tensor) -> Tensor:
        """Return what an autoencoder gives back of what the layer above sees, before a sigmoid of Bernoulli units."""
        return torch.addmm(self.visible_bias, y, self.down_kernel.t())

    @torch.no_grad()
    def begin(self, mean: Tensor) -> None:
        """Start the way down from the weights upwards and the mean of what the layer will see [visible]."""
        self.down_kernel.copy_(self.kernel)
        self.hidden_bias.copy_(self.bias)
        self.visible_mean.copy_(mean)
        self.visible_bias.copy_(odds(mean, self.kinds[0]))

    @torch.no_grad()
    def adopt(self) -> None:
        """Take over upwards what the machine has learned."""
        self.kernel.copy_(self.down_kernel)
        self.bias.copy_(self.hidden_bias)


@torch.no_grad()
def dreamt(stages: Sequence[Machine], mean: Tensor, count: int, steps: int, draws: Draws) -> Tensor:
    """Draw rows [count, visible] by ``steps`` steps of Gibbs sampling in the top machine, then down through the others.

    The machines stand from the lowest up; ``mean`` [top visible] is that of what the top one has learned from. In the
    first half of the steps the chains cool down from independent units, so that they end in many places and not in the
    one that is nearest. Given are the means of the last draw, which show more than the draw itself.
    """
    *below, top = stages
    base = odds(mean, top.visible)
    v = alone(top, base, count, draws)
    for number in range(1, steps):
        v = moved(top, base, v, min(1.0, 2 * number / steps), draws)
    h = top.hidden_sample(top.hidden_input(v), draws, "hidden")
    for machine, lower in zip(reversed(stages), reversed(below), strict=False):
        if lower.hidden == "bernoulli":
            h = machine.visible_sample(h, draws, "down")
        else:
            h = machine.visible_mean(h).clamp_(min=0)
    return stages[0].visible_mean(h)
