"""`affuse benchmark`: models side by side, over seeds, with intervals."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from affuse.cli.common import (
    CorpusArgument,
    DataOption,
    DeviceOption,
    JsonFile,
    SetOption,
    SettingsOption,
    parse_settings,
    require_writable,
)

if TYPE_CHECKING:
    from affuse.harness import Request
    from affuse.report.tables import BenchmarkResult


PLACES = ("--out", "--json", "--csv", "--jobs", "--device")
"""Options that say where results come from and go, and how fast."""


def benchmark(
    corpus: CorpusArgument,
    data: DataOption = None,
    models: Annotated[
        str, typer.Option(help="Models, with commas; each single modality is always beside them.")
    ] = "concat,mult,hct_mg",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each model and fold.")] = 5,
    assignments: SetOption = None,
    settings_files: SettingsOption = None,
    singles: Annotated[
        bool, typer.Option("--singles/--no-singles", help="Train each single modality beside them.")
    ] = True,
    reference: Annotated[
        str, typer.Option(help="The model to which the others are compared, if it is among them.")
    ] = "hct_mg",
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
    out: Annotated[
        Path | None, typer.Option("--out", help="Results folder; a stopped benchmark goes on.")
    ] = None,
    json_file: JsonFile = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; all cores by default.")
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Compare models on a corpus: validation selects, the test split is opened once a run."""
    from affuse.harness import Request

    require_writable(json_file)
    require_writable(csv_file)
    settings = parse_settings(assignments, settings_files)
    asked = Request(
        corpus=corpus,
        data=data,
        models=tuple(name.strip() for name in models.split(",") if name.strip()),
        seeds=seeds,
        settings=settings if epochs is None else {**settings, "epochs": epochs},
        singles=singles,
        subsets=subsets,
        reference=reference,
        limit=limit,
        drop_shared=drop_shared,
        jobs=jobs or os.cpu_count() or 1,
        device=device,
        command=command_line(),
    )
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="affuse-")))
        result = measure(asked, folder)[0]
        if json_file is not None:
            result.write_json(json_file)
        if csv_file is not None:
            result.write_csv(csv_file)
        if out is not None:
            write_folder(result, out)


def command_line() -> str:
    """What was typed, to stand in the result, less what does not change it."""
    words, kept = iter(sys.argv[1:]), ["affuse"]
    for word in words:
        if word in PLACES:
            next(words, None)
        elif word.partition("=")[0] not in PLACES:
            kept.append(word)
    return shlex.join(kept)


def measure(request: Request, folder: Path) -> tuple[BenchmarkResult, list[dict[str, Any]]]:
    """Run a benchmark with a progress bar and print its tables."""
    from affuse.harness import run_benchmark
    from affuse.progress import work_bar

    with work_bar(f"benchmark {request.corpus}") as update:

        def on_progress(done: int, total: int, record: dict[str, Any] | None) -> None:
            update(done, total, _describe(record) if record else "")

        def on_search(fold: int, folds: int) -> None:
            update(0, 0, f"looking for hard samples, fold {fold} of {folds}")

        result, records = run_benchmark(request, folder, on_progress, on_search=on_search)
    show(result)
    return result, records


def show(result: BenchmarkResult, metrics: Sequence[str] | None = None) -> None:
    """Print the tables, with the headline metrics or those named."""
    console = Console()
    console.print(result.rich_table(metrics, console.width))
    labels = None if metrics else result.label_table()
    if labels is not None:
        console.print(labels)
    if result.paired:
        console.print(result.paired_table())
    hard = result.hard_table()
    if hard is not None:
        console.print(hard)
    for line in primaries(result):
        console.print(line)
    for line in result.warnings:
        console.print(f"warning: {line}", style="yellow", markup=False, highlight=False)


def primaries(result: BenchmarkResult) -> list[str]:
    """Which modality led, in how many runs, for each gated model."""
    lines = []
    for name, row in result.models.items():
        if row.primary:
            counts = ", ".join(f"{m} in {n}" for m, n in row.primary.items())
            lines.append(
                f"primary modality of {name}: {counts} of {sum(row.primary.values())} runs"
            )
    return lines


def write_folder(result: BenchmarkResult, folder: Path) -> None:
    """The result as JSON, CSV, Markdown and LaTeX."""
    from affuse.files import write_atomic
    from affuse.report.latex import latex

    result.write_json(folder / "result.json")
    result.write_csv(folder / "result.csv")
    write_atomic(folder / "result.md", result.markdown().encode())
    write_atomic(folder / "result.tex", latex(result).encode())


def _describe(record: dict[str, Any]) -> str:
    metric, value = next(iter(record["metrics"].items()))
    return f"{record['model']} seed {record['seed']}: {metric} {value:.3f}"
