"""The command line: exit codes, what goes to stdout and what to stderr, and how it ends when it is made to end."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import typer

from nnkit import __version__, cli, errors
from nnkit.tables import Table, drawn, number, plain

Fake = Callable[..., Any]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what puts functions in the place of a module of commands, so that only the command line is tested."""

    def put(name: str, **functions: object) -> None:
        module = ModuleType(f"nnkit.commands.{name}")
        vars(module).update(functions)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(f"nnkit.commands.{name}", module, raising=False)

    return put


def raises(error: BaseException) -> Fake:
    def command(*arguments: object, **options: object) -> None:
        raise error

    return command


def nnkit(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "nnkit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"nnkit {__version__}\n"


def commands() -> dict[str, Any]:
    return dict(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


def test_every_command_and_option_is_documented() -> None:
    assert {"train", "evaluate", "predict", "plot", "check", "trace", "list", "show", "schema"} <= set(commands())
    for name, command in commands().items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name}: {parameter.name}"


def test_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for name in commands():
        assert cli.run([name, "--help"]) == 0
        assert f"Usage: nnkit {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tain"], "train"),
        (["train"], "expected a spec to train, or --resume RUN"),
        (["check"], "Missing argument"),
        (["check", "--nothing"], "No such option"),
        (["train", "s.yaml", "--seed", "x"], "--seed"),
        (["train", "s.yaml", "--seed", "-1"], "--seed"),
        (["train", "s.yaml", "--resume", "r"], "--resume goes on with the run as it was; leave out SPEC"),
        (["train", "--resume", "r", "--set", "a=1"], "leave out --set"),
        (["train", "--resume", "r", "--out", "x"], "leave out --out"),
        (["train", "--resume", "r", "--seed", "3"], "leave out --seed"),
        (["train", "--resume", "r", "--seeds", "3"], "leave out --seeds"),
        (["train", "s.yaml", "--seeds", "0..3", "--seed", "3"], "--seeds names all the seeds; leave out --seed"),
        (["train", "s.yaml", "--seeds", "0-3"], "--seeds 0-3: expected whole numbers and ranges"),
        (["train", "s.yaml", "--jobs", "0"], "--jobs"),
        (["trace", "s.yaml", "--row", "-1"], "--row"),
        (["trace", "s.yaml", "--row", "1..3"], "--row"),
        (["trace", "s.yaml", "--format", "pdf"], "--format"),
        (["trace", "s.yaml", "--format", "png"], "a picture needs a file; add --out graph.png"),
        (["trace", "s.yaml", "--format", "dot", "--json"], "add --out FILE, or leave out one"),
        (["trace", "s.yaml", "--out", "g.pdf"], "expected a name that ends in .svg, .png, .mmd, .mermaid, .dot, .gv"),
        (["trace", "run", "--set", "a=1"], "a run is traced as it is; leave out --set"),
        (["trace", "run", "--seed", "1"], "a run is traced as it is; leave out --seed"),
    ],
)
def test_usage_errors_end_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], fake: Callable[..., None]
) -> None:
    fake("train", train=raises(AssertionError()), resume=raises(AssertionError()))
    assert cli.run(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.UsageError("so not"), 2, "so not\n"),
        (errors.SpecError([errors.Problem(("a", 1), "wrong", "s.yaml:3")]), 3, "s.yaml:3: a[1]: wrong\n"),
        (errors.DataError("d.csv:4: ragged"), 4, "d.csv:4: ragged\n"),
        (errors.RunError("runs/x: cut short"), 5, "runs/x: cut short\n"),
        (errors.DivergedError("loss is nan"), 6, "loss is nan\n"),
        (errors.ResourceError("no CUDA"), 7, "no CUDA\n"),
        (MemoryError(), 7, "out of memory; a smaller training.batch_size or model needs less\n"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 7, "x: No space left on device\n"),
        (PermissionError(errno.EACCES, "Permission denied", "y"), 7, "y: Permission denied\n"),
        (errors.GateError("accuracy is 0.5"), 8, "accuracy is 0.5\n"),
        (errors.InterruptError("go on with x", signal.SIGINT), 130, "go on with x\n"),
        (errors.InterruptError("go on with x", signal.SIGTERM), 143, "go on with x\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_each_error_has_its_code(
    error: BaseException, code: int, message: str, fake: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake("check", check=raises(error))
    assert cli.run(["check", "s.yaml"]) == code
    captured = capsys.readouterr()
    assert captured.err == message
    assert captured.out == ""


def test_a_bug_is_told_shortly_and_with_a_traceback_where_asked_for(
    fake: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("check", check=raises(KeyError("x")))
    assert cli.run(["check", "s.yaml"]) == 1
    told = capsys.readouterr().err
    assert "KeyError: 'x'" in told
    assert "NNKIT_DEBUG=1" in told
    assert "Traceback" not in told
    monkeypatch.setenv("NNKIT_DEBUG", "1")
    assert cli.run(["check", "s.yaml"]) == 1
    assert "Traceback" in capsys.readouterr().err


class Calls:
    """A command that notes how it was called."""

    def __init__(self, result: object) -> None:
        self.result = result

    def __call__(self, *arguments: object, **options: object) -> object:
        self.arguments, self.options = arguments, options
        return self.result


@pytest.fixture
def train(fake: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Return a ``train`` that trains nothing, and whose run has metrics."""
    calls = Calls(Path("runs/a/1"))
    fake("train", train=calls, resume=calls)
    metrics = {"train": {"accuracy": 0.987654}, "test": {"accuracy": 0.9, "f1": None}}
    folder = SimpleNamespace(RunFolder=SimpleNamespace(open=lambda path: SimpleNamespace(metrics=lambda: metrics)))
    monkeypatch.setitem(sys.modules, "nnkit.runs.folder", folder)
    return calls


def test_train_prints_the_run_alone_to_stdout(train: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", "s.yaml", "--set", "a=1", "--set", "b.c=2"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "runs/a/1\n"
    assert captured.err == "train: accuracy 0.9877\ntest: accuracy 0.9, f1 -\n"
    assert train.arguments == (Path("s.yaml"),)
    assert train.options.pop("listener") is not None
    plain = {"device": None, "seed": None, "seeds": None, "jobs": None}
    assert train.options == {"overrides": ["a=1", "b.c=2"], "out": Path("runs"), **plain}


def test_train_quietly_and_as_json(train: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", "s.yaml", "-q"]) == 0
    assert tuple(capsys.readouterr()) == ("runs/a/1\n", "")
    assert train.options["listener"] is None
    assert cli.run(["train", "--resume", "runs/a/1", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["run"] == "runs/a/1"
    assert printed["metrics"]["test"] == {"accuracy": 0.9, "f1": None}


def test_flags_stand_above_the_environment(train: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NNKIT_DEVICE": "cpu", "NNKIT_SEED": "7", "NNKIT_OUT": "elsewhere"}.items():
        monkeypatch.setenv(name, value)
    assert cli.run(["train", "s.yaml"]) == 0
    assert (train.options["device"], train.options["seed"], train.options["out"]) == ("cpu", 7, Path("elsewhere"))
    assert cli.run(["train", "s.yaml", "--seed", "0", "--out", "here"]) == 0
    assert (train.options["device"], train.options["seed"], train.options["out"]) == ("cpu", 0, Path("here"))
    assert cli.run(["train", "--resume", "runs/a/1"]) == 0
    assert train.options["device"] == "cpu"


def test_a_wrong_environment_is_a_usage_error(
    train: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NNKIT_SEED", "seven")
    assert cli.run(["train", "s.yaml"]) == 2
    assert "NNKIT_SEED" in capsys.readouterr().err


def test_predict_passes_on_what_is_typed(
    fake: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = Calls(SimpleNamespace(rows=1, rejected=1, unseen={}, notes=()))
    fake("predict", predict=calls)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer="the bytes of stdin"))
    typed = ["--format", "jsonl", "--columns", 'a,"b,c"', "--keep", "--rejects", "bad.csv", "--chunk-rows", "7"]
    assert cli.run(["predict", "r", "-", *typed]) == 0
    assert calls.arguments[:2] == (Path("r"), "the bytes of stdin")
    assert calls.arguments[2] is sys.stdout
    assert calls.options == {
        "format": "jsonl",
        "columns": ["a", "b,c"],
        "keep": True,
        "rejects": Path("bad.csv"),
        "chunk_rows": 7,
        "device": None,
    }
    assert capsys.readouterr().err == "rows that could not be read: 1; they are in bad.csv\n"
    assert cli.run(["predict", "r", "d.csv", "-q"]) == 0
    assert str(calls.arguments[1]) == "d.csv"
    assert cli.run(["predict", "r", "-q"]) == 0
    assert calls.arguments[1] is None


def test_a_gate_that_is_not_met_ends_with_8_after_the_report(
    fake: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    gates = ["accuracy is 0.5, expected at least 0.9"]
    report = SimpleNamespace(failed=gates, to_json=lambda: {"test": {}}, notes=["1 picture", "a.png: is empty"])
    calls = Calls(report)
    fake("evaluate", evaluate=calls)
    assert cli.run(["evaluate", "r", "--json", "--fail-under", "accuracy=0.9", "--fail-under", "f1=0.1"]) == 8
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"test": {}}
    assert captured.err == "1 picture\na.png: is empty\naccuracy is 0.5, expected at least 0.9\n"
    assert calls.options == {"device": None, "fail_under": ["accuracy=0.9", "f1=0.1"]}


def test_a_terminal_that_is_full_is_a_resource_error() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "nnkit", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (7, "output: No space left on device\n")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["schema"], ["list", "layers"], ["check", "--help"]])
def test_a_closed_pipe_ends_quietly(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        command = [sys.executable, "-m", "nnkit", *arguments]
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_stdout_and_no_stderr_at_all() -> None:
    done = subprocess.run(f"{sys.executable} -m nnkit --version >&- 2>&-", shell=True, check=False)  # noqa: S602 - fixed
    assert done.returncode == 0


WAITING = """
import sys, time
from types import ModuleType
from nnkit import cli
module = ModuleType("nnkit.commands.check")
def check(*arguments, **options):
    print("waiting", file=sys.stderr, flush=True)
    time.sleep(30)
module.check = check
sys.modules[module.__name__] = module
sys.argv = ["nnkit", "check", "s.yaml"]
cli.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(number: int, code: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", WAITING], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "waiting\n"
    process.send_signal(number)
    start = time.monotonic()
    told = process.communicate(timeout=20)[1]
    assert process.returncode == code
    assert "Traceback" not in told
    assert time.monotonic() - start < 10


def test_list_show_and_schema() -> None:
    families = json.loads(nnkit("list", "--json").stdout)
    assert {
        "name": "layers",
        "summary": "A step of a network, from the shapes of its inputs to one output.",
    } in families
    assert "dense" in nnkit("list", "layers").stdout
    shown = nnkit("show", "layers", "dense").stdout
    assert "Example:\n  {type: dense, units: 8}\n" in shown
    assert json.loads(nnkit("show", "layers", "dense", "--json").stdout)["name"] == "dense"
    assert json.loads(nnkit("schema").stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "layer"], "unknown family 'layer'; did you mean 'layers'? The families: "),
        (["show", "layers", "dens"], "unknown layer 'dens'; did you mean 'dense'? The layers: "),
        (["show", "lyers", "dense"], "unknown family 'lyers'; did you mean 'layers'?"),
    ],
)
def test_what_there_is_not(arguments: list[str], message: str) -> None:
    done = nnkit(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(message)


def test_a_missing_spec_ends_with_3(tmp_path: Path) -> None:
    done = nnkit("check", "missing.yaml", cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "missing.yaml: the spec cannot be read: No such file or directory\n"


TABLE = Table(("name", "count"), [("a", "1"), ("long name", "1,000")], numbers=1)


def test_a_table_in_a_pipe() -> None:
    assert plain(TABLE) == "name       count\na              1\nlong name  1,000\n"


def test_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert "long name" in drawn(TABLE, 60)
    assert "\x1b[1m" in drawn(TABLE, 60)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in drawn(TABLE, 60)


def test_numbers() -> None:
    assert [number(value) for value in (None, 1234567, 0.123456, 1e-7)] == ["-", "1,234,567", "0.1235", "1e-07"]
