"""Fine-tuning: a new head learns first, then layers that were trained before learn with it, slowly."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import Field

from nnkit.config.spelling import nearest
from nnkit.data.pipeline import Pipeline
from nnkit.errors import Path, Problem
from nnkit.models.plan import Plan, PlannedNode
from nnkit.procedures.base import PROCEDURES, Loop, Stage, Work
from nnkit.procedures.supervised import Supervised

if TYPE_CHECKING:
    from nnkit.data.dataset import Dataset
    from nnkit.engine.order import RowOrder
    from nnkit.engine.phase import Phase
    from nnkit.nn.graph import GraphNetwork

HEAD, FINE_TUNE = "head", "fine_tune"
PROCEDURE: Path = ("training", "procedure")
MOST_NAMES = 20
MEAN = ".running_mean"
"""What the name of a weight ends in that only torch's batch norm has."""

Rate = Annotated[float, Field(gt=0)]


@PROCEDURES.register("fine_tune")
class FineTune(Supervised):
    """Trains the layers that are not frozen, the new head, and then unfreezes those below it, at lower rates.

    The phase `head` takes the first `head_epochs` of `training.epochs`, the phase `fine_tune` all others. Each has an
    optimizer, a schedule and callbacks that begin anew. Layers are frozen by `trainable: false`, and pretrained ones
    by themselves. As Keras' guide to transfer learning does, batch norm keeps its moving averages throughout.
    """

    head_epochs: int = Field(ge=0, description="Epochs, of all, in which what is frozen stays so; 0: none.")
    unfreeze: Literal["all", "none"] | Annotated[int, Field(gt=0)] | Annotated[list[str], Field(min_length=1)] = Field(
        default="all",
        description="Which frozen layers then learn: all, none, so many of the last that have weights, or those named; "
        "a name also stands for all layers in it, and may be a part of a published network: `resnet18/layer4`.",
    )
    lr_factor: Rate | dict[str, Rate] = Field(
        default=0.1,
        description="Share of the optimizer's learning rate that they have; or one for each, by such names.",
    )
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Factor on the learning rate from each of them to the next lower one (Howard and Ruder, 2018).",
    )
    keep_batch_norm: bool = Field(
        default=True, description="Whether frozen batch norm layers stay frozen, with their moving averages."
    )

    def not_native(self, plan: Plan, loop: Loop) -> str | None:
        """Return that the native engine has one phase only."""
        return f"it has no procedure {self.type_name}"

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit, also between the epochs and what is unfrozen."""
        choice = _Choice(plan, self)
        return [*super().problems(plan, pipeline, loop), *self._epoch_problems(loop), *choice.problems()]

    def _epoch_problems(self, loop: Loop) -> list[Problem]:
        path, said = (*PROCEDURE, "head_epochs"), f"training.epochs is {loop.epochs}, and counts both phases"
        if self.unfreeze == "none" and self.head_epochs != loop.epochs:
            message = f"unfreeze: none leaves only the head to train: expected head_epochs {loop.epochs}; {said}"
            return [Problem(path, message)]
        if self.unfreeze != "none" and self.head_epochs >= loop.epochs:
            message = (
                f"{self.head_epochs} leaves no epoch to fine-tune in: {said}; make it more, or choose unfreeze: none"
            )
            return [Problem(path, message)]
        return []

    def stages(self, plan: Plan, loop: Loop) -> list[Stage]:
        """Return the epochs of each phase, and how many weights it trains."""
        choice = _Choice(plan, self)
        head = sum(row.trainable for row in plan.rows())
        found = [Stage(HEAD, self.head_epochs, head), Stage(FINE_TUNE, loop.epochs - self.head_epochs, choice.count)]
        return [stage for stage in found if stage.epochs]

    def order(self, plan: Plan, train: "Dataset", loop: Loop, seed: int) -> "RowOrder":
        """Return the order of the training rows in each epoch of the first phase."""
        return self._order(plan, train, loop, seed, HEAD if self.head_epochs else FINE_TUNE)

    def phases(self, work: Work) -> "Iterator[Phase]":
        """Yield the head's phase, unfreeze what is chosen, and yield the other."""
        rest = work.loop.epochs - self.head_epochs
        if self.head_epochs:
            yield self._torch_phase(work, HEAD, self.head_epochs)
        if rest:
            choice = _Choice(work.plan, self)
            network = cast("GraphNetwork", work.network)
            network.set_trainable([*choice.trained, *choice.chosen], choice.kept)
            yield self._torch_phase(work, FINE_TUNE, rest, choice.rate)


@dataclass(frozen=True)
class _Choice:
    """What of a network a spec unfreezes.

    Parts are layers, by name, and of a layer that is a whole published network its modules: ``layer/module``.
    """

    plan: Plan
    said: FineTune

    @cached_property
    def trained(self) -> list[str]:
        """The layers that are not frozen."""
        return [node.name for node in self.plan.nodes if node.node.trainable]

    @cached_property
    def parts(self) -> list[str]:
        """What can be unfrozen, from below."""
        frozen = [node for node in self.plan.nodes if not node.node.trainable and node.weights]
        plain = [node for node in frozen if not (self.said.keep_batch_norm and node.layer.type_name == "batch_norm")]
        return [part for node in plain for part in _parts(node)]

    @cached_property
    def kept(self) -> list[str]:
        """The batch norms in published networks that stay frozen."""
        return [
            f"{node.name}/{name.removesuffix(MEAN)}"
            for node in self.plan.nodes
            if self.said.keep_batch_norm and not node.node.trainable
            for name in node.weights
            if name.endswith(MEAN)
        ]

    @cached_property
    def chosen(self) -> list[str]:
        """The parts that are unfrozen."""
        unfreeze = self.said.unfreeze
        if isinstance(unfreeze, str):
            return self.parts if unfreeze == "all" else []
        if isinstance(unfreeze, int):
            return self.parts[-unfreeze:]
        meant = dict.fromkeys(part for name in unfreeze for part in self.meant(name))
        order = {part: number for number, part in enumerate(self.parts)}
        return sorted(meant, key=lambda part: next(n for known, n in order.items() if _within(part, known)))

    def meant(self, name: str) -> list[str]:
        """Return the parts that a name stands for; nothing where there is none of it."""
        whole = [part for part in self.parts if _within(part, name)]
        return whole or ([name] if any(_within(_prefix(weight), name) for weight in self._modules) else [])

    @cached_property
    def _modules(self) -> list[str]:
        """The weights of frozen published networks, as ``layer/module.weight``."""
        frozen = [node for node in self.plan.nodes if not node.node.trainable]
        return [f"{node.name}/{name}" for node in frozen for name in node.weights if "." in name]

    def rate(self, weight: str) -> float:
        """Return the share of the learning rate that a weight has."""
        return next((rate for prefix, rate in self._rates if weight.startswith(prefix)), 1.0)

    @cached_property
    def _rates(self) -> list[tuple[str, float]]:
        """The beginnings of weights' names and their rates, the longest beginning first."""
        nodes = {node.name for node in self.plan.nodes}
        prefixes = {part: part if part in nodes else ".".join(part.rsplit("/", 1)) for part in self.chosen}
        depth = {part: number for number, part in enumerate(reversed(self.chosen))}
        rates = [
            (f"{prefix}.", (self.factor(part) or 1.0) * self.said.layer_decay ** depth[part])
            for part, prefix in prefixes.items()
        ]
        return sorted(rates, key=lambda each: -len(each[0]))

    def factor(self, part: str) -> float | None:
        """Return the factor that the spec has for a part; None where it names others only."""
        factors = self.said.lr_factor
        if not isinstance(factors, Mapping):
            return factors
        fitting = [name for name in factors if _within(part, name)]
        return factors[max(fitting, key=len)] if fitting else None

    @property
    def count(self) -> int:
        """How many weights are trained once the chosen ones are unfrozen."""
        parts, kept = [*self.trained, *self.chosen], tuple(f"{name}." for name in self.kept)
        names = {
            f"{node.name}/{name}" if "." in name else f"{node.name}.{name}": weight
            for node in self.plan.nodes
            for name, weight in node.weights.items()
            if weight.trained
        }
        live = [
            weight.size
            for name, weight in names.items()
            if any(_within(_prefix(name), part) for part in parts) and not name.startswith(kept)
        ]
        return sum(live)

    def problems(self) -> list[Problem]:
        """Return what the spec says of layers that are not there, or not frozen."""
        unfreeze, path = self.said.unfreeze, (*PROCEDURE, "unfreeze")
        if unfreeze == "none":
            return []
        if not self.parts:
            message = (
                "there is nothing to unfreeze: no layer with weights is frozen; set trainable: false on some, or "
                "take layers over by pretrained"
            )
            return [Problem(("model", "layers"), message)]
        if isinstance(unfreeze, int) and unfreeze > len(self.parts):
            return [Problem(path, f"there are {len(self.parts)} frozen layers with weights: {_listed(self.parts)}")]
        names = unfreeze if isinstance(unfreeze, list) else []
        found = [self._unknown(name, (*path, index)) for index, name in enumerate(names) if not self.meant(name)]
        return found or self._rate_problems()

    def _unknown(self, name: str, path: Path) -> Problem:
        node = next((node for node in self.plan.nodes if node.name == name), None)
        if node is not None and node.node.trainable:
            return Problem(path, f"{name} is not frozen; take it out")
        if node is not None and node.layer.type_name == "batch_norm":
            return Problem(path, f"{name} is a batch norm, which keep_batch_norm keeps frozen; take it out of one")
        hint = nearest(name, self.parts)
        return Problem(path, f"no frozen layer with weights is called {name!r}{hint} There are: {_listed(self.parts)}")

    def _rate_problems(self) -> list[Problem]:
        factors, path = self.said.lr_factor, (*PROCEDURE, "lr_factor")
        if not isinstance(factors, Mapping):
            return []
        found = [
            Problem((*path, name), f"nothing of that name is unfrozen; there are: {_listed(self.chosen)}")
            for name in factors
            if not any(_within(part, name) for part in self.chosen)
        ]
        left = [part for part in self.chosen if self.factor(part) is None]
        if left:
            found.append(Problem(path, f"expected a factor for each layer that is unfrozen; {_listed(left)} have none"))
        return found


def _parts(node: PlannedNode) -> list[str]:
    """Return the modules right in a published network that have weights, or the layer itself."""
    modules = dict.fromkeys(name.partition(".")[0] for name in node.weights if "." in name)
    return [f"{node.name}/{module}" for module in modules] or [node.name]


def _prefix(weight: str) -> str:
    return weight.rpartition(".")[0]


def _within(part: str, name: str) -> bool:
    """Tell whether a part is what a name says, or lies in it."""
    return part == name or part.startswith((f"{name}/", f"{name}."))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
