"""The command `affuse`: one file a command, errors in one line."""

from __future__ import annotations

import sys

import typer

from affuse import __version__
from affuse.cli import benchmark, corpus, demo, evaluate, models, train
from affuse.errors import AffuseError

app = typer.Typer(
    help="Read affect from text, audio and vision with a model that names what it trusted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("benchmark")(benchmark.benchmark)
app.command("models")(models.models)
app.add_typer(corpus.app, name="corpus")


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
        app()
    except AffuseError as error:
        typer.echo(f"affuse: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        typer.echo(
            f"affuse: {name}{error.strerror or error}; make room or use another path", err=True
        )
        sys.exit(2)
