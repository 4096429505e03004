"""Splits: which rows train, which validate, which test."""

from collections.abc import Iterator, Sequence
from heapq import heapreplace
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias

from pydantic import Field, model_validator

from nnkit.config.piece import Options
from nnkit.config.spelling import nearest
from nnkit.data.sources import SourceChoice
from nnkit.data.words import Value
from nnkit.errors import DataError
from nnkit.seeds import generator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

Unit: TypeAlias = list[int]
"""Rows that stay together."""

Fraction = Annotated[float, Field(gt=0, lt=1)]
Values: TypeAlias = Annotated[list[Value], Field(min_length=1)]
"""Values of the column that parts are made by."""

MAX_FOLDS = 1000
"""Trainings that one run may consist of."""


class Split(Options):
    """How rows are divided into training, validation and test rows.

    Fractions are of all rows. Rows are drawn by chance unless `order` or `column` says otherwise.
    """

    test: Fraction | Values | SourceChoice | None = Field(
        default=None, description="Share of the rows, values that `column` has there, or a source of its own."
    )
    validation: Fraction | Values | SourceChoice | None = Field(
        default=None, description="Share of the rows, values that `column` has there, or a source of its own."
    )
    train: Fraction | Annotated[int, Field(gt=0)] | None = Field(
        default=None,
        description="Number of rows that train, or their share of all; what is left over is not used. Default: all "
        "that are in no other part.",
    )
    train_per_class: int | None = Field(
        default=None, gt=0, description="Number of rows of each class that train; what is left over is not used."
    )
    stratify: bool = Field(default=False, description="Give each part the same shares of the target's classes.")
    group: str | None = Field(default=None, description="Column whose equal values stay together in one part.")
    order: str | bool = Field(
        default=False, description="Column to sort by, or true for the file's order: the last rows test, none is drawn."
    )
    column: str | None = Field(
        default=None,
        description="Column that says train, validation or test, or whose values `test` and `validation` list.",
    )
    folds: int | None = Field(
        default=None,
        ge=2,
        le=MAX_FOLDS,
        description="Number of parts that each are the test rows of a training of its own.",
    )
    seed: int | None = Field(default=None, ge=0, description="Draws the parts; default: the experiment's seed.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("stratify", "group", "order", "column") if getattr(self, name)]
        if len(ways) > 1:
            raise ValueError(f"choose one of {' and '.join(ways)}: they divide the rows in different ways")
        if self.folds and (self.test is not None or self.order or self.column):
            raise ValueError("folds are the test rows in turn; leave out test, order and column")
        self._check_values()
        if self.train is not None and self.train_per_class is not None:
            raise ValueError("choose one of train and train_per_class: both say how many rows train")
        if self.share_of("test") + self.share_of("validation") >= 1:
            raise ValueError("test and validation take all rows; expected a sum under 1")
        return self

    def _check_values(self) -> None:
        """Raise ``ValueError`` where values stand without a column, or a column without values but with shares."""
        listed = [*self.values_of("test"), *self.values_of("validation")]
        if listed and self.column is None:
            raise ValueError("a list is of values of a column; say which one by `column`")
        both = [value for value in listed if listed.count(value) > 1]
        if both:
            raise ValueError(f"{both[0]} is listed twice; a row is in one part")
        given = [part for part in ("test", "validation") if getattr(self, part) is not None]
        if self.column and given and not listed:
            raise ValueError(
                f"column says which rows test and validate; leave out {' and '.join(given)}, or list the column's "
                "values, such as test: [9]"
            )
        if self.column and (self.share_of("test") or self.share_of("validation")):
            raise ValueError("where column divides the rows, test and validation are lists of its values, not shares")

    def values_of(self, part: str) -> list[str]:
        """Return the values of ``column`` that make a part."""
        value = getattr(self, part)
        return value if isinstance(value, list) else []

    def share_of(self, part: str) -> float:
        """Return the fraction of the rows that a part takes."""
        value = getattr(self, part)
        return value if isinstance(value, float | int) else 0.0

    @property
    def drawn(self) -> bool:
        """Whether the experiment's seed decides which rows go where."""
        if self.seed is not None:
            return False
        if self.train_per_class or (self.train is not None and not self.order):
            return True
        fixed = self.order or self.column
        return not fixed and bool(self.folds or self.share_of("test") or self.share_of("validation"))

    @property
    def by_class(self) -> bool:
        """Whether the target's classes decide which rows go where."""
        return self.stratify or self.train_per_class is not None

    @property
    def uses(self) -> list[str]:
        """Columns that only divide the rows; they are no features."""
        return [name for name in (self.group, self.column, self.order) if isinstance(name, str)]


def allotted(sizes: Sequence[int], share: float) -> list[int]:
    """Return how many rows each stratum gives so that together they give ``share`` of all, and one at least.

    Each gives its own share rounded down or up: the largest remainders go up (Hamilton's method).
    """
    exact = [share * size for size in sizes]
    counts = list(map(int, exact))
    total = max(1, round(share * sum(sizes)))
    by_remainder = sorted(range(len(sizes)), key=lambda index: counts[index] - exact[index])
    for index in by_remainder[: total - sum(counts)]:
        counts[index] += 1
    return counts


class Divider:
    """Divides the rows of a table as a split says.

    ``labels`` [n] are the target's classes (where the split is by class), ``keys`` [n] the cells of its column.
    """

    def __init__(
        self, split: Split, rows: int, seed: int, labels: "NDArray[Any] | list[Any] | None", keys: "list[Any] | None"
    ):
        self._split = split
        self._rows = rows
        self._classes = labels
        self._labels = labels if split.stratify else None
        self._keys = keys
        self._seed = seed if split.seed is None else split.seed
        self._draw = generator(self._seed, "split")

    def parts(self) -> "dict[str, Rows]":
        """Return the row numbers of train, validation and test, each in ascending order; empty parts are left out."""
        split = self._split
        if split.column:
            return self._by_column()
        return self._finish(
            self._divided(self._ordered(), {part: split.share_of(part) for part in ("test", "validation")})
        )

    def folds(self) -> "Iterator[dict[str, Rows]]":
        """Yield the parts of each fold; validation rows are drawn from what does not test."""
        assert self._split.folds is not None  # noqa: S101 - the caller looked
        count = self._split.folds
        units = self._ordered()
        if len(units) < count:
            raise DataError(f"{count} folds need {count} rows or groups, and there are {len(units)}")
        dealt = self._dealt(units, count)
        for number in range(count):
            rest = [unit for index, fold in enumerate(dealt) if index != number for unit in fold]
            rest = [rest[index] for index in self._draw.permutation(len(rest)).tolist()]
            share = self._split.share_of("validation") * self._rows / sum(map(len, rest))
            parts = self._divided(rest, {"validation": share})
            yield self._finish(parts | {"test": _flat(dealt[number])})

    def _ordered(self) -> list[Unit]:
        """Return units of rows that stay together, in the order in which parts take them: the first ones test."""
        if self._split.order:
            keys = self._keys
            order = range(self._rows) if keys is None else sorted(range(self._rows), key=keys.__getitem__)
            return [[row] for row in reversed(order)]
        if self._keys is not None:
            groups: dict[Any, list[int]] = {}
            for row, group in enumerate(self._keys):
                groups.setdefault(group, []).append(row)
            units = list(groups.values())
            return [units[index] for index in self._draw.permutation(len(units)).tolist()]
        return [[row] for row in self._draw.permutation(self._rows).tolist()]

    def _divided(self, units: list[Unit], shares: dict[str, float]) -> "dict[str, Rows]":
        """Deal units to parts until each has its share of all rows; train takes the rest, at least one of each class.

        Raises ``DataError`` where a part gets no row.
        """
        shares = {name: share for name, share in shares.items() if share}
        strata = self._strata(units)
        counts = {
            name: allotted([sum(map(len, stratum)) for stratum in strata], share) for name, share in shares.items()
        }
        parts: dict[str, list[Unit]] = {"train": [], **{name: [] for name in shares}}
        for index, stratum in enumerate(strata):
            taken = 0
            for name in shares:
                size = 0
                while size < counts[name][index] and taken < len(stratum) - 1:
                    parts[name].append(stratum[taken])
                    size += len(stratum[taken])
                    taken += 1
            parts["train"] += stratum[taken:]
        empty = [name for name, members in parts.items() if not members]
        if empty:
            raise DataError(
                f"no row is left for {' and '.join(empty)}: the split has {self._rows} rows to give; add rows, or "
                "change its shares"
            )
        return {name: _flat(members) for name, members in parts.items()}

    def _strata(self, units: list[Unit]) -> list[list[Unit]]:
        """Return the units by class, or all as one stratum."""
        if self._labels is None:
            return [units]
        strata: dict[Any, list[Unit]] = {}
        for unit in units:
            strata.setdefault(self._labels[unit[0]], []).append(unit)
        single = [str(label) for label, members in strata.items() if len(members) < 2]
        if single:
            listed = ", ".join(single[:5]) + (f" and {len(single) - 5} more" if len(single) > 5 else "")
            raise DataError(f"stratify needs two rows of each class, and there is one of {listed}; leave stratify out")
        return [strata[label] for label in sorted(strata)]

    def _dealt(self, units: list[Unit], count: int) -> list[list[Unit]]:
        """Deal units to folds class by class, the large ones first, each to a fold that has the fewest rows."""
        folds: list[list[Unit]] = [[] for _ in range(count)]
        sizes = [(0, number) for number in range(count)]
        dealt = [unit for stratum in self._strata(units) for unit in stratum]
        for unit in sorted(dealt, key=len, reverse=True):
            size, number = sizes[0]
            folds[number].append(unit)
            heapreplace(sizes, (size + len(unit), number))
        return folds

    def _by_column(self) -> "dict[str, Rows]":
        import numpy as np

        from nnkit.frames.kinds import as_text

        split, names = self._split, np.array([as_text(key) for key in self._keys or []], dtype=object)
        parts = {part: split.values_of(part) for part in ("validation", "test")}
        if any(parts.values()):
            self._check_values(parts, set(names.tolist()))
            found = {part: np.isin(names, values) for part, values in parts.items()}
            train = ~(found["validation"] | found["test"])
            return self._finish({part: np.flatnonzero(rows) for part, rows in [("train", train), *found.items()]})
        strange = sorted(set(names.tolist()) - {"train", "validation", "test"})
        if strange:
            raise DataError(
                f"the column {split.column} says {', '.join(strange[:5])}; expected train, validation or test, or "
                f"list what tests, such as split.test: [{strange[0]}]"
            )
        return self._finish({name: np.flatnonzero(names == name) for name in ("train", "validation", "test")})

    def _check_values(self, parts: dict[str, list[str]], known: set[str]) -> None:
        """Raise ``DataError`` for a value that no row has."""
        from nnkit.frames.kinds import in_order

        for part, values in parts.items():
            if strange := [value for value in values if value not in known]:
                raise DataError(
                    f"data.split.{part}: no row has {', '.join(strange[:5])} in the column {self._split.column}"
                    f"{nearest(strange[0], known)} There are: {', '.join(in_order(known)[:20])}"
                )

    def _finish(self, parts: "dict[str, Rows]") -> "dict[str, Rows]":
        import numpy as np

        if not len(parts["train"]):
            raise DataError(f"no row is left for train: the split takes all {self._rows}")
        parts = parts | {"train": self._kept(parts["train"])}
        return {name: np.sort(rows) for name, rows in parts.items() if len(rows)}

    def _kept(self, rows: "Rows") -> "Rows":
        """Return those of the rows for training that are to train; raises ``DataError`` where they are too few."""
        split = self._split
        if split.train is None and split.train_per_class is None:
            return rows
        if split.order and split.train is not None:
            return rows[: self._wanted(len(rows))]  # The latest come first.
        strata = self._classes_of(rows) if split.by_class else {"": rows}
        if split.train_per_class is None:
            counts = allotted([len(members) for members in strata.values()], self._wanted(len(rows)) / len(rows))
        else:
            counts = [split.train_per_class] * len(strata)
        few = [
            f"{label} has {len(part)}" for (label, part), n in zip(strata.items(), counts, strict=True) if len(part) < n
        ]
        if few:
            raise DataError(
                f"split.train_per_class is {split.train_per_class}, and of the rows for training the class "
                f"{', '.join(few[:5])}; make it smaller"
            )
        draw = generator(self._seed, "train rows")
        chosen = [draw.permutation(part)[:count] for part, count in zip(strata.values(), counts, strict=True)]
        return _joined(chosen)

    def _wanted(self, available: int) -> int:
        """Return how many rows ``train`` asks for; raises ``DataError`` where there are less."""
        train = self._split.train
        assert train is not None  # noqa: S101 - the caller looked
        wanted = train if isinstance(train, int) else max(1, round(train * self._rows))
        if wanted > available:
            raise DataError(
                f"split.train asks for {wanted} of {self._rows} rows, and the other parts leave {available}; make it "
                "smaller, or leave it out"
            )
        return wanted

    def _classes_of(self, rows: "Rows") -> "dict[Any, Rows]":
        """Return the rows of each class, in the order of the classes."""
        import numpy as np

        assert self._classes is not None  # noqa: S101 - the caller looked
        labels = np.asarray(self._classes, dtype=object)[rows]
        return {label: rows[labels == label] for label in sorted(set(labels.tolist()))}


def _joined(parts: "Sequence[Rows]") -> "Rows":
    import numpy as np

    return np.concatenate(parts)


def _flat(units: Sequence[Unit]) -> "Rows":
    import numpy as np

    return np.array([row for unit in units for row in unit], dtype=np.int64)
