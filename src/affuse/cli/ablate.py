"""`affuse ablate`: what each part of HCT-MG is worth on a corpus."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
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
    from affuse.incongruity import Ablation
    from affuse.incongruity.hard import HardIds
    from affuse.report.tables import BenchmarkResult


def ablate(
    corpus: CorpusArgument,
    data: DataOption = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each ablation and fold.")] = 5,
    assignments: SetOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Results folder; what was stopped goes on.")
    ] = None,
    json_file: JsonFile = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; all cores by default.")
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Train HCT-MG whole, with each other gate and granularity, and without modality dropout."""
    from affuse.files import to_strict_json, write_atomic
    from affuse.harness import Request, run_benchmark
    from affuse.harness.ablations import REFERENCE
    from affuse.harness.records import read_about
    from affuse.incongruity import ablations
    from affuse.progress import work_bar

    require_writable(json_file)
    settings = parse_settings(assignments)
    asked = Request(
        corpus,
        data,
        (REFERENCE,),
        seeds,
        settings,
        singles=False,
        jobs=jobs or os.cpu_count() or 1,
        device=device,
    )
    chosen = ablations(asked.load().modalities)
    found: list[tuple[Ablation, BenchmarkResult]] = []
    hard: HardIds | None = None
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="affuse-")))
        for number, ablation in enumerate(chosen, start=1):
            request = Request(
                corpus, data, (REFERENCE,), seeds, {**settings, **ablation.settings},
                singles=False, jobs=asked.jobs, device=device,
            )  # fmt: skip
            title = f"{ablation.name} ({number} of {len(chosen)})"
            with work_bar(title) as update:
                told = partial(_tell, update)
                place = folder / ablation.name.replace(":", "-")
                result, _ = run_benchmark(request, place, told, hard=hard)
            # They follow from the data: those of the first are those of all.
            hard = hard or read_about(place).hard
            found.append((ablation, result))
    Console().print(_table(found, REFERENCE))
    if json_file is not None:
        rows: list[dict[str, Any]] = [
            {**ablation.to_json(), "metrics": _plain(result, REFERENCE), **_hard(result)}
            for ablation, result in found
        ]
        content = {"corpus": found[0][1].corpus, "seeds": seeds, "ablations": rows}
        write_atomic(json_file, to_strict_json(content).encode())


def _tell(update: Callable[[int, int, str], None], done: int, total: int, _: object) -> None:
    update(done, total, "")


def _plain(result: BenchmarkResult, model: str) -> dict[str, Any]:
    scores = result.models[model].metrics
    return {m: {"mean": s.mean, "std": s.std, "ci95": s.ci95} for m, s in scores.items()}


def _hard(result: BenchmarkResult) -> dict[str, Any]:
    return {"hard": result.extra["hard"]} if "hard" in result.extra else {}


def _table(found: list[tuple[Ablation, BenchmarkResult]], model: str) -> Table:
    """An ablation a row, with the headline metric on all and on hard samples."""
    from affuse.metrics.scores import heading
    from affuse.report.cells import cell, hard_rows

    first = found[0][1]
    metrics = list(first.models[model].metrics)[:2]
    hard = "hard" in first.extra
    extra = [f"{heading(metrics[0])}, hard"] if hard else []
    table = Table(
        "ablation", *map(heading, metrics), *extra, "question", title=f"{model} on {first.corpus}"
    )
    for ablation, result in found:
        scores = result.models[model].metrics
        cells = [cell(scores.get(m), "\n") for m in metrics]
        if hard:
            cells.append(hard_rows(result.extra["hard"], metrics[:1], "\n")[0][1])
        table.add_row(ablation.name, *cells, ablation.question)
    return table
