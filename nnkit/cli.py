"""The command line: each command's options, and how the process ends. What a command needs is imported when it runs."""

import gc
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from nnkit import __version__, flags
from nnkit.console import (
    flushed,
    new_listener,
    print_json,
    print_now,
    print_report,
    print_run,
    print_tables,
    print_text,
    report_error,
    say,
    source_of,
    stdout,
)
from nnkit.errors import Terminated, UsageError

if TYPE_CHECKING:
    from nnkit.commands.predict import PredictSummary

app = typer.Typer(
    name="nnkit",
    help="Configurable neural-network experiments: one YAML file in, a trained, repeatable run out.",
    epilog="Exit codes: 0 done; 1 a bug in nnkit; 2 usage; 3 the spec; 4 the data; 5 the run folder; 6 training "
    "diverged; 7 disk, memory or device; 8 a gate not met; 130 and 143 interrupted, go on with --resume.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        print_text(f"nnkit {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def train(
    context: typer.Context,
    spec: Annotated[Path | None, typer.Argument(metavar="SPEC", help="The experiment, a YAML file.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a run that was stopped.")] = None,
    sets: flags.Sets = None,
    out: Annotated[Path | None, typer.Option(envvar="NNKIT_OUT", help="Folder for runs.  [default: runs]")] = None,
    device: flags.Device = None,
    seed: flags.Seed = None,
    seeds: flags.Seeds = None,
    jobs: flags.Jobs = None,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Train an experiment and print its run's folder.

    The folder holds the weights, what they were made of, and how good they are on the test rows.
    """
    from nnkit.commands import train as command

    listener = new_listener(quiet, verbose)
    if resume is None:
        if spec is None:
            raise UsageError("expected a spec to train, or --resume RUN")
        folder, several = out or Path("runs"), _seeds(context, seeds, seed)
        one = seed if several is None else None
        run = command.train(
            spec, overrides=sets or [], out=folder, device=device, seed=one, seeds=several, jobs=jobs, listener=listener
        )
    else:
        given = {"SPEC": spec, "--set": sets, "--out": out, "--seed": seed, "--seeds": seeds}
        flags.refuse(context, "--resume goes on with the run as it was", given)
        run = command.resume(resume, device=device, jobs=jobs, listener=listener)
    print_run(run, json, quiet)


def _seeds(context: typer.Context, text: str | None, seed: int | None) -> list[int] | None:
    if text is None:
        return None
    from nnkit.seeds import parse_seeds

    flags.refuse(context, "--seeds names all the seeds", {"--seed": seed})
    return parse_seeds(text)


@app.command()
def evaluate(
    context: typer.Context,
    run: flags.Run,
    data: Annotated[Path | None, typer.Argument(metavar="DATA", help="Rows with targets; else the test rows.")] = None,
    fail_under: flags.FailUnder = None,
    classifier: flags.Classifier = None,
    count: flags.JudgedCount = 1000,
    seed: flags.JudgedSeed = 0,
    steps: flags.DrawSteps = None,
    device: flags.Device = None,
    json: flags.Json = False,
) -> None:
    """Print a run's metrics and confusion matrix, or what a classifier says of the rows that it draws."""
    if classifier is None:
        from nnkit.commands import evaluate as known

        flags.refuse(context, "there is no --classifier", {"-n": count, "--seed": seed, "--steps": steps})
        print_report(known.evaluate(run, data, device=device, fail_under=fail_under or []), json)
    else:
        from nnkit.commands import quality as drawn

        wanted = drawn.Wanted(count, seed, steps)
        print_report(drawn.quality(run, classifier, data, wanted, device=device, fail_under=fail_under or []), json)


@app.command()
def predict(
    run: flags.Run,
    data: flags.Rows = None,
    form: flags.PredictionsForm = None,
    columns: flags.Columns = None,
    keep: flags.Keep = False,
    rejects: flags.Rejects = None,
    chunk_rows: flags.ChunkRows = 16384,
    device: flags.Device = None,
    quiet: flags.Quiet = False,
) -> None:
    """Print a prediction for every row."""
    from nnkit.commands.predict import predict as command

    summary = command(
        run, source_of(data), stdout(), format=form.value if form else None, columns=flags.names(columns), keep=keep,
        rejects=rejects, chunk_rows=chunk_rows, device=device,
    )  # fmt: skip
    _say_rows(summary, rejects, quiet)


@app.command()
def encode(
    run: flags.Run,
    data: flags.Rows = None,
    form: flags.CodesForm = None,
    columns: flags.Columns = None,
    keep: flags.Keep = False,
    rejects: flags.Rejects = None,
    chunk_rows: flags.ChunkRows = 16384,
    device: flags.Device = None,
    quiet: flags.Quiet = False,
) -> None:
    """Print the code that a model makes of every row, such as an autoencoder's."""
    from nnkit.commands.encode import encode as command

    summary = command(
        run, source_of(data), stdout(), format=form.value if form else None, columns=flags.names(columns), keep=keep,
        rejects=rejects, chunk_rows=chunk_rows, device=device,
    )  # fmt: skip
    _say_rows(summary, rejects, quiet)


def _say_rows(summary: "PredictSummary", rejects: Path | None, quiet: bool) -> None:
    if not quiet:
        from nnkit.summaries import predict_lines

        say(predict_lines(summary, rejects))


@app.command()
def generate(
    context: typer.Context,
    run: flags.Run,
    prompt: flags.Prompt = None,
    count: flags.Count = None,
    temperature: flags.Temperature = 1.0,
    top_k: flags.TopK = 0,
    top_p: flags.TopP = 1.0,
    seed: flags.DrawSeed = 0,
    label: flags.OfLabel = None,
    steps: flags.DrawSteps = None,
    out: flags.DrawOut = None,
    form: flags.DrawForm = None,
    device: flags.Device = None,
    quiet: flags.Quiet = False,
) -> None:
    """Draw from a model: let a language model go on with a text, or a generative one make rows or pictures."""
    from nnkit.commands import sample

    note = (lambda text: None) if quiet else say
    texts = {"--prompt": prompt, "--temperature": temperature, "--top-k": top_k, "--top-p": top_p}
    rows = {"--label": label, "--steps": steps, "--out": out, "--format": form}
    if sample.is_language(run):
        from nnkit.commands.generate import Options
        from nnkit.commands.generate import generate as command

        flags.refuse(context, "a language model goes on with a text", rows)
        options = Options(500 if count is None else count, temperature, top_k, top_p, seed)
        for piece in command(run, prompt, options, device=device, note=note):
            print_now(piece)
        print_now("\n")
        return
    flags.refuse(context, "the model draws rows and no text", texts)
    wanted = sample.Options(64 if count is None else count, seed, label, steps)
    drawn = sample.sample(run, wanted, out=out, format=form.value if form else None, device=device, note=note)
    print_text(drawn.text or f"{drawn.path}\n")


@app.command()
def plot(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or of one of its folds.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the pictures.  [default: RUN]")] = None,
    codes: flags.Codes = None,
    json: flags.Json = False,
) -> None:
    """Draw a run's pictures again and print their paths.

    They are drawn from the run's own files: its history, of folds too, and its predictions. Only for --codes is the
    data read again, of which some 2,000 rows are drawn.
    """
    from nnkit.commands.plot import plot as command

    pictures = command(run, out, codes.value if codes else None)
    if json:
        print_json({"run": str(run), "pictures": [str(picture) for picture in pictures]})
    else:
        print_text("".join(f"{picture}\n" for picture in pictures))


@app.command()
def check(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The experiment, a YAML file.")],
    sets: flags.Sets = None,
    seed: flags.Seed = None,
    json: flags.Json = False,
) -> None:
    """Check an experiment without training it.

    Looks at the spec, the data, the shapes and the sizes, and prints the layers.
    """
    from nnkit.commands.check import check as command

    report = command(spec, overrides=flags.overrides(sets, seed))
    say("\n".join(report.notes))
    if json:
        print_json(report.to_json())
        return
    from nnkit.summaries import check_tables

    print_tables(check_tables(report))


@app.command()
def trace(
    context: typer.Context,
    spec_or_run: Annotated[Path, typer.Argument(metavar="SPEC_OR_RUN", help="A spec, or the folder of a run.")],
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="A file, or - for stdin; else the data of the spec or run.")
    ] = None,
    row: flags.Row = None,
    by_hand: flags.ByHand = None,
    of: flags.GradientsOf = None,
    out: flags.Drawing = None,
    form: flags.DrawingForm = None,
    sets: flags.Sets = None,
    seed: flags.Seed = None,
    json: flags.Json = False,
) -> None:
    """Send one row forward and backward through the network, and print each node's value and gradient.

    A spec has its first weights, a run its trained ones. Dropout is off and batch norm uses its averages, as in
    predict. The gradients are those of the row's loss, or of the output where nothing is trained.
    """
    from nnkit.commands import drawing
    from nnkit.commands.trace import is_run
    from nnkit.commands.trace import trace as command

    drawn_as = drawing.format_of(out, form.value if form else None)
    if is_run(spec_or_run):
        flags.refuse(context, "a run is traced as it is", {"--set": sets, "--seed": seed})
    if json and form and out is None:
        raise UsageError("--format prints the drawing and --json the numbers; add --out FILE, or leave out one")
    given = flags.overrides(sets, seed)
    report = command(spec_or_run, source_of(data), row=row, by_hand=by_hand or [], of=of, overrides=given)
    picture = drawing.draw(report, drawn_as) if drawn_as else b""
    if out is not None:
        drawing.write(out, picture)
    if out is None and isinstance(picture, str):
        print_text(picture)
    elif json:
        print_json(report.to_json())
    else:
        from nnkit.summaries import trace_tables

        print_tables(trace_tables(report))


@app.command()
def preview(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The experiment, a YAML file.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The picture, a PNG file.")] = Path("preview.png"),
    rows: Annotated[int, typer.Option(min=1, max=50, help="Lines of pictures.")] = 8,
    epochs: Annotated[int, typer.Option("--epochs", "--versions", min=1, max=30, help="Epochs to show.")] = 5,
    sets: flags.Sets = None,
    seed: flags.Seed = None,
) -> None:
    """Draw training pictures as the network will see them and print the file's path.

    With data.augment a picture stands beside what becomes of it in the first epochs.
    """
    from nnkit.commands.preview import preview as command

    print_text(f"{command(spec, out, overrides=flags.overrides(sets, seed), rows=rows, epochs=epochs)}\n")


@app.command(name="list")
def list_(
    family: Annotated[str | None, typer.Argument(metavar="FAMILY", help="A family such as layers.")] = None,
    json: flags.Json = False,
) -> None:
    """List the families, or what is in one."""
    from nnkit.commands import catalog
    from nnkit.tables import Table

    found = catalog.families() if family is None else catalog.names(family)
    if json:
        print_json([{"name": name, "summary": summary} for name, summary in found.items()])
        return
    print_tables([Table(("family" if family is None else "name", ""), list(found.items()))])


@app.command()
def show(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="A family such as layers.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of the family, such as dense.")],
    json: flags.Json = False,
) -> None:
    """Show what a piece does, and its options."""
    from nnkit.commands import catalog
    from nnkit.config.pages import plain_text

    piece = catalog.show(family, name)
    if json:
        print_json(piece.to_json())
    else:
        print_text(plain_text(piece))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a spec.

    It is of draft 2020-12 and gives completion and checks in editors.
    """
    from nnkit.commands import catalog

    print_json(catalog.schema())


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def main() -> NoReturn:
    """Run the command line and end the process with the code that the outcome has."""
    signal.signal(signal.SIGTERM, _terminate)
    # Loading makes many objects and hardly a cycle: looking for cycles at the usual pace is a tenth of a short command.
    gc.set_threshold(50_000)
    code = run()
    gc.freeze()  # The end of the process is no time to look for cycles, either.
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        code = app(arguments, prog_name="nnkit", standalone_mode=False)
    except SystemExit:
        code = 0  # So typer ends on a closed pipe: whoever read has seen enough.
    except BaseException as error:  # noqa: BLE001 - the one place where an error becomes a message and a code
        code = report_error(error)
    return flushed() or int(code or 0)
