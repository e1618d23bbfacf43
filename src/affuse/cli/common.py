"""Options and helpers that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affuse.config import parse_assignment, read_yaml
from affuse.errors import InputError

if TYPE_CHECKING:
    from affuse.extract.text.transcript import Transcript

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
SettingsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="YAML of options, as `affuse tune` writes it; repeat for more. --set overrules it.",
    ),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")
]


def parse_settings(
    assignments: list[str] | None, files: list[Path] | None = None
) -> dict[str, Any]:
    """`--settings` files, the later over the earlier, and `--set` values over both.

    Raises:
        InputError: a file that cannot be read or an assignment that is none.
    """
    asked = dict(parse_assignment(text) for text in assignments or [])
    found: dict[str, Any] = {}
    for file in files or []:
        found |= read_yaml(file, "holds no settings", "write lines such as epochs: 20")
    # A model's own setting goes before one for all, but not where a file gave the one for the model
    # and the user the other.
    kept = {k: value for k, value in found.items() if k.partition(".")[2] not in asked}
    return {**kept, **asked}


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


def keep_blas_to_one_thread() -> None:
    """Before numpy is loaded: the products of clips are small, and idle threads of OpenBLAS spin.

    They took a tenth of the time of a clip. What the user has set stands.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def given_words(text: str | None, file: Path | None) -> Transcript | None:
    """The words of `--text`, or of the file of `--transcript`; None without either.

    Raises:
        InputError: both, or a file that cannot be read.
    """
    from affuse.extract.text.transcript import Transcript, read_transcript

    if text is not None and file is not None:
        raise InputError("--text and --transcript both say what is said", remedy="give one")
    if file is not None:
        return read_transcript(file)
    return None if text is None else Transcript.of_text(text)
