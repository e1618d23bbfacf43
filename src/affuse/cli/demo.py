"""`affuse demo`: the whole way on the controlled corpus, in a few minutes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import affuse
from affuse.cli.benchmark import command_line
from affuse.cli.common import SetOption, parse_settings

if TYPE_CHECKING:
    from affuse.harness.results import BenchmarkResult


def demo_command(
    out: Annotated[Path, typer.Option("--out", help="Results folder.")] = Path("demo-results"),
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    assignments: SetOption = None,
) -> None:
    """Train on the controlled corpus, show the table and the gate, write plots."""
    from affuse.harness.records import read_about, read_runs
    from affuse.report.tables import print_result

    settings = parse_settings(assignments)
    if "epochs" not in settings:
        settings = {**SHORTCUTS, **settings}
    console = Console()
    console.print(
        "The controlled corpus plants the truth in one modality (text), a weaker copy of it in the "
        "others,\nand lets one of those contradict it in a fifth of the samples. Who finds out?\n"
    )
    result = affuse.benchmark(
        "controlled", seeds=seeds, out=out, settings=settings, command=command_line()
    )
    print_result(result)
    records = [run.record for run in read_runs(out, read_about(out))]
    console.print(_gates(records))
    plots = draw_plots(result, records, out)
    console.print(
        "so that the demo ends in minutes, models have 16 epochs and mult 4, too few for it;"
        "\nwith 30 for all:  affuse benchmark controlled",
        highlight=False,
    )
    console.print(f"results: {out}/result.json, .csv, .md; plots: {', '.join(plots)}")
    console.print("\nnext:", *NEXT, sep="\n  ", highlight=False)


SHORTCUTS = {"epochs": 16, "mult.epochs": 4}
"""Where the demo does less than the preset, for time."""

NEXT = (
    "affuse benchmark controlled --set truth=mixed --set granularity=sample --models hct_mg",
    "affuse train controlled --out my-model && affuse evaluate my-model controlled --subsets",
    "affuse benchmark mosi_data_noalign.pkl --seeds 3   (a file of the MulT format)",
    "affuse corpus list; affuse models; affuse --help",
)


def draw_plots(result: BenchmarkResult, records: list[dict[str, Any]], folder: Path) -> list[str]:
    """Training curves, gate weights over time and intervals; the names of the files."""
    from affuse.harness import REFERENCE
    from affuse.report import plots

    histories = {r["seed"]: r["history"] for r in records if r["model"] == REFERENCE}
    plots.training_curves(histories, folder / "training_curves.png")
    plots.gate_over_time(histories, folder / "gate_over_time.png")
    plots.benchmark_intervals(result, result.metrics[0], folder / "intervals.png")
    return ["training_curves.png", "gate_over_time.png", "intervals.png"]


def _gates(records: list[dict[str, Any]]) -> Table:
    """Gate weights of each run of the gated model."""
    gated = [r for r in records if "gate" in r]
    modalities = list(gated[0]["gate"])
    table = Table("seed", "primary", *modalities, title="Gate weights of HCT-MG on the test part")
    for run in gated:
        weights = [f"{run['gate'][m]:.3f}" for m in modalities]
        table.add_row(str(run["seed"]), run["primary"], *weights)
    return table
