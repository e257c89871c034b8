"""Measures as Markdown, and their place in docs/benchmarks.md. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.numbers import Measure, Of, Row

MEASURED, IMAGE = "measured", "image"
"""The two places of the page that are written anew, each by itself."""
HEADINGS = ("", "n", "min", "median", "max", "ratio", "target", "met")


def replace_measured(page: str, measured: str, place: str) -> str:
    """The page with what is between two markers replaced; the prose around them is a person's."""
    first, last = f"<!-- {place}: begin -->", f"<!-- {place}: end -->"
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the page has no place for the numbers: {first} and {last}")
    return f"{before}{first}\n\n{measured.strip()}\n\n{last}{after}"


def render(measures: Sequence[Measure], circumstances: Sequence[tuple[str, str]]) -> str:
    """Everything that is generated: what was it measured on, which targets are met, and each measure's table."""
    parts = [_table(("", ""), circumstances), _verdict(measures)]
    for measure in measures:
        parts += [f"### {measure.title}", measure.note, _table(HEADINGS, map(_cells, measure.rows))]
    return "\n\n".join(parts) + "\n"


def missed(measures: Sequence[Measure]) -> list[str]:
    """What does not meet its target, each with its measure's title."""
    return [f"{m.title}: {row.what}" for m in measures for row in m.rows if row.is_met is False]


def _verdict(measures: Sequence[Measure]) -> str:
    judged = [row for measure in measures for row in measure.rows if row.target is not None]
    bad = missed(measures)
    line = f"**{len(judged) - len(bad)} of {len(judged)} targets are met.**"
    return line + (" Not met:\n\n" + "\n".join(f"- {what}" for what in bad) if bad else "")


def _cells(row: Row) -> tuple[str, ...]:
    found, ratio, met = row.summary, row.ratio, row.is_met
    numbers = (row.unit.text(number) for number in (found.minimum, found.median, found.maximum))
    return (
        row.what,
        str(found.count),
        *numbers,
        "" if ratio is None else f"{ratio:.2f}",
        _target(row),
        "" if met is None else ("yes" if met else "**no**"),
    )


def _target(row: Row) -> str:
    if row.target is None:
        return ""
    limit = f"{row.target.limit:g}" if row.target.of is Of.RATIO else row.unit.text(row.target.limit)
    return f"{row.target.of.value} ≤ {limit}"


def _table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    numeric = len(headings) == len(HEADINGS)
    rule = ["---", *(("---:",) * 5 if numeric else ()), *("---",) * (len(headings) - (6 if numeric else 1))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *lines))
