"""`affuse evaluate`: a checkpoint on the test part of a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from affuse.cli.common import (
    CorpusArgument,
    DataOption,
    DeviceOption,
    JsonFile,
    SetOption,
    parse_settings,
    require_writable,
)


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(metavar="DIR", help="What `affuse train` wrote.")],
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
    from affuse.evaluation.held_out import open_test
    from affuse.evaluation.trivial import trivial_scores
    from affuse.files import to_strict_json, write_atomic
    from affuse.metrics.scores import heading
    from affuse.readers import load_corpus
    from affuse.training.checkpoint import load_checkpoint
    from affuse.training.devices import resolve_device
    from affuse.training.presets import corpus_options

    require_writable(json_file)
    resolve_device(device)
    loaded = load_checkpoint(checkpoint)
    trained = corpus_options(corpus, loaded.corpus.get("options", {}))
    read = load_corpus(corpus, data, {**trained, **parse_settings(assignments)})
    loaded.check_corpus(read, checkpoint)
    # A reader that was asked for one fold returns that fold alone.
    fold = min(int(loaded.corpus.get("fold", 0)), len(read.folds) - 1)
    record = open_test(loaded, read.folds[fold].test, subsets=subsets, device=device)
    trivial = trivial_scores(read)
    known = read.fingerprint() == loaded.corpus.get("fingerprint")
    table = Table("metric", "trivial", loaded.name, title=f"{read.name}, test part")
    for metric, value in record["metrics"].items():
        table.add_row(heading(metric), f"{trivial.get(metric, float('nan')):.3f}", f"{value:.3f}")
    for kept, scores in record.get("subsets", {}).items():
        metric = loaded.task.metrics[0]
        table.add_row(f"{heading(metric)}, {kept} only", "", f"{scores[metric]:.3f}")
    console = Console()
    console.print(table)
    if "gate" in record:
        weights = ", ".join(f"{m} {w:.2f}" for m, w in record["gate"].items())
        console.print(f"primary: [bold]{record['primary']}[/]; mean gate weights: {weights}")
    if not known:
        console.print("note: this is not the data that the checkpoint was trained on")
    if json_file is not None:
        content = {"corpus": read.name, "trained_on_this": known, "trivial": trivial, **record}
        write_atomic(json_file, to_strict_json(content).encode())
