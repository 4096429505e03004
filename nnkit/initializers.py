"""Initializers: how weights are drawn before training, by the formulas of Keras 3."""

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float32]

TRUNCATED_STDDEV = 0.87962566103423978
"""Standard deviation of a normal variable of deviation 1 that is drawn again beyond two deviations."""


class Initializer(Piece):
    """Draws the first values of a weight; the same generator state gives the same values on every machine."""

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Draw an array of ``shape``; ``fan_in`` and ``fan_out`` count the inputs and outputs a weight connects."""
        raise TypeError(f"{type(self).__name__} does not say how it samples")


INITIALIZERS = Registry("initializers", "initializer", Initializer, home="nnkit.initializers")
InitializerChoice: TypeAlias = Annotated[Initializer, INITIALIZERS]


def _float32(values: Any) -> "Array":
    import numpy as np

    return np.asarray(values, dtype=np.float32)


def _uniform(shape: tuple[int, ...], low: float, high: float, generator: "np.random.Generator") -> "Array":
    return _float32(generator.uniform(low, high, shape))


def _truncated(shape: tuple[int, ...], mean: float, stddev: float, generator: "np.random.Generator") -> "Array":
    """Draw a normal variable again wherever it is more than two deviations from its mean."""
    import numpy as np

    values = generator.standard_normal(shape)
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = generator.standard_normal(int(beyond.sum()))
    return _float32(values * stddev + mean)


@INITIALIZERS.register("zeros")
class Zeros(Initializer):
    """All weights are 0."""

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Return zeros."""
        import numpy as np

        return np.zeros(shape, dtype=np.float32)


@INITIALIZERS.register("ones")
class Ones(Initializer):
    """All weights are 1."""

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Return ones."""
        import numpy as np

        return np.ones(shape, dtype=np.float32)


@INITIALIZERS.register("constant")
class Constant(Initializer):
    """All weights are one number."""

    value: float = Field(default=0.0, description="The number.")

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Return ``value`` everywhere."""
        import numpy as np

        return np.full(shape, self.value, dtype=np.float32)


@INITIALIZERS.register("uniform")
class Uniform(Initializer):
    """Draws evenly between two numbers: Keras' RandomUniform, U(-0.05, 0.05) by default."""

    minval: float = Field(default=-0.05, description="Smallest value.")
    maxval: float = Field(default=0.05, description="Largest value.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minval > self.maxval:
            raise ValueError(f"minval is {self.minval} and maxval {self.maxval}; expected minval to be the smaller")
        return self

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Draw from U(minval, maxval)."""
        return _uniform(shape, self.minval, self.maxval, generator)


@INITIALIZERS.register("normal")
class Normal(Initializer):
    """Draws from a normal distribution: Keras' RandomNormal, N(0, 0.05) by default."""

    mean: float = Field(default=0.0, description="Mean.")
    stddev: float = Field(default=0.05, gt=0, description="Standard deviation.")

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Draw from N(mean, stddev)."""
        return _float32(generator.normal(self.mean, self.stddev, shape))


@INITIALIZERS.register("truncated_normal")
class TruncatedNormal(Initializer):
    """Draws from a normal distribution, again wherever a value is beyond two standard deviations."""

    mean: float = Field(default=0.0, description="Mean.")
    stddev: float = Field(default=0.05, gt=0, description="Standard deviation before the ends are cut off.")

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Draw from the truncated N(mean, stddev)."""
        return _truncated(shape, self.mean, self.stddev, generator)


Mode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg"]
Distribution: TypeAlias = Literal["truncated_normal", "normal", "uniform"]


def scaled(
    shape: tuple[int, ...],
    fans: tuple[int, int],
    scale: float,
    mode: Mode,
    distribution: Distribution,
    generator: "np.random.Generator",
) -> "Array":
    """Draw values whose variance is ``scale`` over the fan that ``mode`` names."""
    fan = {"fan_in": fans[0], "fan_out": fans[1], "fan_avg": sum(fans) / 2}[mode]
    stddev = math.sqrt(scale / max(1.0, fan))
    if distribution == "uniform":
        return _uniform(shape, -math.sqrt(3) * stddev, math.sqrt(3) * stddev, generator)
    if distribution == "normal":
        return _float32(generator.normal(0.0, stddev, shape))
    return _truncated(shape, 0.0, stddev / TRUNCATED_STDDEV, generator)


@INITIALIZERS.register("variance_scaling")
class VarianceScaling(Initializer):
    """Draws values whose variance is `scale` divided by a count of the units that a weight connects."""

    scale: float = Field(default=1.0, gt=0, description="Variance times the fan.")
    mode: Mode = Field(default="fan_in", description="The fan: units in, units out, or the mean of both.")
    distribution: Distribution = Field(default="truncated_normal", description="How the values are spread.")

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Draw with variance ``scale`` over the fan."""
        return scaled(shape, (fan_in, fan_out), self.scale, self.mode, self.distribution, generator)


class Scaled(Initializer):
    """A variance scaling with a name of its own."""

    scheme: ClassVar[tuple[float, Mode, Distribution]]

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Draw by the scheme's scale, fan and distribution."""
        return scaled(shape, (fan_in, fan_out), *self.scheme, generator)


@INITIALIZERS.register("glorot_uniform")
class GlorotUniform(Scaled):
    """Draws from U(-l, l), l = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    scheme = (1.0, "fan_avg", "uniform")


@INITIALIZERS.register("glorot_normal")
class GlorotNormal(Scaled):
    """Draws from a truncated normal of variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""

    scheme = (1.0, "fan_avg", "truncated_normal")


@INITIALIZERS.register("he_uniform")
class HeUniform(Scaled):
    """Draws from U(-l, l), l = sqrt(6 / fan_in) (He and others, 2015)."""

    scheme = (2.0, "fan_in", "uniform")


@INITIALIZERS.register("he_normal")
class HeNormal(Scaled):
    """Draws from a truncated normal of variance 2 / fan_in (He and others, 2015)."""

    scheme = (2.0, "fan_in", "truncated_normal")


@INITIALIZERS.register("lecun_uniform")
class LecunUniform(Scaled):
    """Draws from U(-l, l), l = sqrt(3 / fan_in) (LeCun and others, 1998)."""

    scheme = (1.0, "fan_in", "uniform")


@INITIALIZERS.register("lecun_normal")
class LecunNormal(Scaled):
    """Draws from a truncated normal of variance 1 / fan_in (LeCun and others, 1998); made for `selu`."""

    scheme = (1.0, "fan_in", "truncated_normal")


@INITIALIZERS.register("orthogonal")
class Orthogonal(Initializer):
    """Draws a random matrix with orthonormal rows or columns, the last axis against all others (Saxe, 2014)."""

    gain: float = Field(default=1.0, gt=0, description="Factor on the matrix.")

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Return the Q of a normal matrix, its signs made unique."""
        import numpy as np

        rows, columns = math.prod(shape[:-1]), shape[-1] if shape else 1
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diagonal(r))
        return _float32(self.gain * (q if rows >= columns else q.T).reshape(shape))


@INITIALIZERS.register("identity")
class Identity(Initializer):
    """Ones on the diagonal and zeros elsewhere; for weights with two axes."""

    gain: float = Field(default=1.0, description="The number on the diagonal.")

    def sample(self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator") -> "Array":
        """Return the identity matrix; the axes before the last are taken as one."""
        import numpy as np

        return _float32(self.gain * np.eye(math.prod(shape[:-1]), shape[-1]).reshape(shape))
