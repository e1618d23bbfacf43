"""Exported models beside torch: time of an answer, and what int8 weights cost in quality.

    python benchmarks/export_speed.py

One clip at a time, with as many threads each, in turns, so that a busy machine is busy for both.
Times are told of one thread, and of two where the machine has two cores. Widths and
lengths are those of unaligned CMU-MOSI (text 50 steps of 300, audio 375 of 74, vision 500 of 35).
Quality is that of HCT-MG on the test part of the controlled corpus, trained here for eight epochs.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import platform
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from affuse.batches import collate
from affuse.files import write_atomic
from affuse.fusion import count_parameters, create_model, models
from affuse.metrics.scores import score_outputs
from affuse.readers import load_corpus
from affuse.runtime.bundle import Session
from affuse.samples import Sample
from affuse.tasks import Regression
from affuse.training.checkpoint import Checkpoint
from affuse.training.export_onnx import export_checkpoint
from affuse.training.presets import plan
from affuse.training.session import train_run

WIDTHS = {"text": 300, "audio": 74, "vision": 35}
LENGTHS = {"text": 50, "audio": 375, "vision": 500}
PRECISIONS = ("float32", "int8")

progress = Console(stderr=True)


def milliseconds(actions: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Of each repeat of each action, in turns; the first two turns warm up and are not kept."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(repeats + 2):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            if turn > 1:
                times[name].append(1e3 * (time.perf_counter() - start))
    return times


def speed(name: str, repeats: int) -> list[dict[str, Any]]:
    """Rows of one model: torch and both precisions of its export, with one thread and with two."""
    cls = models()[name].cls
    torch.manual_seed(0)
    model = create_model(name, WIDTHS, 1, cls.options_for(LENGTHS)).eval()
    checkpoint = Checkpoint(name, model, Regression(), None)
    rng = np.random.default_rng(0)
    sample = Sample(
        "clip",
        {m: rng.standard_normal((n, WIDTHS[m])).astype(np.float32) for m, n in LENGTHS.items()},
    )
    batch = collate([sample], model.modalities)

    def in_torch() -> object:
        with torch.inference_mode():
            return model(batch)

    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as draft:
        folders = {precision: Path(draft) / precision for precision in PRECISIONS}
        for precision, folder in folders.items():
            export_checkpoint(checkpoint, folder, int8=precision == "int8")
        for threads in (1, 2)[: os.cpu_count()]:
            torch.set_num_threads(threads)
            actions: dict[str, Callable[[], object]] = {"torch": in_torch}
            for precision, folder in folders.items():
                actions[precision] = partial(Session(folder, threads).run, [sample])
            times = milliseconds(actions, repeats)
            torch_ms = statistics.median(times["torch"])
            rows += [
                {
                    "measure": "time of an answer",
                    "threads": threads,
                    "model": name,
                    "parameters": count_parameters(model),
                    "by": by,
                    "median_ms": statistics.median(kept),
                    "lowest_ms": min(kept),
                    "times_faster": torch_ms / statistics.median(kept),
                    "megabytes": _megabytes(folders[by]) if by in folders else None,
                    "mae": None,
                    "acc2_nonzero": None,
                }
                for by, kept in times.items()
            ]
    return rows


def _megabytes(folder: Path) -> float:
    return (folder / "model.onnx").stat().st_size / 1e6


def quality(epochs: int) -> list[dict[str, Any]]:
    """Rows of HCT-MG on the controlled corpus: float32 and int8 weights on the test part."""
    corpus = load_corpus("controlled")
    settings = plan("controlled", "hct_mg", {"epochs": epochs})
    rows = []
    with tempfile.TemporaryDirectory() as draft:
        checkpoint = train_run(corpus, settings, seed=0, folder=Path(draft) / "run")
        test = corpus.folds[0].test
        targets = np.stack([sample.target for sample in test if sample.target is not None])
        for precision in PRECISIONS:
            folder = Path(draft) / precision
            export_checkpoint(checkpoint, folder, int8=precision == "int8")
            prediction = Session(folder).run(test).prediction.astype(np.float64)
            scores = score_outputs(corpus.task, prediction, targets)
            rows.append(
                {
                    "measure": "quality on controlled, test",
                    "threads": 1,
                    "model": "hct_mg",
                    "parameters": count_parameters(checkpoint.model),
                    "by": precision,
                    "median_ms": None,
                    "lowest_ms": None,
                    "times_faster": None,
                    "megabytes": _megabytes(folder),
                    "mae": scores["mae"],
                    "acc2_nonzero": scores["acc2_nonzero"],
                }
            )
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    import onnxruntime

    settings = {
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "machine": platform.machine(),
        "command": shlex.join(["python", *sys.argv]),
    }
    table = io.StringIO()
    writer = csv.DictWriter(table, [*rows[0], *settings], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
        writer.writerow(rounded | settings)
    write_atomic(path, table.getvalue().encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).parent / "results" / "export_speed.csv"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--repeats", type=int, default=30, help="kept repeats")
    parser.add_argument("--epochs", type=int, default=8, help="of the model whose quality is told")
    parser.add_argument("--models", nargs="+", default=sorted(models()))
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    table = Table(
        "model", "threads", "by", "median ms", "lowest ms", "x faster", "MB", "MAE", "Acc2"
    )
    for name in arguments.models:
        progress.print(f"timing {name}")
        rows += speed(name, arguments.repeats)
    progress.print("training for quality")
    torch.set_num_threads(1)
    rows += quality(arguments.epochs)
    for row in rows:
        values = (row["median_ms"], row["lowest_ms"], row["times_faster"], row["megabytes"])
        scores = (row["mae"], row["acc2_nonzero"])
        cells = ["" if v is None else f"{v:.2f}" for v in values]
        table.add_row(
            row["model"],
            str(row["threads"]),
            row["by"],
            *cells,
            *("" if s is None else f"{s:.3f}" for s in scores),
        )
    write(arguments.out, rows)
    Console().print(table)


if __name__ == "__main__":
    main()
