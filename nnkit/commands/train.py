"""``nnkit train``: a spec becomes a run."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nnkit.commands.fitting import sealing, stopping_on_signals
from nnkit.commands.members import ReadyOf, label, readied, train_members, train_one
from nnkit.commands.results import write_card, write_folds, write_seeds
from nnkit.config.decode import locate
from nnkit.config.nodes import MAX_BYTES
from nnkit.engines import stays_native, work
from nnkit.errors import DivergedError, InterruptError, Problem, RunError, SpecError, UsageError
from nnkit.files import read_plain, sync_all
from nnkit.models.plan import Plan
from nnkit.runs.folder import RESOLVED, SPEC, RunFolder
from nnkit.runs.manifest import Manifest, new_manifest
from nnkit.runs.pretrained import load_whole
from nnkit.spec import Loaded, Ready, dump

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
    seeds: Sequence[int] | None = None,
    jobs: int | None = 1,
    listener: "Listener | None" = None,
) -> Path:
    """Train the experiment of ``spec`` and return the folder of its run, a new one under ``out``.

    ``device`` and ``seed`` stand above what the spec says. With ``seeds`` the run has one for each of them inside.
    ``jobs`` says how many folds or seeds are trained at the same time, by processes of their own; None is as many as
    there are cores for. Raises any of the errors of ``nnkit.errors``.
    """
    flags = {"training.device": device, "seed": seed}
    given = [f"{path}={value}" for path, value in flags.items() if value is not None]
    loaded = load_whole(spec, [*overrides, *given])
    _check_seeds(loaded, seeds)
    first, ready_of = readied(loaded, seeds)
    _check_trains(spec, loaded, first.plan)
    experiment = loaded.experiment
    manifest = _manifest(first, experiment.seed).model_copy(
        update={"seeds": None if seeds is None else list(seeds), "folds": experiment.data.split.folds}
    )
    run = RunFolder.create(out, experiment.name)
    run.write(SPEC, read_plain(spec, MAX_BYTES))
    run.write(RESOLVED, dump(experiment))
    start = first.start.shared if first.start and manifest.members else first.start
    if start is not None:
        run.write_start(start)
    run.seal(manifest, "running")
    _finish(run, manifest, first, ready_of, jobs, listener)
    return run.path


def resume(
    run_path: Path, *, device: str | None = None, jobs: int | None = 1, listener: "Listener | None" = None
) -> Path:
    """Go on with a run that was killed, interrupted or has diverged; a finished one is left as it is.

    Of folds and seeds those that are finished are left as they are. Raises ``RunError`` where the run or the data it
    was made of is not as it was.
    """
    run = RunFolder.open(run_path)
    watching = _listener(listener)
    if run.manifest.status == "finished":
        watching.note(f"{run_path} is finished; there is nothing to go on with")
        return run.path
    for name in run.drop_broken_members():
        watching.note(f"{label(name)}: its files are not as they were written; it is trained again")
    run.verify()
    loaded = run.loaded()
    _check_whole(run, loaded)
    first, ready_of = readied(loaded, run.manifest.seeds)
    _check_data(run, first)
    manifest = _resumed(run, device, first, watching)
    _finish(run, manifest, first, ready_of, jobs, listener)
    return run.path


def _listener(listener: "Listener | None") -> "Listener":
    from nnkit.engine.listener import Silence

    return listener or Silence()


def _check_seeds(loaded: Loaded, seeds: Sequence[int] | None) -> None:
    folds = loaded.experiment.data.split.folds
    if seeds is not None and folds:
        raise UsageError(
            f"--seeds: the spec has data.split.folds: {folds}, and a run has either folds or seeds; train the seeds "
            "one by one with --seed, or take the folds out with --set data.split.folds=null"
        )


def _check_trains(spec: Path, loaded: Loaded, plan: Plan) -> None:
    """Raise ``SpecError`` for a network without weights, which can be traced and not trained."""
    if not plan.weights():
        message = f"there is nothing to train: no layer has weights; see what it computes: nnkit trace {spec}"
        raise locate(loaded.document, SpecError([Problem(("model", "layers"), message)]))


def _check_whole(run: RunFolder, loaded: Loaded) -> None:
    """Raise ``RunError`` for a single fold, whose rows only the whole run knows."""
    if loaded.experiment.data.split.folds and run.manifest.folds is None:
        whole = run.path.resolve().parent.parent
        raise RunError(f"{run.path}: is one fold of a run; go on with all: nnkit train --resume {whole}")


def _threads_now(run: RunFolder, listener: "Listener") -> int:
    """Return the threads to go on with: as before, or the fewer that may be used now."""
    from nnkit.engine.threads import most_threads

    before, most = run.manifest.threads, most_threads()
    if before > most:
        listener.note(f"the run began with {before} threads and may use {most} now: last digits may change")
    return min(before, most)


def _manifest(ready: Ready, seed: int) -> Manifest:
    experiment, engine, device, threads = ready.experiment, ready.engine.engine, "cpu", 1
    if engine == "torch":
        from nnkit.engine.device import pick
        from nnkit.engine.threads import threads_for

        training = experiment.training
        device = str(pick(training.device, training.precision))
        threads = threads_for(work(ready.plan, training))
    manifest = new_manifest(experiment.name, sys.argv, seed, threads, device)
    pretrained = dict(ready.start.origin) if ready.start else {}
    return manifest.model_copy(update={"data": ready.prepared.hashes, "engine": engine, "pretrained": pretrained})


def _resumed(run: RunFolder, device: str | None, ready: Ready, listener: "Listener") -> Manifest:
    """Return the manifest of a run that goes on: by the same engine and threads wherever that is possible."""
    manifest, training = run.manifest, ready.experiment.training
    augmented = bool(ready.prepared.augment)
    if stays_native(manifest.engine, device, training.procedure, ready.plan, training, augmented):
        return manifest
    if manifest.engine == "native":
        listener.note("the run goes on by torch instead of the native engine: equal but for the last digits")
    from nnkit.engine.device import pick

    where = pick(device or manifest.device, training.precision)
    return manifest.model_copy(update={"device": str(where), "engine": "torch", "threads": _threads_now(run, listener)})


def _check_data(run: RunFolder, ready: Ready) -> None:
    stored, found = run.manifest.data, ready.prepared.hashes
    changed = sorted(name for name in stored.keys() | found.keys() if stored.get(name) != found.get(name))
    if changed:
        raise RunError(
            f"{run.path}: the data is not what the run began with: {', '.join(changed)} changed; "
            "put the old file back, or train anew from the spec"
        )


def _finish(
    run: RunFolder,
    manifest: Manifest,
    first: Ready,
    ready_of: ReadyOf,
    jobs: int | None,
    listener: "Listener | None",
) -> None:
    watching = _listener(listener)
    for note in first.notes:
        watching.note(note)
    try:
        with stopping_on_signals() as stop, sealing(run, manifest):
            if manifest.members:
                _train_many(run, manifest, first, ready_of, jobs or default_jobs(manifest), watching, stop)
            else:
                train_one(run, manifest, first, watching, stop)
    except InterruptError as error:
        way_out = f"{error}; go on with: nnkit train --resume {run.path}"
        raise InterruptError(way_out, error.signal_number) from None
    finally:
        watching.ended()


def default_jobs(manifest: Manifest) -> int:
    """Return how many trainings the cores that may be used are enough for; a graphics card takes one."""
    from nnkit.engine.threads import usable_cores

    return max(1, usable_cores() // manifest.threads) if manifest.device == "cpu" else 1


def _train_many(
    run: RunFolder,
    manifest: Manifest,
    first: Ready,
    ready_of: ReadyOf,
    jobs: int,
    listener: "Listener",
    stop: "Stop",
) -> None:
    run.seal(manifest, "running")
    members, word = manifest.members, manifest.members[0].split("/")[0]
    try:
        diverged = train_members(run, ready_of, jobs, listener, stop)
        sync_all()
    except InterruptError as error:
        done = sum(member.finished for member in run.members())
        message = f"interrupted with {done} of {len(members)} {word} finished; the checkpoints of others are written"
        # Workers get SIGTERM whatever signal came here.
        raise InterruptError(message, stop.signal_number or error.signal_number) from None
    if manifest.seeds is not None and len(diverged) < len(members):
        write_seeds(run)
        write_card(run, manifest, first.experiment)
    if diverged:
        lines = [f"{label}: {error}" for label, error in diverged.items()]
        raise DivergedError(
            "\n".join([*lines, f"{len(members) - len(diverged)} of {len(members)} {word} are finished, in {run.path}"])
        )
    if manifest.folds is not None:
        write_folds(run, first)
        write_card(run, manifest, first.experiment)
