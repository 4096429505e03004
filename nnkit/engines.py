"""Engines: what computes a training. The native kernel where a network is small enough, torch for all else."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from nnkit.models.plan import Plan
from nnkit.procedures.base import Loop, Procedure

Engine: TypeAlias = Literal["native", "torch"]
Wanted: TypeAlias = Literal["auto", "native", "torch"]

NATIVE_WORK = 2_000_000
"""Multiplications in a step up to which the native engine is always the faster one; beyond, torch uses more cores."""
NATIVE_WORK_OF_A_LAYER = 50_000
"""The same for each layer with weights: torch takes some 40 microseconds for a layer, however small it is."""

NOT_BUILT = "nnkit was installed without it: install a C compiler (gcc or clang) and then nnkit again"


@dataclass(frozen=True)
class EngineChoice:
    """An engine, and why it was chosen, as the rest of a sentence."""

    engine: Engine
    reason: str


def work(plan: Plan, loop: Loop) -> int:
    """Return how many multiplications the forward pass of a step has, roughly."""
    return plan.multiplications() * loop.batch_size


def native_work(plan: Plan) -> int:
    """Return up to how many multiplications in a step the native engine is the faster one for ``plan``."""
    return max(NATIVE_WORK, NATIVE_WORK_OF_A_LAYER * sum(bool(node.weights) for node in plan.nodes))


def choose_engine(
    wanted: Wanted, device: str, procedure: Procedure, plan: Plan, loop: Loop, augmented: bool
) -> EngineChoice:
    """Return the engine for ``plan``: what is wanted, or with ``auto`` native where it can and is the faster one."""
    if wanted == "torch":
        return EngineChoice("torch", "training.engine asks for it")
    if reason := obstacle(device, procedure, plan, loop, augmented):
        return EngineChoice("torch", f"the native engine is left out: {reason}")
    if not built():
        return EngineChoice("torch", f"the native engine is missing: {NOT_BUILT}")
    steps = f"a step of {loop.batch_size} rows is about {work(plan, loop):,} multiplications"
    if wanted == "native":
        return EngineChoice("native", "training.engine asks for it")
    most = native_work(plan)
    if work(plan, loop) > most:
        return EngineChoice("torch", f"{steps}, and above {most:,} it uses all cores")
    return EngineChoice("native", f"{steps}, and up to {most:,} it is the faster one")


def stays_native(
    engine: Engine, device: str | None, procedure: Procedure, plan: Plan, loop: Loop, augmented: bool = False
) -> bool:
    """Tell whether a run that says it was trained by ``engine`` goes on and predicts by the native one, on ``device``.

    What a run says is not taken on trust: torch does what the native engine cannot.
    """
    return engine == "native" and built() and obstacle(device or "auto", procedure, plan, loop, augmented) is None


def obstacle(device: str, procedure: Procedure, plan: Plan, loop: Loop, augmented: bool) -> str | None:
    """Return why the native engine cannot train ``plan``, wherever it is built, or None where it can."""
    if augmented:
        return "data.augment is torch's"
    if device not in ("auto", "cpu"):
        return f"it runs on the CPU, and training.device is {device}"
    return procedure.not_native(plan, loop)


def built() -> bool:
    """Tell whether the native engine was compiled when nnkit was installed."""
    from nnkit.engine.native import kernel

    return kernel() is not None
