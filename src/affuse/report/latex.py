"""A benchmark's result as a LaTeX table that a paper can include.

The columns are those in which the field reports a corpus: CMU-MOSI and CMU-MOSEI by MAE, Corr,
Acc-7, Acc-2 and F1; IEMOCAP by Acc and F1 of each emotion (Tsai et al. 2019, tables 1 to 3).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from affuse.evaluation.statistics import verdict
from affuse.harness.results import BenchmarkResult
from affuse.metrics.scores import by_label, heading, higher_is_better, is_fraction
from affuse.report.sizes import size_cells, size_columns, size_words

SWAPPED = r"F1$^\dagger$"
FIELD = {
    "mae": "MAE",
    "corr": "Corr",
    "acc7": "Acc-7",
    "acc2_nonzero": "Acc-2",
    "f1_nonzero": "F1",
    "f1_nonzero_swapped": SWAPPED,
    "accuracy": "Acc",
    "f1_weighted": "F1",
    "f1_weighted_swapped": SWAPPED,
    "uar": "UAR",
}
"""Metric to the field's short name, in the field's order; the others are asked for by name."""
_OF_EACH = {"accuracy": "Acc", "f1": "F1", "ccc": "CCC", "mae": "MAE"}

WIDE = 3
"""Columns beyond which a table spans both columns of a paper."""

_ESCAPES = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''"}
    # After a line's end it would open an optional argument.
    | {"[": "{[}"}
)


_SIZES = {"members": "Members", "parameters": "Params"}


class _Column(NamedTuple):
    metric: str
    title: str
    group: str = ""  # the label that several columns stand under, or nothing


def latex(result: BenchmarkResult, metrics: Sequence[str] | None = None) -> str:
    """A table for `booktabs`; its caption says how to read it.

    Trivial and single-modality rows stand above a rule. Columns are those of the field by default.
    """
    columns = _columns(result.metrics, metrics)
    sizes = [_SIZES[name] for name in size_columns(result)]
    kind = "table*" if len(columns) > WIDE else "table"
    rows = [(model, _row(result, model, columns)) for model in result.models]
    baselines = [row for model, row in rows if result.is_baseline(model)]
    compared = [row for model, row in rows if not result.is_baseline(model)]
    blocks = [block for block in (baselines, compared) if block]
    lines = [
        *(f"% Warning: {_one_line(warning)}" for warning in result.warnings),
        f"% Needs \\usepackage{{booktabs}}. Made by: {_one_line(result.command)}",
        f"% {', '.join(f'{name} {version}' for name, version in result.versions.items())}",
        f"\\begin{{{kind}}}[t]",
        r"\centering\small",
        r"\setlength{\tabcolsep}{4pt}",
        f"\\caption{{{_caption(result, columns)}}}",
        f"\\label{{tab:{_slug(result.corpus)}}}",
        f"\\begin{{tabular}}{{l{'r' * len(sizes)}{'c' * len(columns)}}}",
        r"\toprule",
        *_heads(sizes, columns),
        r"\midrule",
        "\n\\midrule\n".join("\n".join(block) for block in blocks),
        r"\bottomrule",
        r"\end{tabular}",
        f"\\end{{{kind}}}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Plain text as LaTeX prints it."""
    return _one_line(text).translate(_ESCAPES)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))


def _columns(known: Sequence[str], asked: Sequence[str] | None) -> list[_Column]:
    if asked is not None:
        return [_Column(name, FIELD.get(name, escape(heading(name)))) for name in asked]
    columns = [
        _Column(metric, _OF_EACH[metric.removesuffix(f"_{label}")], escape(label.capitalize()))
        for label, pair in by_label(known).items()
        for metric in pair
    ]
    columns = columns or [_Column(name, FIELD[name]) for name in FIELD if name in known]
    return columns or [_Column(name, escape(heading(name))) for name in known]


def _heads(sizes: Sequence[str], columns: Sequence[_Column]) -> list[str]:
    """A line of labels, where there are any, above the line of metrics."""
    titles = [f"{c.title}${_arrow(c.metric)}$" for c in columns]
    head = _line(["Model", *sizes, *titles])
    if not any(c.group for c in columns):
        return [head]
    groups, rules, place = [], [], 2 + len(sizes)
    for label, members in groupby(columns, key=lambda c: c.group):
        width = len(list(members))
        groups.append(f"\\multicolumn{{{width}}}{{c}}{{{label}}}")
        rules.append(f"\\cmidrule(lr){{{place}-{place + width - 1}}}")
        place += width
    return [_line(["", *("" for _ in sizes), *groups]), "".join(rules), head]


def _arrow(metric: str) -> str:
    return r"\uparrow" if higher_is_better(metric) else r"\downarrow"


def _line(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _row(result: BenchmarkResult, model: str, columns: Sequence[_Column]) -> str:
    row = result.models[model]
    sizes = size_cells(result, row, "--")
    return _line([escape(model), *sizes, *(_score(result, model, c.metric) for c in columns)])


def _score(result: BenchmarkResult, model: str, metric: str) -> str:
    summary = result.models[model].metrics.get(metric)
    if summary is None or not summary.runs:
        return "--"
    if math.isnan(summary.mean):
        return "undefined"
    scale, digits = (100, 1) if is_fraction(metric) else (1, 3)
    mean = f"{scale * summary.mean:.{digits}f}".replace("-", "$-$")
    text = f"\\textbf{{{mean}}}" if model in result.best(metric) else mean
    if summary.std > 0:
        half = scale * (summary.ci95[1] - summary.mean)
        text += f"{{\\scriptsize$\\,\\pm\\,${half:.{digits}f}}}"
    return text + (r"$^{*}$" if _differs(result, model, metric) else "")


def _differs(result: BenchmarkResult, model: str, metric: str) -> bool:
    """Whether a reference model was found better or worse than this one by this metric."""
    found = (others[model].by_metric for others in result.paired.values() if model in others)
    return any(d.get(metric) and verdict(metric, d[metric]) != "undecided" for d in found)


def _caption(result: BenchmarkResult, columns: Sequence[_Column]) -> str:
    names = {c.metric for c in columns}
    parts = [
        f"Results on the test part of {escape(result.corpus)}, {_seeds(result)}.",
        r"Mean $\pm$ half the 95\% interval of the mean over seeds (Student's $t$); best mean in",
        r"bold; $\uparrow$ higher, $\downarrow$ lower is better.",
    ]
    parts.append(f"{size_words(result).capitalize()}.")
    plain = {name for name in names if not is_fraction(name)}
    if names != plain:
        parts.append(f"Scores{' but MAE and Corr' * bool(plain)} are percentages.")
    if any("nonzero" in name for name in names):
        parts.append("Acc-2 and F1 leave out samples whose truth is 0.")
    parts.append(_conventions(names))
    for reference, others in result.paired.items():
        if any(_differs(result, other, name) for other in others for name in names):
            statistics = dict.fromkeys(escape(found.statistic) for found in others.values())
            parts.append(
                f"$^*$~{escape(reference)} differs: the 95\\% interval of the difference excludes "
                f"0 ({', '.join(statistics)}; not corrected for several tests)."
            )
    return "\n".join(filter(None, parts))


def _seeds(result: BenchmarkResult) -> str:
    """How many seeds a model has, and over how many folds each score is averaged."""
    seeds = " to ".join(str(n) for n in sorted({*result.seed_counts}))
    folds = result.extra.get("folds") or 1
    mean = f", each the mean of {folds} folds" if folds > 1 else ""
    return f"{seeds} seed{'s' * (seeds != '1')} a model{mean}"


def _conventions(names: set[str]) -> str:
    """Which of the field's two F1 a table shows."""
    if not any(name.startswith("f1") for name in names):
        return ""
    truth = "F1 weights classes by how often they are true"
    swapped = "as MulT's published code does"
    if any("swapped" in name for name in names):
        return f"{truth}, F1$^\\dagger$ by how often they are predicted, {swapped}."
    return f"{truth}, not by how often they are predicted, {swapped}."
