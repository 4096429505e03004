"""The results as Markdown: everything for benchmarks/results, the gist for the README."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.results import Result, Section, Spread

LABELS = {"nnkit": "nnkit", "defaults": "defaults", "best": "best setting", "by hand": "by hand", "import": "import"}
START, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"


def shown(value: float | None) -> str:
    """Return three significant digits, with commas in thousands; a dash for None."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def ranged(spread: Spread | None) -> str:
    """Return a median with least and most in brackets."""
    return f"{shown(spread.median)} ({shown(spread.least)}-{shown(spread.most)})" if spread else "-"


def times(value: float | None) -> str:
    """Return a ratio."""
    return f"{shown(value)}x" if value is not None else "-"


def grid(head: Sequence[str], lines: Sequence[Sequence[str]], left: Sequence[int] = (0, 1)) -> list[str]:
    """Return the lines of a Markdown table, all columns but those in ``left`` aligned right."""
    rule = ["---" if index in left else "---:" for index in range(len(head))]
    return ["| " + " | ".join(line) + " |" for line in (head, rule, *lines)]


def section_lines(section: Section) -> list[str]:
    """Return a workload as Markdown lines."""
    unit = section.unit
    head = ["", "", "whole process, s", "x nnkit", *([unit, "x nnkit"] if unit else []), "CPU s", "peak MiB"]
    scored = any(result.loss is not None or result.accuracy is not None for result in section.results)
    head += ["test loss", "test accuracy"] if scored else []
    lines = [_line(result, bool(unit), scored) for result in section.results if not result.problem]
    failed = [f"* {item.name}: {item.problem}" for item in section.results if item.problem]
    notes = [f"* {item.name}: {item.note}" for item in section.results if item.note and not item.problem]
    tail = [*notes, *(["", "Without figures:", "", *failed] if failed else [])]
    return [f"## {section.title}", "", section.work, "", *grid(head, lines), "", *tail, ""]


def _line(result: Result, rated: bool, scored: bool) -> list[str]:
    cells = [result.name, LABELS[result.kind], ranged(result.wall), times(result.slower)]
    if rated:
        cells += [ranged(result.rate), times(result.rate_slower)]
    cells += [shown(result.cpu.median if result.cpu else None), shown(result.peak.median if result.peak else None)]
    return cells + ([_four(result.loss), _four(result.accuracy)] if scored else [])


def _four(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def page(document: Mapping[str, Any], sections: Sequence[Section], roofline: Sequence[str]) -> str:
    """Return the page of results."""
    lines = ["# Results", "", "![The results as bars](results.png)", "", *paragraph(document["machine"]), ""]
    for section in sections:
        lines += section_lines(section)
    lines += [*roofline, "## Versions", ""]
    for env, packages in document["versions"].items():
        lines.append(f"* {env}: {', '.join(f'{name} {number}' for name, number in packages.items())}")
    return "\n".join(lines) + "\n"


def paragraph(machine: Mapping[str, str]) -> list[str]:
    """Return what the figures were measured on, and how to read them."""
    return [
        "Written by `python -m benchmarks`. Medians of interleaved runs, least and most in brackets; `x nnkit` is how",
        "many times as long as nnkit's first row. CPU is user and system time. Peak is the memory of the command's",
        "largest process, and never less than the harness's own 45 MiB, which Linux counts in.",
        "",
        f"Measured on {machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['system']}, "
        f"Python {machine['python']}; {machine['date']}, commit {machine['commit']}; load before it {machine['load']}.",
    ]


def best(section: Section, *kinds: str) -> Result | None:
    """Return the fastest row of these kinds: by the rate where more of it is better, else by the whole process."""
    found = [result for result in section.results if result.kind in kinds and result.wall]
    return min(found, key=lambda result: _pace(section, result), default=None)


def _pace(section: Section, result: Result) -> float:
    if section.more_is_better and result.rate:
        return -result.rate.median
    return result.wall.median if result.wall else 0.0


def gist(document: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """Return the README's paragraph: nnkit, the best peer and the first one at defaults, for each workload."""
    machine: Mapping[str, str] = document["machine"]
    torch = document["versions"].get("nnkit", {}).get("torch", "-")
    lines = [line for section in sections for line in _gist_line(section)]
    head = ["", "nnkit", "best of the peers", "times nnkit", "at defaults", "times nnkit"]
    return "\n".join(
        [
            START,
            f"Measured on {machine['processor']}, {machine['cores']} cores; {machine['date']}, "
            f"commit {machine['commit']}, torch {torch};",
            "every figure from one run of `python -m benchmarks`, whose",
            "[page of results](benchmarks/results/results.md) has every row, its spread, memory and versions.",
            "",
            *grid(head, lines, left=(0, 1, 2, 4)),
            END,
        ]
    )


def _gist_line(section: Section) -> list[list[str]]:
    first = next((item for item in section.results if item.kind in ("defaults", "import") and item.wall), None)
    ours, other = section.ours, best(section, "defaults", "best") or first
    if ours is None or other is None or first is None:
        return []
    peers = [cell for item in (other, first) for cell in _peer(section, item)]
    return [[section.title, _figure(section, ours), *(peers if first != other else [*peers[:2], "", ""])]]


def _peer(section: Section, result: Result) -> list[str]:
    ratio = result.rate_slower if section.more_is_better else result.slower
    return [f"{result.name}: {_figure(section, result)}", times(ratio)]


def _figure(section: Section, result: Result) -> str:
    if section.more_is_better and result.rate:
        return f"{shown(result.rate.median)} {section.unit}"
    return f"{shown(result.wall.median)} s" if result.wall else "-"


def filled(readme: str, text: str) -> str:
    """Return the README with the text between its markers; raises ``ValueError`` where they are not there."""
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"README.md: expected the lines {START} and {END}")
    return before + text + after
