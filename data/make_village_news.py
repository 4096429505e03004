"""Write village_news.conll: made-up sentences in which people, places and companies are marked, a word a line.

Run ``python data/make_village_news.py`` to write the file again, byte for byte. Names are put together from syllables,
so that most of those in one part of the sentences are in no other: they are known by what stands beside them, by their
ends and by their capital letters. A company may be called after a person, and a person after a place.
"""

from pathlib import Path

import numpy as np

SENTENCES = 900
SEED = 17
STARTS = (
    "Bal",
    "Cor",
    "Del",
    "Fen",
    "Gar",
    "Hol",
    "Jor",
    "Kel",
    "Lan",
    "Mar",
    "Nor",
    "Pel",
    "Ras",
    "Sel",
    "Tam",
    "Vor",
)
MIDDLES = ("a", "e", "i", "o", "u", "an", "en", "il", "or")
PEOPLE = ("din", "mon", "ra", "sa", "tin", "vik", "ner", "lo")
PLACES = ("ford", "ton", "by", "burg", "mouth", "wick")
FIRMS = ("Bank", "Brothers", "Mills", "Works", "Press")
MONTHS = ("January", "March", "May", "August", "October")
PATTERNS = (
    "PERSON moved from PLACE to PLACE in MONTH .",
    "In MONTH , FIRM opened a shop in PLACE .",
    "FIRM of PLACE hired PERSON .",
    "Nobody in PLACE has heard of PERSON .",
    "The mayor of PLACE , PERSON , thanked FIRM .",
    "Last MONTH it rained for a week .",
    "PERSON sold the old mill to FIRM .",
    "The road to PLACE is closed .",
    "PERSON and PERSON met in PLACE .",
    "FIRM closed its office in MONTH .",
    "There was no news from PLACE , said PERSON .",
    "Tea with PERSON , and then the train to PLACE .",
)


class Draw:
    """Choices by raw bits, which no numpy release may change."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.Philox(seed)

    def of(self, choices: tuple[str, ...]) -> str:
        """Return one of the choices."""
        return choices[int(self._bits.random_raw()) % len(choices)]

    def name(self, ends: tuple[str, ...]) -> str:
        """Return a name with one of the ends."""
        return self.of(STARTS) + self.of(MIDDLES) + self.of(ends)

    def words(self, slot: str) -> tuple[list[str], str]:
        """Return what stands in the place of a word of a pattern, and the type of entity that it is."""
        if slot == "PERSON":
            first = [self.name(PEOPLE)] if self.of(("one", "two")) == "two" else []
            return [*first, self.name(PEOPLE + PLACES[:2])], "person"
        if slot == "PLACE":
            before = self.of(("", "", "", "Upper", "Little"))
            return [*([before] if before else []), self.name(PLACES)], "place"
        if slot == "FIRM":
            return [self.name(PEOPLE), self.of(FIRMS)], "firm"
        return [self.of(MONTHS) if slot == "MONTH" else slot], ""

    def sentence(self) -> list[str]:
        """Return the lines of a sentence."""
        lines = []
        for slot in self.of(PATTERNS).split():
            words, kind = self.words(slot)
            tags = [f"B-{kind}", *[f"I-{kind}"] * (len(words) - 1)] if kind else ["O"]
            lines += [f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True)]
        return lines


def as_text(sentences: int = SENTENCES, seed: int = SEED) -> bytes:
    """Return the sentences, each word in a line with its tag, a blank line behind each sentence."""
    draw = Draw(seed)
    return "".join("".join(draw.sentence()) + "\n" for _ in range(sentences)).encode()


if __name__ == "__main__":
    Path(__file__).with_name("village_news.conll").write_bytes(as_text())
