"""Write bank_churn.csv: 10,000 synthetic bank customers, of whom about a fifth left.

Run ``python data/make_bank_churn.py`` to write the file again, byte for byte. No row describes a person, and none is
taken from a real file: marginals are rounded published ones, effects are plausible and chosen here (see README.md).
"""

import csv
import io
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

ROWS = 10_000
SEED = 20_240_229
COLUMNS = (
    *("RowNumber", "CustomerId", "Surname", "CreditScore", "Geography", "Gender", "Age", "Tenure", "Balance"),
    *("NumOfProducts", "HasCrCard", "IsActiveMember", "EstimatedSalary", "Exited"),
)
NAMES = """
Adams Alonso Andre Arnold Bailey Bauer Becker Bell Bernard Bertrand Blanc Blanco Bonnet Brandt Braun Brooks Brown Butler
Campbell Castillo Castro Chevalier Clark Clement Collins Cooper Cruz David Davies Delgado Diaz Dominguez Dubois Dufour
Dupont Durand Edwards Evans Faure Fernandez Fischer Fisher Flores Fontaine Foster Fournier Frank Fuchs Garcia Garnier
Gauthier Gomez Gonzalez Graf Gray Green Guerin Gutierrez Haas Hahn Hall Harris Hartmann Henry Herrera Hoffmann Huber
Hughes Iglesias Jackson Jimenez Johnson Jones Keller Kelly King Klein Koch Krause Lambert Lang Laurent Leclerc Lefevre
Lehmann Leroy Lewis Lopez Lorenzo Marin Marques Martin Martinez Mathieu Mayer Medina Mendez Mercier Meyer Miller Molina
Moore Morales Moreau Moreno Morgan Morris Mueller Munoz Murphy Navarro Nunez Ortega Ortiz Parker Perez Perrin Peters
Petit Phillips Prieto Ramirez Ramos Renard Reyes Richter Robert Robin Robinson Rodriguez Rogers Romero Roth Rousseau
Roux Rubio Ruiz Sanchez Santos Schmidt Schneider Schulz Schwarz Scott Serrano Simon Smith Stein Stewart Suarez Taylor
Thomas Thompson Torres Turner Vargas Vega Vidal Vincent Vogel Wagner Walker Ward Weber Weiss White Wilson Wolf Young
"""
SURNAMES = NAMES.split()

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Draws:
    """Columns of independent draws, made from the generator's raw bits, which no numpy release may change."""

    def __init__(self, rows: int, seed: int) -> None:
        self._rows = rows
        self._bits = np.random.Philox(seed)

    def uniform(self) -> Floats:
        """Draw from the open interval (0, 1)."""
        bits = self._bits.random_raw(self._rows) >> np.uint64(11)
        return (bits.astype(np.float64) + 0.5) * 2.0**-53

    def normal(self, mean: float, deviation: float) -> Floats:
        """Draw from a normal distribution."""
        normal = NormalDist(mean, deviation)
        return np.array([normal.inv_cdf(value) for value in self.uniform()])

    def choice(self, *shares: float) -> Ints:
        """Draw 0, 1, 2, ... with these shares, which need not add up to one."""
        steps = np.cumsum(shares) / np.sum(shares)
        return np.searchsorted(steps, self.uniform()).astype(np.int64)

    def happens(self, probability: float | Floats) -> Ints:
        """Draw 1 with the given probability, else 0."""
        return (self.uniform() < probability).astype(np.int64)


def customers(rows: int = ROWS, seed: int = SEED) -> dict[str, list[object]]:
    """Return the file's columns by name."""
    draw = Draws(rows, seed)
    country = np.array(["France", "Germany", "Spain"])[draw.choice(50, 25, 25)]
    products = 1 + draw.choice(50.8, 45.9, 2.7, 0.6)
    table = {
        "RowNumber": np.arange(1, rows + 1),
        "CustomerId": 20_000_000 + 7 * np.argsort(draw.uniform()),
        "Surname": np.array(SURNAMES)[draw.choice(*np.ones(len(SURNAMES)))],
        "CreditScore": draw.normal(650, 97).round().clip(350, 850).astype(int),
        "Geography": country,
        "Gender": np.array(["Female", "Male"])[draw.choice(45, 55)],
        "Age": ages(draw),
        "Tenure": draw.choice(4.5, *[10] * 9, 5),
        "Balance": balances(draw, country, products),
        "NumOfProducts": products,
        "HasCrCard": draw.happens(0.705),
        "IsActiveMember": draw.happens(0.515),
        "EstimatedSalary": (200_000 * draw.uniform()).round(2),
    }
    table["Exited"] = draw.happens(1 / (1 + np.exp(-log_odds(table))))
    return {name: table[name].tolist() for name in COLUMNS}


def ages(draw: Draws) -> Ints:
    """Draw ages in years: most in the thirties, a long tail above, a second small group of pensioners."""
    main = np.exp(draw.normal(np.log(36.3), 0.215))
    older = draw.normal(59, 9)
    return np.where(draw.happens(0.09) == 1, older, main).round().clip(18, 92).astype(np.int64)


def balances(draw: Draws, country: NDArray[np.str_], products: Ints) -> Floats:
    """Draw balances in euros: none at all for about 36 % of customers (no German), else around 120,000."""
    empty_share = np.array([0.0, 0.23, 0.75, 0.5, 0.4])[products]
    empty = draw.happens(np.where(country == "Germany", 0.0, empty_share)) == 1
    return np.where(empty, 0.0, draw.normal(119_800, 30_000).clip(3_000, None).round(2))


def log_odds(table: dict[str, NDArray[np.generic]]) -> Floats:
    """Return the log-odds of leaving that the effects give; the constant makes about 20.4 % leave."""
    age = table["Age"].astype(np.float64)
    fifties = np.exp(-(((age - 54) / 13) ** 2))
    inactive = table["IsActiveMember"] == 0
    odds = (
        -3.4
        + 3.3 * fifties
        + inactive * (0.5 + 1.6 * fifties)
        + np.array([0, 0.0, -2.0, 3.0, 6.0])[table["NumOfProducts"].astype(int)]
        + 1.1 * (table["Geography"] == "Germany")
        + 0.6 * (table["Gender"] == "Female")
        + 2e-6 * table["Balance"].astype(np.float64)
        - 0.001 * (table["CreditScore"].astype(np.float64) - 650)
        - 0.02 * table["Tenure"].astype(np.float64)
    )
    return np.asarray(odds, dtype=np.float64)


def as_csv(table: dict[str, list[object]]) -> bytes:
    """Return the table as CSV, UTF-8 with a line feed after each row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue().encode()


if __name__ == "__main__":
    Path(__file__).with_name("bank_churn.csv").write_bytes(as_csv(customers()))
