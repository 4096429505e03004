"""Every piece of every family is documented, its example is right, and the written reference is current."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from nnkit.commands.catalog import schema
from nnkit.config.document import parse_document
from nnkit.config.pages import mappings
from nnkit.config.reference import describe, doc, entry
from nnkit.families import FAMILIES
from nnkit.spec import Experiment

PIECES = [(family, name) for family, registry in FAMILIES.items() for name in registry.entries]


@pytest.fixture(scope="module")
def texts(root: Path) -> dict[Path, str]:
    """Return what the generated files must hold."""
    spec = importlib.util.spec_from_file_location("generate", root / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    make: Callable[[], dict[Path, str]] = module.texts
    return make()


def test_the_reference_is_current(texts: dict[Path, str], root: Path) -> None:
    stale = [str(path.relative_to(root)) for path, text in texts.items() if not _holds(path, text)]
    extra = [path.name for path in (root / "docs" / "reference").glob("*") if path not in texts]
    assert not stale + extra, "write the reference again: python docs/generate.py"


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return schema()


def test_the_schema_is_one(whole: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(whole)
    assert not {"x-words", "x-family", "x-beside"} & set(yaml.dump(whole).replace(":", " ").split())


@pytest.mark.parametrize(("family", "name"), PIECES)
def test_a_piece_is_documented_and_its_example_is_right(family: str, name: str, whole: dict[str, Any]) -> None:
    piece = entry(FAMILIES, family, name)
    assert piece.summary.endswith("."), "the docstring's first line is a sentence"
    assert piece.text != doc(FAMILIES[family].base), "the docstring is the base's"
    assert [option.name for option in piece.options if not option.description] == []
    tree = parse_document(f"example: {piece.example}", "", Path()).tree
    assert isinstance(tree, dict)
    assert FAMILIES[family].decode(tree["example"]).type_name == name
    Draft202012Validator({"$ref": f"#/$defs/{family}", "$defs": whole["$defs"]}).validate(tree["example"])


@pytest.mark.parametrize("kind", mappings(Experiment, FAMILIES), ids=lambda kind: kind.__name__)
def test_a_mapping_is_documented(kind: Any) -> None:
    assert doc(kind)
    assert [option.name for option in describe(kind) if not option.description] == []
