"""Time and memory of HCT-MG beside MulT, at the widths and lengths of unaligned CMU-MOSI.

    python benchmarks/fusion_speed.py [--out benchmarks/results/fusion_speed.csv]

Three measurements, on the CPU, on random data of a fixed seed:

- A training step (forward, L1 loss on every prediction that the model makes, backward), and
  inference on one sample. All models are built first and timed in turns, A B A B, in this process,
  so that whatever else the machine does falls on all of them alike. Medians are reported.
- Peak memory of a training step: a fresh process for each model, its highest resident size during
  the step less its size before. That counts whatever the step makes a machine hold, allocator and
  library buffers included, which a profiler of tensors does not see. It is read from Linux's
  /proc, because `getrusage` carries the parent's peak over into a new process.
- Growth: HCT-MG's step as the audio gets longer, with the exponent of a log-log fit; with the
  strides of 375 frames throughout, and with those that training would choose for the length.

HCT-MG gets the strides that training derives from the lengths of the corpus.

MulT appears twice. Its dropout on attention weights, which HCT-MG does not have, keeps torch from
its fused attention in training; ratios are therefore to MulT without it, the harder one to beat.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from affuse.batches import Batch
from affuse.config import parse_assignment
from affuse.files import write_atomic
from affuse.fusion import FusionModel, count_parameters, create_model, models

WIDTHS = {"text": 300, "audio": 5, "vision": 20}
LENGTHS = {"text": 50, "audio": 375, "vision": 500}
GROWTH = (375, 750, 1500, 3000)
SEED = 0

progress = Console(stderr=True)


@dataclass(frozen=True)
class Case:
    """A model with its options and the batch that it is given."""

    model: str
    options: dict[str, Any]
    batch: int
    audio: int = LENGTHS["audio"]

    @property
    def label(self) -> str:
        settings = " ".join(
            f"{key}={value}" for key, value in self.options.items() if key != "strides"
        )
        return f"{self.model} {settings}".strip()

    def build(self) -> tuple[FusionModel, Batch]:
        torch.manual_seed(SEED)
        lengths = LENGTHS | {"audio": self.audio}
        batch = Batch(
            {m: torch.randn(self.batch, lengths[m], width) for m, width in WIDTHS.items()},
            {m: torch.ones(self.batch, steps, dtype=torch.bool) for m, steps in lengths.items()},
            torch.randn(self.batch, 1),
            tuple(map(str, range(self.batch))),
            {m: (steps,) * self.batch for m, steps in lengths.items()},
        )
        return create_model(self.model, WIDTHS, 1, self.options), batch


@dataclass(frozen=True)
class Result:
    """One line of the table: milliseconds, MiB, and both relative to a baseline."""

    measure: str
    model: str
    parameters: int
    batch: int
    audio_length: int
    repeats: int
    median_ms: float
    lowest_ms: float
    highest_ms: float
    peak_mib: float | None
    baseline: str
    time_ratio: float
    memory_ratio: float | None


def strides(lengths: dict[str, int]) -> dict[str, Any]:
    """The strides that training would give HCT-MG for these lengths."""
    return models()["hct_mg"].cls.options_for(lengths)


def train_step(model: FusionModel, batch: Batch) -> None:
    model.train()
    model.zero_grad(set_to_none=True)
    output = model(batch)
    assert batch.targets is not None
    loss: Tensor = (output.prediction - batch.targets).abs().mean()
    if output.unimodal is not None:
        loss = loss + (output.unimodal - batch.targets[:, None]).abs().mean()
    torch.autograd.backward(loss)


def infer(model: FusionModel, batch: Batch) -> None:
    model.eval()
    with torch.inference_mode():
        model(batch)


def time_in_turns(
    cases: Sequence[Case], action: Callable[[FusionModel, Batch], None], repeats: int
) -> list[list[float]]:
    """Milliseconds of each repeat of each case; the first turn warms up and is not kept."""
    built = [case.build() for case in cases]
    times: list[list[float]] = [[] for _ in cases]
    for turn in range(repeats + 1):
        # Whoever comes after a large model finds nothing of its own in the caches.
        places = [(turn + place) % len(cases) for place in range(len(cases))]
        for place in places:
            case, (model, batch), kept = cases[place], built[place], times[place]
            start = time.perf_counter()
            action(model, batch)
            elapsed = 1e3 * (time.perf_counter() - start)
            progress.print(
                f"{action.__name__} turn {turn}/{repeats} {case.label} "
                f"batch {case.batch} audio {case.audio}: {elapsed:.0f} ms"
            )
            if turn:
                kept.append(elapsed)
    return times


def peak_memory(case: Case) -> float:
    """MiB that one training step adds to a fresh process."""
    request = json.dumps(asdict(case) | {"threads": torch.get_num_threads()})
    command = [sys.executable, __file__, "--peak-of", request]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    progress.print(f"peak memory {case.label} audio {case.audio}: {float(done.stdout):.0f} MiB")
    return float(done.stdout)


def print_peak(request: dict[str, Any]) -> None:
    """What the fresh process does: one step, and how far its resident size rises."""
    torch.set_num_threads(request.pop("threads"))
    model, batch = Case(**request).build()
    before = _status_mib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of the imports
    train_step(model, batch)
    print(_status_mib("VmHWM") - before)


def _status_mib(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def measure(
    name: str,
    cases: Sequence[Case],
    action: Callable[[FusionModel, Batch], None],
    repeats: int,
    *,
    memory: bool,
) -> list[Result]:
    """Time the cases in turns; ratios are relative to the first of them."""
    times = time_in_turns(cases, action, repeats)
    medians = [statistics.median(kept) for kept in times]
    peaks = [peak_memory(case) if memory else None for case in cases]
    return [
        Result(
            measure=name,
            model=case.label,
            parameters=count_parameters(case.build()[0]),
            batch=case.batch,
            audio_length=case.audio,
            repeats=repeats,
            median_ms=median,
            lowest_ms=min(kept),
            highest_ms=max(kept),
            peak_mib=peak,
            baseline=f"{cases[0].label}, audio {cases[0].audio}",
            time_ratio=median / medians[0],
            memory_ratio=peak / peaks[0] if peak and peaks[0] else None,
        )
        for case, median, kept, peak in zip(cases, medians, times, peaks, strict=True)
    ]


def exponent(lengths: Sequence[float], values: Sequence[float]) -> float:
    """k of the fit value = c * length^k."""
    return float(np.polyfit(np.log(lengths), np.log(values), 1)[0])


def show(results: Sequence[Result]) -> None:
    table = Table(title="Fusion models on the CPU, unaligned MOSI shapes")
    columns = "measure,model,batch,audio,median ms,lowest-highest,x time,peak MiB,x memory"
    for column in columns.split(","):
        side: Literal["left", "right"] = "left" if column in ("measure", "model") else "right"
        table.add_column(column, justify=side, no_wrap=True)
    previous = results[0].measure
    for r in results:
        if r.measure != previous:
            table.add_section()
            previous = r.measure
        spread = f"{r.lowest_ms:,.0f}-{r.highest_ms:,.0f}"
        peak = "" if r.peak_mib is None else f"{r.peak_mib:,.0f}"
        share = "" if r.memory_ratio is None else f"{r.memory_ratio:.3f}"
        numbers = (f"{r.median_ms:,.1f}", spread, f"{r.time_ratio:.3f}", peak, share)
        table.add_row(r.measure, r.model, str(r.batch), str(r.audio_length), *numbers)
    # Where there is no terminal rich assumes 80 columns, too few for this table.
    Console(width=max(Console().width, 130)).print(table)
    for measure in dict.fromkeys(r.measure for r in results if r.measure.startswith("growth")):
        rows = [r for r in results if r.measure == measure]
        lengths = [r.audio_length for r in rows]
        in_time = exponent(lengths, [r.median_ms for r in rows])
        in_memory = exponent(lengths, [r.peak_mib or 0.0 for r in rows])
        print(f"{measure}: exponent of time {in_time:.2f}, of memory {in_memory:.2f}")


def write(path: Path, results: Sequence[Result]) -> None:
    """The results and the settings that they depend on, replaced as a whole."""
    settings = {
        "command": shlex.join(["python", *sys.argv]),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }
    rows = [asdict(result) | settings for result in results]
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, table.getvalue().encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).parent / "results" / "fusion_speed.csv"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--repeats", type=int, default=5, help="kept repeats of each step")
    parser.add_argument("--threads", type=int, help="torch threads (default: torch's choice)")
    parser.add_argument("--batch", type=int, default=24, help="samples in a training step")
    parser.add_argument("--growth-batch", type=int, default=4, help="samples in a growth step")
    parser.add_argument("--option", action="append", default=[], help="key=value for hct_mg")
    parser.add_argument("--peak-of", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        print_peak(arguments.peak_of)
        return
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    options = strides(LENGTHS) | dict(parse_assignment(text) for text in arguments.option)

    def sides(batch: int) -> list[Case]:
        gates = [options | {"gate": f"fixed:{primary}"} for primary in WIDTHS]
        mult = [Case("mult", {"attention_dropout": 0.0}, batch), Case("mult", {}, batch)]
        return mult + [Case("hct_mg", gate, batch) for gate in gates]

    repeats = arguments.repeats
    longer = [Case("hct_mg", options, arguments.growth_batch, audio) for audio in GROWTH]
    strided = [
        replace(case, options=options | strides(LENGTHS | {"audio": case.audio})) for case in longer
    ]
    results = [
        *measure("train step", sides(arguments.batch), train_step, repeats, memory=True),
        *measure("inference", sides(1), infer, 4 * repeats, memory=False),
        *measure("growth", longer, train_step, repeats, memory=True),
        *measure("growth, strided", strided, train_step, repeats, memory=True),
    ]
    write(arguments.out, results)
    show(results)


if __name__ == "__main__":
    main()
