"""`affuse corpus`: which corpora there are, what one holds, and writing a generated one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from affuse.cli.common import (
    Command,
    CorpusArgument,
    DataOption,
    JsonFile,
    parse_settings,
    require_writable,
    write_json,
)
from affuse.errors import InputError
from affuse.files import write_atomic
from affuse.progress import say, work_bar

if TYPE_CHECKING:
    from affuse.config import Options

corpus_app = typer.Typer(help="List, inspect and make corpora.", no_args_is_help=True)

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the corpus; may be repeated."),
]


@corpus_app.command("list", cls=Command)
def list_corpora(json_file: JsonFile = None) -> None:
    """List the corpora, with their options and defaults."""
    from affuse.readers.registry import corpora

    require_writable(json_file)
    listed: list[dict[str, Any]] = [
        {
            "name": entry.name,
            "summary": entry.summary,
            "needs_data": entry.needs_data,
            "options": _defaults(entry.options),
        }
        for entry in corpora().values()
    ]
    if write_json(json_file, listed):
        return
    table = Table("corpus", "data", "what it is", "options")
    for row in listed:
        options = "\n".join(f"{key}={value}" for key, value in row["options"].items())
        data = "--data" if row["needs_data"] else "generated"
        table.add_row(*map(escape, (row["name"], data, row["summary"], options)))
    Console().print(table)


@corpus_app.command(cls=Command)
def make(
    name: Annotated[str, typer.Argument(help="A generated corpus, such as controlled.")],
    out: Annotated[Path, typer.Option(help="The MulT pickle to write.")],
    assignments: Assignments = None,
) -> None:
    """Write a generated corpus as a MulT pickle."""
    from affuse.readers.pickles.mult_format import to_mult_pickle
    from affuse.readers.registry import corpora, load_corpus, resolve

    entry, path = resolve(name)
    if path is not None or entry.needs_data:
        generated = [e.name for e in corpora().values() if not e.needs_data]
        remedy = f"choose one of: {', '.join(generated)}"
        raise InputError("it is read from files, not generated", remedy=remedy, source=name)
    corpus = load_corpus(name, options=parse_settings(assignments))
    write_atomic(out, to_mult_pickle(corpus))
    typer.echo(f"{corpus.name} written to {out}")


@corpus_app.command(cls=Command)
def convert(
    corpus: Annotated[str, typer.Argument(help="A corpus of the list, or the path of a file.")],
    out: Annotated[Path, typer.Argument(help="The folder to write; it must be new or empty.")],
    data: Annotated[Path | None, typer.Option(help="Where the corpus lies.")] = None,
    assignments: Assignments = None,
) -> None:
    """Write a corpus as arrays that are used from disk, so that its size costs no memory."""
    from affuse.readers.registry import load_corpus
    from affuse.readers.stored_write import require_new, store_corpus

    require_new(out)
    with work_bar(f"converting {corpus}", unit="sequences") as update:
        read = load_corpus(corpus, data, parse_settings(assignments))
        store_corpus(read, out, lambda done, total: update(done, total, ""))
    for line in read.notices:
        say(line)
    typer.echo(f"{read.name} written to {out}, fingerprint {read.fingerprint()}")


@corpus_app.command(cls=Command)
def inspect(
    corpus: CorpusArgument,
    data: DataOption = None,
    assignments: Assignments = None,
    json_file: JsonFile = None,
) -> None:
    """Examine a corpus: what it holds, what is wrong with it, and what a constant would score."""
    from affuse.doctor import examine
    from affuse.evaluation.scorecard import trivial_scores
    from affuse.report.inspection import print_examination

    require_writable(json_file)
    found = examine(corpus, data, parse_settings(assignments))
    trivial = {} if found.corpus is None else trivial_scores(found.corpus)
    if not write_json(json_file, {**found.to_dict(), "trivial": trivial}):
        print_examination(corpus, found, trivial)


def _defaults(options: type[Options]) -> dict[str, Any]:
    fields = options.model_fields.items()
    return {key: field.get_default(call_default_factory=True) for key, field in fields}
