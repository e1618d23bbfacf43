"""A benchmark's result: kept as JSON, listed as CSV, shown in a terminal or as Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.table import Table
from rich.text import Text

from affuse.config import invalid
from affuse.errors import InputError
from affuse.evaluation.statistics import (
    PAIRED_COLUMNS,
    Comparison,
    Summary,
    paired_rows,
    paired_statistics,
)
from affuse.files import null_to_nan, to_strict_json, write_atomic
from affuse.metrics.scores import by_label, heading, higher_is_better
from affuse.report.cells import HARD, cell, hard_rows, hard_title

SCREEN = (
    *("mae", "corr", "acc2_nonzero", "f1_nonzero", "acc7", "acc2_haszero", "f1_haszero"),
    *("accuracy", "f1_weighted", "f1_macro", "uar", "f1_weighted_swapped"),
    *("accuracy_mean", "f1_mean", "f1_swapped_mean"),
)
"""Metrics for a terminal, the most telling first; it has room for `SCREEN_COLUMNS` of them."""
SCREEN_COLUMNS = 5

CSV_COLUMNS = (
    *("corpus", "model", "parameters", "metric", "mean", "std", "ci95_low", "ci95_high"),
    *("runs", "command"),
)


@dataclass(frozen=True)
class ModelResult:
    """A model's row.

    Attributes:
        parameters: trainable ones.
        metrics: name to its runs; empty where the model could not run.
        primary: modality to the number of runs in which it led most of the test samples.
    """

    parameters: int
    metrics: dict[str, Summary]
    primary: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class BenchmarkResult:
    """What one benchmark found.

    Attributes:
        corpus: its name, with the options that change the data.
        command: what to type to obtain it again.
        versions: package to version.
        models: name to row, in the order shown.
        paired: reference model to other model to their difference.
        extra: further top-level entries of the JSON file, kept as they are.
        warnings: what must be said of the models, a line each.
    """

    corpus: str
    command: str
    versions: dict[str, str]
    models: dict[str, ModelResult]
    paired: dict[str, dict[str, Comparison]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics of any model, in order of first appearance."""
        return tuple(dict.fromkeys(m for row in self.models.values() for m in row.metrics))

    def to_json(self) -> str:
        """The file's text; a score without a value (nan) is null."""
        content = asdict(self)
        content.update(content.pop("extra"))
        return to_strict_json(content)

    @classmethod
    def from_json(cls, text: str, *, source: str | Path | None = None) -> BenchmarkResult:
        """The inverse of `to_json`.

        Raises:
            InputError: not JSON, or not a benchmark's; it names the first wrong entry.
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise _malformed(f"line {error.lineno}: {error.msg.lower()}", source) from None
        if not isinstance(content, dict):
            raise _malformed("not a JSON object", source)
        known = {f.name for f in fields(cls)} - {"extra"}
        extra = {key: content.pop(key) for key in list(content) if key not in known}
        for key in {"models", "paired"} & content.keys():
            content[key] = null_to_nan(content[key])
        try:
            return TypeAdapter(cls).validate_python({**content, "extra": extra})
        except ValidationError as error:
            raise invalid(error, "a benchmark's result", remedy=_REMEDY, source=source) from None

    def write_json(self, path: Path) -> None:
        write_atomic(path, self.to_json().encode())

    @classmethod
    def read_json(cls, path: Path) -> BenchmarkResult:
        """Raises `InputError` for a file that is absent or malformed."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"cannot be read ({error})", remedy="give a benchmark's .json file", source=path
            ) from None
        return cls.from_json(text, source=path)

    def write_csv(self, path: Path) -> None:
        """One line a model and metric; `runs` holds the scores of all seeds between spaces."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for model, row in self.models.items():
            for metric, s in row.metrics.items():
                runs = " ".join(map(repr, s.runs))
                scores = (s.mean, s.std, *s.ci95, runs)
                writer.writerow((self.corpus, model, row.parameters, metric, *scores, self.command))
        write_atomic(path, text.getvalue().encode())

    def rich_table(self, metrics: Sequence[str] | None = None, width: int = 120) -> Table:
        """The metrics named, or the headline metrics that a terminal of `width` has room for."""
        columns = {
            metric: [cell(row.metrics.get(metric), "\n") for row in self.models.values()]
            for metric in (self._screen() if metrics is None else metrics)
        }
        # Headings wrap, numbers never.
        widths = {
            metric: max(len("has-zero)"), *(len(line) for c in cells for line in c.split("\n")))
            for metric, cells in columns.items()
        }
        names = max(map(len, ("model", *self.models)))
        room = width - names - len("parameters") - 7
        shown = list(columns) if metrics is not None else _fitting(widths, room)
        caption = "mean ±std [95% interval of the mean over seeds, Student's t]; best in bold"
        elsewhere = () if metrics else chain.from_iterable(by_label(self.metrics).values())
        told = {*shown, *elsewhere}
        hidden = [m for m in self.metrics if m not in told]
        if hidden:
            caption += f"\nthe JSON, CSV and Markdown files also have: {', '.join(hidden)}"
        caption = "\n".join([caption, *self._primaries()])
        table = Table(title=Text(f"{self.corpus}, {self._seeds()}"), caption=Text(caption))
        table.add_column("model", no_wrap=True)
        table.add_column("parameters", justify="right", no_wrap=True)
        for metric in shown:
            table.add_column(Text(heading(metric)), width=widths[metric])
        best = [self.best(metric) for metric in shown]
        for place, (model, row) in enumerate(self.models.items()):
            row_cells = [
                Text(columns[metric][place], style="bold" if model in winners else "")
                for metric, winners in zip(shown, best, strict=True)
            ]
            table.add_row(Text(model), f"{row.parameters:,}", *row_cells)
        return table

    def label_table(self) -> Table | None:
        """Accuracy and F1 of each label, as papers on IEMOCAP print them; None without labels."""
        labels = by_label(self.metrics)
        if not labels:
            return None
        title = Text(f"{self.corpus}, accuracy / F1 of each label")
        caption = Text("means over seeds; F1 weighted by truth; best in bold")
        table = Table("model", title=title, caption=caption)
        for label in labels:
            table.add_column(Text(label))
        best = {metric: self.best(metric) for pair in labels.values() for metric in pair}
        for model, row in self.models.items():
            means = {m: f"{row.metrics[m].mean:.3f}" if m in row.metrics else "-" for m in best}
            cells = {m: Text(means[m], "bold" if model in best[m] else "") for m in best}
            rows = (Text(" / ").join(cells[m] for m in pair) for pair in labels.values())
            table.add_row(Text(model), *rows)
        return table

    def paired_table(self) -> Table:
        """Each reference model against the others, for a terminal of 120 columns."""
        title = Text(f"{self.corpus}, paired differences")
        table = Table(title=title, caption=Text("\n".join(paired_statistics(self.paired))))
        for column in PAIRED_COLUMNS:
            table.add_column(column)
        for row in paired_rows(self.paired, every=False):
            table.add_row(*map(Text, row))
        return table

    def hard_table(self) -> Table | None:
        """The headline metrics on the hard slice, for a terminal; None where there is none."""
        if "hard" not in self.extra:
            return None
        metrics = self._screen()[:3]
        table = Table(title=Text(hard_title(self.extra["hard"])), caption=Text(HARD))
        for column in ("model", *map(heading, metrics)):
            table.add_column(Text(column))
        for row in hard_rows(self.extra["hard"], metrics, "\n"):
            table.add_row(*map(Text, row))
        return table

    def markdown(self) -> str:
        """All metrics, the paired differences, and how to obtain them again."""
        best = {metric: self.best(metric) for metric in self.metrics}
        rows = []
        for model, row in self.models.items():
            cells = [cell(row.metrics.get(m), " ") for m in self.metrics]
            marked = [
                f"**{cell}**" if model in best[metric] else cell
                for metric, cell in zip(self.metrics, cells, strict=True)
            ]
            rows.append((model, f"{row.parameters:,}", *marked))
        parts = [
            f"### {self.corpus}, {self._seeds()}",
            markdown_table(("model", "parameters", *map(heading, self.metrics)), rows),
            "Mean ±std [95% interval of the mean over seeds, Student's t]; best in bold.",
        ]
        parts += self._primaries()
        parts += [f"Warning: {line}." for line in self.warnings]
        if self.paired:
            parts.append(markdown_table(PAIRED_COLUMNS, paired_rows(self.paired, every=True)))
            parts += [f"{line}." for line in paired_statistics(self.paired)]
        if "hard" in self.extra:
            rows, header = (
                hard_rows(self.extra["hard"], self.metrics, " "),
                map(heading, self.metrics),
            )
            parts.append(f"#### {hard_title(self.extra['hard']).capitalize()}")
            parts += [markdown_table(("model", *header), rows), f"{HARD.capitalize()}."]
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        parts.append(f"Command: `{self.command}`. Versions: {versions}.")
        return "\n\n".join(parts) + "\n"

    def _screen(self) -> tuple[str, ...]:
        ranked = [m for m in SCREEN if m in self.metrics] or self.metrics
        return tuple(ranked[:SCREEN_COLUMNS])

    def _seeds(self) -> str:
        rows = [row for name, row in self.models.items() if name != "trivial"]
        counts = {len(s.runs) for row in rows for s in row.metrics.values()} or {0}
        low, high = min(counts), max(counts)
        seeds = f"{high} seed{'s' * (high != 1)}" if low == high else f"{low} to {high} seeds"
        folds = self.extra.get("folds", 1)
        return f"{seeds} of {folds} folds" if folds != 1 else seeds

    def best(self, metric: str) -> set[str]:
        """Models whose mean is the best; several where they tie."""
        means = {
            model: row.metrics[metric].mean
            for model, row in self.models.items()
            if metric in row.metrics and row.metrics[metric].runs
        }
        scores = [mean for mean in means.values() if not math.isnan(mean)]
        if not scores:
            return set()
        best = max(scores) if higher_is_better(metric) else min(scores)
        return {model for model, mean in means.items() if mean == best}

    def _primaries(self) -> list[str]:
        """A line for each model that has a choice of primary modality: how often each led."""
        lines = []
        for model, row in self.models.items():
            total = sum(row.primary.values())
            if total and len(row.primary) > 1:
                shares = ", ".join(f"{m} {n / total:.0%}" for m, n in row.primary.items())
                lines.append(f"primary modality of {model}: {shares}")
        return lines


def _fitting(widths: dict[str, int], room: int) -> list[str]:
    """The first columns that fit, with their borders; one at least."""
    taken = list(accumulate(width + 3 for width in widths.values()))
    return list(widths)[: max(1, sum(end <= room for end in taken))]


_REMEDY = "give a file that a benchmark wrote, or run the benchmark again"


def _malformed(problem: str, source: str | Path | None) -> InputError:
    return InputError(problem, remedy=_REMEDY, source=source)


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table as Markdown writes it."""
    head = [text.replace("|", "\\|") for text in header]
    lines = [head, ["---"] * len(head), *([t.replace("|", "\\|") for t in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
