"""``python -m benchmarks``: set up the peers, time everything, write a table and a picture."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from benchmarks import envs, inputs, machine, picture, roofline, schedule, table
from benchmarks.results import Section, from_json, section, to_json
from benchmarks.rows import Row, Workload
from benchmarks.schedule import Track
from benchmarks.settings import HERE, ROOT, WORK, Settings
from benchmarks.workloads import WORKLOADS

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; in each every row runs.")] = 3,
    only: Annotated[str, typer.Option(help=f"Workloads, with commas: {', '.join(WORKLOADS)}.")] = ",".join(WORKLOADS),
    peers: Annotated[str, typer.Option(help="Environments of peers, with commas; none leaves all out.")] = "all",
    slow: Annotated[bool, typer.Option("--all", help="Also peers that take minutes.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Train every seed, where else a part is multiplied.")] = False,
    churn: Annotated[Path | None, typer.Option(exists=True, help="Another churn file with the same columns.")] = None,
    text: Annotated[
        Path | None, typer.Option(exists=True, help="A text for the character net; default: made up.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = HERE / "results",
    readme: Annotated[bool, typer.Option("--readme", help="Put the gist between the markers in README.md.")] = False,
    again: Annotated[Path | None, typer.Option("--from", exists=True, help="Write again from a results.json.")] = None,
    small: Annotated[bool, typer.Option("--small", help="Tiny work, to see that everything runs.")] = False,
) -> None:
    """Time nnkit beside its peers on the same work, and write results.json, results.md and results.png."""
    if again:
        write(json.loads(again.read_text(encoding="utf-8")), out, readme)
        return
    names = chosen("--only", only, list(WORKLOADS))
    kept = chosen("--peers", peers, ["all", "none", *envs.names()])
    WORK.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=WORK) as folder:
        start = Settings(Path(folder), (churn or Settings.churn).resolve(), text and text.resolve())
        settings = prepared(sized(start, small, full))
        workloads = [wanted(workload, kept, slow) for name in names for workload in WORKLOADS[name](settings)]
        document = described(set_up(workloads), sys.argv[1:], settings.peak_seconds)
        time_all(workloads, rounds, settings.work, partial(keep, document, out))
    write(json.loads((out / "results.json").read_text(encoding="utf-8")), out, readme)


def chosen(option: str, text: str, there: Sequence[str]) -> list[str]:
    """Return the names in an option's text; raises ``BadParameter`` for one that isn't there."""
    names = text.split(",")
    for name in names:
        if name not in there:
            raise typer.BadParameter(f"{option}: unknown name {name!r}; expected some of {', '.join(there)}")
    return names


def set_up(workloads: Sequence[Workload]) -> list[str]:
    """Make the environments that the rows need; returns their names."""
    needed = {row.env for workload in workloads for row in workload.rows if not row.missing} - {envs.NNKIT}
    for name in sorted(needed):
        envs.ready(name)
    return sorted(needed)


def sized(settings: Settings, small: bool, full: bool) -> Settings:
    """Return the settings for tiny or full work."""
    if small:
        settings = replace(settings, epochs=1, seeds=2, sampled=1, fresh_rows=1_000, steps=12, peak_seconds=0.1)
    return replace(settings, sampled=settings.seeds) if full else settings


def prepared(settings: Settings) -> Settings:
    """Write the churn file with its split; returns the settings with the number of training rows."""
    return replace(settings, rows=inputs.write_split(settings.churn, settings.split))


def wanted(workload: Workload, peers: Sequence[str], slow: bool) -> Workload:
    """Return the workload with only the rows asked for."""

    def asked(row: Row) -> bool:
        return ("all" in peers or row.env in (envs.NNKIT, *peers)) and (slow or not row.slow)

    return replace(workload, rows=[row for row in workload.rows if asked(row)])


def described(needed: Sequence[str], options: Sequence[str], seconds: float) -> dict[str, Any]:
    """Return machine, versions, options and the machine's peak; ends the program where torch's versions differ."""
    versions = {name: envs.versions(name) for name in (envs.NNKIT, *needed)}
    if problem := envs.same_torch(versions):
        raise typer.BadParameter(problem)
    return {
        "machine": machine.described(),
        "versions": versions,
        "options": list(options),
        "peaks": roofline.peaks(seconds),
    }


def time_all(workloads: Sequence[Workload], rounds: int, work: Path, save: Callable[[list[Section]], None]) -> None:
    """Time one workload after the other; ``save`` gets all sections after each round, so that a stop loses little."""
    done: list[Section] = []
    for workload in workloads:
        after = partial(_save_one, workload, tuple(done), save)
        done.append(section(workload, schedule.run(workload, rounds, work, after)))
    save(done)


def _save_one(
    workload: Workload, done: Sequence[Section], save: Callable[[list[Section]], None], tracks: Sequence[Track]
) -> None:
    save([*done, section(workload, tracks)])


def keep(document: Mapping[str, Any], out: Path, sections: Sequence[Section]) -> None:
    """Write results.json. No picture yet: matplotlib's memory would be counted as that of the next row's process."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps({**document, "sections": to_json(sections)}, indent=1) + "\n", "utf-8")


def write(document: Mapping[str, Any], out: Path, readme: bool) -> None:
    """Write results.json, results.md and results.png, and with ``readme`` the gist into README.md."""
    sections = from_json(document["sections"])
    keep(document, out, sections)
    (out / "results.md").write_text(
        table.page(document, sections, roofline.lines(document["peaks"], sections)), encoding="utf-8"
    )
    picture.draw(sections, out / "results.png")
    if readme:
        page = ROOT / "README.md"
        page.write_text(
            table.filled(page.read_text(encoding="utf-8"), table.gist(document, sections)), encoding="utf-8"
        )


if __name__ == "__main__":
    app()
