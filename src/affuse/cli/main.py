"""The command `affuse`: one file a command, errors in one line."""

from __future__ import annotations

import sys

import typer

from affuse import __version__
from affuse.cli import (
    ablate,
    assist,
    benchmark,
    corpus,
    demo,
    evaluate,
    explain,
    export,
    extract,
    label,
    models,
    predict,
    report,
    serve,
    train,
    tune,
)
from affuse.cli.common import Command
from affuse.errors import AffuseError, InputError, file_error

app = typer.Typer(
    help="Read affect from text, audio and vision with a model that names what it trusted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("demo", cls=Command)(demo.demo_command)
app.command("train", cls=Command)(train.train_command)
app.command("evaluate", cls=Command)(evaluate.evaluate_command)
app.command("predict", cls=Command)(predict.predict_command)
app.command("export", cls=Command)(export.export_command)
app.command("ablate", cls=Command)(ablate.ablate_command)
app.command("explain", cls=Command)(explain.explain_command)
app.command("extract", cls=Command)(extract.extract_command)
app.command("label", cls=Command)(label.label_command)
app.command("tune", cls=Command)(tune.tune_command)
app.command("benchmark", cls=Command)(benchmark.benchmark_command)
app.command("serve", cls=Command)(serve.serve_command)
app.command("mcp", cls=Command)(assist.mcp_command)
app.command("models", cls=Command)(models.models_command)
app.add_typer(report.report_app, name="report")
app.add_typer(corpus.corpus_app, name="corpus")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"affuse {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Options of the command itself."""


def run() -> None:
    """Entry point: exit 2 with one line on anything that a user can mend."""
    try:
        app(prog_name="affuse")
    except (AffuseError, OSError, MemoryError, RuntimeError) as error:
        line = _mendable(error)
        if line is None:
            raise
        typer.echo(f"affuse: {line}", err=True)
        sys.exit(2)


def _mendable(error: Exception) -> AffuseError | None:
    """The error in a user's terms; None where it is a fault of the program."""
    if isinstance(error, AffuseError):
        return error
    if isinstance(error, OSError):
        problem = "cannot be used" if error.filename else "stopped"
        return file_error(error, problem, error.filename)
    # numpy raises the one, torch the other, on processors and graphics cards alike.
    if isinstance(error, MemoryError) or "allocate" in str(error):
        return InputError("out of memory", remedy="use a smaller batch_size, model or corpus")
    return None
