"""`affuse corpus`: which corpora there are, what one holds, and writing a generated one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from affuse.cli.progress import work_bar
from affuse.config import Options, parse_assignment
from affuse.corpora.mult_write import to_mult_pickle
from affuse.corpora.registry import corpora, load_corpus, resolve
from affuse.corpora.stored_write import require_new, store_corpus
from affuse.corpora.summary import CorpusSummary, summarise_corpus
from affuse.errors import InputError
from affuse.evaluate.metrics import heading
from affuse.evaluate.trivial import trivial_scores
from affuse.files import to_strict_json, write_atomic

app = typer.Typer(help="List, inspect and make corpora.", no_args_is_help=True)

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the corpus; may be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_corpora(as_json: AsJson = False) -> None:
    """List the corpora, with their options and defaults."""
    entries = corpora().values()
    if as_json:
        listed = [
            {
                "name": entry.name,
                "summary": entry.summary,
                "needs_data": entry.needs_data,
                "options": _defaults(entry.options),
            }
            for entry in entries
        ]
        typer.echo(to_strict_json(listed), nl=False)
        return
    table = Table("corpus", "data", "what it is", "options")
    for entry in entries:
        options = "\n".join(f"{key}={value}" for key, value in _defaults(entry.options).items())
        data = "--data" if entry.needs_data else "generated"
        table.add_row(*map(escape, (entry.name, data, entry.summary, options)))
    Console().print(table)


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="A generated corpus, such as controlled.")],
    out: Annotated[Path, typer.Option(help="The MulT pickle to write.")],
    assignments: Assignments = None,
) -> None:
    """Write a generated corpus as a MulT pickle."""
    entry, path = resolve(name)
    if path is not None or entry.needs_data:
        generated = [e.name for e in corpora().values() if not e.needs_data]
        raise InputError(
            "it is read from files, not generated",
            remedy=f"choose one of: {', '.join(generated)}",
            source=name,
        )
    corpus = load_corpus(name, options=_options(assignments))
    write_atomic(out, to_mult_pickle(corpus))
    typer.echo(f"{corpus.name} written to {out}")


@app.command()
def convert(
    corpus: Annotated[str, typer.Argument(help="A corpus of the list, or the path of a file.")],
    out: Annotated[Path, typer.Argument(help="The folder to write; it must be new or empty.")],
    data: Annotated[Path | None, typer.Option(help="Where the corpus lies.")] = None,
    assignments: Assignments = None,
) -> None:
    """Write a corpus as arrays that are used from disk, so that its size costs no memory."""
    require_new(out)
    with work_bar(f"converting {corpus}", unit="sequences") as update:
        read = load_corpus(corpus, data, _options(assignments))
        store_corpus(read, out, lambda done, total: update(done, total, ""))
    typer.echo(f"{read.name} written to {out}, fingerprint {read.fingerprint()}")


@app.command()
def inspect(
    corpus: Annotated[str, typer.Argument(help="A corpus of the list, or the path of a file.")],
    data: Annotated[Path | None, typer.Option(help="Where the corpus lies.")] = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Show a corpus's splits, modalities, labels and leaks, and what a constant would score."""
    read = load_corpus(corpus, data, _options(assignments))
    summary, trivial = summarise_corpus(read), trivial_scores(read)
    if as_json:
        typer.echo(to_strict_json({**asdict(summary), "trivial": trivial}), nl=False)
        return
    _print(summary, trivial)


def _options(assignments: Iterable[str] | None) -> dict[str, Any]:
    return dict(parse_assignment(text) for text in assignments or ())


def _defaults(options: type[Options]) -> dict[str, Any]:
    fields = options.model_fields.items()
    return {key: field.get_default(call_default_factory=True) for key, field in fields}


def _print(summary: CorpusSummary, trivial: dict[str, float]) -> None:
    console = Console()
    title = f"{summary.name}: {summary.task}, {summary.samples} samples"
    console.print(f"[bold]{escape(title)}[/bold], fingerprint {summary.fingerprint}")
    for table in (_parts_table(summary), _modalities_table(summary)):
        console.print(table)
    for shared in summary.shared_groups:
        first, second = shared.parts
        some = ", ".join(shared.groups[:3]) + (", …" if len(shared.groups) > 3 else "")
        text = (
            f"fold {shared.fold}: {first} and {second} share {len(shared.groups)} groups ({some})"
        )
        console.print(f"[bold yellow]warning[/bold yellow] {escape(text)}")
    if trivial:
        console.print(_trivial_table(trivial))


def _parts_table(summary: CorpusSummary) -> Table:
    table = Table("fold", "part")
    for column in ("samples", "groups"):
        table.add_column(column, justify="right")
    table.add_column("labels")
    for part in summary.parts:
        labels = ", ".join(f"{name} {value:.4g}" for name, value in part.labels.items())
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


def _trivial_table(trivial: dict[str, float]) -> Table:
    table = Table("metric")
    table.add_column("a constant on test", justify="right")
    for name, score in trivial.items():
        table.add_row(escape(heading(name)), f"{score:.3f}")
    return table
