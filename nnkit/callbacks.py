"""Callbacks: what a spec asks to happen between epochs."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry

if TYPE_CHECKING:
    from nnkit.engine.hooks import Hook

Goal: TypeAlias = Literal["max", "min"]


class Callback(Piece):
    """Something that looks at a run between epochs."""

    @property
    def watched(self) -> str | None:
        """The value of the history that the callback watches, if any."""
        return None

    def build(self, goal: Goal) -> "Hook | None":
        """Return the engine's hook; ``goal`` says whether a larger or a smaller watched value is better."""
        raise TypeError(f"{type(self).__name__} does not say what it builds")


CALLBACKS = Registry("callbacks", "callback", Callback, home="nnkit.callbacks")
CallbackChoice: TypeAlias = Annotated[Callback, CALLBACKS]


class Monitor(Callback):
    """A callback that watches one value of the history."""

    monitor: str = Field(
        default="validation_loss",
        description="Value of the history to watch: `train_` or `validation_` and `loss` or one of training.metrics.",
    )
    min_delta: float = Field(default=0.0, ge=0, description="A change smaller than this does not count as better.")

    @property
    def watched(self) -> str | None:
        """The value that is watched."""
        return self.monitor


@CALLBACKS.register("early_stopping")
class EarlyStopping(Monitor):
    """Stops training when a value has not become better for some epochs, and goes back to the best weights."""

    patience: int = Field(default=5, ge=0, description="Epochs without a better value that are still put up with.")
    restore_best: bool = Field(default=True, description="Go back to the weights of the best epoch at the end.")
    start_epoch: int = Field(default=0, ge=0, description="Epochs at the start that are not looked at.")

    def build(self, goal: Goal) -> "Hook":
        """Return the engine's hook."""
        from nnkit.engine import hooks

        watch = hooks.Watch(self.monitor, goal, self.min_delta)
        return hooks.EarlyStopping(watch, self.patience, self.restore_best, self.start_epoch)


@CALLBACKS.register("reduce_on_plateau")
class ReduceOnPlateau(Monitor):
    """Lowers the learning rate when a value has not become better for some epochs."""

    factor: float = Field(default=0.1, gt=0, lt=1, description="The learning rate is multiplied by this.")
    patience: int = Field(default=10, ge=0, description="Epochs without a better value that are still put up with.")
    cooldown: int = Field(default=0, ge=0, description="Epochs after a change in which nothing is counted.")
    min_scale: float = Field(default=0.0, ge=0, le=1, description="Lowest share of the first learning rate.")

    def build(self, goal: Goal) -> "Hook":
        """Return the engine's hook."""
        from nnkit.engine import hooks

        watch = hooks.Watch(self.monitor, goal, self.min_delta)
        return hooks.ReduceOnPlateau(watch, self.factor, self.patience, self.cooldown, self.min_scale)


@CALLBACKS.register("time_limit")
class TimeLimit(Callback):
    """Stops training at the end of the epoch in which a time is over; what a killed run spent counts too."""

    seconds: float = Field(gt=0, description="Training time of the whole run, in seconds.")

    def build(self, goal: Goal) -> "Hook":
        """Return the engine's hook."""
        from nnkit.engine import hooks

        return hooks.TimeLimit(self.seconds)


@CALLBACKS.register("checkpoint")
class Checkpoints(Callback):
    """Says how often a run saves what it needs to go on, and by which value it keeps its best weights.

    Every run saves checkpoints; this callback changes when. `checkpoints/last.safetensors` is what `--resume` reads,
    `checkpoints/best.safetensors` holds the weights of the best epoch.
    """

    monitor: str | None = Field(
        default=None,
        description="Value of the history to watch: `train_` or `validation_` and `loss` or one of training.metrics; "
        "default: validation_loss where there are validation rows, else train_loss.",
    )
    min_delta: float = Field(default=0.0, ge=0, description="A change smaller than this does not count as better.")
    every_seconds: float = Field(default=15.0, ge=0, description="Least time between two checkpoints, in seconds.")
    best: bool = Field(default=True, description="Keep the weights of the best epoch in a file of their own.")

    @property
    def watched(self) -> str | None:
        """The value that is watched, where the spec says which."""
        return self.monitor

    def build(self, goal: Goal) -> "Hook | None":
        """Return None: the trainer itself saves."""
        return None
