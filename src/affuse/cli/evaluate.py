"""`affuse evaluate`: a checkpoint on the test part of a corpus."""

from __future__ import annotations

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


def evaluate_command(
    checkpoint: CheckpointArgument,
    corpus: CorpusArgument,
    data: DataOption = None,
    subsets: Annotated[
        bool, typer.Option("--subsets", help="Also with every subset of the modalities.")
    ] = False,
    device: DeviceOption = "auto",
    json_file: JsonFile = None,
    assignments: SetOption = None,
) -> None:
    """Score a checkpoint on the corpus' test part, beside the trivial prediction."""
    from affuse.report.command_tables import evaluation_table

    require_writable(json_file)
    found = affuse.evaluate(
        checkpoint,
        corpus,
        data=data,
        subsets=subsets,
        device=device,
        settings=parse_settings(assignments),
    )
    if write_json(json_file, found.to_dict()):
        return
    console = Console()
    console.print(evaluation_table(found))
    if found.primary is not None:
        weights = ", ".join(f"{m} {w:.2f}" for m, w in found.gate.items())
        console.print(f"primary: [bold]{found.primary}[/]; mean gate weights: {weights}")
    if not found.trained_on_this:
        console.print("note: this is not the data that the checkpoint was trained on")
