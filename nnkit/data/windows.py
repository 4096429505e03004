"""The spec's `data.windows`: a table of rows in time order as the windows that a forecast is learned from."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from nnkit.config.piece import Options


def _as_time(value: object) -> object:
    """Take the number 1949 for the text "1949": times are text."""
    from nnkit.frames.kinds import as_text

    return as_text(value) or value


Time: TypeAlias = Annotated[
    str, BeforeValidator(_as_time), WithJsonSchema({"type": ["string", "number"], "x-words": "a time"})
]


class Windows(Options):
    """How rows in time order become windows: what a network sees of a series, and what it forecasts.

    An input is `length` rows of all columns that are left, the targets among them: `length` x columns. The targets are
    the next `horizon` values of each target, as `OT+1`, `OT+2`, ... The split is by time: the last rows test, the
    rows before them validate, and what a window forecasts lies in one part alone. A window that tests may see rows of
    the parts before it, as a forecast in use does; one that trains sees and forecasts nothing of the others.
    """

    length: int = Field(gt=0, le=100_000, description="Rows that the network sees.")
    horizon: int = Field(gt=0, le=100_000, description="Rows after them that it forecasts.")
    step: int = Field(default=1, gt=0, description="Rows from one window to the next.")
    time: str | None = Field(
        default=None, description="Column of times, by which the rows are sorted; default: the order of the file."
    )
    series: str | None = Field(
        default=None, description="Column that tells series apart; no window goes from one into another."
    )
    season: int | None = Field(
        default=None, gt=1, description="Rows after which a pattern comes again, for the seasonal naive forecast."
    )
    gaps: Literal["error", "break", "ignore"] = Field(
        default="error",
        description="What is done where times do not follow in equal steps: `error`; `break` lets no window go over "
        "it; `ignore` takes the rows as neighbours, as for trading days.",
    )
    since: Time | None = Field(
        default=None, description="Rows before this time are not used; fresh rows are not held to it."
    )
    until: Time | None = Field(
        default=None, description="Rows from this time on are not used; fresh rows are not held to it."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.season and self.season > self.length:
            raise ValueError(
                f"season is {self.season} and length {self.length}: a window must hold a season; make length larger"
            )
        if self.time is None:
            given = [name for name in ("series", "since", "until") if getattr(self, name) is not None]
            given += ["gaps"] if self.gaps != "error" else []
            if given:
                raise ValueError(f"{given[0]} needs the column of times; set time")
        if self.time is not None and self.time == self.series:
            raise ValueError(f"time and series are both {self.time}; they are two columns")
        return self

    @property
    def uses(self) -> list[str]:
        """Columns that only say where rows stand; they are no features."""
        return [name for name in (self.time, self.series) if name is not None]

    @property
    def seasons(self) -> dict[str, int]:
        """The naive forecasts, by name, with the rows from a value to its repetition."""
        return {"naive": 1, **({"seasonal_naive": self.season} if self.season else {})}

    def names(self, targets: list[str]) -> list[str]:
        """Return the names of what is forecast: each target by step."""
        return [f"{name}+{step}" for name in targets for step in range(1, self.horizon + 1)]


class Spacing(Options):
    """The usual distance of a row from the one before it."""

    unit: Literal["months", "month_ends", "microseconds", "number"]
    count: float


class Windowed(Options):
    """What a run knows of its windows."""

    options: Windows
    targets: list[str] = Field(min_length=1)
    """The target columns."""
    kinds: dict[str, Literal["number", "category", "code", "boolean", "array", "image"]]
    """The kinds of the columns that say where rows stand."""
    way: Literal["iso", "month_first", "day_first", "number"] | None = None
    """How times are written; None where there are none."""
    spacing: Spacing | None = None
    """None where rows have no times, or come in no equal steps."""
    scales: dict[str, dict[str, list[float | None]]] = Field(default={})
    """By series, on training rows and for each target: of each naive forecast the mean size of its error one season
    ahead, and the ``deviation`` of the values."""

    def is_whole(self) -> bool:
        """Tell whether kinds, way, spacing and scales fit the options."""
        scales = [numbers for of_series in self.scales.values() for numbers in of_series.values()]
        if self.kinds.keys() != set(self.options.uses) or any(len(each) != len(self.targets) for each in scales):
            return False
        if self.options.time is None:
            return self.way is None and self.spacing is None
        written = self.kinds[self.options.time] in ("category", "code")
        spaced = self.spacing is None or (self.spacing.unit == "number") != written
        return self.way is not None and (self.way == "number") != written and spaced
