"""A training step at the size of CMU-MOSEI on a GPU: bfloat16 against float32, speed and parity.

    python benchmarks/gpu_step.py [--batch 32] [--repeats 30]

Widths and lengths are those of unaligned MOSEI (GloVe, COVAREP, FACET), on random data of a fixed
seed. A step is forward, loss, backward and AdamW. Parity is taken before any step, without dropout
by chance: the same seed draws the same. Where there is no GPU, a line says so.
"""

from __future__ import annotations

import argparse
import csv
import platform
import shlex
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affuse.batches import Batch
from affuse.fusion import count_parameters, create_model, models
from affuse.tasks import Regression
from affuse.training.module import FusionModule
from affuse.training.presets import TrainOptions

RESULTS = Path(__file__).parent / "results" / "gpu_step.csv"
WIDTHS = {"text": 300, "audio": 74, "vision": 35}
LENGTHS = {"text": 50, "audio": 500, "vision": 500}
SENTIMENT = Regression(-3.0, 3.0)
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--device", default="cuda", help="cpu only to try the script")
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("no GPU here: nothing is measured")
        return
    rows = [row for name in ("hct_mg", "mult") for row in measured(name, asked)]
    for row in rows:
        print({key: row[key] for key in list(row)[:9]})
    if asked.device != "cuda":
        return
    with RESULTS.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def measured(name: str, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each precision; ratios and parity are to float32."""
    device = torch.device(asked.device)
    rows: list[dict[str, Any]] = []
    found: dict[str, tuple[float, Tensor]] = {}
    for precision in ("32", "bf16-mixed"):
        module, batch = prepared(name, asked.batch, device)
        loss = forward(module, batch, precision)
        loss.backward()
        gradients = [p.grad.flatten() for p in module.model.parameters() if p.grad is not None]
        found[precision] = float(loss.detach()), torch.cat(gradients).double().cpu()
        times, peak = timed(module, batch, precision, asked.repeats)
        rows.append(
            {
                "model": name,
                "precision": precision,
                "median_ms": round(statistics.median(times), 3),
                "lowest_ms": round(min(times), 3),
                "peak_mib": peak,
                "speed_ratio": round(rows[0]["median_ms"] / statistics.median(times), 3)
                if rows
                else 1.0,
                "loss": round(found[precision][0], 6),
                "loss_difference": round(abs(found[precision][0] - found["32"][0]), 6),
                "gradient_cosine": round(cosine(found["32"][1], found[precision][1]), 6),
                "parameters": count_parameters(module.model),
                "batch": asked.batch,
                "repeats": asked.repeats,
                "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
                "torch": torch.__version__,
                "machine": platform.machine(),
                "command": shlex.join(["python", *sys.argv]),
            }
        )
    return rows


def prepared(name: str, size: int, device: torch.device) -> tuple[FusionModule, Batch]:
    torch.manual_seed(SEED)
    sequences = {m: torch.randn(size, LENGTHS[m], width) for m, width in WIDTHS.items()}
    masks = {m: torch.ones(size, steps, dtype=torch.bool) for m, steps in LENGTHS.items()}
    lengths = {m: (steps,) * size for m, steps in LENGTHS.items()}
    ids = tuple(map(str, range(size)))
    batch = Batch(sequences, masks, torch.rand(size, 1) * 6 - 3, ids, lengths)
    # Strides are those that training would derive from the lengths.
    options = models()[name].cls.options_for(LENGTHS)
    model = create_model(name, WIDTHS, SENTIMENT.outputs, options)
    module = FusionModule(model, SENTIMENT, TrainOptions(average=0), 1000, SEED)
    return module.to(device).train(), batch.to(device)


def forward(module: FusionModule, batch: Batch, precision: str) -> Tensor:
    torch.manual_seed(SEED)
    half = precision == "bf16-mixed"
    device = next(module.parameters()).device.type
    with torch.autocast(device, torch.bfloat16, enabled=half):
        return module.training_step(batch, 0)


def timed(
    module: FusionModule, batch: Batch, precision: str, repeats: int
) -> tuple[list[float], float | None]:
    """Milliseconds of each step after a few that warm up, and MiB at most."""
    optimizer = torch.optim.AdamW(module.model.parameters(), lr=1e-3, fused=True)
    device = next(module.parameters()).device
    card = device.type == "cuda"
    times = []
    for number in range(repeats + 5):
        if number == 5 and card:
            torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        forward(module, batch, precision).backward()
        optimizer.step()
        if card:
            torch.cuda.synchronize()
        if number >= 5:
            times.append(1000 * (time.perf_counter() - began))
    peak = round(torch.cuda.max_memory_allocated() / 2**20, 1) if card else None
    return times, peak


def cosine(one: Tensor, other: Tensor) -> float:
    return float(one @ other / (one.norm() * other.norm()))


if __name__ == "__main__":
    main()
