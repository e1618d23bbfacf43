"""`affuse train`: one model on one corpus, to a checkpoint."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from affuse.cli.common import (
    CorpusArgument,
    DataOption,
    DeviceOption,
    SetOption,
    SettingsOption,
    parse_settings,
)
from affuse.errors import InputError


def train(
    corpus: CorpusArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder of the checkpoint.")],
    data: DataOption = None,
    model: Annotated[str, typer.Option(help="A model of `affuse models`.")] = "hct_mg",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    fold: Annotated[int, typer.Option(min=0, help="Of a corpus with several.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an interrupted run left in --out.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    device: DeviceOption = "auto",
    assignments: SetOption = None,
    settings_files: SettingsOption = None,
) -> None:
    """Train a model; validation selects the epoch, the test split stays closed."""
    import torch

    from affuse.fusion import count_parameters
    from affuse.progress import epochs_bar
    from affuse.readers import load_corpus
    from affuse.training.devices import resolve_device
    from affuse.training.presets import corpus_options, plan
    from affuse.training.session import train_run

    resolve_device(device)
    settings = parse_settings(assignments, settings_files)
    planned = plan(corpus, model, settings, data)
    loaded = load_corpus(corpus, data, corpus_options(corpus, settings, data))
    if fold >= len(loaded.folds):
        raise InputError(
            f"{loaded.name} has {len(loaded.folds)} fold(s)",
            remedy=f"give --fold from 0 to {len(loaded.folds) - 1}",
        )
    torch.set_num_threads(threads)
    try:
        with epochs_bar(f"{model} on {loaded.name}", planned.train.epochs) as on_epoch:
            checkpoint = train_run(
                loaded,
                planned,
                seed=seed,
                folder=out,
                fold=fold,
                resume=resume,
                on_epoch=on_epoch,
                device=device,
            )
    except SystemExit:  # a signal, which Lightning turns into this
        typer.echo("affuse: stopped; repeat the command with --resume to go on", err=True)
        raise
    metric, _ = loaded.task.selection
    best = int(checkpoint.training["best_epoch"])
    record = checkpoint.training["history"][best]
    console = Console()
    console.print(
        f"[bold]{model}[/] ({count_parameters(checkpoint.model):,} parameters): epoch {best} "
        f"selected, validation {metric} {record[f'valid_{metric}']:.3f}"
    )
    origin = checkpoint.training.get("init")
    if origin:
        console.print(
            f"began with {origin['parameters']:,} parameters of {origin['model']}, trained on "
            f"{origin['corpus']['name']}",
            markup=False,
            highlight=False,
        )
    again = ["affuse", "evaluate", str(out), corpus, *(["--data", str(data)] if data else [])]
    console.print(f"checkpoint in {out}; next: {shlex.join(again)}", markup=False, highlight=False)
