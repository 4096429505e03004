"""``nnkit train``: a spec becomes a run."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nnkit.commands.fitting import fit, sealing, stopping_on_signals
from nnkit.commands.results import Outcome, outcome, write_card, write_folds, write_results
from nnkit.errors import InterruptError, RunError
from nnkit.files import read_plain
from nnkit.runs.folder import PIPELINE, RESOLVED, SPEC, RunFolder
from nnkit.runs.manifest import Manifest, new_manifest
from nnkit.spec import Ready, dump, load, ready_folds

if TYPE_CHECKING:
    from nnkit.engine.listener import Listener
    from nnkit.engine.trainer import Stop


def train(
    spec: Path,
    *,
    overrides: Sequence[str] = (),
    out: Path = Path("runs"),
    device: str | None = None,
    seed: int | None = None,
    listener: "Listener | None" = None,
) -> Path:
    """Train the experiment of ``spec`` and return the folder of its run, a new one under ``out``.

    ``device`` and ``seed`` stand above what the spec says. Raises any of the errors of ``nnkit.errors``.
    """
    flags = {"training.device": device, "seed": seed}
    given = [f"{path}={value}" for path, value in flags.items() if value is not None]
    loaded = load(spec, [*overrides, *given])
    folds = ready_folds(loaded)
    first = next(folds)
    experiment = loaded.experiment
    manifest = _manifest(first)
    run = RunFolder.create(out, experiment.name)
    run.write(SPEC, read_plain(spec))
    run.write(RESOLVED, dump(experiment))
    run.seal(manifest, "running")
    _finish(run, manifest, first, folds, listener)
    return run.path


def resume(run_path: Path, *, device: str | None = None, listener: "Listener | None" = None) -> Path:
    """Go on with a run that was killed, interrupted or has diverged; a finished one is left as it is.

    Raises ``RunError`` where the run or the data it was made of is not as it was.
    """
    run = RunFolder.open(run_path)
    if run.manifest.status == "finished":
        _listener(listener).note(f"{run_path} is finished; there is nothing to go on with")
        return run.path
    run.verify()
    folds = ready_folds(run.loaded())
    first = next(folds)
    _check_data(run, first)
    from nnkit.engine.device import pick

    where = pick(device or run.manifest.device, first.experiment.training.precision)
    manifest = run.manifest.model_copy(update={"device": str(where)})
    _finish(run, manifest, first, folds, listener)
    return run.path


def _listener(listener: "Listener | None") -> "Listener":
    from nnkit.engine.listener import Silence

    return listener or Silence()


def _manifest(ready: Ready) -> Manifest:
    from nnkit.engine.device import pick
    from nnkit.engine.threads import threads_for

    experiment = ready.experiment
    device = str(pick(experiment.training.device, experiment.training.precision))
    parameters = sum(weight.size for weight in ready.plan.weights().values())
    threads = threads_for(parameters * experiment.training.batch_size)
    manifest = new_manifest(experiment.name, sys.argv, experiment.seed, threads, device)
    return manifest.model_copy(update={"data": ready.prepared.hashes, "folds": experiment.data.split.folds})


def _check_data(run: RunFolder, ready: Ready) -> None:
    stored, found = run.manifest.data, ready.prepared.hashes
    changed = sorted(name for name in stored.keys() | found.keys() if stored.get(name) != found.get(name))
    if changed:
        raise RunError(
            f"{run.path}: the data is not what the run began with: {', '.join(changed)} changed; "
            "put the old file back, or train anew from the spec"
        )


def _finish(
    run: RunFolder, manifest: Manifest, first: Ready, folds: Iterable[Ready], listener: "Listener | None"
) -> None:
    watching = _listener(listener)
    try:
        with stopping_on_signals() as stop, sealing(run, manifest):
            if manifest.folds is None:
                _train_one(run, manifest, first, watching, stop)
            else:
                _train_folds(run, manifest, [first, *folds], watching, stop)
    except InterruptError as error:
        way_out = f"{error}; go on with: nnkit train --resume {run.path}"
        raise InterruptError(way_out, error.signal_number) from None
    finally:
        watching.ended()


def _train_folds(
    run: RunFolder, manifest: Manifest, folds: Sequence[Ready], listener: "Listener", stop: "Stop"
) -> None:
    run.seal(manifest, "running")
    outcomes = []
    for number, ready in enumerate(folds, 1):
        listener.note(f"fold {number} of {len(folds)}")
        outcomes.append(_train_fold(run, number, manifest, ready, listener, stop))
    write_folds(run, folds, outcomes)
    write_card(run, manifest, folds[0].experiment)


def _train_fold(
    run: RunFolder, number: int, manifest: Manifest, ready: Ready, listener: "Listener", stop: "Stop"
) -> Outcome:
    fold = run.fold(number)
    if fold.finished:
        return outcome(fold, ready)
    for name in (SPEC, RESOLVED):
        fold.write(name, run.read(name))
    own = manifest.model_copy(update={"folds": None})
    with sealing(fold, own):
        return _train_one(fold, own, ready, listener, stop)


def _train_one(run: RunFolder, manifest: Manifest, ready: Ready, listener: "Listener", stop: "Stop") -> Outcome:
    run.write_json(PIPELINE, ready.prepared.pipeline.to_json())
    fit(run, ready, manifest, listener, stop)
    result = outcome(run, ready)
    write_results(run, ready, result)
    write_card(run, manifest, ready.experiment)
    return result
