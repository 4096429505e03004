"""The input files that all rows read, written once with the standard library so that the harness stays small."""

import csv
import random
from collections.abc import Iterator
from pathlib import Path

TEST_SHARE = 5
NUMBERS = ("CreditScore", "Age", "Tenure", "Balance", "NumOfProducts", "EstimatedSalary")
WORDS = (
    *("the", "sea", "ship", "storm", "king", "night", "queen", "sword", "crown", "dark", "light", "house"),
    *("garden", "river", "stone", "of", "and", "to", "with", "under", "quick", "fox", "jazz", "vex"),
)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, a dictionary each."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, columns: list[str], rows: Iterator[dict[str, str]]) -> None:
    """Write a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_split(source: Path, path: Path) -> int:
    """Write the churn file with a column ``part``: a fifth of the rows tests; returns how many train."""
    rows = read_rows(source)
    tests = set(random.Random(0).sample(range(len(rows)), len(rows) // TEST_SHARE))
    parted = ({**row, "part": "test" if index in tests else "train"} for index, row in enumerate(rows))
    write_rows(path, [*rows[0], "part"], parted)
    return len(rows) - len(tests)


def write_fresh(source: Path, path: Path, count: int) -> None:
    """Write rows to predict: customers of the churn file, each number drawn anew from those of another."""
    rows = read_rows(source)
    columns = [name for name in rows[0] if name != "Exited"]
    write_rows(path, columns, _drawn(rows, columns, count))


def _drawn(rows: list[dict[str, str]], columns: list[str], count: int) -> Iterator[dict[str, str]]:
    draw = random.Random(1)
    for number in range(1, count + 1):
        row, other = draw.choice(rows), draw.choice(rows)
        yield {name: other[name] if name in NUMBERS else row[name] for name in columns} | {"RowNumber": str(number)}


def write_text(path: Path, characters: int) -> None:
    """Write made-up lines of common words, for a net of characters to learn."""
    draw = random.Random(2)
    lines, size = [], 0
    while size < characters:
        line = " ".join(draw.choices(WORDS, k=draw.randint(4, 12))).capitalize() + draw.choice(".!?;") + "\n"
        lines.append(line)
        size += len(line)
    path.write_text("".join(lines), encoding="utf-8")
