"""What `affuse corpus inspect` prints, for terminals of 80 columns and more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from affuse.metrics.scores import heading
from affuse.report.command_tables import add_numbers, corpus_tables

if TYPE_CHECKING:
    from affuse.doctor import Examination
    from affuse.doctor.findings import Finding
    from affuse.doctor.recording_facts import RecordingFacts

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold"}


def print_examination(name: str, found: Examination, trivial: Mapping[str, float]) -> None:
    """Print what a corpus holds, what is wrong with it, and the scores of a constant."""
    console = Console()
    if found.summary is None:
        console.print(f"[bold]{escape(name)}[/bold], format {found.kind}: cannot be used as it is")
    else:
        title = f"{found.summary.name}: {found.summary.task}, {found.summary.samples} samples"
        console.print(f"[bold]{escape(title)}[/bold]")
        console.print(f"format {found.kind}, fingerprint {found.summary.fingerprint}")
        for table in corpus_tables(found.summary):
            console.print(table)
    if found.recordings is not None:
        console.print(_recordings_table(found.recordings))
    if found.file:
        console.print(_arrays_table(found))
    if trivial:
        console.print(_trivial_table(trivial))
    _print_findings(console, found.findings)


def _print_findings(console: Console, findings: Iterable[Finding]) -> None:
    """A heading a kind of finding and place, what was found, and what affuse does about it."""
    counts = Counter(finding.severity for finding in findings)
    if not counts:
        console.print("nothing found amiss")
        return
    total = ", ".join(f"{n} {severity}{'s' * (n != 1)}" for severity, n in counts.items())
    console.print(f"findings: {total}", highlight=False)
    for each in findings:
        title = Text.assemble(
            (each.severity, _STYLES[each.severity]), f" {each.code}: {each.where}"
        )
        console.print(title)
        # The mark of what affuse does begins a line, so that it is found at a glance.
        for text in (each.detail, f"-> {each.treatment}"):
            console.print(Padding(Text(text), (0, 0, 0, 4)))


def _arrays_table(found: Examination) -> Table:
    from affuse.doctor.facts import UNUSABLE

    title = "as the file stands; shapes are samples x steps x features"
    table = Table(title=title, title_justify="left")
    for column in ("part", "features", "shape", "type"):
        table.add_column(column, no_wrap=True)
    add_numbers(table, "padding")
    table.add_column("not finite")
    signs = dict(zip(UNUSABLE, ("-inf", "+inf", "nan", "overflow"), strict=True))
    for row in found.to_dict()["arrays"]:
        shape = f"{row['samples']} x {row['steps']} x {row['width']}"
        bad = ", ".join(f"{row[name]} {sign}" for name, sign in signs.items() if row[name])
        padding = f"{row['padding']:.1%}"
        table.add_row(row["part"], row["features"], shape, row["dtype"], padding, bad or "none")
    return table


def _recordings_table(found: RecordingFacts) -> Table:
    table = Table("recordings", "")
    seconds = found.seconds
    lasting = f"{seconds['shortest']:.1f} to {seconds['longest']:.1f}, median"
    table.add_row("seconds", f"{lasting} {seconds['median']:.1f}, in all {seconds['total']:.0f}")
    for kind, count in found.having.items():
        table.add_row(f"with {kind}", f"{count} of {found.clips}")
    languages = ", ".join(f"{name} {count}" for name, count in found.languages.items())
    table.add_row("language", escape(languages))
    for each in found.agreement:
        agreed = f"{each.alpha:.2f} (Krippendorff's alpha; {each.annotators} annotators, "
        tied = f", {each.tied} tied" if each.tied else ""
        table.add_row(escape(f"agreement on {each.label}"), f"{agreed}{each.clips} clips{tied})")
    pairs = f"{len(found.same)} of one content, {len(found.alike)} of like sound"
    table.add_row("pairs of copies", pairs)
    return table


def _trivial_table(trivial: Mapping[str, float]) -> Table:
    table = Table("metric")
    add_numbers(table, "a constant on test")
    for name, score in trivial.items():
        table.add_row(escape(heading(name)), f"{score:.3f}")
    return table
