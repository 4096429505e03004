import pytest

from nnkit.data.naming import naming


@pytest.mark.parametrize(
    ("pattern", "name", "values"),
    [
        ("cv{fold:1}{number:2}_{id}.txt", "pos/cv012_29416.txt", {"fold": "0", "number": "12", "id": "29416"}),
        ("{part}/{label}/{id}.txt", "train/pos/0_9.txt", {"part": "train", "label": "pos", "id": "0_9"}),
        ("{part}/{label}/{id}_{stars}.txt", "i/a/b/0_9.txt", {"part": "a", "label": "b", "id": "0", "stars": "9"}),
        ("{id}.txt", "a.txt.txt", {"id": "a.txt"}),
        ("{a}-{b}", "1-2-3", {"a": "1", "b": "2-3"}),
        ("{whole}", "x", {"whole": "x"}),
        ("cv{fold:1}{number:2}_{id}.txt", "cv01.txt", None),
        ("cv{fold:1}{id}.txt", "dv01.txt", None),
        ("{part}/{id}.txt", "1.txt", None),
        ("{id}.txt", ".txt", None),
        ("{id:3}.txt", "1234.txt", None),
        ("{id:9}", "1234", None),
        ("{a}-{b}", "-2", None),
    ],
)  # fmt: skip
def test_parts_of_names(pattern: str, name: str, values: dict[str, str] | None) -> None:
    assert naming(pattern).values(name) == values


def test_a_pattern_takes_no_longer_on_a_name_that_is_made_to_take_long() -> None:
    pattern = naming("-".join(f"{{c{number}}}" for number in range(60)) + "!")
    assert pattern.values("-" * 100_000) is None


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "of 1 to 1000"),
        ("x" * 1001, "of 1 to 1000"),
        ("cv.txt", "with a column in braces"),
        ("{a}{b}", "nothing parts {a} from what follows"),
        ("{a:1}{a}", "the column a twice"),
        ("{text}", "text is a column of the source itself"),
        ("{file}", "file is a column"),
        ("{audio}", "audio is a column of the source itself"),
        ("{a:0}", "is no column; write {name}"),
        ("{1}", "is no column"),
        ("{a", "is no column"),
        ("a}", "is no column"),
        ("{a}//{b}", "two slashes"),
        ("/{a}", "two slashes with nothing between them, or one at its start"),
    ],
)
def test_patterns_that_are_none(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        naming(pattern)
