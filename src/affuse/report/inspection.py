"""The tables of `affuse corpus inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from affuse.doctor import Examination
    from affuse.doctor.findings import Finding
    from affuse.doctor.summary import CorpusSummary

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "dim"}


def print_examination(name: str, found: Examination, trivial: Mapping[str, float]) -> None:
    """Print what a corpus holds, what is wrong with it, and the scores of a constant."""
    console = Console()
    if found.summary is None:
        console.print(f"[bold]{escape(name)}[/bold], format {found.kind}: cannot be used as it is")
    else:
        title = f"{found.summary.name}: {found.summary.task}, {found.summary.samples} samples"
        kind, fingerprint = found.kind, found.summary.fingerprint
        console.print(f"[bold]{escape(title)}[/bold], format {kind}, fingerprint {fingerprint}")
        for table in corpus_tables(found.summary):
            console.print(table)
    if found.file:
        console.print(_arrays_table(found))
    if trivial:
        console.print(_trivial_table(trivial))
    console.print(_findings_table(found.findings) if found.findings else "nothing found amiss")


def _findings_table(findings: tuple[Finding, ...]) -> Table:
    table = Table("", "finding", "where", "what", "what affuse does", title="findings")
    for each in findings:
        severity = f"[{_STYLES[each.severity]}]{each.severity}[/]"
        texts = (each.code, each.where, each.detail, each.treatment)
        table.add_row(severity, *map(escape, texts))
    return table


def _arrays_table(found: Examination) -> Table:
    from affuse.doctor.facts import UNUSABLE

    table = Table("part", "features", "shape", "type", title="as the file stands")
    for column in ("padding", *UNUSABLE):
        table.add_column(column, justify="right")
    for row in found.to_dict()["arrays"]:
        shape = f"{row['samples']} x {row['steps']} x {row['width']}"
        counts = (f"{row[name]}" for name in UNUSABLE)
        table.add_row(
            row["part"], row["features"], shape, row["dtype"], f"{row['padding']:.1%}", *counts
        )
    return table


def corpus_tables(summary: CorpusSummary) -> tuple[Table, Table]:
    """The parts of each fold, and the modalities."""
    return _parts_table(summary), _modalities_table(summary)


def _parts_table(summary: CorpusSummary) -> Table:
    table = Table("fold", "part")
    for column in ("samples", "groups"):
        table.add_column(column, justify="right")
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
    for column in ("width", "steps: min", "median", "max", "missing"):
        table.add_column(column, justify="right")
    for name, found in summary.modalities.items():
        steps = (f"{found.shortest}", f"{found.median:g}", f"{found.longest}")
        table.add_row(
            escape(name), escape(found.features), f"{found.width}", *steps, f"{found.missing:.1%}"
        )
    return table


def _trivial_table(trivial: Mapping[str, float]) -> Table:
    from affuse.metrics.scores import heading

    table = Table("metric")
    table.add_column("a constant on test", justify="right")
    for name, score in trivial.items():
        table.add_row(escape(heading(name)), f"{score:.3f}")
    return table
