"""Tables of a benchmark under stress: areas under the curves, their differences, and the curves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from affuse.evaluation.statistics import Summary
from affuse.evaluation.stress import KINDS
from affuse.harness.results import BenchmarkResult
from affuse.metrics.scores import heading, higher_is_better
from affuse.report.cells import (
    ABSENT,
    PAIRED_COLUMNS,
    markdown_table,
    paired_rows,
    paired_statistics,
    score_text,
)

AREA = "area: mean ±std [95% interval of the mean over seeds] of the mean height under the curve"


def stress_tables(result: BenchmarkResult) -> list[Table]:
    """For a terminal: an area a kind, and the paired differences; none without stress."""
    return [*_areas_table(result), *_paired_table(result)] if result.stress else []


def stress_markdown(result: BenchmarkResult) -> list[str]:
    """Paragraphs: areas, paired differences and the curves; none without stress."""
    return list(_paragraphs(result)) if result.stress else []


def stress_meanings(result: BenchmarkResult) -> list[str]:
    """A line for each kind: what was done to the test part, and at which levels."""
    swapped = result.extra.get("stress_about", {}).get("swapped", "one modality")
    return [f"{kind}: {_meaning(kind, swapped)} ({_span(result, kind)})" for kind in result.stress]


def _meaning(kind: str, swapped: str) -> str:
    # A result may be of a version that knew others.
    return KINDS[kind].meaning.format(swapped=swapped) if kind in KINDS else "a kind of stress"


def _span(result: BenchmarkResult, kind: str) -> str:
    levels = _levels(result, kind)
    return f"{levels[0]:g} to {levels[-1]:g} in {len(levels)} levels"


def _levels(result: BenchmarkResult, kind: str) -> list[float]:
    return [level for level, _ in next(iter(result.stress[kind].values())).levels]


def _rows(result: BenchmarkResult) -> list[str]:
    """Models in table order."""
    known = dict.fromkeys(name for curves in result.stress.values() for name in curves)
    return [name for name in result.models if name in known] or list(known)


def _title(result: BenchmarkResult) -> str:
    return f"{result.corpus}, {heading(result.stress_metric)} under stress"


def _cells(result: BenchmarkResult, separator: str) -> Iterator[tuple[str, list[str], list[bool]]]:
    """A model, its clean score and its areas, and which of them are the best of their column."""
    metric = result.stress_metric
    columns: list[dict[str, Summary]] = [
        {name: row.metrics[metric] for name, row in result.models.items() if metric in row.metrics},
        *({name: c.area for name, c in curves.items()} for curves in result.stress.values()),
    ]
    names = _rows(result)
    best = [_best(column, names, metric) for column in columns]
    for name in names:
        texts = [score_text(column.get(name), separator) for column in columns]
        yield name, texts, [name in winners for winners in best]


def _best(column: dict[str, Summary], names: Sequence[str], metric: str) -> set[str]:
    means = {n: column[n].mean for n in names if n in column and not math.isnan(column[n].mean)}
    best = (max if higher_is_better(metric) else min)(means.values(), default=None)
    return {name for name, mean in means.items() if mean == best}


def _areas_table(result: BenchmarkResult) -> Iterator[Table]:
    caption = "\n".join([f"{AREA}; best in bold", *stress_meanings(result)])
    table = Table(title=Text(_title(result)), caption=Text(caption))
    table.add_column("model", no_wrap=True)
    for column in ("clean", *result.stress):
        # Where there is no room a number goes to the next line, and none is cut.
        table.add_column(Text(column), overflow="fold")
    for name, texts, best in _cells(result, "\n"):
        marked = zip(texts, best, strict=True)
        table.add_row(Text(name), *(Text(text, "bold" if won else "") for text, won in marked))
    yield table


def _paired_table(result: BenchmarkResult) -> Iterator[Table]:
    if not result.stress_paired:
        return
    title = Text(f"{result.corpus}, paired differences of areas under stress")
    table = Table(title=title, caption=Text("\n".join(_statistics(result))))
    for column in ("kind", *_PAIRED):
        table.add_column(column)
    for row in _paired_rows(result):
        table.add_row(*map(Text, row))
    yield table


_PAIRED = tuple(column for column in PAIRED_COLUMNS if column != "metric")


def _paired_rows(result: BenchmarkResult) -> Iterator[tuple[str, ...]]:
    place = PAIRED_COLUMNS.index("metric")
    for kind, paired in result.stress_paired.items():
        for row in paired_rows(paired, every=False):
            yield (kind, *row[:place], *row[place + 1 :])


def _statistics(result: BenchmarkResult) -> list[str]:
    every = (paired_statistics(paired) for paired in result.stress_paired.values())
    return list(dict.fromkeys(line for lines in every for line in lines))


def _paragraphs(result: BenchmarkResult) -> Iterator[str]:
    yield f"#### {_title(result)}"
    rows = [
        (name, *(f"**{t}**" if won else t for t, won in zip(texts, best, strict=True)))
        for name, texts, best in _cells(result, " ")
    ]
    yield markdown_table(("model", "clean", *result.stress), rows)
    yield f"{AREA.capitalize()}; best in bold."
    yield "\n".join(f"- {line}" for line in stress_meanings(result))
    if result.stress_paired:
        yield markdown_table(("kind", *_PAIRED), _paired_rows(result))
        yield from (f"{line}." for line in _statistics(result))
    for kind in result.stress:
        yield f"Mean {heading(result.stress_metric)} at each level, {kind}:"
        header = ("model", *(f"{level:g}" for level in _levels(result, kind)))
        yield markdown_table(header, _curve_rows(result, kind))


def _curve_rows(result: BenchmarkResult, kind: str) -> Iterator[tuple[str, ...]]:
    for name in _rows(result):
        if name in result.stress[kind]:
            means = (mean for _, mean in result.stress[kind][name].levels)
            yield (name, *(ABSENT if math.isnan(mean) else f"{mean:.3f}" for mean in means))
