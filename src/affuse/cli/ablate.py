"""`affuse ablate`: what each part of HCT-MG is worth on a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import affuse
from affuse.cli.common import (
    CorpusArgument,
    DataOption,
    DeviceOption,
    JobsOption,
    JsonFile,
    SetOption,
    parse_settings,
    require_writable,
    write_json,
)


def ablate_command(
    corpus: CorpusArgument,
    data: DataOption = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each ablation and fold.")] = 5,
    assignments: SetOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Results folder; what was stopped goes on.")
    ] = None,
    json_file: JsonFile = None,
    jobs: JobsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train HCT-MG whole, with each other gate and granularity, and without modality dropout."""
    from affuse.report.command_tables import ablation_table

    require_writable(json_file)
    settings = parse_settings(assignments)
    found = affuse.ablate(
        corpus, seeds=seeds, out=out, data=data, jobs=jobs, settings=settings, device=device
    )
    if not write_json(json_file, found.to_dict()):
        Console().print(ablation_table(found))
