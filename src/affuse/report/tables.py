"""Tables of a benchmark's result: for the screen, Markdown and CSV, and as a folder of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from affuse.evaluation.statistics import Summary
from affuse.files import null_to_nan, write_atomic
from affuse.harness.results import BenchmarkResult
from affuse.metrics.scores import by_label, heading
from affuse.report.cells import (
    PAIRED_COLUMNS,
    markdown_table,
    paired_rows,
    paired_statistics,
    score_text,
)
from affuse.report.csv_tables import csv_text
from affuse.report.sizes import size_cells, size_columns, size_words
from affuse.report.stress_tables import stress_markdown, stress_tables
from affuse.training.answerable import coverage_in_words

SCREEN = (
    *("mae", "corr", "acc2_nonzero", "f1_nonzero", "acc7", "acc2_haszero", "f1_haszero"),
    *("accuracy", "f1_weighted", "f1_macro", "uar", "f1_weighted_swapped"),
    *("accuracy_mean", "f1_mean", "f1_swapped_mean", "ccc_mean", "mae_mean", "corr_mean"),
)
"""Metrics for a terminal, the most telling first; it has room for `SCREEN_COLUMNS` of them."""
SCREEN_COLUMNS = 5

CSV_COLUMNS = (
    *("corpus", "model", "members", "parameters", "metric", "mean", "std", "ci95_low", "ci95_high"),
    *("runs", "command"),
)
_OF_LABELS = "accuracy / F1 of each label", "F1 weighted by truth; "
HARD = "a modality, read by itself, leans clearly against another or against the label"


def write_csv(result: BenchmarkResult, path: Path) -> None:
    """One line a model and metric; `runs` holds the scores of all seeds between spaces."""
    rows = (
        {**row, "runs": " ".join(map(repr, row["runs"])), "command": result.command}
        for row in result.to_records()
    )
    write_atomic(path, csv_text(CSV_COLUMNS, rows).encode())


def write_folder(result: BenchmarkResult, folder: Path) -> None:
    """The result as JSON, CSV, Markdown and LaTeX."""
    from affuse.report.latex import latex

    result.write_json(folder / "result.json")
    write_csv(result, folder / "result.csv")
    write_atomic(folder / "result.md", markdown(result).encode())
    write_atomic(folder / "result.tex", latex(result).encode())


def print_result(result: BenchmarkResult, metrics: Sequence[str] | None = None) -> None:
    """Print the tables, with the headline metrics or those named."""
    console = Console()
    for table in result_tables(result, console.width, metrics):
        console.print(table)
    for line in leading_modalities(result):
        console.print(line)
    for line in result.warnings:
        console.print(f"warning: {line}", style="yellow", markup=False, highlight=False)


def result_tables(
    result: BenchmarkResult, width: int = 120, metrics: Sequence[str] | None = None
) -> list[Table]:
    """The tables that there are: scores, labels, differences, hard samples and stress."""
    found = (
        rich_table(result, metrics, width),
        None if metrics else label_table(result),
        paired_table(result) if result.paired else None,
        hard_table(result),
        *stress_tables(result),
    )
    return [table for table in found if table is not None]


def leading_modalities(result: BenchmarkResult) -> list[str]:
    """Which modality led, in how many runs, for each gated model."""
    return [
        f"primary modality of {name}: {', '.join(f'{m} in {n}' for m, n in row.primary.items())} "
        f"of {sum(row.primary.values())} runs"
        for name, row in result.models.items()
        if row.primary
    ]


def rich_table(
    result: BenchmarkResult, metrics: Sequence[str] | None = None, width: int = 120
) -> Table:
    """The metrics named, or the headline metrics that a terminal of `width` has room for."""
    columns = {
        metric: [score_text(row.metrics.get(metric), "\n") for row in result.models.values()]
        for metric in (_screen(result) if metrics is None else metrics)
    }
    # Headings wrap, numbers never.
    widths = {
        metric: max(len("has-zero)"), *(len(line) for c in cells for line in c.split("\n")))
        for metric, cells in columns.items()
    }
    sizes = size_columns(result)
    room = width - max(map(len, ("model", *result.models))) - sum(len(s) + 3 for s in sizes) - 4
    shown = list(columns) if metrics is not None else _fitting(widths, room)
    caption = "mean ±std [95% interval of the mean over seeds, Student's t]; best in bold"
    caption += f"\n{size_words(result)}"
    elsewhere = () if metrics else chain.from_iterable(by_label(result.metrics).values())
    printed = {*shown, *elsewhere}
    if hidden := [m for m in result.metrics if m not in printed]:
        caption += f"\nthe JSON, CSV and Markdown files also have: {', '.join(hidden)}"
    caption = "\n".join([caption, *_primaries(result), *lacking_lines(result)])
    table = Table(title=Text(f"{result.corpus}, {result.seeds}"), caption=Text(caption))
    table.add_column("model", no_wrap=True)
    for name in sizes:
        table.add_column(name, justify="right", no_wrap=True)
    for metric in shown:
        table.add_column(Text(heading(metric)), width=widths[metric])
    best = [result.best(metric) for metric in shown]
    for place, (model, row) in enumerate(result.models.items()):
        scores = (
            Text(columns[metric][place], style="bold" if model in winners else "")
            for metric, winners in zip(shown, best, strict=True)
        )
        table.add_row(Text(model), *size_cells(result, row, "0"), *scores)
    return table


def label_table(result: BenchmarkResult) -> Table | None:
    """Accuracy and F1 of each label, as papers on IEMOCAP print them, or CCC and MAE of each value.

    None where the task has one question.
    """
    labels = by_label(result.metrics)
    if not labels:
        return None
    values = any(first.startswith("ccc") for first, _ in labels.values())
    what, how = ("CCC / MAE of each value", "") if values else _OF_LABELS
    title, caption = f"{result.corpus}, {what}", f"means over seeds; {how}best in bold"
    table = Table("model", title=Text(title), caption=Text(caption))
    for label in labels:
        table.add_column(Text(label))
    best = {metric: result.best(metric) for pair in labels.values() for metric in pair}
    for model, row in result.models.items():
        means = {m: f"{row.metrics[m].mean:.3f}" if m in row.metrics else "-" for m in best}
        scores = {m: Text(means[m], "bold" if model in best[m] else "") for m in best}
        table.add_row(
            Text(model), *(Text(" / ").join(scores[m] for m in pair) for pair in labels.values())
        )
    return table


def paired_table(result: BenchmarkResult) -> Table:
    """Each reference model against the others, for a terminal of 120 columns."""
    title = Text(f"{result.corpus}, paired differences")
    table = Table(title=title, caption=Text("\n".join(paired_statistics(result.paired))))
    for column in PAIRED_COLUMNS:
        table.add_column(column)
    for row in paired_rows(result.paired, every=False):
        table.add_row(*map(Text, row))
    return table


def hard_table(result: BenchmarkResult) -> Table | None:
    """The headline metrics on the hard slice, for a terminal; None where there is none."""
    if "hard" not in result.extra:
        return None
    metrics = _screen(result)[:3]
    table = Table(title=Text(hard_title(result.extra["hard"])), caption=Text(HARD))
    for column in ("model", *map(heading, metrics)):
        table.add_column(Text(column))
    for row in hard_rows(result.extra["hard"], metrics, "\n"):
        table.add_row(*map(Text, row))
    return table


def markdown(result: BenchmarkResult) -> str:
    """All metrics, the paired differences, and how to obtain them again."""
    best = {metric: result.best(metric) for metric in result.metrics}
    rows = []
    for model, row in result.models.items():
        scores = {m: score_text(row.metrics.get(m), " ") for m in result.metrics}
        marked = (f"**{text}**" if model in best[m] else text for m, text in scores.items())
        rows.append((model, *size_cells(result, row, "0"), *marked))
    parts = [
        f"### {result.corpus}, {result.seeds}",
        markdown_table(("model", *size_columns(result), *map(heading, result.metrics)), rows),
        "Mean ±std [95% interval of the mean over seeds, Student's t]; best in bold.",
        f"{size_words(result).capitalize()}.",
    ]
    parts += [*_primaries(result), *lacking_lines(result)]
    parts += [f"Warning: {line}." for line in result.warnings]
    if result.paired:
        parts.append(markdown_table(PAIRED_COLUMNS, paired_rows(result.paired, every=True)))
        parts += [f"{line}." for line in paired_statistics(result.paired)]
    if "hard" in result.extra:
        rows = hard_rows(result.extra["hard"], result.metrics, " ")
        parts.append(f"#### {hard_title(result.extra['hard']).capitalize()}")
        parts.append(markdown_table(("model", *map(heading, result.metrics)), rows))
        parts.append(f"{HARD.capitalize()}.")
    parts += stress_markdown(result)
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    parts.append(f"Command: `{result.command}`. Versions: {versions}.")
    return "\n\n".join(parts) + "\n"


def _screen(result: BenchmarkResult) -> tuple[str, ...]:
    ranked = [m for m in SCREEN if m in result.metrics] or result.metrics
    return tuple(ranked[:SCREEN_COLUMNS])


def _primaries(result: BenchmarkResult) -> list[str]:
    """A line for each model that has a choice of primary modality: how often each led."""
    lines = []
    for model, row in result.models.items():
        total = sum(row.primary.values())
        if total and len(row.primary) > 1:
            shares = ", ".join(f"{m} {n / total:.0%}" for m, n in row.primary.items())
            lines.append(f"primary modality of {model}: {shares}")
    return lines


def lacking_lines(result: BenchmarkResult) -> list[str]:
    """Which models some sample has nothing for, and which modalities cannot stand alone."""
    found = result.extra.get("lacking", {}).items()
    lines = [coverage_in_words(name, counts["reads"], counts) for name, counts in found]
    return lines + [
        f"{modality} alone is not here: no sample of the part '{part}' has it"
        for modality, part in result.extra.get("left_out", {}).items()
    ]


def _fitting(widths: dict[str, int], room: int) -> list[str]:
    """The first columns that fit, with their borders; one at least."""
    taken = list(accumulate(width + 3 for width in widths.values()))
    return list(widths)[: max(1, sum(end <= room for end in taken))]


def hard_title(hard: Mapping[str, Any]) -> str:
    """How many samples the slice holds."""
    return f"hard samples, {hard['samples']} of {hard['of']}"


def hard_rows(
    hard: Mapping[str, Any], metrics: Sequence[str], separator: str
) -> list[tuple[str, ...]]:
    """A model and its cells a row; metrics that it lacks are absent."""
    models = null_to_nan(hard["models"])
    return [
        (model, *(score_text(_summary(scores.get(m)), separator) for m in metrics))
        for model, scores in models.items()
    ]


def _summary(plain: Mapping[str, Any] | None) -> Summary | None:
    if plain is None:
        return None
    low, high = plain["ci95"]
    return Summary(plain["mean"], plain["std"], (low, high), tuple(plain["runs"]))
