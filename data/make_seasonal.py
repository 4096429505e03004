"""Write seasonal.csv: visitors of two museums by day, for two years, that nobody has counted.

Run ``python data/make_seasonal.py`` to write the file again, byte for byte. A day has as many visitors as its weekday
and the time of the year say, a little more each month, times noise that lasts for some days; the second museum is
smaller.
"""

import math
from datetime import date, timedelta
from pathlib import Path
from statistics import NormalDist

import numpy as np

DAYS = 730
SEED = 11
FIRST = date(2023, 1, 1)
WEEK = (0.55, 0.8, 0.85, 0.9, 1.05, 1.5, 1.35)
"""Shares of Monday to Sunday."""
MUSEUMS = {"art": 900.0, "ships": 320.0}
"""Visitors of a usual day."""
NOISE, LASTING = 0.06, 0.6


def uniform(bits: np.random.Philox, count: int) -> list[float]:
    """Draw from the open interval (0, 1), from raw bits, which no numpy release may change."""
    return [((int(word) >> 11) + 0.5) * 2.0**-53 for word in bits.random_raw(count)]


def expected(usual: float, day: int) -> float:
    """Return the visitors of a day, from 0, without noise."""
    season = 1 + 0.25 * math.sin(2 * math.pi * (day - 100) / 365.25)
    growth = 1 + 0.1 * day / 365.25
    return usual * WEEK[(FIRST + timedelta(day)).weekday()] * season * growth


def as_csv(days: int = DAYS, seed: int = SEED) -> bytes:
    """Return the table as CSV with a line feed after each row: the days of one museum, then those of the other."""
    bits, normal = np.random.Philox(seed), NormalDist(0, NOISE)
    lines = ["museum,day,visitors"]
    for museum, usual in MUSEUMS.items():
        lasting = 0.0
        for day, value in enumerate(uniform(bits, days)):
            lasting = LASTING * lasting + normal.inv_cdf(value)
            lines.append(f"{museum},{FIRST + timedelta(day)},{round(expected(usual, day) * math.exp(lasting))}")
    return ("\n".join(lines) + "\n").encode()


if __name__ == "__main__":
    Path(__file__).with_name("seasonal.csv").write_bytes(as_csv())
