"""`affuse explain`: whom a model trusts, where modalities disagree, and what fusion costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import affuse
from affuse.cli.common import (
    CheckpointArgument,
    CorpusArgument,
    DataOption,
    DeviceOption,
    JsonFile,
    SetOption,
    parse_settings,
    require_writable,
    write_json,
)


def explain_command(
    checkpoint: CheckpointArgument,
    corpus: CorpusArgument,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The report, a page for any browser.")
    ],
    data: DataOption = None,
    sample: Annotated[
        list[str] | None,
        typer.Option("--sample", metavar="ID", help="Look at this one; repeat for more."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="DIR", help="Another checkpoint beside it, of mult say."),
    ] = None,
    with_media: Annotated[
        bool, typer.Option("--with-media", help="Play the samples' recordings, of clips.")
    ] = False,
    copy_media: Annotated[
        bool, typer.Option("--copy-media", help="Also, from copies in a folder beside the report.")
    ] = False,
    json_file: JsonFile = None,
    seed: Annotated[int, typer.Option(min=0, help="Of probes and spoilt input.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    device: DeviceOption = "auto",
    assignments: SetOption = None,
) -> None:
    """Explain a checkpoint on the corpus' test part, in one HTML file."""
    from affuse.report.command_tables import explanation_table
    from affuse.report.sentences import summary_sentences

    require_writable(out, json_file)
    found = affuse.explain(
        checkpoint,
        corpus,
        out,
        data=data,
        against=against,
        samples=sample or (),
        with_media=with_media,
        copy_media=copy_media,
        seed=seed,
        threads=threads,
        device=device,
        settings=parse_settings(assignments),
    )
    if write_json(json_file, found.to_dict()):
        return
    console = Console()
    console.print(explanation_table(found))
    for line in summary_sentences(found):
        console.print(f"- {line}", markup=False, highlight=False)
    if not found.trained_on_this:
        console.print("note: this is not the data that the checkpoint was trained on")
    console.print(f"report in {out}", highlight=False, soft_wrap=True)
