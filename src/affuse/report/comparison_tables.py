"""`SideBySide` for a terminal and as Markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from affuse.evaluation.statistics import Summary
from affuse.metrics.scores import heading
from affuse.report.comparison import Row, SideBySide
from affuse.report.tables import SCREEN, SCREEN_COLUMNS, markdown_table

ROW_COLUMNS = ("model", "metric", "A", "B", "B - A", "95% interval", "p", "seeds", "verdict")
DIFFERENCE_COLUMNS = ("kind", "what differs", "A", "B")
LEGEND = (
    "mean ±std over seeds; paired: the same seeds on the same test samples, Student's t; groups: "
    "Welch's t; p is for each row alone"
)


def screen(found: SideBySide) -> Group:
    """The headline metrics and all that differs, for a terminal of 120 columns."""
    parts: list[Table | Text] = [Text(line) for line in _names(found)]
    parts += [Text(line, style="bold") for line in found.summary]
    known = {row.metric for row in found.rows}
    shown = ([m for m in SCREEN if m in known] or sorted(known))[:SCREEN_COLUMNS]
    rows = [row for row in found.rows if row.metric in shown]
    if rows:
        more = "" if len(shown) == len(known) else "; the files have all metrics"
        table = _table(ROW_COLUMNS, LEGEND + more)
        for row, following in pairwise((*rows, None)):
            assert row is not None
            last = following is None or following.model != row.model
            table.add_row(*map(Text, _cells(row)), end_section=last)
        parts.append(table)
    parts += [Text(line) for line in _absent(found)]
    differences = _differences(found)
    if differences:
        table = _table(DIFFERENCE_COLUMNS)
        for cells in differences:
            table.add_row(*map(Text, cells))
        parts.append(table)
    return Group(*parts)


def markdown(found: SideBySide) -> str:
    """All of it."""
    parts = [f"### {found.names[0]} against {found.names[1]}", *_names(found)]
    parts += [f"**{line}**" for line in found.summary]
    if found.rows:
        parts.append(markdown_table(ROW_COLUMNS, map(_cells, found.rows)))
        parts.append(f"{LEGEND[0].upper()}{LEGEND[1:]}.")
    parts += _absent(found)
    differences = _differences(found)
    if differences:
        parts.append(markdown_table(DIFFERENCE_COLUMNS, differences))
    return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], caption: str = "") -> Table:
    """In a narrow terminal, cells wrap: nothing is cut."""
    table = Table(caption=Text(caption))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _names(found: SideBySide) -> list[str]:
    each = zip("AB", found.names, found.corpora, found.commands, strict=True)
    return [f"{side}: {name}, {corpus} ({command})" for side, name, corpus, command in each]


def _absent(found: SideBySide) -> list[str]:
    """What stands in one alone, and what has not finished."""
    lines = [
        f"Only in {side}: {', '.join(models)}."
        for side, models in zip("AB", found.only, strict=True)
        if models
    ]
    for side, models in zip("AB", found.unfinished, strict=True):
        lines += [
            f"Not finished in {side}: {model} has {count} of {asked} seeds."
            for model, (count, asked) in models.items()
        ]
    return lines


def _cells(row: Row) -> tuple[str, ...]:
    low, high = row.ci95
    return (
        row.model,
        heading(row.metric),
        _score(row.a),
        _score(row.b),
        f"{row.difference:+.3f}",
        "" if row.equal else "unknown" if math.isnan(low) else f"[{low:+.3f}, {high:+.3f}]",
        "" if row.equal or math.isnan(row.p) else "<0.001" if row.p < 0.001 else f"{row.p:.3f}",
        "" if row.equal else "paired" if row.paired else "groups",
        row.verdict,
    )


def _score(summary: Summary) -> str:
    if math.isnan(summary.mean):
        return "undefined"
    return f"{summary.mean:.3f} ±{summary.std:.3f}" if summary.std else f"{summary.mean:.3f}"


def _differences(found: SideBySide) -> list[tuple[str, ...]]:
    kinds = {"data": found.data, "config": found.config, "version": found.version}
    return [
        (kind, what, _value(a), _value(b))
        for kind, entries in kinds.items()
        for what, (a, b) in entries.items()
    ]


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
