"""Clips of three seconds by one process and by two, beside a plain loop over `Predictor.read`.

    python benchmarks/jobs_speed.py FOLDER [--clips 300] [--ray]

FOLDER holds clips (.mpg, .mp4), which are copied until there are as many as are asked for. Each way
has a process of its own, start included. Processor seconds stand beside those of the clock, for
machines that have other things to do.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "jobs_speed.csv"
LOOP = """
import sys
from pathlib import Path
from affuse.extract.folder import find_clips
from affuse.runtime.many_clips import predict_clips
from affuse.runtime.predictor import Predictor
for one in predict_clips(Predictor.from_pretrained(), find_clips([sys.argv[1]])):
    pass
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--ray", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        clips = Path(place) / "clips"
        clips.mkdir()
        given = sorted(p for p in asked.folder.iterdir() if p.suffix in (".mpg", ".mp4"))
        for number, clip in zip(range(asked.clips), itertools.cycle(given), strict=False):
            shutil.copy(clip, clips / f"{number:04}{clip.suffix}")
        rows = [measured("loop", [sys.executable, "-c", LOOP, str(clips)], asked.clips)]
        for jobs in ("1", "2"):
            words = command(clips, Path(place) / jobs, jobs)
            rows += [measured(f"jobs {jobs}", words, asked.clips)]
        if asked.ray:
            ray = [*command(clips, Path(place) / "ray", "2"), "--engine", "ray"]
            rows += [measured("ray 2", ray, asked.clips)]
    with RESULTS.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def command(clips: Path, tables: Path, jobs: str) -> list[str]:
    done = [sys.executable, "-m", "affuse", "predict", str(clips)]
    return [*done, "--parquet", str(tables), "--jobs", jobs]


def measured(name: str, words: list[str], clips: int) -> dict[str, object]:
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(words, check=True, **quiet)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    row = {
        "way": name,
        "clips": clips,
        "seconds": round(took, 1),
        "processor_seconds": round(processor, 1),
        "clips_an_hour": round(clips / took * 3600),
        "load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
