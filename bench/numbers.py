"""Statistics of a few runs, and whether they meet a target. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median


class Unit(Enum):
    """What a number counts; the value is how it is written."""

    SECONDS = "{:.2f} s"
    MILLISECONDS = "{:.1f} ms"
    MEGABYTES = "{:.1f} MB"
    COUNT = "{:g}"

    def text(self, value: float) -> str:
        """The number with its unit, rounded to the nearest: targets are judged by what was measured, not by this."""
        return self.value.format(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many, least, middle and most."""

    count: int
    minimum: float
    median: float
    maximum: float


class Of(Enum):
    """Which number of a row a target is about."""

    MEDIAN = "median"
    MAXIMUM = "max"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """At most this much."""

    limit: float
    of: Of = Of.MEDIAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing measured several times. `beside`: the same of what it is compared with; the ratio is of the medians."""

    what: str
    unit: Unit
    values: tuple[float, ...]
    target: Target | None = None
    beside: tuple[float, ...] = ()

    @property
    def summary(self) -> Summary:
        """Its statistics."""
        return summarize(self.values)

    @property
    def ratio(self) -> float | None:
        """How many times the median of `beside`; None where there is nothing beside it."""
        if not self.beside or not median(self.beside):
            return None
        return self.summary.median / median(self.beside)

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met by the unrounded number; None where there is none."""
        if self.target is None:
            return None
        number = _judged(self, self.target)
        return number is not None and number <= self.target.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A table of the page: its heading, what is measured and how, in a few sentences, and its rows."""

    title: str
    note: str
    rows: tuple[Row, ...]


def summarize(values: Sequence[float]) -> Summary:
    """The statistics of at least one value."""
    if not values:
        raise ValueError("nothing was measured")
    return Summary(count=len(values), minimum=min(values), median=median(values), maximum=max(values))


def _judged(row: Row, target: Target) -> float | None:
    numbers = {Of.MEDIAN: row.summary.median, Of.MAXIMUM: row.summary.maximum, Of.RATIO: row.ratio}
    return numbers[target.of]
