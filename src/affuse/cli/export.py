"""`affuse export`: a checkpoint as a folder that answers without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import affuse
from affuse.cli.common import CheckpointArgument, DataOption, SetOption, parse_settings


def export_command(
    checkpoint: CheckpointArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write.")],
    name: Annotated[str, typer.Option(help="Of the model; by default the folder's.")] = "",
    corpus: Annotated[
        str | None,
        typer.Option(
            metavar="CORPUS",
            help="What it was trained on: its validation part calibrates the conflict score.",
        ),
    ] = None,
    data: DataOption = None,
    int8: Annotated[bool, typer.Option("--int8", help="Store weights as 8-bit integers.")] = False,
    weights: Annotated[
        bool, typer.Option("--weights", help="Add the weights that training can begin with.")
    ] = False,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="JSON of `affuse evaluate`: its figures go into the model card."
        ),
    ] = None,
    terms: Annotated[str, typer.Option(help="Of the training data, for the model card.")] = "",
    assignments: SetOption = None,
) -> None:
    """Write a trained model as ONNX, with its config and a model card."""
    from affuse.runtime.bundle import read_config

    folder = affuse.export(
        checkpoint,
        out,
        name=name,
        corpus=corpus,
        data=data,
        int8=int8,
        weights=weights,
        evaluation=evaluation,
        terms=terms,
        settings=parse_settings(assignments),
    )
    config, size = read_config(folder), (folder / "model.onnx").stat().st_size / 1e6
    members = config.options.get("members", 1)
    several = f" in {members} members" if members > 1 else ""
    typer.echo(
        f"{out}: {config.model}, {config.parameters:,} parameters{several}, {size:.1f} MB "
        f"{config.precision}"
    )
