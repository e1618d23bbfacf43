"""`affuse train`: one model on one corpus, to a checkpoint."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import affuse
from affuse.cli.common import (
    AcceleratorOption,
    CorpusArgument,
    DataOption,
    DeterministicOption,
    DeviceOption,
    DevicesOption,
    LogOption,
    NodesOption,
    PrecisionOption,
    SetOption,
    SettingsOption,
    StrategyOption,
    parse_settings,
)


def train_command(
    corpus: CorpusArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder of the checkpoint.")],
    data: DataOption = None,
    model: Annotated[
        str | None,
        typer.Option(help="Of `affuse models`; by default hct_mg, or unimodal of one modality."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    fold: Annotated[int, typer.Option(min=0, help="Of a corpus with several.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an interrupted run left in --out.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    device: DeviceOption = "auto",
    accelerator: AcceleratorOption = "auto",
    devices: DevicesOption = 1,
    nodes: NodesOption = 1,
    precision: PrecisionOption = "32",
    strategy: StrategyOption = "ddp",
    deterministic: DeterministicOption = False,
    log: LogOption = "",
    assignments: SetOption = None,
    settings_files: SettingsOption = None,
) -> None:
    """Train a model; validation selects the epoch, the test split stays closed."""
    try:
        checkpoint = affuse.train(
            corpus,
            model,
            out=out,
            data=data,
            seed=seed,
            fold=fold,
            resume=resume,
            threads=threads,
            device=device,
            accelerator=accelerator,
            devices=devices,
            nodes=nodes,
            precision=precision,
            strategy=strategy,
            deterministic=deterministic,
            log=log,
            settings=parse_settings(assignments, settings_files),
        )
    except SystemExit:  # a signal, which Lightning turns into this
        typer.echo("affuse: stopped; repeat the command with --resume to go on", err=True)
        raise
    metric, _ = checkpoint.task.selection
    best = int(checkpoint.training["best_epoch"])
    record = checkpoint.training["history"][best]
    console = Console()
    console.print(
        f"[bold]{checkpoint.name}[/] ({checkpoint.size}): epoch {best} "
        f"selected, validation {metric} {record[f'valid_{metric}']:.3f}"
    )
    for line in _learnt_from(checkpoint.training):
        console.print(line, markup=False, highlight=False)
    again = ["affuse", "evaluate", str(out), corpus, *(["--data", str(data)] if data else [])]
    console.print(f"checkpoint in {out}; next: {shlex.join(again)}", markup=False, highlight=False)


def _learnt_from(training: Mapping[str, Any]) -> Iterator[str]:
    """From which other weights a checkpoint began, and from whom it learnt, a line each."""
    if origin := training.get("init"):
        yield (
            f"began with {origin['parameters']:,} parameters of {origin['model']}, trained on "
            f"{origin['corpus']['name']}"
        )
    if taught := training.get("distilled"):
        yield (
            f"learnt from {taught['members']} member(s) of {taught['model']}, "
            f"{taught['parameters']:,} parameters"
        )
