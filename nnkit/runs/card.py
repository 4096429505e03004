"""The model card: the README.md of a run folder, for people who did not train it (Mitchell and others, 2019)."""

import csv
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from nnkit.procedures.unlabelled import Unlabelled
from nnkit.runs.folds import Metrics
from nnkit.runs.manifest import Manifest
from nnkit.signs import harmless, one_line
from nnkit.spec import Experiment


def model_card(
    manifest: Manifest,
    experiment: Experiment,
    metrics: Mapping[str, Any],
    confusion: str | None = None,
    warnings: Sequence[str] = (),
) -> str:
    """Return the card as Markdown; ``metrics`` and ``confusion`` are metrics.json and confusion_matrix.csv.

    ``warnings`` are sentences on what went wrong in training, without their full stops.
    """
    sections = [
        [f"# {_words(manifest.name)}", _prose(experiment.description or ""), _what(experiment)],
        ["## Results", *_results(metrics, manifest)],
        ["## Confusion matrix", "Rows are the truth, columns the prediction.", _confusion(confusion)]
        if confusion
        else [],
        ["## Warnings", *(_prose(f"{text[0].upper()}{text[1:]}.") for text in warnings)] if warnings else [],
        ["## Use", *_use(experiment, manifest)],
        ["## Data", _data(experiment, manifest)],
        ["## How it was made", _made(manifest)],
    ]
    return "\n\n".join(block for section in sections for block in section if block) + "\n"


def _what(experiment: Experiment) -> str:
    training, targets = experiment.training, ", ".join(_code(name) for name in experiment.data.targets)
    does = "goes on with a text token by token" if experiment.data.is_text else f"predicts {targets}"
    if isinstance(training.procedure, Unlabelled):
        does = "learns from rows without labels"
    return (
        f"A `{experiment.model.type_name}` model that {does}, trained by "
        f"`{training.procedure.type_name}` for up to {training.epochs} epochs with batches of {training.batch_size} "
        "rows. "
        "`spec.yaml` is the experiment as it was written, `resolved.yaml` with every default."
    )


def _results(metrics: Mapping[str, Any], manifest: Manifest) -> list[str]:
    if not manifest.members:
        return [_metrics_table(metrics)]
    word = _word(manifest)
    lost = len(manifest.members) - len(metrics[word])
    return [
        f"Mean of {len(metrics[word])} {word}{f', {lost} more diverged' if lost else ''}:",
        _metrics_table(metrics["mean"]),
        f"Standard deviation between the {word}:",
        _metrics_table(metrics["deviation"]),
    ]


def _word(manifest: Manifest) -> str:
    return "folds" if manifest.seeds is None else "seeds"


def _metrics_table(metrics: Metrics) -> str:
    names = list(dict.fromkeys(name for values in metrics.values() for name in values))
    rows = [[name, *(_number(values.get(name)) for values in metrics.values())] for name in names]
    return _table(["metric", *metrics], rows)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> str:
    """Return a table whose first column names what the others say; those are to the right where they are numbers."""
    line = "| --- |" + (" ---: |" if numbers else " --- |") * (len(head) - 1)
    body = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in (head, *rows)]
    return "\n".join([body[0], line, *body[1:]])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


_MARKUP = re.compile(r"[\\`*\[\]<>&~]")


def _words(text: str) -> str:
    """Return what the data or the spec calls something as words that are no Markdown and no HTML."""
    return _MARKUP.sub(r"\\\g<0>", harmless(text))


def _prose(text: str) -> str:
    """Return sentences in which Markdown may be, but no HTML, no link and no picture of another place."""
    return re.sub(r"[<\[]", r"\\\g<0>", harmless(text))


def _code(text: str) -> str:
    """Return text in backticks, more of them than it has itself."""
    text = one_line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def _confusion(text: str) -> str:
    head, *rows = csv.reader(text.splitlines())
    return _table([_words(name) for name in head], [[_words(row[0]), *row[1:]] for row in rows])


def _use(experiment: Experiment, manifest: Manifest) -> list[str]:
    if members := manifest.members:
        return [f"Each of `{members[0]}` to `{members[-1]}` is a run with a model of its own."]
    if experiment.data.is_text:
        return [*READ_ON, SAFE]
    source = experiment.data.source
    what, name = "a CSV or JSON Lines file of new rows", "rows.csv"
    if source.type_name in ("idx", "images"):
        what, name = "a folder of pictures or a picture file", "pictures"
    elif source.type_name == "audio":
        what, name = "a folder of clips or an audio file", "clips"
    elif source.own_format:
        what, name = f"a file of new rows, written as the source `{source.type_name}` reads them", "rows.txt"
    return [
        f"From this folder alone, with {what}, or `-` for what comes through a pipe:",
        f"```sh\nnnkit predict . {name}\nnnkit evaluate . {name}\n```",
        SAFE,
    ]


SAFE = "Everything here is text, pictures or plain numbers (`weights.safetensors`): opening it runs no code."
READ_ON = (
    "From this folder alone, with the beginning of a text, or a file of other text in UTF-8:",
    "```sh\nnnkit generate . --prompt TEXT -n 500 --temperature 0.8\nnnkit evaluate . text.txt\n```",
)


def _data(experiment: Experiment, manifest: Manifest) -> str:
    source = f"Source: `{experiment.data.source.type_name}`."
    if not manifest.data:
        return source
    return f"{source}\n\n" + _table(
        ["file", "SHA-256"], [[_code(name), value] for name, value in manifest.data.items()]
    )


def _made(manifest: Manifest) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in manifest.libraries.items())
    facts = {
        "command": _code(shlex.join(manifest.command)),
        "seed": str(manifest.seed) if manifest.seeds is None else ", ".join(map(str, manifest.seeds)),
        "device": f"{manifest.device}, {manifest.threads} thread{'s' if manifest.threads > 1 else ''}",
        "engine": manifest.engine,
        **{f"{_code(name)} began as": _words(origin) for name, origin in manifest.pretrained.items()},
        "started": manifest.created,
        "nnkit": manifest.nnkit,
        "Python": manifest.python,
        "libraries": libraries,
    }
    return _table(["what", "value"], list(facts.items()), numbers=False)
