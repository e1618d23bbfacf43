"""Tables that commands print of anything but a benchmark's result."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from affuse.metrics.scores import heading
from affuse.report.cells import markdown_table, score_text
from affuse.report.sentences import first_of
from affuse.report.tables import SCREEN, SCREEN_COLUMNS, hard_rows

if TYPE_CHECKING:
    from affuse.doctor.summary import CorpusSummary
    from affuse.evaluation.scorecard import Evaluation
    from affuse.evaluation.statistics import Summary
    from affuse.harness.ablations import Ablations
    from affuse.incongruity.explanation import Explanation
    from affuse.report.comparison import Row, SideBySide
    from affuse.tuning.outcome import StudyResult

ROW_COLUMNS = ("model", "metric", "A", "B", "B - A", "95% interval", "p", "seeds", "verdict")
DIFFERENCE_COLUMNS = ("kind", "what differs", "A", "B")
LEGEND = (
    "mean ±std over seeds; paired: the same seeds on the same test samples, Student's t; groups: "
    "Welch's t; p is for each row alone"
)
COST = "flip rate and damage: of crossmodal blocks, by refitted probes"
TUNING_TRIALS = 4
"""Trials that a search's table shows beside the untuned one."""


def ablation_table(found: Ablations) -> Table:
    """An ablation a row, with the headline metric on all and on hard samples."""
    from affuse.harness import REFERENCE

    first = found.rows[0][1]
    metrics = list(first.models[REFERENCE].metrics)[:2]
    hard = "hard" in first.extra
    extra = [f"{heading(metrics[0])}, hard"] if hard else []
    title = Text(f"{REFERENCE} on {first.corpus}")
    table = Table("ablation", *map(heading, metrics), *extra, "question", title=title)
    for ablation, result in found.rows:
        scores = result.models[REFERENCE].metrics
        cells = [score_text(scores.get(m), "\n") for m in metrics]
        if hard:
            cells.append(hard_rows(result.extra["hard"], metrics[:1], "\n")[0][1])
        table.add_row(ablation.name, *cells, ablation.question)
    return table


def evaluation_table(found: Evaluation) -> Table:
    """Each metric beside the trivial prediction's, then each subset of the modalities."""
    absent = found.trivially_answered
    caption = f"the trivial answer stands for {absent} samples that lack all it reads"
    title = Text(f"{found.corpus}, test part")
    table = Table("metric", "trivial", found.model, title=title)
    table.caption = Text(caption) if absent else None
    for metric, value in found.metrics.items():
        trivial = found.trivial.get(metric, math.nan)
        table.add_row(heading(metric), f"{trivial:.3f}", f"{value:.3f}")
    headline = next(iter(found.metrics))
    for kept, scores in found.subsets.items():
        table.add_row(f"{heading(headline)}, {kept} only", "", f"{scores[headline]:.3f}")
    return table


def explanation_table(found: Explanation) -> Table:
    """Scores on slices, and what crossmodal blocks cost, model by model."""
    metrics = found.task.metrics[:3]
    table = Table(
        "model", "slice", "samples", *map(heading, metrics), "flip rate", "damage",
        title=Text(f"{found.corpus}, test part"),
        caption="; ".join([COST, *map(first_of, found.ensembles)]),
    )  # fmt: skip
    hard = int(found.hard.mask.sum())
    slices: dict[str, tuple[int, Any]] = {
        "all": (found.samples, None),
        "hard": (hard, found.hard.mask),
        "other": (found.samples - hard, ~found.hard.mask),
    }
    for model in found.models:
        for part, scores in model.scores.items():
            count, rows = slices[part]
            cost = ["—", "—"]
            if model.latent is not None and model.latent.blocks:
                overall = model.latent.overall("refitted", rows)
                cost = [f"{overall.flip_rate.mean:.3f}", f"{overall.damage.mean:+.3f}"]
            table.add_row(
                model.name, part, str(count), *(f"{scores[m]:.3f}" for m in metrics), *cost
            )
    return table


def tuning_table(found: StudyResult, metric: str) -> Table:
    """The best trials and the untuned one side by side, a parameter a row."""
    columns = found.ranked[:TUNING_TRIALS]
    if found.preset is not None and found.preset not in columns:
        columns.append(found.preset)
    pruned = len(found.trials) - len(found.ranked)
    table = Table(
        "trial", title=f"{found.title}: {len(found.trials)} trials, {pruned} of them pruned"
    )
    for trial in columns:
        untuned = " (untuned)" if trial is found.preset else ""
        table.add_column(f"{trial.number}{untuned}", justify="right")
    table.add_column("importance", justify="right")
    table.add_row(f"validation {metric}", *(f"{trial.value:.3f}" for trial in columns), "")
    sizes = (f"{trial.user_attrs['parameters']:,}" for trial in columns)
    table.add_row("parameters", *sizes, "", end_section=True)
    for key in found.best.params:
        values = (trial.params.get(key) for trial in columns)
        short = (f"{value:.3g}" if isinstance(value, float) else str(value) for value in values)
        share = f"{found.importances[key]:.2f}" if key in found.importances else ""
        table.add_row(key, *short, share)
    return table


def corpus_tables(summary: CorpusSummary) -> tuple[Table, Table]:
    """The parts of each fold, and the modalities."""
    return _parts_table(summary), _modalities_table(summary)


def _parts_table(summary: CorpusSummary) -> Table:
    table = Table("fold", "part")
    add_numbers(table, "samples", "groups")
    table.add_column("labels")
    for part in summary.parts:
        labels = ", ".join(f"{name} {value:.4g}" for name, value in part.labels.items())
        if part.distribution:
            labels += "\n" + ", ".join(f"{v}: {n}" for v, n in part.distribution.items())
        groups = str(part.groups or "—")
        table.add_row(str(part.fold), part.part, str(part.samples), groups, escape(labels or "—"))
    return table


def _modalities_table(summary: CorpusSummary) -> Table:
    table = Table("modality", "features")
    add_numbers(table, "width", "steps: min", "median", "max", "missing")
    for name, m in summary.modalities.items():
        numbers = f"{m.width}", f"{m.shortest}", f"{m.median:g}", f"{m.longest}", f"{m.missing:.1%}"
        table.add_row(escape(name), escape(m.features), *numbers)
    return table


def add_numbers(table: Table, *columns: str) -> None:
    for column in columns:
        table.add_column(column, justify="right")


def comparison_tables(found: SideBySide) -> Group:
    """The headline metrics and all that differs, for a terminal of 120 columns."""
    parts: list[Table | Text] = [Text(line) for line in _names(found)]
    parts += [Text(line, style="bold") for line in found.summary]
    known = {row.metric for row in found.rows}
    shown = ([m for m in SCREEN if m in known] or sorted(known))[:SCREEN_COLUMNS]
    rows = [row for row in found.rows if row.metric in shown]
    if rows:
        more = "" if len(shown) == len(known) else "; the files have all metrics"
        table = _table(ROW_COLUMNS, LEGEND + more)
        for row, following in pairwise((*rows, rows[0])):
            table.add_row(*map(Text, _cells(row)), end_section=following.model != row.model)
        parts.append(table)
    parts += [Text(line) for line in _absent(found)]
    if differing := _differing(found):
        table = _table(DIFFERENCE_COLUMNS)
        for cells in differing:
            table.add_row(*map(Text, cells))
        parts.append(table)
    return Group(*parts)


def comparison_markdown(found: SideBySide) -> str:
    """All of it as Markdown."""
    parts = [f"### {found.names[0]} against {found.names[1]}", *_names(found)]
    parts += [f"**{line}**" for line in found.summary]
    if found.rows:
        parts.append(markdown_table(ROW_COLUMNS, map(_cells, found.rows)))
        parts.append(f"{LEGEND[0].upper()}{LEGEND[1:]}.")
    parts += _absent(found)
    if differing := _differing(found):
        parts.append(markdown_table(DIFFERENCE_COLUMNS, differing))
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
        _mean(row.a),
        _mean(row.b),
        f"{row.difference:+.3f}",
        "" if row.equal else "unknown" if math.isnan(low) else f"[{low:+.3f}, {high:+.3f}]",
        "" if row.equal or math.isnan(row.p) else "<0.001" if row.p < 0.001 else f"{row.p:.3f}",
        "" if row.equal else "paired" if row.paired else "groups",
        row.verdict,
    )


def _mean(score: Summary) -> str:
    if math.isnan(score.mean):
        return "undefined"
    return f"{score.mean:.3f} ±{score.std:.3f}" if score.std else f"{score.mean:.3f}"


def _differing(found: SideBySide) -> list[tuple[str, ...]]:
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
