"""`affuse label`: clips on a page of this machine, and what is said of them in their table."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from affuse.cli.common import JobsOption, keep_blas_to_one_thread


def label_command(
    clips: Annotated[
        Path, typer.Argument(metavar="CLIPS", help="A folder of recordings, or its table.")
    ],
    labels: Annotated[
        str, typer.Option(metavar="A,B,...", help="The classes; the first nine have keys.")
    ] = "",
    low: Annotated[float | None, typer.Option(help="The lowest value, with --high.")] = None,
    high: Annotated[float | None, typer.Option(help="The highest value, with --low.")] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="Whose doubts come first: a checkpoint, or a folder of `affuse export`; by "
            "default the one with affuse that knows these labels.",
        ),
    ] = None,
    in_order: Annotated[
        bool, typer.Option("--in-order", help="Take clips as the table has them.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Show labelled clips too.")] = False,
    annotator: Annotated[
        str, typer.Option(metavar="NAME", help="Write to a column of yours, label_NAME.")
    ] = "",
    column: Annotated[
        str, typer.Option(metavar="NAME", help="The column of labels; by default label.")
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="By default a free one.")] = 0,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
    jobs: JobsOption = None,
) -> None:
    """Label clips by ear and eye, the most useful first, on a page of this machine."""
    keep_blas_to_one_thread()
    from affuse.annotation.desk import label

    page = None
    try:
        page = label(
            clips,
            labels,
            low=low,
            high=high,
            checkpoint=checkpoint,
            in_order=in_order,
            again=again,
            annotator=annotator,
            column=column,
            port=port,
            jobs=jobs,
        )
        typer.echo(f"{page.total - page.left} of {page.total} clips are labelled")
        typer.echo(f"the page is at {page.address}")
        typer.echo("Ctrl-C ends")
        if open_page and _has_screen():
            typer.launch(page.address)
        page.wait()
    except KeyboardInterrupt:
        typer.echo("")
    finally:
        if page is not None:
            page.stop()
    if page is None:
        typer.echo("nothing was labelled")
        return
    were = "clip was" if page.given == 1 else "clips were"
    left = f"{page.left} {'is' if page.left == 1 else 'are'} left"
    typer.echo(f"{page.given} {were} labelled in column {page.column}, {left}")


def _has_screen() -> bool:
    """Whether a browser would have a window; else one of text might take the terminal."""
    return not sys.platform.startswith("linux") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
