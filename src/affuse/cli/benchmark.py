"""`affuse benchmark`: models side by side, over seeds, with intervals."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

import affuse
from affuse.cli.common import (
    AcceleratorOption,
    AddressOption,
    CorpusArgument,
    DataOption,
    DeterministicOption,
    DeviceOption,
    DevicesOption,
    EngineOption,
    JobsOption,
    JsonFile,
    LogOption,
    NodesOption,
    PrecisionOption,
    SetOption,
    SettingsOption,
    StrategyOption,
    parse_settings,
    require_writable,
    with_json_value,
    write_json,
)
from affuse.harness import COMPARED, REFERENCE

PLACES = (
    *("--out", "--json", "--csv", "--jobs", "--device", "--accelerator", "--log"),
    *("--engine", "--address"),
)
"""Options that say where results come from and go, and how fast."""


def benchmark_command(
    corpus: CorpusArgument,
    data: DataOption = None,
    models: Annotated[
        str, typer.Option(help="Models, with commas; each single modality is always beside them.")
    ] = ",".join(COMPARED),
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each model and fold.")] = 5,
    assignments: SetOption = None,
    settings_files: SettingsOption = None,
    singles: Annotated[
        bool, typer.Option("--singles/--no-singles", help="Train each single modality beside them.")
    ] = True,
    reference: Annotated[
        str, typer.Option(help="The model to which the others are compared, if it is among them.")
    ] = REFERENCE,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Of every model; those of its preset by default.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use only the first samples of each part.")
    ] = None,
    drop_shared: Annotated[
        bool,
        typer.Option("--drop-shared", help="Do not train on samples that the test part holds too."),
    ] = False,
    subsets: Annotated[
        bool, typer.Option("--subsets", help="Also test with every subset of the modalities.")
    ] = False,
    stress: Annotated[
        bool, typer.Option("--stress", help="Also test on input that is spoilt in four kinds.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Results folder; a stopped benchmark goes on.")
    ] = None,
    json_file: JsonFile = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE")] = None,
    jobs: JobsOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "local",
    address: AddressOption = None,
    accelerator: AcceleratorOption = "auto",
    devices: DevicesOption = 1,
    nodes: NodesOption = 1,
    precision: PrecisionOption = "32",
    strategy: StrategyOption = "ddp",
    deterministic: DeterministicOption = False,
    log: LogOption = "",
) -> None:
    """Compare models on a corpus: validation selects, the test split is opened once a run."""
    from affuse.report.tables import print_result, write_csv

    require_writable(json_file, csv_file)
    settings = parse_settings(assignments, settings_files)
    result = affuse.benchmark(
        corpus,
        models,
        seeds=seeds,
        out=out,
        data=data,
        singles=singles,
        subsets=subsets,
        stress=stress,
        reference=reference,
        limit=limit,
        drop_shared=drop_shared,
        jobs=jobs,
        device=device,
        engine=engine,
        address=address,
        accelerator=accelerator,
        devices=devices,
        nodes=nodes,
        precision=precision,
        strategy=strategy,
        deterministic=deterministic,
        log=log,
        settings=settings if epochs is None else {**settings, "epochs": epochs},
        command=command_line(),
    )
    if not write_json(json_file, result.to_dict()):
        print_result(result)
    if csv_file is not None:
        write_csv(result, csv_file)


def command_line() -> str:
    """What was typed, to stand in the result, less what does not change it."""
    # `--json` may stand alone: what follows is then a word of its own.
    words, kept = with_json_value(sys.argv[1:]), ["affuse"]
    for word in words:
        if word in PLACES:
            next(words, None)
        elif word.partition("=")[0] not in PLACES:
            kept.append(word)
    return shlex.join(kept)
