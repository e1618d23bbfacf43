"""`affuse tune`: settings searched on the validation part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

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
    JsonFile,
    LogOption,
    NodesOption,
    PrecisionOption,
    SetOption,
    StrategyOption,
    parse_settings,
    require_writable,
    write_json,
)
from affuse.errors import InputError


def tune_command(
    corpus: CorpusArgument,
    data: DataOption = None,
    model: Annotated[
        str | None, typer.Option(help="A model of `affuse models`; hct_mg by default.")
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="Several, with commas, each with as many trials.")
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Of each model, those of earlier calls included.")
    ] = 30,
    assignments: SetOption = None,
    space: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="YAML that changes what is searched: key: {low: 0.1, high: 0.5}"
        ),
    ] = None,
    max_parameters: Annotated[
        int | None, typer.Option(min=1, help="Larger models are turned down untrained.")
    ] = None,
    fold: Annotated[
        int | None, typer.Option(min=0, help="This alone; by default each, by itself.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the search and of training.")] = 0,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Database of the studies: a file, sqlite:///... or postgresql://..."
        ),
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="Name of the studies; the corpus' by default.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default 1, of a cluster all cores.")
    ] = None,
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
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Settings as YAML, for --settings.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Search for better settings by the validation part; the test part stays closed.

    Repeated, it goes on until the number of trials is complete; with a database server as
    --storage, machines share the work.
    """
    from affuse.report.command_tables import tuning_table

    require_writable(out, json_file)
    if model and models:
        raise InputError("--model and --models", remedy="give one of them")
    tuning = affuse.tune(
        corpus,
        models or model or "hct_mg",
        trials=trials,
        out=out,
        data=data,
        space=space,
        max_parameters=max_parameters,
        fold=fold,
        seed=seed,
        storage=storage,
        study=study,
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
        settings=parse_settings(assignments),
    )
    if write_json(json_file, tuning.to_dict()):
        return
    console = Console()
    for tuned in tuning.models:
        console.print(tuning_table(tuned, tuning.metric))
    console.print(f"studies in {tuning.request.database}", highlight=False, soft_wrap=True)
    if out is not None:
        listed = ",".join(tuning.request.models)
        where = "" if data is None else f" --data {data}"
        command = f"affuse benchmark {corpus}{where} --models {listed} --settings {out}"
        if tuning.models[0].fold is not None and fold is not None:
            command = (
                f"affuse train {corpus}{where} --model ... --fold {fold} --settings {out} --out ..."
            )
        console.print(f"settings in {out}; next: {command}", highlight=False, soft_wrap=True)
