"""The drawing of a trace: what stands in each box, and in which format."""

from collections.abc import Mapping
from pathlib import Path

from nnkit.commands.traced import Numbers, TracedNode, TraceReport
from nnkit.errors import UsageError
from nnkit.figures.graph import FORMATS, SUFFIXES, Graph, Kind, Line, Vertex
from nnkit.files import atomic_write
from nnkit.shapes import show


def format_of(out: Path | None, form: str | None) -> str | None:
    """Return the format of a drawing for the file ``out``: ``form``, or what the file's name says; None for no drawing.

    Raises ``UsageError`` where the name says none, and for bytes that would go to a terminal.
    """
    if out is None:
        if form == "png":
            raise UsageError("--format png: a picture needs a file; add --out graph.png")
        return form
    if form is None and out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--out {out}: expected a name that ends in {', '.join(SUFFIXES)}, or --format beside it")
    return form or SUFFIXES[out.suffix.lower()]


def draw(report: TraceReport, form: str) -> str | bytes:
    """Draw a trace as one of ``FORMATS``; raises ``UsageError`` where it is too large for that."""
    numbers = {node.name: number for number, node in enumerate(report.nodes)}
    graph = Graph(
        title=f"{report.name}: row {report.row.text()}",
        forward="black: value",
        backward=f"red: gradient of {report.of}",
        vertices=[_vertex(node, numbers) for node in report.nodes],
    )
    return FORMATS[form](graph)


def _vertex(node: TracedNode, numbers: Mapping[str, int]) -> Vertex:
    kind: Kind = "loss" if node.is_loss else "layer" if node.reads else "input"
    lines = [_line("", node.value, node.gradient)]
    lines += [_line(f"{weight.name} ", weight.value, weight.gradient, brief=True) for weight in node.weights]
    return Vertex(node.name.removeprefix("input."), node.type, kind, [numbers[name] for name in node.reads], lines)


def _line(name: str, value: Numbers, gradient: Numbers | None, brief: bool = False) -> Line:
    size = f"{show(value.shape)}: " if value.array.size > 1 else ""
    return Line(
        f"{name or 'value '}{size}{value.text(brief)}",
        "" if gradient is None else f"{name}gradient {gradient.text(brief)}",
    )


def write(path: Path, picture: str | bytes) -> None:
    """Put a drawing into a file; raises ``ResourceError``. Nobody waits for the disk, as it can be drawn again."""
    atomic_write(path, picture, durable=False)
