"""`affuse report`: results of benchmarks shown again, compared and drawn, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import affuse
from affuse.cli.common import TO_SCREEN, Command, JsonFile, require_writable, write_json
from affuse.errors import InputError
from affuse.files import write_atomic

report_app = typer.Typer(
    help="Show results again, compare two, draw size against quality, or curves under stress.",
    no_args_is_help=True,
)

RESULTS = "What `affuse benchmark --out` wrote, or its result.json."
MarkdownFile = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="Write it as Markdown.")
]


@report_app.command("render", cls=Command)
def render_command(
    results: Annotated[Path, typer.Argument(metavar="DIR", help=RESULTS)],
    markdown_file: MarkdownFile = None,
    latex_file: Annotated[
        Path | None,
        typer.Option("--latex", metavar="FILE", help="Write a table for a paper (booktabs)."),
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a line a model and metric.")
    ] = None,
    json_file: JsonFile = None,
    metrics: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these, with commas, in this order.")
    ] = None,
) -> None:
    """Print the tables of a results folder, also of a benchmark that has not finished."""
    from affuse.report.latex import latex
    from affuse.report.tables import markdown, print_result, write_csv

    require_writable(markdown_file, latex_file, csv_file, json_file)
    result = affuse.read_results(results)
    names = None if metrics is None else _names(metrics)
    if names is not None:
        result = result.select(names)
    if not write_json(json_file, result.to_dict()):
        print_result(result, names)
    for model, (count, asked) in result.unfinished().items():
        typer.echo(
            f"not finished: {model} has {count} of {asked} seeds", err=json_file == TO_SCREEN
        )
    if markdown_file is not None:
        write_atomic(markdown_file, markdown(result).encode())
    if latex_file is not None:
        write_atomic(latex_file, latex(result, names).encode())
    if csv_file is not None:
        write_csv(result, csv_file)


@report_app.command("compare", cls=Command)
def compare_command(
    a: Annotated[Path, typer.Argument(metavar="A", help=RESULTS)],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other.")],
    markdown_file: MarkdownFile = None,
    json_file: JsonFile = None,
) -> None:
    """Set two results side by side: scores, and what differs in data, config and version."""
    from affuse.report.command_tables import comparison_markdown, comparison_tables
    from affuse.report.comparison import compare_results

    require_writable(markdown_file, json_file)
    found = compare_results(affuse.read_results(a), affuse.read_results(b), (str(a), str(b)))
    if not write_json(json_file, found.to_dict()):
        Console().print(comparison_tables(found))
    if markdown_file is not None:
        write_atomic(markdown_file, comparison_markdown(found).encode())


@report_app.command("frontier", cls=Command)
def frontier_command(
    results: Annotated[list[Path], typer.Argument(metavar="DIR...", help=RESULTS)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .png, .svg or .pdf.")],
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead of the headline metric.")
    ] = None,
) -> None:
    """Draw parameters against a metric, with the Pareto frontier; a model may have many sizes."""
    from affuse.report.frontier import draw_frontier

    require_writable(out)
    draw_frontier([affuse.read_results(folder) for folder in results], out, metric)
    typer.echo(f"drawn: {out}")


@report_app.command("stress", cls=Command)
def stress_command(
    results: Annotated[Path, typer.Argument(metavar="DIR", help=RESULTS)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .png, .svg or .pdf.")],
) -> None:
    """Draw the curves of a benchmark under stress, a panel a kind, with a band for each model."""
    from affuse.report.stress_plot import draw_stress

    require_writable(out)
    draw_stress(affuse.read_results(results), out)
    typer.echo(f"drawn: {out}")


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        remedy = "name one or more, such as mae,corr"
        raise InputError("no metrics", remedy=remedy, source="--metrics")
    return list(dict.fromkeys(names))
