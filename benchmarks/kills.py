"""Workers, drivers and Ray nodes killed at random moments: is anything lost, is anything twice?

    python benchmarks/kills.py FOLDER [--kills 20] [--clips 12] [--seed 0]

FOLDER holds clips (.mpg, .mp4), which are copied until there are as many as are asked for. Each
round answers them anew, by two processes or two nodes of a Ray cluster on this machine; something
is killed by SIGKILL at a moment that the seed decides, the same command goes on, and what is kept
is compared with what one process gave undisturbed. Rounds that the table has are not played again.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyarrow import parquet

RESULTS = Path(__file__).parent / "results" / "kills.csv"
NODE = {"num_cpus": 1, "include_dashboard": False, "include_log_monitor": False}
KINDS = ("worker", "driver", "ray node", "ray driver")
# Rows are written for every three clips, so that a kill finds some that are and some that are not.
RUN = """
import sys
from affuse.scale import row_keeper
from affuse.cli.main import run
row_keeper._FLUSHED_CLIPS = 3
sys.argv = ["affuse", *sys.argv[1:]]
run()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    command = f"python benchmarks/kills.py CLIPS --kills {asked.kills} --clips {asked.clips}"
    with tempfile.TemporaryDirectory() as place:
        rounds = Rounds(Path(place), asked.folder, asked.clips)
        rows = written(command)
        for number in range(len(rows), asked.kills):
            chance = random.Random(f"{asked.seed} {number}")
            row = rounds.play(number, KINDS[number % len(KINDS)], chance)
            rows.append({"kill": number + 1, **row, "command": command})
            print(rows[-1], flush=True)
            write(rows)
        rounds.close()


def written(command: str) -> list[dict[str, Any]]:
    """The rows that the same command has written before."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["command"] == command]


def write(rows: list[dict[str, Any]]) -> None:
    with RESULTS.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


class Rounds:
    """The clips, what they should give, and a cluster."""

    def __init__(self, place: Path, given: Path, count: int) -> None:
        self._place, self._clips = place, place / "clips"
        self._clips.mkdir()
        media = sorted(p for p in given.iterdir() if p.suffix in (".mpg", ".mp4"))
        for number, clip in zip(range(count), itertools.cycle(media), strict=False):
            shutil.copy(clip, self._clips / f"{number:04}{clip.suffix}")
        began = time.monotonic()
        started(self._clips, place / "whole", ["--jobs", "1"]).wait()
        # By two at once, and with all that starts.
        self._lasts = 5 + (time.monotonic() - began) / 2
        self._whole = kept(place / "whole")
        assert len(self._whole) == count
        from ray.cluster_utils import Cluster

        # Ray lets what it runs wait for all else, and on a busy machine that is long.
        os.environ.setdefault("RAY_worker_niceness", "0")
        self._cluster = Cluster(initialize_head=True, head_node_args=NODE)
        self._second = self._cluster.add_node(**NODE)

    def close(self) -> None:
        self._cluster.shutdown()

    def play(self, number: int, kind: str, chance: random.Random) -> dict[str, Any]:
        """One kill, and what came of it."""
        tables, options = self._place / f"round{number}", ["--jobs", "2"]
        if kind.startswith("ray"):
            options += ["--engine", "ray", "--address", self._cluster.address]
        # Half of them while it starts or soon after, half once rows are kept.
        middle, after = chance.random() < 0.5, chance.uniform(0.0, self._lasts)
        driver = started(self._clips, tables, options)
        while middle and driver.poll() is None and not kept(tables):
            time.sleep(0.05)
        time.sleep(after / 4 if middle else after)
        under_way = driver.poll() is None
        before = len(kept(tables))
        self._kill(kind, driver, chance)
        ended = driver.wait()
        again = 0
        if ended != 0:
            again = 1
            ended = started(self._clips, tables, options).wait()
        files = Counter(row["file"] for row in rows_of(tables, "clips"))
        found = kept(tables)
        return {
            "killed": kind,
            "seconds": round(after / 4 if middle else after, 2),
            "after": "the first rows" if middle else "the start",
            "under_way": under_way,
            "clips": len(self._whole),
            "kept_at_the_kill": before,
            "begun_again": again,
            "exit": ended,
            "lost": len(self._whole.keys() - files.keys()),
            "twice": sum(count > 1 for count in files.values()),
            "other_answers": sum(found.get(file) != row for file, row in self._whole.items()),
        }

    def _kill(self, kind: str, driver: subprocess.Popen[bytes], chance: random.Random) -> None:
        if kind == "ray node":
            self._cluster.remove_node(self._second, allow_graceful=False)
            self._second = self._cluster.add_node(**NODE)
        elif kind == "worker":
            if workers := below(driver.pid):
                kill(chance.choice(workers))
        else:
            kill(driver.pid)


def started(clips: Path, tables: Path, options: list[str]) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", RUN, "predict", str(clips), "--parquet", str(tables), *options]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(words, start_new_session=True, **quiet)


def rows_of(tables: Path, kind: str) -> list[dict[str, Any]]:
    """The rows that count: those of parts that a manifest names."""
    named = [
        part["file"]
        for place in tables.glob("parts-*.json")
        for part in json.loads(place.read_text())["parts"]
    ]
    found: list[dict[str, Any]] = []
    for file in named:
        found += parquet.read_table(tables / kind / file).to_pylist()
    return found


def kept(tables: Path) -> dict[str, Any]:
    """Each clip with its answer, and those for its windows."""
    windows: dict[str, list[Any]] = {}
    for row in rows_of(tables, "windows"):
        windows.setdefault(row["file"], []).append(row)
    return {row["file"]: (row, windows.get(row["file"])) for row in rows_of(tables, "clips")}


def below(pid: int) -> list[int]:
    """The processes below one: workers, and the server that starts them."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            cells = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(cells[1]) == pid:
            child = int(place.parent.name)
            found += [child, *below(child)]
    return found


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
