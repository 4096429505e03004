"""What ``nnkit trace`` prints and writes: JSON, tables, numbers for people, drawings."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from nnkit.cli import run
from nnkit.commands.traced import Numbers, written
from tests.commands.conftest import Toys

GRAPH = Path(__file__).resolve().parent.parent.parent / "experiments" / "computational_graph.yaml"

ARRAY = {
    "type": "object",
    "required": ["min", "mean", "max", "norm", "not_finite", "values"],
    "additionalProperties": False,
    "properties": {
        **{name: {"type": ["number", "null"]} for name in ("min", "mean", "max", "norm")},
        "not_finite": {"type": "integer"},
        "values": {"type": ["array", "number", "null"]},
    },
}
BOTH = {
    "name": {"type": "string"},
    "shape": {"type": "array", "items": {"type": "integer"}},
    "value": ARRAY,
    "gradient": {"oneOf": [ARRAY, {"type": "null"}]},
}


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


TEXTS = {"type": "array", "items": {"type": "string"}}
SCHEMA = closed(
    name={"type": "string"},
    row=closed(
        source={"type": ["string", "null"]},
        number={"type": ["integer", "null"]},
        target={"type": "object"},
        by_hand={"type": "object"},
        unseen=TEXTS,
    ),
    weights={"enum": ["initial", "trained"]},
    seed={"type": "integer"},
    mode={"const": "evaluation"},
    gradient_of={"type": "string"},
    classes=TEXTS,
    nodes={
        "type": "array",
        "items": closed(
            type={"type": "string"},
            reads=TEXTS,
            weights={"type": "array", "items": closed(trained={"type": "boolean"}, **BOTH)},
            **BOTH,
        ),
    },
)


def test_the_json_keeps_its_form(toys: Toys, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([str(GRAPH)], [str(GRAPH), "--of", "loss"], [str(toys.runs["multiclass"])]):
        assert run(["trace", *arguments, "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        jsonschema.Draft202012Validator(SCHEMA).validate(printed)
    assert run(["trace", str(GRAPH), "--json", "--input", "x=0.1"]) == 0
    node = json.loads(capsys.readouterr().out)["nodes"][0]
    assert (node["name"], node["value"]["values"], node["value"]["min"]) == ("input.x", [0.1], pytest.approx(0.1))


def test_numbers_are_written_for_people() -> None:
    assert [written(value) for value in (4.0, -12.0, 0.1 + 0.2, 1 / 3, -0.0, 123456.0, 1e-9)] == [
        "4",
        "-12",
        "0.3",
        "0.333333",
        "0",
        "123456",
        "1e-09",
    ]
    assert Numbers(np.array([[3, 1], [3, 5]], np.float32)).text() == "[[3, 1], [3, 5]]"
    assert Numbers(np.array(2.0)).text() == Numbers(np.array([2.0])).text() == "2"
    many = np.array([-1, 0, 0, 0, 2], np.float32)
    assert Numbers(many).text() == "-1 to 2, mean 0.2, norm 2.24"
    assert Numbers(many).text(brief=True) == "norm 2.24"
    assert Numbers(np.zeros(9)).text() == "all 0"


def test_numbers_that_are_not_finite() -> None:
    odd = Numbers(np.array([1, np.inf, np.nan, 0, 0], np.float32))
    assert odd.text() == "nan to nan, mean nan, norm nan"
    found = odd.to_json()
    assert (found["not_finite"], found["min"], found["values"]) == (2, None, [1, None, None, 0, 0])
    assert Numbers(np.zeros(1001)).to_json()["values"] is None


def test_drawings_go_to_files_and_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    starts = {"g.svg": b"<svg ", "g.png": b"\x89PNG", "g.mmd": b"flowchart TD", "g.mermaid": b"flowchart TD"}
    starts |= {"g.dot": b"digraph ", "g.gv": b"digraph ", "G.SVG": b"<svg "}
    for name, start in starts.items():
        assert run(["trace", str(GRAPH), "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_bytes().startswith(start)
        assert "gradient of g" in capsys.readouterr().out
    texts = [element.text for element in ElementTree.parse(tmp_path / "g.svg").iter()]  # noqa: S314 - our own
    assert {"x", "y", "z", "p", "g", "value -12", "gradient 4", "gradient 1"} <= set(texts)
    assert run(["trace", str(GRAPH), "--out", str(tmp_path / "odd.txt"), "--format", "dot", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gradient_of"] == "g"
    assert (tmp_path / "odd.txt").read_bytes() == (tmp_path / "g.dot").read_bytes()
    assert run(["trace", str(GRAPH), "--format", "mermaid"]) == 0
    assert capsys.readouterr().out == (tmp_path / "g.mmd").read_text()
    assert run(["trace", str(GRAPH), "--out", str(tmp_path / "no" / "g.svg")]) == 7


def test_the_tables(toys: Toys, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trace", str(toys.runs["multiclass"]), str(toys.data), "--row", "4"]) == 0
    out = capsys.readouterr().out
    assert "dense_2.softmax  softmax" in out
    assert "dense_1.kernel  5 x 9" in out
    assert f"row          4 of {toys.data}\n" in out
    assert f"target       kind = {toys.rows[4]['kind']}\n" in out
    assert "weights      trained\n" in out
