"""Fitting: a checked experiment becomes a trained network, with its history and checkpoints in the run folder."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from nnkit.errors import DivergedError, InterruptError
from nnkit.files import AppendOnly, keep_lines, make_folder
from nnkit.procedures.base import Place, Work
from nnkit.procedures.outliers import Detecting, threshold
from nnkit.runs.folder import BEST, CHECKPOINTS, HISTORY, LAST, THRESHOLD, RunFolder
from nnkit.runs.manifest import Manifest
from nnkit.spec import Ready, checkpoints, goal_of
from nnkit.tensors import write_tensors

if TYPE_CHECKING:
    from nnkit.engine.checkpoint import Checkpoint
    from nnkit.engine.hooks import Hook
    from nnkit.engine.listener import Listener, Record
    from nnkit.engine.native import NativeNetwork
    from nnkit.engine.state import Arrays
    from nnkit.engine.trainer import Stop
    from nnkit.nn.graph import GraphNetwork


@dataclass
class RunStore:
    """Keeps a run's history and its last checkpoint in the run folder."""

    run: RunFolder
    _history: AppendOnly = field(init=False)

    def __post_init__(self) -> None:
        self._history = AppendOnly(self.run.path / HISTORY)

    def save(self, checkpoint: "Checkpoint") -> None:
        """Replace the last checkpoint, when the history that it knows is on the disk."""
        self._history.sync()
        checkpoint.save(self.run.path / LAST)

    def append(self, record: "Record") -> None:
        """Add a line to the history."""
        self._history.write(json.dumps(record))

    def truncate(self, records: int) -> None:
        """Cut the history to its first lines, as a checkpoint knew it."""
        keep_lines(self.run.path / HISTORY, records)


def fit(run: RunFolder, ready: Ready, manifest: Manifest, listener: "Listener", stop: "Stop") -> None:
    """Train from the run's last checkpoint, or from the start, and write the weights.

    Raises ``DivergedError`` or ``InterruptError`` with the last checkpoint kept.
    """
    from nnkit.engine.checkpoint import Checkpoint
    from nnkit.engine.trainer import Trainer

    make_folder(run.path / CHECKPOINTS)
    run.seal(manifest, "running")
    training = ready.experiment.training
    last = run.path / LAST
    checkpoint = Checkpoint.load(last) if last.exists() else None
    network = build_network(ready, manifest)
    work = Work(ready.plan, network, ready.prepared, training, ready.experiment.seed, manifest.device)
    every = checkpoints(training).every_seconds
    trainer = Trainer(make_hooks(run, ready, listener), RunStore(run), listener, stop, every)
    trainer.fit(training.procedure.phases(work), checkpoint)
    weights = network.arrays()
    run.write_weights(weights | _threshold(ready, manifest, weights))


def _threshold(ready: Ready, manifest: Manifest, weights: "Arrays") -> "Arrays":
    """Return the score above which rows are outliers, where the spec asks for them."""
    procedure, model = ready.experiment.training.procedure, ready.experiment.model
    if not isinstance(procedure, Detecting) or procedure.outliers is None:
        return {}
    place = Place(manifest.device, manifest.threads, ready.experiment.training.precision == "float64")
    forward = procedure.forward(ready.plan, weights, ready.prepared.pipeline, place)
    return {THRESHOLD: threshold(procedure, model, forward, ready.prepared.train)}


@contextmanager
def sealing(run: RunFolder, manifest: Manifest) -> Iterator[None]:
    """Seal the run with what became of it: finished, diverged or interrupted."""
    try:
        yield
    except DivergedError:
        run.seal(manifest, "diverged")
        raise
    except InterruptError:
        run.seal(manifest, "interrupted")
        raise
    run.seal(manifest, "finished")


def build_network(ready: Ready, manifest: Manifest) -> "GraphNetwork | NativeNetwork":
    """Return the network that is trained, on its device, with the weights that follow from the seed."""
    training = ready.experiment.training
    plan = training.procedure.trained(ready.plan)
    weights = ready.initial_weights()
    if manifest.engine == "native":
        from nnkit.engine.native import NativeNetwork
        from nnkit.models.native import native_ops

        return NativeNetwork(native_ops(plan), weights)
    import torch

    from nnkit.engine.device import use_threads
    from nnkit.engine.tuning import tune

    tune()
    use_threads(manifest.threads)
    network = plan.build()
    network.load_arrays(weights)
    return network.to(manifest.device, torch.float64 if training.precision == "float64" else torch.float32)


def make_hooks(run: RunFolder, ready: Ready, listener: "Listener") -> "list[Hook]":
    """Return the engine's hooks: of callbacks, for the best weights and the gradients' health, and the procedure's."""
    from nnkit.engine.health import GradientHealth
    from nnkit.engine.hooks import BestWeights, Watch

    training = ready.experiment.training
    hooks = [callback.build(goal_of(callback.watched or "loss", training)) for callback in training.callbacks]
    options = checkpoints(training)
    monitor = options.monitor or ("train_loss" if ready.prepared.validation is None else "validation_loss")
    if options.best and monitor in training.procedure.history_names(training, ready.prepared.validation is not None):
        watch = Watch(monitor, goal_of(monitor, training), options.min_delta)
        hooks.append(BestWeights(watch, lambda weights: save_best(run, weights)))
    hooks.append(GradientHealth(listener.note))
    hooks += training.procedure.hooks(ready.prepared.pipeline, training, run.write, listener.note)
    return [hook for hook in hooks if hook is not None]


def save_best(run: RunFolder, weights: "Arrays") -> None:
    """Replace the file of the best weights."""
    write_tensors(run.path / BEST, weights, {}, run.durable)


@contextmanager
def stopping_on_signals() -> "Iterator[Stop]":
    """Let Ctrl-C and SIGTERM ask the trainer to stop; a second Ctrl-C ends the process as it always does.

    A signal that the process was told to ignore, as a shell tells a job in the background, stays ignored.
    """
    from nnkit.engine.trainer import Stop

    stop = Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.signal_number = number
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield stop  # Only the main thread may listen to signals.
        return
    heard = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
