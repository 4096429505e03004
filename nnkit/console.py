"""What is printed: data on stdout, talk on stderr, either of which may be closed. No other file prints."""

import errno
import io
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from nnkit.errors import GateError, explained
from nnkit.signs import harmless

if TYPE_CHECKING:
    from typing import BinaryIO

    from nnkit.commands.evaluate import EvaluationReport
    from nnkit.commands.quality import QualityReport
    from nnkit.engine.listener import Listener
    from nnkit.tables import Table


_BEYOND_JSON = re.compile("[\x7f-\x9f]")
"""Controls of a terminal that JSON lets stand as they are."""


class _Eyes(io.TextIOBase):
    """A terminal, which gets nothing from data that it would obey."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        return self._terminal.write(harmless(text))

    def flush(self) -> None:
        self._terminal.flush()


def stdout() -> TextIO:
    """Return what data is written to: as it is into a pipe or a file, harmless on a terminal."""
    if sys.stdout is None:
        return io.StringIO()
    return cast(TextIO, _Eyes(sys.stdout)) if sys.stdout.isatty() else sys.stdout


def source_of(data: str | None) -> "Path | BinaryIO | None":
    """Return where data comes from: a path, or what is open at stdin for ``-``; None where nothing was given."""
    if data == "-":
        return sys.stdin.buffer if sys.stdin is not None else io.BytesIO()
    return None if data is None else Path(data)


def print_text(text: str) -> None:
    """Print text to stdout."""
    stdout().write(text)


def print_now(text: str) -> None:
    """Print text to stdout and don't wait for more of it."""
    print_text(text)
    if sys.stdout is not None:
        sys.stdout.flush()


def print_json(value: object) -> None:
    """Print a value of plain parts as JSON to stdout."""
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    print_text(_BEYOND_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")


def print_run(run: "Path", json: bool, quiet: bool) -> None:
    """Print a run's folder, and say its metrics; or print both as JSON."""
    from nnkit.runs.folder import RunFolder

    metrics = RunFolder.open(run).metrics()
    if json:
        print_json({"run": str(run), "metrics": metrics})
        return
    if not quiet:
        from nnkit.summaries import metrics_lines

        say(metrics_lines(metrics))
    print_text(f"{run}\n")


def print_report(report: "EvaluationReport | QualityReport", json: bool) -> None:
    """Print how good a model is, as tables or as JSON; raises ``GateError`` where it is not as good as it must be."""
    from nnkit.summaries import evaluation_tables

    say("\n".join(report.notes))
    if json:
        print_json(report.to_json())
    else:
        print_tables(evaluation_tables(report))
    if report.failed:
        raise GateError("\n".join(report.failed))


def print_tables(found: "Sequence[Table]") -> None:
    """Print tables to stdout: drawn on a terminal, plainly aligned in a pipe."""
    from nnkit import tables

    if sys.stdout is not None and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        sys.stdout.write("".join(tables.drawn(table, width) for table in found))
    else:
        print_text("\n".join(map(tables.plain, found)))


def say(text: str) -> None:
    """Write to people, on stderr, and never to the program that reads stdout."""
    if sys.stderr is not None and text:
        sys.stderr.write(harmless(text if text.endswith("\n") else f"{text}\n"))
        sys.stderr.flush()


def new_listener(quiet: bool, verbose: bool) -> "Listener | None":
    """Return what tells people how a training goes on: a bar on a terminal, else lines; nothing where ``quiet``."""
    if quiet:
        return None
    from nnkit import progress

    if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from rich.console import Console

        return progress.Bar(Console(stderr=True), verbose)
    return progress.Lines(say, verbose)


def flushed() -> int:
    """Write out what is left for stdout, so that a failure to do so is seen; a closed pipe is none."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # Python flushes again when it ends, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0 if error.errno == errno.EPIPE else report_error(error)
    return 0


def report_error(error: BaseException) -> int:
    """Say what went wrong and return the exit code."""
    if os.environ.get("NNKIT_DEBUG", "") not in ("", "0"):
        import traceback

        say("".join(traceback.format_exception(error)))
    if hasattr(error, "show") and hasattr(error, "exit_code"):
        error.show()  # A usage error of typer, whose class has moved from release to release.
        return int(error.exit_code)
    code, message = explained(error)
    say(message)
    return code
