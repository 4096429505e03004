"""Decoding: every mistake at once, in words, each where it was made."""

from pathlib import Path

import pytest
from pydantic import ConfigDict, Field, ValidationError, model_validator

from nnkit.config.decode import decode, locate
from nnkit.config.document import dump_yaml, parse_document
from nnkit.config.piece import Options
from nnkit.config.registry import Registry
from nnkit.config.words import FAMILY, KEY
from nnkit.errors import Problem, SpecError
from tests.config.toys import FRUIT, Apple, Basket, Cherry, Fruit, FruitChoice


def decoded(text: str, *overrides: str) -> Basket:
    return decode(Basket, parse_document(text, "s.yaml", Path("/specs")).override(overrides))


def mistakes(text: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        decoded(text, *overrides)
    return str(caught.value).splitlines()


def test_a_right_spec() -> None:
    basket = decoded(
        "name: a\nfruit: [apple, {type: cherry, count: 3, beside: apple}]\nprices: {0: 1}\nsizes: 3\ngrid: [[1, 2.5]]"
    )
    assert basket.fruit == [Apple(), Cherry(count=3, beside=Apple())]
    assert (basket.prices, basket.sizes, basket.best) == ({"0": 1.0}, 3, Apple())


def test_eleven_mistakes_at_once_one_message_each_in_the_order_of_lines() -> None:
    text = """\
name: 12
fruit:
  - aple
  - {type: apple, wieght: 0.3, colour: gren}
  - {type: cherry}
  - {count: 3}
  - 7
label: {text: "", size: big}
sizes: [1, two]
shut: no
bottom: 1
"""
    assert mistakes(text) == [
        "s.yaml:1: name: expected text that matches ^[a-z]+$, found 12; in quotes it is text",
        "s.yaml:3: fruit[0]: unknown fruit 'aple'; did you mean 'apple'? The fruit: apple, cherry, salad",
        "s.yaml:4: fruit[1].colour: expected one of red, green, found 'gren' (text); did you mean 'green'?",
        "s.yaml:4: fruit[1].wieght: unknown option; did you mean 'weight'? The options of apple: weight, colour",
        "s.yaml:5: fruit[2].count: this option is missing; expected a whole number of at least 1: How many there are.",
        "s.yaml:6: fruit[3]: a fruit needs 'type', one of: apple, cherry, salad",
        "s.yaml:7: fruit[4]: expected a fruit: a name, or a mapping with 'type'; found 7",
        "s.yaml:8: label.text: expected text that is not empty, found '' (text)",
        "s.yaml:8: label.size: expected a whole number greater than 0 or auto, found 'big' (text)",
        "s.yaml:9: sizes[1]: expected a whole number, found 'two' (text)",
        "s.yaml:10: shut: expected true or false, found 'no' (text)",
        "s.yaml:11: bottom: unknown option. The options here: "
        "name, fruit, best, label, prices, sizes, grid, shut, source",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fruit: []", "s.yaml:1: name: this option is missing; expected text that matches ^[a-z]+$: Of the basket."),
        ("name: bad", "s.yaml:1: name: no basket {is} bad"),
        ("name: a\nshut: true", "s.yaml:1: an empty basket is not shut; set shut: false"),
        ("name: a\nlabel: 3", "s.yaml:2: label: expected a mapping of options, found 3. The options here: text, size"),
        ("name: a\nfruit: apple", "s.yaml:2: fruit: expected a list of fruits, found 'apple' (text)"),
        ("name: a\nprices: {a: b}", "s.yaml:2: prices.a: expected a number, found 'b' (text)"),
        ("name: a\nprices: fre", "found 'fre' (text); did you mean 'free'?"),
        ("name: a\nprices: [1]", "prices: expected a mapping from names to numbers or free, found a list of 1"),
        ("name: a\ngrid: [[1], [2, x]]", "s.yaml:2: grid[1][1]: expected a number, found 'x' (text)"),
        ("name: a\ngrid: [[.inf]]", "s.yaml:2: grid[0][0]: expected a number, found a number that is not finite"),
        ("name: a\nbest: {type: apple, weight: 1}", "best.weight: expected a number greater than 0 and less than 1"),
        ("name: a\nbest: {type: 3}", "best.type: unknown fruit '3'"),
        ("name: a\nbest: {type: [apple]}", "best.type: unknown fruit \"['apple']\""),
        ("name: a\nbest: cherry", "s.yaml:2: best.count: this option is missing"),
        ("name: a\nbest: {type: salad, of: []}", "best.of: expected a list of one or more fruits, found a list of 0"),
        ("name: a\nsizes: 1.0", "sizes: expected a list of whole numbers or a whole number or null, found 1.0"),
        ("name: a\nsource: 3", "source: expected a path or null, found 3"),
        ('name: a\nsource: ""', "source: expected a path or null, found '' (text)"),
        ("name: a\nsource: ~nobody_of_this_name/x", "is no path"),
        ("name: a\nbest: 'a{b}c'", "unknown fruit 'a{b}c'"),
    ],
)
def test_single_mistakes(text: str, message: str) -> None:
    (told,) = mistakes(text)
    assert message in told


def test_a_mistake_behind_an_alias_or_in_an_override_is_placed_there() -> None:
    told = mistakes("name: a\nbest: &x {type: apple,\n  weight: b}\nfruit: [*x]")
    assert [line.partition(": exp")[0] for line in told] == ["s.yaml:3: fruit[0].weight", "s.yaml:3: best.weight"]
    assert mistakes("name: a\nbest: apple", "best.weight=2") == [
        "--set best.weight=2: best.weight: expected a number greater than 0 and less than 1, found 2"
    ]
    assert mistakes("name: a", "best.weight=2") == [
        "--set best.weight=2: best: a fruit needs 'type', one of: apple, cherry, salad"
    ]


def test_a_path_is_relative_to_the_spec_or_on_the_command_line_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert decoded("name: a\nsource: data/x.csv").source == Path("/specs/data/x.csv")
    assert decoded("name: a\nsource: ../x.csv").source == Path("/x.csv")
    assert decoded("name: a\nsource: /x.csv").source == Path("/x.csv")
    assert decoded("name: a\nsource: ~/x.csv").source == Path.home() / "x.csv"
    assert decoded("name: a", "source=data/x.csv").source == tmp_path / "data/x.csv"
    assert decoded("name: a\nsource: x", "source=../x.csv").source == tmp_path.parent / "x.csv"


def test_a_relative_spec_folder_makes_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    basket = decode(Basket, parse_document("name: a\nsource: x", "s.yaml", Path("specs")))
    assert basket.source == tmp_path / "specs" / "x"


def test_what_was_decoded_writes_out_as_a_spec_of_the_same() -> None:
    basket = decoded("name: a\nfruit: [{type: salad, of: [apple]}]\nsource: ../x\nlabel: {text: 'no'}")
    assert decoded(dump_yaml(basket.model_dump(mode="json"))) == basket


def test_locating_keeps_places_drops_doubles_and_sorts() -> None:
    document = parse_document("a: 1\nb: 2\n", "s.yaml", Path())
    problems = [
        Problem(("b", "x"), "two"),
        Problem(("a",), "one"),
        Problem(("a",), "one"),
        Problem((), "set", "--set q"),
    ]
    assert str(locate(document, SpecError(problems))).splitlines() == [
        "s.yaml:1: a: one",
        "s.yaml:2: b.x: two",
        "--set q: set",
    ]


def test_a_taken_name_and_a_stranger_are_refused_by_a_registry() -> None:
    with pytest.raises(ValueError, match="the name 'apple' is taken by Apple"):
        FRUIT.register("apple")(Cherry)
    registry: Registry[Fruit] = Registry("others", "other", Fruit, home="tests.config.toys")
    with pytest.raises(TypeError, match="Basket is not a Fruit"):
        registry.register("basket")(Basket)  # type: ignore[type-var]
    assert Apple.type_name == "apple"


def test_classes_by_themselves_speak_in_words_too() -> None:
    with pytest.raises(ValidationError, match="expected a whole number of at least 1, found 0"):
        Cherry(count=0)


class Placed(Options):
    """Fruit on a shelf: its options and the shelf's stand in one mapping."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.update({FAMILY: "fruit", KEY: "a fruit"}))

    fruit: FruitChoice = Field(description="The fruit.")
    shelf: int = Field(default=0, description="Where it is.")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        assert isinstance(value, dict)
        own = {key: option for key, option in value.items() if key == "shelf"}
        return {**own, "fruit": {key: option for key, option in value.items() if key != "shelf"}}


class Shelves(Options):
    """Several."""

    all: list[Placed] = Field(description="What there is.")


def test_options_in_one_mapping_with_those_of_a_piece_are_offered_too() -> None:
    document = parse_document("all:\n- {type: apple, shef: 1}\n- {type: cherry, shelf: x}\n- 3", "s.yaml", Path())
    with pytest.raises(SpecError) as caught:
        decode(Shelves, document.override(["all[2]={type: apple}"]))
    assert str(caught.value).splitlines() == [
        "s.yaml:2: all[0].shef: unknown option; did you mean 'shelf'? The options of apple: weight, colour, shelf",
        "s.yaml:3: all[1].count: this option is missing; expected a whole number of at least 1: How many there are.",
        "s.yaml:3: all[1].shelf: expected a whole number, found 'x' (text)",
    ]
    with pytest.raises(SpecError, match="all: expected a list of fruits, found 3"):
        decode(Shelves, parse_document("all: 3", "s.yaml", Path()))
