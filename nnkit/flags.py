"""Options that several commands have, and the choices of some."""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated

import typer

from nnkit.errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", envvar="NNKIT_QUIET", help="Say nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", envvar="NNKIT_VERBOSE", help="Say a line for every epoch.")]
Seed = Annotated[int | None, typer.Option(envvar="NNKIT_SEED", min=0, help="Override the seed of the spec.")]
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


def overrides(sets: list[str] | None, seed: int | None) -> list[str]:
    """Return the values of the spec that the command line overrides, as ``key=value``; the seed's flag comes last."""
    return [*(sets or []), *([] if seed is None else [f"seed={seed}"])]


def refuse(context: typer.Context, reason: str, options: Mapping[str, object]) -> None:
    """Raise ``UsageError`` for options that were typed though they mean nothing here; the environment's may stay."""
    for name, value in options.items():
        source = context.get_parameter_source({"--set": "sets"}.get(name, name.lower().removeprefix("--")))
        if value is not None and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{reason}; leave out {name}")


class OutputFormat(Enum):
    """Formats of predictions."""

    csv = "csv"
    jsonl = "jsonl"
    trees = "trees"
    conll = "conll"


class DrawingFormat(Enum):
    """Formats of a graph's drawing."""

    svg = "svg"
    png = "png"
    mermaid = "mermaid"
    dot = "dot"
