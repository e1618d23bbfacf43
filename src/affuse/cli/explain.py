"""`affuse explain`: whom a model trusts, where modalities disagree, and what fusion costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from affuse.incongruity import Explanation


def explain(
    checkpoint: Annotated[Path, typer.Argument(metavar="DIR", help="What `affuse train` wrote.")],
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
    json_file: JsonFile = None,
    seed: Annotated[int, typer.Option(min=0, help="Of probes and spoilt input.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    device: DeviceOption = "auto",
    assignments: SetOption = None,
) -> None:
    """Explain a checkpoint on the corpus' test part, in one HTML file."""
    import torch

    from affuse.files import to_strict_json, write_atomic
    from affuse.incongruity import explain as find
    from affuse.progress import work_bar
    from affuse.readers import load_corpus
    from affuse.report.explanation_page import page
    from affuse.report.sentences import summarise
    from affuse.training.checkpoint import load_checkpoint
    from affuse.training.devices import resolve_device
    from affuse.training.presets import corpus_options

    require_writable(out)
    require_writable(json_file)
    resolve_device(device)
    torch.set_num_threads(threads)
    loaded = load_checkpoint(checkpoint)
    other = None if against is None else load_checkpoint(against)
    trained = corpus_options(corpus, loaded.corpus.get("options", {}))
    read = load_corpus(corpus, data, {**trained, **parse_settings(assignments)})
    loaded.check_corpus(read, checkpoint)
    if other is not None and against is not None:
        other.check_corpus(read, against)
    with work_bar(f"explain {loaded.name}", "steps") as update:
        found = find(
            loaded,
            read,
            against=other,
            samples=sample or (),
            seed=seed,
            on_step=update,
            device=device,
        )
    console = Console()
    console.print(_table(found))
    for line in summarise(found):
        console.print(f"- {line}", markup=False, highlight=False)
    if read.fingerprint() != loaded.corpus.get("fingerprint"):
        console.print("note: this is not the data that the checkpoint was trained on")
    write_atomic(out, page(found).encode())
    if json_file is not None:
        write_atomic(json_file, to_strict_json(found.to_json()).encode())
    console.print(f"report in {out}", highlight=False, soft_wrap=True)


def _table(found: Explanation) -> Table:
    """Scores on slices, and what crossmodal blocks cost, model by model."""
    from affuse.metrics.scores import heading

    metrics = found.task.metrics[:3]
    table = Table(
        "model", "slice", "samples", *map(heading, metrics), "flip rate", "damage",
        title=f"{found.corpus}, test part",
        caption="flip rate and damage: of crossmodal blocks, by refitted probes",
    )  # fmt: skip
    hard = int(found.hard.mask.sum())
    slices: dict[str, tuple[int, Any]] = {
        "all": (found.samples, None),
        "hard": (hard, found.hard.mask),
        "other": (found.samples - hard, ~found.hard.mask),
    }
    for model in found.models:
        for part, scores in model.scores.items():
            count, rows = slices[part]
            cost = ["—", "—"]
            if model.latent is not None and model.latent.blocks:
                overall = model.latent.overall("refitted", rows)
                cost = [f"{overall.flip_rate.mean:.3f}", f"{overall.damage.mean:+.3f}"]
            table.add_row(
                model.name, part, str(count), *(f"{scores[m]:.3f}" for m in metrics), *cost
            )
    return table
