"""The reference pages: Markdown made from the classes, a page for each family and one for the spec's own mappings."""

import typing
from collections.abc import Iterable, Iterator, Sequence

from nnkit.config.piece import Options, Piece
from nnkit.config.reference import Entry, Families, Option, describe, doc, entry

NOTE = "<!-- Made from the code by `python docs/generate.py`; change the docstrings, not this page. -->\n"


def pages(root: type[Options], families: Families) -> dict[str, str]:
    """Return the text of every reference page by file name."""
    written = {f"{family}.md": _family_page(families, family) for family in families}
    return {"README.md": _index(families), "spec.md": _spec_page(root, families), **written}


def plain_text(piece: Entry) -> str:
    """Return what ``nnkit show`` prints of a piece."""
    parts = [
        f"{piece.name} ({piece.family})",
        piece.text,
        *_plain_options(piece.options),
        "Example:",
        f"  {piece.example}",
    ]
    return "\n\n".join(parts[:-2]) + "\n\n" + "\n".join(parts[-2:]) + "\n"


def _plain_options(options: Sequence[Option]) -> Iterator[str]:
    if not options:
        yield "It has no options."
        return
    yield "Options:"
    for option in options:
        default = "required" if option.default is None else f"default {option.default}"
        yield f"  {option.name}: {option.takes}; {default}\n      {option.description}"


def _index(families: Families) -> str:
    lines = [NOTE, "# Reference", "", "[The spec and its mappings](spec.md), and what it chooses from by `type`:", ""]
    lines += ["| family | holds | |", "|---|---|---|"]
    for family, registry in families.items():
        names = ", ".join(f"[`{name}`]({family}.md#{name})" for name in registry.entries)
        lines.append(f"| [{family}]({family}.md) | {_line(doc(registry.base))} | {names} |")
    return "\n".join(lines) + "\n"


def _family_page(families: Families, family: str) -> str:
    heading = [NOTE, f"# {family.capitalize()}", "", doc(families[family].base), ""]
    return "\n".join(heading) + "".join(_piece(entry(families, family, name)) for name in families[family].entries)


def _piece(piece: Entry) -> str:
    example = f"```yaml\n{piece.example}\n```\n"
    return f"\n## {piece.name}\n\n{piece.text}\n\n{example}{_table(piece.options)}"


def _spec_page(root: type[Options], families: Families) -> str:
    text = f"{NOTE}\n# The spec\n\nThe mappings of a spec that are not chosen by `type`.\n"
    for kind in mappings(root, families):
        text += f"\n## {kind.__name__}\n\n{doc(kind)}\n{_table(describe(kind))}"
    return text


def _table(options: Sequence[Option]) -> str:
    if not options:
        return "\nIt has no options.\n"
    rows = [
        f"| `{option.name}` | {_cell(option.takes)} | {_default(option)} | {_cell(option.description)} |"
        for option in options
    ]
    return "\n" + "\n".join(["| option | takes | default | |", "|---|---|---|---|", *rows]) + "\n"


def _default(option: Option) -> str:
    return "required" if option.default is None else f"`{_cell(option.default)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _line(text: str) -> str:
    return _cell(text.partition("\n")[0])


def mappings(root: type[Options], families: Families) -> list[type[Options]]:
    """Return ``root`` and all other mappings of a spec that are no pieces, in the order in which they come up."""
    met: dict[type[Options], None] = {}
    for kind in (root, *(kind for registry in families.values() for kind in registry.entries.values())):
        _meet(kind, met)
    return [kind for kind in met if not issubclass(kind, Piece)]


def _meet(kind: type[Options], met: dict[type[Options], None]) -> None:
    if kind in met:
        return
    met[kind] = None
    for field in kind.model_fields.values():
        for nested in _classes(field.annotation):
            _meet(nested, met)


def _classes(annotation: object) -> Iterable[type[Options]]:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return [annotation] if issubclass(annotation, Options) and not issubclass(annotation, Piece) else []
    return [kind for argument in typing.get_args(annotation) for kind in _classes(argument)]
