"""The synthetic data: made again byte for byte, and like what data/README.md says of it."""

import csv
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script(root: Path) -> ModuleType:
    return load_script(root / "data" / "make_bank_churn.py")


@pytest.fixture(scope="module")
def rows(root: Path) -> list[dict[str, str]]:
    with (root / "data" / "bank_churn.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def share(values: Sequence[object], value: object) -> float:
    return sum(each == value for each in values) / len(values)


def test_the_script_writes_the_file_again_byte_for_byte(script: ModuleType, root: Path) -> None:
    assert script.as_csv(script.customers()) == (root / "data" / "bank_churn.csv").read_bytes()


def test_another_seed_gives_other_customers(script: ModuleType) -> None:
    assert script.customers(50, seed=1) != script.customers(50, seed=2)


def test_columns_are_those_of_the_known_file(rows: list[dict[str, str]]) -> None:
    names = "RowNumber CustomerId Surname CreditScore Geography Gender Age Tenure Balance NumOfProducts HasCrCard"
    assert list(rows[0]) == [*names.split(), "IsActiveMember", "EstimatedSalary", "Exited"]
    assert len(rows) == len({row["CustomerId"] for row in rows}) == 10_000


def test_marginals_are_the_published_ones(rows: list[dict[str, str]]) -> None:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    assert share(columns["Geography"], "France") == pytest.approx(0.50, abs=0.02)
    assert share(columns["Geography"], "Germany") == pytest.approx(0.25, abs=0.02)
    assert share(columns["Balance"], "0.0") == pytest.approx(0.36, abs=0.02)
    assert share(columns["Exited"], "1") == pytest.approx(0.204, abs=0.01)
    scores = [int(value) for value in columns["CreditScore"]]
    assert min(scores) == 350
    assert max(scores) == 850
    assert sum(map(int, columns["Age"])) / len(rows) == pytest.approx(38.9, abs=0.5)


@pytest.mark.parametrize(
    ("column", "more", "less"),
    [
        ("Geography", "Germany", "France"),
        ("Gender", "Female", "Male"),
        ("IsActiveMember", "0", "1"),
        ("NumOfProducts", "3", "1"),
        ("NumOfProducts", "1", "2"),
    ],
)
def test_effects_have_the_sign_that_the_readme_says(
    rows: list[dict[str, str]], column: str, more: str, less: str
) -> None:
    left = {value: share([row["Exited"] for row in rows if row[column] == value], "1") for value in (more, less)}
    assert left[more] > left[less] + 0.04


def test_the_museums_are_made_again_and_have_their_seasons(root: Path) -> None:
    script = load_script(root / "data" / "make_seasonal.py")
    assert script.as_csv() == (root / "data" / "seasonal.csv").read_bytes()
    with (root / "data" / "seasonal.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 730
    for museum, usual in script.MUSEUMS.items():
        visitors = [int(row["visitors"]) for row in rows if row["museum"] == museum]
        assert sum(visitors) / 730 / usual == pytest.approx(1.1, abs=0.05)  # A tenth more each year.
        saturdays = visitors[6::7]  # The first day is a Sunday.
        assert sum(saturdays) / len(saturdays) / (sum(visitors) / 730) == pytest.approx(1.5, abs=0.05)


def test_the_tree_bank_is_made_again_and_follows_its_rules(root: Path) -> None:
    script = load_script(root / "data" / "make_tree_sentiment.py")
    assert script.as_text() == (root / "data" / "tree_sentiment.txt").read_bytes()
    lines = (root / "data" / "tree_sentiment.txt").read_text().splitlines()
    phrases = {"(1 (2 not) (4 great))", "(0 (2 very) (1 dull))", "(3 (2 not) (0 (2 very) (1 dull)))"}
    assert all(any(phrase in line for line in lines) for phrase in phrases)
    assert not any("(4 (2 not)" in line or "(0 (2 not)" in line for line in lines)
    assert {line[1] for line in lines} == set("0134")


def test_the_seven_segments_are_made_again_and_show_their_digits(root: Path) -> None:
    script = load_script(root / "data" / "make_seven_segments.py")
    assert script.as_csv() == (root / "data" / "seven_segments.csv").read_bytes()
    clean = [script.row(digit, [0.0] * 7) for digit in range(10)]
    assert clean[1] == "0.00,1.00,1.00,0.00,0.00,0.00,0.00,0,0,0"
    assert clean[2] == "1.00,1.00,0.00,1.00,1.00,0.00,1.00,1,1,0"
    assert clean[8] == "1.00,1.00,1.00,1.00,1.00,1.00,1.00,1,0,1"
    assert len({line[:34] for line in clean}) == 10


def test_the_whistles_are_made_again_and_go_where_their_names_say(root: Path) -> None:
    script = load_script(root / "data" / "make_whistles.py")
    files = script.clips()
    assert {path.name: path.read_bytes() for path in (root / "data" / "whistles").iterdir()} == files
    assert len(files) == 4 * 10 * 3
    signs = {"rise": (1, 1), "fall": (-1, -1), "bow": (1, -1)}
    for name, data in files.items():
        values = np.frombuffer(data[44:], np.uint8).astype(float) - 128
        parts = np.array_split(values[len(values) // 10 : -len(values) // 10], 4)
        pitches = [np.abs(np.fft.rfft(part, 4096)).argmax() * script.RATE / 4096 for part in parts]
        signal, whistler, _ = name.split("_")
        assert all(0.85 < pitch / script.PITCH[whistler] < 2.3 for pitch in pitches)
        if signal in signs:
            halves = np.sign([pitches[1] - pitches[0], pitches[3] - pitches[2]])
            assert tuple(halves) == signs[signal]


def test_the_counting_rhyme_is_made_again_and_its_grammar_holds(root: Path) -> None:
    script = load_script(root / "data" / "make_counting_out.py")
    text = (root / "data" / "counting_out.txt").read_text()
    assert script.as_text() == text.encode()
    lines = [line.split() for line in text.splitlines() if line]
    assert len(lines) == script.LINES
    for number, _, animal, verb, *place in lines:
        assert (number == "One") == verb.endswith("s") != animal.endswith("s")
        assert " ".join(place) == f"{script.PLACES[verb.removesuffix('s')]}."


def test_the_news_are_written_again_byte_for_byte_and_most_names_of_the_end_are_new(root: Path) -> None:
    script = load_script(root / "data" / "make_village_news.py")
    assert script.as_text() == (root / "data" / "village_news.conll").read_bytes()
    assert script.as_text(20, seed=1) != script.as_text(20, seed=2)
    sentences = script.as_text().decode().split("\n\n")
    names = [
        {line.split("\t")[0] for sentence in part for line in sentence.splitlines() if "\tB-" in line}
        for part in (sentences[:720], sentences[720:])
    ]
    assert len(names[1] - names[0]) / len(names[1]) > 0.5
