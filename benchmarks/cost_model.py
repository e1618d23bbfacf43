"""What a million clips take on 1 to 100 machines: a simulation from what one machine measured.

    python benchmarks/cost_model.py --measure local ray
    python benchmarks/cost_model.py [--clips 1000000] [--cores 16] [--core-hour 0.04]

Measured: processor seconds of a clip of three seconds (`results/jobs_speed.csv`), and of the
process that hands a clip out and writes its rows (`results/handing_out.csv`, to which the first
call adds: the slope over short clips, so that its start does not count; the mean of all calls,
which differ by milliseconds). Assumed: lengths of clips, how often a machine is lost and for how
long, how long one takes to start, the price of a core. No such cluster was there: these are figures
to plan by, not to cite.

Two ways are told apart. `shares`: each machine has every so-manieth clip (`--shard`), hands them
out itself, and waits for nobody. `ray`: one process hands all clips out to all machines, and is
what stands in line when there are many.
"""

from __future__ import annotations

import argparse
import csv
import heapq
import itertools
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "results"
CLIPS, HANDING = FOLDER / "jobs_speed.csv", FOLDER / "handing_out.csv"
RESULTS = FOLDER / "cost_model.csv"
FEW, MANY = 20, 140
DRIVER = """
import sys, time
from pathlib import Path
from affuse.scale.prediction import Prediction, Request
folder, engine = sys.argv[1:]
asked = Request((folder,), "sentiment", parquet=Path(folder + "." + engine), jobs=2, engine=engine)
for one in Prediction(asked).run():
    pass
print(time.process_time())
"""
NODES = (1, 2, 5, 10, 20, 50, 100)
Times = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--cores", type=int, default=16, help="of a machine")
    parser.add_argument("--core-hour", type=float, default=0.04, help="price")
    parser.add_argument("--spread", type=float, default=0.6, help="of the logarithm of lengths")
    parser.add_argument("--start", type=float, default=60.0, help="seconds of a machine")
    parser.add_argument("--lost", type=float, default=0.1, help="machines of a hundred, an hour")
    parser.add_argument("--away", type=float, default=300.0, help="seconds that one is then gone")
    parser.add_argument("--measure", nargs="+", metavar="ENGINE", help="local, ray")
    asked = parser.parse_args()
    if asked.measure:
        write(HANDING, [*read(HANDING), *handing_out(asked.measure)])
        return
    clip, by_jobs, by_ray = measured()
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(-(asked.spread**2) / 2, asked.spread, asked.clips)
    rows = []
    for nodes in NODES:
        for way, handing in (("shares", by_jobs), ("ray", by_ray)):
            seconds = simulated(way, clip * lengths, handing, nodes, asked, rng)
            rows.append(row_of(way, nodes, seconds, clip, handing, asked))
            print(rows[-1])
    write(RESULTS, rows)


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    with file.open("w", newline="") as out:
        table = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def read(file: Path) -> list[dict[str, str]]:
    with file.open() as rows:
        return list(csv.DictReader(rows))


def handing_out(engines: Sequence[str]) -> list[dict[str, Any]]:
    """Processor seconds of whoever hands out few clips, and many, of half a second of sound."""
    from scale_million import write_clip

    rows = []
    with tempfile.TemporaryDirectory() as place:
        for engine, count in itertools.product(engines, (FEW, MANY)):
            folder = Path(place) / f"{engine}{count}"
            for number in range(count):
                write_clip(folder / f"{number:04}.wav")
            words = [sys.executable, "-c", DRIVER, str(folder), engine]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            row = {"way": engine, "clips": count, "processor_seconds": done.stdout.split()[-1]}
            rows.append({**row, "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()})
            print(rows[-1], flush=True)
    return rows


def measured() -> tuple[float, float, float]:
    """Processor seconds: of a clip, and of whoever hands one out, by jobs and by Ray."""
    (loop,) = (row for row in read(CLIPS) if row["way"] == "loop")
    clip = float(loop["processor_seconds"]) / int(loop["clips"])
    rows = read(HANDING)

    def taken(way: str, clips: int) -> float:
        found = [r for r in rows if (r["way"], r["clips"]) == (way, str(clips))]
        return statistics.mean(float(row["processor_seconds"]) for row in found)

    by = [(taken(way, MANY) - taken(way, FEW)) / (MANY - FEW) for way in ("local", "ray")]
    return clip, by[0], by[1]


def simulated(
    way: str,
    times: Times,
    handing: float,
    nodes: int,
    asked: argparse.Namespace,
    rng: np.random.Generator,
) -> float:
    """Seconds until the last clip is done."""
    if way == "shares":
        parts = [(times[node::nodes], 1) for node in range(nodes)]
    else:
        parts = [(times, nodes)]
    ends = []
    for own, machines in parts:
        free = [
            (asked.start, node, core) for node in range(machines) for core in range(asked.cores)
        ]
        losses = [losses_of(asked, rng) for _ in range(machines)]
        ends.append(worked(own, free, handing, losses, asked.away))
    return max(ends)


def losses_of(asked: argparse.Namespace, rng: np.random.Generator) -> Iterator[float]:
    """When a machine is lost, again and again."""
    moment = 0.0
    while True:
        moment += rng.exponential(3600 / max(asked.lost / 100, 1e-12))
        yield moment


def worked(
    times: Times,
    free: list[tuple[float, int, int]],
    handing: float,
    losses: list[Iterator[float]],
    away: float,
) -> float:
    """Hand clips to whoever is free first, one after the other; a clip of a lost machine again."""
    heapq.heapify(free)
    lost = [next(each) for each in losses]
    clock = last = 0.0
    for seconds in times.tolist():
        while True:
            moment, node, core = heapq.heappop(free)
            clock = max(clock, moment) + handing
            end = clock + seconds
            if end < lost[node]:
                break
            # Its cores come back together; each of them then hears of the same loss.
            back = lost[node] + away
            if clock >= lost[node]:
                lost[node] = next(losses[node])
            heapq.heappush(free, (max(back, clock), node, core))
        heapq.heappush(free, (end, node, core))
        last = max(last, end)
    return last


def row_of(
    way: str,
    nodes: int,
    seconds: float,
    clip: float,
    handing: float,
    asked: argparse.Namespace,
) -> dict[str, Any]:
    hours = seconds / 3600
    core_hours = float(hours) * nodes * asked.cores
    return {
        "way": way,
        "nodes": nodes,
        "cores": nodes * asked.cores,
        "clips": asked.clips,
        "hours": round(float(hours), 2),
        "core_hours": round(core_hours),
        "busy": round(asked.clips * clip / 3600 / core_hours, 3),
        "price": round(core_hours * asked.core_hour, 2),
        "clip_processor_s": round(clip, 4),
        "handing_out_ms": round(1000 * handing, 1),
        "simulated": "yes",
        "command": shlex.join(["python", *sys.argv]),
    }


if __name__ == "__main__":
    main()
