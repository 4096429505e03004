"""Documents: places, bad input, overrides, and writing what reads back the same."""

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nnkit.config import nodes
from nnkit.config.document import Document, dump_yaml, load_document, parse_document
from nnkit.config.nodes import CommandLineText
from nnkit.errors import SpecError

SPEC = """\
name: churn
model:
  layers:
    - dense
    - type: dense
      units: 6   # here
training: {epochs: 3,
  batch_size: 4}
"""


@pytest.fixture(params=["C", "Python"], autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test with PyYAML's parser in C, and with the one in Python that is used where there is no other."""
    if request.param == "Python":
        monkeypatch.setattr(nodes, "_LOADER", yaml.SafeLoader)


def parse(text: str | bytes) -> Document:
    return parse_document(text, "s.yaml", Path("folder"))


def refused(text: str | bytes) -> str:
    with pytest.raises(SpecError) as caught:
        parse(text)
    return str(caught.value)


def test_tree_and_places() -> None:
    document = parse(SPEC)
    assert document.tree == {
        "name": "churn",
        "model": {"layers": ["dense", {"type": "dense", "units": 6}]},
        "training": {"epochs": 3, "batch_size": 4},
    }
    assert document.place(()) == "s.yaml:1"
    assert document.place(("model",)) == "s.yaml:2"
    assert document.place(("model", "layers", 0)) == "s.yaml:4"
    assert document.place(("model", "layers", 1, "units")) == "s.yaml:6"
    assert document.place(("training", "batch_size")) == "s.yaml:8"


def test_a_missing_key_is_placed_at_its_mapping_and_strange_parts_are_passed_over() -> None:
    document = parse(SPEC)
    assert document.place(("model", "layers", 1, "activation")) == "s.yaml:5"
    assert document.place(("model", "layers", "list[Node]", 1, "layer", "units")) == "s.yaml:6"
    assert document.clean(("model", "layers", "list[Node]", 1, "layer", "units")) == ("model", "layers", 1, "units")


def test_a_key_is_the_text_that_is_written() -> None:
    assert parse("weights: {0: 1, no: 2, 01: 3, 1.0: 4}").tree == {"weights": {"0": 1, "no": 2, "01": 3, "1.0": 4}}


def test_aliases_stand_for_their_anchor_and_a_merge_key_is_nothing_special() -> None:
    document = parse("a: &x\n  b: 1\nc: *x\nd: {<<: *x}\n")
    assert document.tree == {"a": {"b": 1}, "c": {"b": 1}, "d": {"<<": {"b": 1}}}
    assert document.place(("c",)) == "s.yaml:3"
    assert document.place(("c", "b")) == "s.yaml:2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "s.yaml:3: a: this key is written twice, on lines 1 and 3; keep one"),
        ("a: !!python/name:os.system x", "s.yaml:1: a: the tag !!python/name:os.system is not allowed"),
        ("a: !!python/object/apply:os.system [x]", "s.yaml:1: a: the tag !!python/object/apply:os.system is not"),
        ("a: !!set {x}", "s.yaml:1: a: the tag !!set is not allowed"),
        ("a: !!binary aGk=", "the tag !!binary is not allowed"),
        ("!!python/none a: 1", "the tag !!python/none"),
        ("a: &x [*x]", "s.yaml:1: a[0]: the alias *x is inside of what it stands for: a cycle"),
        ("a: &x\n  b: &y {c: *x, d: *y}", "s.yaml:2: a.b.c: the alias *x is inside"),
        ("a: *x", "s.yaml:1: a: the alias *x has no anchor &x above it"),
        ("{a: 1", "not valid YAML"),
        ("a: 'x\n", "not valid YAML"),
        ("a: 1\n b: 2", "s.yaml:2: not valid YAML"),
        ("a:\n\t- 1", "s.yaml:2: not valid YAML"),
        ("a: 1\n--- \nb: 2", "s.yaml:2: a second document begins here"),
        ("? [a]\n: 1", "a key must be text"),
        ("", "a spec is a mapping of options such as `name: churn`, found nothing"),
        ("# nothing but a remark\n", "found nothing"),
        ("- 1\n", "found a list of 1"),
        ("word", "found 'word' (text)"),
        ("a: " + "9" * 2000, "the whole number 99999999999999999999... of 2000 digits is beyond 64 bits"),
        (b"a: \xe4", "s.yaml:1: the byte 0xe4 is not UTF-8"),
        (b"x: 1\na: \xff\xfe", "s.yaml:2: the byte 0xff is not UTF-8"),
        ("a: ä".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        ("a: ä".encode("utf-32"), "UTF-32 text; save it as UTF-8"),
        (b"a: 1\nb: \0", "s.yaml:2: the character U+0000 has no place in text"),
        (b"\x89PNG\r\n\x1a\n", "not UTF-8"),
        ("a: \x1b[31m", "U+001B"),
    ],
)
def test_bad_input(text: str | bytes, message: str) -> None:
    assert message in refused(text)


def test_several_mistakes_of_writing_are_told_together() -> None:
    told = refused("a: !!set {}\nb: 1\nb: 2\nc: !mine 3\n")
    assert [line.partition(": ")[0] for line in told.splitlines()] == ["s.yaml:1", "s.yaml:3", "s.yaml:4"]


def test_a_byte_order_mark_of_utf_8_is_fine() -> None:
    assert parse(b"\xef\xbb\xbfa: 1").tree == {"a": 1}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "the aliases stand for more than 100000 values"),
        ("a: " + "[" * 2000 + "]" * 2000, "nested deeper than 100 levels"),
        ("\n".join(" " * level + f"k{level}:" for level in range(1200)), "nested deeper than 100 levels"),
        ("[" * 500_000, "nested deeper than 100 levels"),
        ("{a: " * 200_000, "nested deeper than 100 levels"),
        ("- " * 200_000, "nested deeper than 100 levels"),
        ("a: &x " + "[" * 80 + "]" * 80 + "\nb: " + "[" * 50 + "*x" + "]" * 50, "with its aliases nested deeper"),
    ],
    ids=["bomb", "flow", "block", "open", "mappings", "dashes", "aliases"],
)
def test_attacks_are_refused_in_under_a_second(text: str, message: str) -> None:
    start = time.process_time()  # our own time, not what other processes take
    assert message in refused(text)
    assert time.process_time() - start < 1


def load_refused(path: Path) -> str:
    start = time.process_time()  # our own time, not what other processes take
    with pytest.raises(SpecError) as caught:
        load_document(path)
    assert time.process_time() - start < 1
    return str(caught.value)


def test_a_file_of_100_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    words = "the spec cannot be read: it has 104,857,600 bytes, and at most 1,048,576 are read"
    assert load_refused(path) == f"{path}: {words}"


def test_a_run_may_have_a_larger_spec_than_people_write(tmp_path: Path) -> None:
    text = "a: 1\n#" + "#" * 2**20
    with pytest.raises(SpecError, match="the limit is 1048576"):
        parse_document(text, "toy.yaml", tmp_path)
    assert parse_document(text, "resolved.yaml", tmp_path, 2**21).tree == {"a": 1}


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        assert load_refused(path) == f"{path}: the spec cannot be read: not a plain file"
    assert "Is a directory" in load_refused(tmp_path)
    assert "No such file" in load_refused(tmp_path / "missing.yaml")


def test_loading(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SPEC)
    document = load_document(path)
    assert (document.name, document.base) == (str(path), tmp_path)
    assert document.place(("name",)) == f"{path}:1"


def test_overrides() -> None:
    document = parse(SPEC).override(
        ["training.epochs=1e1", "model.layers[1].units=no", "model.layers.0.units=3", "data.source={path: x}"]
    )
    assert document.tree == {
        "name": "churn",
        "model": {"layers": [{"type": "dense", "units": 3}, {"type": "dense", "units": "no"}]},
        "training": {"epochs": 10.0, "batch_size": 4},
        "data": {"source": {"path": "x"}},
    }
    assert document.place(("training", "epochs")) == "--set training.epochs=1e1"
    assert document.place(("data", "source", "path")) == "--set data.source={path: x}"
    assert document.place(("training", "batch_size")) == "s.yaml:8"
    assert document.place(("model", "layers", 0, "type")) == "s.yaml:4"


def test_overrides_follow_each_other_and_leave_the_document_alone() -> None:
    document = parse(SPEC)
    changed = document.override(["training.callbacks=[early_stopping]", "training.callbacks[0].patience=3"])
    assert changed.tree["training"]["callbacks"] == [{"type": "early_stopping", "patience": 3}]  # type: ignore[index,call-overload]
    assert document.tree == parse(SPEC).tree


def test_an_override_of_a_quoted_name_and_of_nothing() -> None:
    assert parse("a: 1").override(['types."a.b"=text', "a="]).tree == {"a": None, "types": {"a.b": "text"}}


def test_text_of_an_override_is_marked() -> None:
    tree = parse("a: x").override(["b={c: [y]}"]).tree
    assert isinstance(tree, dict)
    assert isinstance(tree["b"]["c"][0], CommandLineText)  # type: ignore[index,call-overload]
    assert not isinstance(tree["a"], CommandLineText)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("model.layers[2].units=3", "model.layers[2]: there is no such item; the list ends with the item 1"),
        ("model.layers.units=3", "model.layers: is a list; expected an index such as [0], found 'units'"),
        ("training.epochs.x=3", "training.epochs: is not a mapping"),
        ("model[0]=3", "model: is not a list"),
        ("epochs", "expected key=value"),
        ("=3", "expected key=value"),
        ("a..b=3", "expected key=value"),
        ("a[-1]=3", "expected key=value"),
        ("a=[1", "not valid YAML"),
        ("a={b: 1, b: 2}", "b: this key is written twice"),
        ("a=!!python/name:os.system x", "is not allowed"),
        ("a=\0", "U+0000"),
    ],
)
def test_bad_overrides(assignment: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(SPEC).override([assignment])
    assert f"--set {assignment}: " in str(caught.value)
    assert message in str(caught.value)


def test_all_bad_overrides_are_told_together() -> None:
    with pytest.raises(SpecError) as caught:
        parse(SPEC).override(["x", "name=good", "y"])
    assert len(caught.value.problems) == 2


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64) + 1, 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(
        ["no", "1e-3", "012", "~", "2020-01-01", "", "0o7", ".inf", "null", "a: b", "#x", "- x", "<<", "'"]
    )
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


def _kinds(tree: object) -> Iterator[type]:
    yield type(tree)
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _kinds(inner)


@given(st.dictionaries(st.text(), TREES, max_size=4), st.booleans())
def test_what_is_written_reads_back_the_same(tree: dict[str, object], one_line: bool) -> None:
    again = parse(dump_yaml(tree, one_line=one_line)).tree
    assert again == tree
    assert list(_kinds(again)) == list(_kinds(tree))


def _outcome(text: str | bytes) -> Document | SpecError:
    try:
        return parse(text)
    except SpecError as error:
        return error


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_spec_error(data: bytes) -> None:
    outcome = _outcome(data)
    assert outcome.problems if isinstance(outcome, SpecError) else isinstance(outcome.tree, dict)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@ \n,?~1.", max_size=60))
def test_any_text_is_a_document_or_a_spec_error_with_places(text: str) -> None:
    outcome = _outcome(text)
    if isinstance(outcome, SpecError):
        assert all(problem.place.startswith("s.yaml:") for problem in outcome.problems)


def test_numbers_that_are_none_read_back_too() -> None:
    tree = parse(dump_yaml({"a": [math.inf, -math.inf, math.nan]})).tree
    assert isinstance(tree, dict)
    assert str(tree["a"]) == "[inf, -inf, nan]"
