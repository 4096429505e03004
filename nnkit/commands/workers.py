"""Workers: processes that train the members of a run at the same time and tell the one that started them.

Each worker gets the names of members through a pipe, one when it is done with the one before, and answers in lines of
JSON through another. On Linux a worker is a fork that finds the data prepared, unless torch is loaded or a thread runs:
neither survives a fork. Then it is a new process that opens the run folder as ``--resume`` does.
"""

import gc
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias

from nnkit import errors
from nnkit.commands.members import MOVE_SECONDS, Overview, ReadyOf, label, train_member
from nnkit.errors import InterruptError, NnkitError, Problem, ResourceError, SpecError
from nnkit.runs.folder import RunFolder

if TYPE_CHECKING:
    from nnkit.engine.listener import Listener, Value
    from nnkit.engine.trainer import Stop

    Work: TypeAlias = Callable[[str, Listener, Stop], None]

CHECK_SECONDS = 0.1
"""How long a signal to this process may wait until the workers get it."""


class Process(Protocol):
    """A started process."""

    def send_signal(self, number: int) -> None:
        """Send it a signal."""

    def wait(self) -> int:
        """Wait for its end; return its exit code, or less than 0 the signal that ended it."""


class Forked:
    """A fork of this process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self._pid, number)

    def wait(self) -> int:
        """Wait for its end; return its exit code, or less than 0 the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


class Worker:
    """A worker as the process that started it sees it: two ends of pipes, and the member that it trains now."""

    def __init__(self, process: Process, inbox: int, outbox: int) -> None:
        self.process = process
        self.inbox, self.outbox = inbox, outbox
        self.name: str | None = None
        self._rest = b""

    def give(self, name: str | None) -> None:
        """Hand over the next member; None says that there are no more, which ends the worker."""
        self.name = name
        if name is None:
            os.close(self.inbox)
            return
        with suppress(BrokenPipeError):  # It was killed: the end of its outbox will say so.
            os.write(self.inbox, f"{name}\n".encode())

    def messages(self) -> list[list[Any]] | None:
        """Return what the worker said since, or None where it has ended."""
        data = os.read(self.outbox, 2**16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines] if data else None


def at_once(
    run: RunFolder, ready_of: ReadyOf, names: Sequence[str], jobs: int, overview: Overview, stop: "Stop"
) -> Generator[tuple[str, BaseException | None]]:
    """Train members in ``jobs`` processes; yield each with the error that ended it, or None, as they come.

    When ``stop`` is asked for, or when the iterator is closed, the workers write their checkpoints and end.
    """
    if can_fork():
        workers = fork_workers(jobs, partial(train_member, run, ready_of), stop)
    else:
        workers = [start_worker(run.path) for _ in range(jobs)]
    overview.tell()
    pool = Pool(workers, names, overview, stop, run.path)
    try:
        yield from pool.outcomes()
    except KeyboardInterrupt:
        pool.signal(signal.SIGKILL)
        raise
    finally:
        pool.end()


class Pool:
    """Gives members to workers, hears what they say, and passes on signals."""

    def __init__(
        self, workers: Sequence[Worker], names: Sequence[str], overview: Overview, stop: "Stop", run: Path
    ) -> None:
        self._left = list(reversed(names))
        self._overview = overview
        self._stop = stop
        self._run = run
        self._asked = False
        self._listeners: dict[str, Listener] = {}
        self._selector = selectors.DefaultSelector()
        for worker in workers:
            self._selector.register(worker.outbox, selectors.EVENT_READ, worker)
            self._next(worker)

    def outcomes(self) -> Iterator[tuple[str, BaseException | None]]:
        """Yield each member with the error that ended it, or None."""
        while self._selector.get_map():
            if self._stop.signal_number is not None and not self._asked:
                self.signal(signal.SIGTERM)
            for worker in self._spoke():
                yield from self._heard(worker)
        if self._left:
            raise InterruptError("interrupted", self._stop.signal_number or signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send a signal to all workers, and give them nothing more to do."""
        self._asked = True
        for worker in self._workers():
            worker.process.send_signal(number)

    def end(self) -> None:
        """Let workers that still train write their checkpoints, and wait until all have ended."""
        if not self._asked:
            self.signal(signal.SIGTERM)
        for worker in self._workers():
            if worker.name is not None:
                worker.give(None)
        while self._selector.get_map():
            for worker in self._spoke():
                if worker.messages() is None:
                    self._gone(worker)
        self._selector.close()

    def _workers(self) -> list[Worker]:
        return [key.data for key in self._selector.get_map().values()]

    def _spoke(self) -> list[Worker]:
        return [key.data for key, _ in self._selector.select(CHECK_SECONDS)]

    def _next(self, worker: Worker) -> None:
        name = None if self._asked or not self._left else self._left.pop()
        worker.give(name)
        if name is not None:
            self._listeners[name] = self._overview.member(name)

    def _heard(self, worker: Worker) -> Iterator[tuple[str, BaseException | None]]:
        messages = worker.messages()
        if messages is None:
            name, code = worker.name, self._gone(worker)
            if name is not None:
                yield name, self._lost(name, code)
            return
        for what, *values in messages:
            assert worker.name is not None  # noqa: S101 - a worker speaks only of what it was given
            if what == "over":
                name = worker.name
                self._next(worker)
                yield name, from_words(*values) if values else None
            else:
                getattr(self._listeners[worker.name], what)(*values)

    def _gone(self, worker: Worker) -> int:
        """Forget a worker that has ended; return its exit code."""
        self._selector.unregister(worker.outbox)
        os.close(worker.outbox)
        if worker.name is not None:
            worker.give(None)
        return worker.process.wait()

    def _lost(self, name: str, code: int) -> NnkitError:
        """Return the error of a worker that ended without a word."""
        if self._asked and self._stop.signal_number is not None:
            return InterruptError("interrupted", self._stop.signal_number)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return ResourceError(
            f"{label(name)}: its process {how}; where memory is short, fewer --jobs need less; "
            f"go on with: nnkit train --resume {self._run}"
        )


def can_fork() -> bool:
    """Tell whether a fork of this process can train: neither torch nor threads survive one everywhere."""
    return sys.platform == "linux" and "torch" not in sys.modules and threading.active_count() == 1


def fork_workers(jobs: int, work: "Work", stop: "Stop") -> list[Worker]:
    """Start workers that are forks; they have the signal handlers of this process, which ask ``stop``."""
    pipes = [(os.pipe(), os.pipe()) for _ in range(jobs)]
    workers = []
    gc.freeze()  # So that looking for garbage in a fork does not copy what all of them share.
    for (inbox, give), (hear, outbox) in pipes:
        with warnings.catch_warnings():
            # Python counts the threads of numpy's BLAS, which is made to be forked.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            others = {end for pair in pipes for pipe in pair for end in pipe} - {inbox, outbox}
            _be_worker(inbox, outbox, others, work, stop)
        workers.append(Worker(Forked(pid), give, hear))
    for (inbox, _), (_, outbox) in pipes:
        os.close(inbox)
        os.close(outbox)
    return workers


def _be_worker(inbox: int, outbox: int, others: set[int], work: "Work", stop: "Stop") -> NoReturn:
    """Serve in a fork and end it without what ends a Python process, which is its parent's to do."""
    code = 1
    try:
        for end in others:
            os.close(end)
        serve(inbox, outbox, work, stop)
        code = 0
    finally:
        os._exit(code)


def start_worker(run: Path) -> Worker:
    """Start a worker that is a new process."""
    root = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "nnkit.commands.worker", str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
        process_group=0,  # Ctrl-C reaches it through this process, not while it cannot handle it yet.
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
    ends = [os.dup(end.fileno()) for end in (process.stdin, process.stdout)]
    process.stdin.close()
    process.stdout.close()
    return Worker(process, *ends)


def serve(inbox: int, outbox: int, work: "Work", stop: "Stop") -> None:
    """Train the members whose names come through ``inbox`` until it ends."""
    with os.fdopen(inbox) as names:
        for line in names:
            telling = Telling(outbox, stop)
            try:
                work(line.rstrip("\n"), telling, stop)
            except Exception as error:  # noqa: BLE001 - the process that started this one says what it was
                telling.tell("over", *to_words(error))
            else:
                telling.tell("over")
            telling.flush()


class Telling:
    """A listener in a worker that passes everything on, some ten times a second.

    Where nobody hears it any more, the process that started the worker was killed, and it asks to stop.
    """

    def __init__(self, outbox: int, stop: "Stop") -> None:
        self._outbox = outbox
        self._stop = stop
        self._lines: list[str] = []
        self._flushed = time.monotonic()

    def tell(self, *message: object) -> None:
        """Say something soon."""
        self._lines.append(json.dumps(message) + "\n")
        if time.monotonic() >= self._flushed + MOVE_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Say it now."""
        data = memoryview("".join(self._lines).encode())
        self._lines = []
        try:
            while data:
                data = data[os.write(self._outbox, data) :]
        except BrokenPipeError:
            self._stop.signal_number = signal.SIGTERM
        self._flushed = time.monotonic()

    def phase_started(self, name: str, epochs: int, steps_per_epoch: int) -> None:
        """Pass it on."""
        self.tell("phase_started", name, epochs, steps_per_epoch)

    def step(self, epoch: int, step: int) -> None:
        """Pass it on."""
        self.tell("step", epoch, step)

    def epoch_ended(self, record: "Mapping[str, Value]") -> None:
        """Pass it on."""
        self.tell("epoch_ended", record)

    def note(self, text: str) -> None:
        """Pass it on."""
        self.tell("note", text)

    def members(self, word: str, count: int, done: int, share: float) -> None:
        """Say nothing: a member has none."""

    def ended(self) -> None:
        """Say nothing: the worker says itself when a member is over."""


def to_words(error: Exception) -> list[Any]:
    """Return an error as plain values, from which ``from_words`` makes one that ends with the same code."""
    kind = type(error).__name__
    if isinstance(error, InterruptError):
        return [kind, str(error), error.signal_number]
    if isinstance(error, OSError):
        return ["OSError", error.strerror or str(error), error.errno or 0, error.filename]
    if isinstance(error, NnkitError):
        return [kind, str(error)]
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError":
        return ["MemoryError", str(error)]
    return ["", f"{kind}: {error}", traceback.format_exc()]


def from_words(kind: str, message: str, *rest: Any) -> BaseException:
    """Return the error that ``to_words`` wrote down."""
    match kind:
        case "InterruptError":
            return InterruptError(message, *rest)
        case "SpecError":
            return SpecError([Problem((), message)])
        case "OSError":
            return OSError(rest[0], message, rest[1])
        case "MemoryError":
            return MemoryError(message)
        case "":
            error = RuntimeError(message)
            error.__cause__ = RuntimeError("in a worker process:\n" + rest[0])
            return error
    known: type[NnkitError] = getattr(errors, kind)
    return known(message)
