"""Options and helpers that several commands share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from affuse.config import parse_assignment
from affuse.errors import InputError
from affuse.files import require_near, to_strict_json, write_atomic
from affuse.training.fold_settings import merged, overruled, read_settings

if TYPE_CHECKING:
    from affuse.extract.text.transcript import Transcript

CheckpointArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="What `affuse train` wrote.")
]
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
TO_SCREEN = Path("-")
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Where torch works: auto, cpu, cuda, cuda:1 or mps; auto takes what there is.",
    ),
]
AcceleratorOption = Annotated[
    str, typer.Option(metavar="KIND", help="Instead of --device: auto, cpu or gpu.")
]
DevicesOption = Annotated[
    int, typer.Option(min=1, metavar="N", help="Processes of a training, on a device each.")
]
NodesOption = Annotated[
    int, typer.Option(min=1, metavar="N", help="Machines, which all run this command.")
]
PrecisionOption = Annotated[str, typer.Option(metavar="NAME", help="32 or bf16-mixed.")]
StrategyOption = Annotated[
    str, typer.Option(metavar="NAME", help="How processes train together: ddp.")
]
DeterministicOption = Annotated[
    bool, typer.Option("--deterministic", help="The same bits each time on a GPU; slower.")
]
LogOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES", help="Epochs also to csv, tensorboard, wandb or mlflow, with commas."
    ),
]
JobsOption = Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")]
EngineOption = Annotated[
    str,
    typer.Option("--engine", metavar="NAME", help="local, or ray for the machines of a cluster."),
]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="Of the Ray cluster; by default one on this machine."),
]
AudioTrackOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="The audio track to read; by default the one of use."),
]
VideoTrackOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="The video track to read; by default the one of use."),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Take what is lost or guessed for an error.")
]
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="[FILE]", help="JSON instead of tables, or to a file beside them."
    ),
]


class Command(TyperCommand):
    """A command whose `--json` may stand alone: then JSON goes to the screen."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(with_json_value(args)))


def with_json_value(args: list[str]) -> Iterator[str]:
    """The words of a command, with the screen as the value of a `--json` that has none."""
    for place, word in enumerate(args):
        following = args[place + 1 : place + 2]
        bare = word == "--json" and "--" not in args[:place]
        alone = not following or (following[0].startswith("-") and following[0] != "-")
        yield "--json=-" if bare and alone else word
        if bare and not alone:
            file = Path(following[0])
            # It is rather what the command should read.
            if file.is_file() and file.suffix not in (".json", ".jsonl"):
                raise InputError(
                    "is there and is no .json file, so that --json does not write over it",
                    remedy="put --json last to print, or name a .json file",
                    source=file,
                )


def write_json(place: Path | None, content: Any) -> bool:
    """Write a result where `--json` says; True where that is the screen, and tables are not."""
    if place is None:
        return False
    text = to_strict_json(content)
    if place == TO_SCREEN:
        typer.echo(text, nl=False)
        return True
    write_atomic(place, text.encode())
    return False


def json_line(content: Any) -> str:
    """JSON content on a line of its own."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


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
        found = merged(found, read_settings(file), file)
    return overruled(found, asked)


def require_writable(*files: Path | None) -> None:
    """Fail before the work, not after it, where a result could not be written.

    Raises:
        InputError: a folder does not exist or is not the user's, or a path is a folder.
    """
    for file in files:
        if file is None or file == TO_SCREEN:
            continue
        require_near(file)
        if file.is_dir() or not os.access(file.absolute().parent, os.W_OK):
            remedy = "give a file in a folder that exists and is yours to write"
            raise InputError("cannot be written", remedy=remedy, source=file)


def keep_blas_to_one_thread() -> None:
    """Before numpy is loaded: the products of clips are small, and idle threads of OpenBLAS spin.

    They took a tenth of the time of a clip. What the user has set stands.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def say_notices(file: str | Path, notices: Iterable[str]) -> None:
    """A line on standard error for all that was lost, odd or guessed in a recording."""
    for notice in notices:
        typer.echo(f"affuse: {file}: notice: {notice}", err=True)


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
