"""Options and helpers that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from affuse.config import parse_assignment
from affuse.errors import InputError

CorpusArgument = Annotated[
    str, typer.Argument(metavar="CORPUS", help="A corpus of `affuse corpus list`, or a file.")
]
DataOption = Annotated[Path | None, typer.Option("--data", help="Where the corpus lies.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="An option of corpus, training or model; repeat for more. MODEL.KEY sets it for one.",
    ),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")
]


def parse_settings(assignments: list[str] | None) -> dict[str, Any]:
    """`--set` values as a dict."""
    return dict(parse_assignment(text) for text in assignments or [])


def require_writable(path: Path | None) -> None:
    """Fail before the work, not after it, where a result could not be written.

    Raises:
        InputError: the folder does not exist or is not the user's, or the path is a folder.
    """
    if path is None:
        return
    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise InputError(
            "cannot be written",
            remedy="give a file in a folder that exists and is yours to write",
            source=path,
        )
