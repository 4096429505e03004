"""Options that several commands have, and the choices of some."""

import csv
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from nnkit.errors import UsageError


class OutputFormat(Enum):
    """Formats of predictions."""

    csv = "csv"
    jsonl = "jsonl"
    trees = "trees"
    conll = "conll"


class TableFormat(Enum):
    """Formats of tables."""

    csv = "csv"
    jsonl = "jsonl"


class DrawingFormat(Enum):
    """Formats of a graph's drawing."""

    svg = "svg"
    png = "png"
    mermaid = "mermaid"
    dot = "dot"


class Projection(Enum):
    """How codes come into two dimensions."""

    pca = "pca"
    tsne = "tsne"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", envvar="NNKIT_QUIET", help="Say nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", envvar="NNKIT_VERBOSE", help="Say a line for every epoch.")]
Seed = Annotated[int | None, typer.Option(envvar="NNKIT_SEED", min=0, help="Override the seed of the spec.")]
Seeds = Annotated[
    str | None, typer.Option(metavar="0..39", help="Train with each of several seeds: 0..39, or 1,5,9, or both.")
]
Jobs = Annotated[
    int | None,
    typer.Option(envvar="NNKIT_JOBS", min=1, help="Folds or seeds to train at once.  [default: as cores allow]"),
]
Device = Annotated[
    str | None, typer.Option(envvar="NNKIT_DEVICE", metavar="auto|cpu|cuda|mps", help="Override where tensors live.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a value of the spec: training.epochs=3, model.layers[0].units=8. May be given many times.",
    ),
]

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
FailUnder = Annotated[
    list[str] | None,
    typer.Option(metavar="METRIC=VALUE", help="End with code 8 where this is not met. May be given many times."),
]
Rows = Annotated[
    str | None,
    typer.Argument(metavar="DATA", help="A file or a folder of pictures, or - for stdin; else the run's own data."),
]
Columns = Annotated[
    str | None,
    typer.Option(metavar="A,B,...", help="Names of the columns of a CSV input without a header, or of CoNLL."),
]
PredictionsForm = Annotated[
    OutputFormat | None, typer.Option("--format", help="Format of the output.  [default: as the input]")
]
CodesForm = Annotated[
    TableFormat | None, typer.Option("--format", help="Format of the output.  [default: as the input]")
]
Codes = Annotated[
    Projection | None,
    typer.Option("--codes", help="Draw codes of rows instead: along principal directions, or by t-SNE."),
]
Keep = Annotated[bool, typer.Option("--keep", help="Write the input's columns too.")]
Rejects = Annotated[Path | None, typer.Option(metavar="FILE", help="Write rows that cannot be read there, and go on.")]
ChunkRows = Annotated[int, typer.Option(min=1, help="Rows that go through the network at once, at most.")]

Prompt = Annotated[str | None, typer.Option(metavar="TEXT", help="What a text begins with.  [default: a new line]")]
Count = Annotated[
    int | None,
    typer.Option("--count", "--tokens", "-n", help="Tokens to go on, or rows to draw.  [default: 500, or 64 rows]"),
]
Temperature = Annotated[
    float, typer.Option(help="Of a text: below 1 more likely, above 1 more surprising; 0 always takes the likeliest.")
]
TopK = Annotated[int, typer.Option(help="Of a text: draw from so many likeliest tokens; 0 is all.")]
TopP = Annotated[
    float, typer.Option(help="Of a text: draw from the likeliest tokens that together have this probability.")
]
DrawSeed = Annotated[int, typer.Option(help="Another seed draws other texts and rows.")]
OfLabel = Annotated[
    str | None, typer.Option(metavar="CLASS", help="Draw rows of this class, from a model that learned with labels.")
]
DrawSteps = Annotated[int | None, typer.Option(help="Steps in which a row is drawn, by a model that does it in steps.")]
DrawOut = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|DIR",
        help="Write rows to FILE.csv or .jsonl, pictures as a grid to FILE.png or one by one into a folder.  "
        "[default: print rows; pictures go to samples.png]",
    ),
]
DrawForm = Annotated[TableFormat | None, typer.Option("--format", help="Format of rows.  [default: csv]")]

Row = Annotated[
    int | None,
    typer.Option(min=0, help="Number of the row, from 0, as predictions.csv has it.  [default: 0]"),
]
ByHand = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="COLUMN=VALUE", help="Put a value into the row. May be given many times."),
]
GradientsOf = Annotated[
    str | None,
    typer.Option(
        metavar="loss|output|NODE",
        help="What the gradients are of; NODE[0] is one of its numbers.  [default: loss, or output without one]",
    ),
]
Drawing = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the graph too: FILE.svg, .png, .mmd or .dot.")]
DrawingForm = Annotated[
    DrawingFormat | None, typer.Option("--format", help="Format of the drawing; without --out print it instead.")
]

Classifier = Annotated[
    Path | None,
    typer.Option(metavar="RUN", help="Judge rows that a generative model draws by this run of a classifier."),
]
JudgedCount = Annotated[int, typer.Option("--count", "-n", help="Rows to draw for the classifier.")]
JudgedSeed = Annotated[int, typer.Option(help="Another seed draws other rows for the classifier.")]

PARAMETERS = {"--set": "sets", "-n": "count", "--format": "form"}
"""Options whose values go by another name in the code."""


def overrides(sets: list[str] | None, seed: int | None) -> list[str]:
    """Return the values of the spec that the command line overrides, as ``key=value``; the seed's flag comes last."""
    return [*(sets or []), *([] if seed is None else [f"seed={seed}"])]


def names(columns: str | None) -> list[str] | None:
    """Return the names in a line of CSV."""
    return None if columns is None else next(csv.reader([columns]))


def refuse(context: typer.Context, reason: str, options: Mapping[str, object]) -> None:
    """Raise ``UsageError`` for options that were typed though they mean nothing here; the environment's may stay."""
    for name, value in options.items():
        source = context.get_parameter_source(PARAMETERS.get(name, name.strip("-").lower().replace("-", "_")))
        if value is not None and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{reason}; leave out {name}")
