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
from affuse.samples import MODALITIES

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

    console = Console()
    console.print(
        "The controlled corpus plants the truth in text, voice and face alike, each with an error"
        " whose size\nchanges from sample to sample and shows, and lets one of them contradict the"
        " others in three samples\nof ten. Whom to believe, each sample has to tell. No reader is"
        " better than the best possible.\n"
    )
    result = affuse.benchmark(
        "controlled",
        MODELS,
        seeds=seeds,
        out=out,
        settings={**SETTINGS, **parse_settings(assignments)},
        command=command_line(),
    )
    print_result(result)
    records = [run.record for run in read_runs(out, read_about(out))]
    console.print(_gates(records))
    plots = draw_plots(result, records, out)
    if distance := _distance(result):
        console.print(distance, highlight=False)
    console.print(f"results: {out}/result.json, .csv, .md; plots: {', '.join(plots)}")
    console.print("\nnext:", *NEXT, sep="\n  ", highlight=False)


MODELS = ("concat", "lf_lstm", "hct_mg")
SETTINGS = {
    "truth": "shared",
    "incongruent": 0.3,
    "train": 1200,
    "hct_mg.gate": "agreement",
    "epochs": 9,
}
"""A corpus that needs fusion, and how long all train so that the demo ends in minutes."""

NEXT = (
    "affuse benchmark controlled --set truth=mixed --set hct_mg.gate=agreement",
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


def _distance(result: BenchmarkResult) -> str:
    """How far the best model is from the best single modality and from the best possible."""
    from affuse.harness.results import BEST

    metric = result.metrics[0]
    scores = {n: r.metrics[metric].mean for n, r in result.models.items() if metric in r.metrics}
    fused = {name: score for name, score in scores.items() if not result.is_baseline(name)}
    single = {name: score for name, score in scores.items() if name in MODALITIES}
    if not (fused and single and BEST in scores):
        return ""
    best, alone = min(fused, key=fused.__getitem__), min(single, key=single.__getitem__)
    closed = (single[alone] - fused[best]) / (single[alone] - scores[BEST])
    return (
        f"{best} errs by {fused[best]:.3f} where {alone} alone errs by {single[alone]:.3f}, and the"
        f" best possible by {scores[BEST]:.3f}:\nfusion closes {closed:.0%} of that gap."
    )


def _gates(records: list[dict[str, Any]]) -> Table:
    """Gate weights of each run of the gated model."""
    gated = [r for r in records if "gate" in r]
    modalities = list(gated[0]["gate"])
    table = Table("seed", "primary", *modalities, title="Gate weights of HCT-MG on the test part")
    for run in gated:
        weights = [f"{run['gate'][m]:.3f}" for m in modalities]
        table.add_row(str(run["seed"]), run["primary"], *weights)
    return table
