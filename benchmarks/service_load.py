"""A service under load: clips of many clients at once, and how soon it answers meanwhile.

    python benchmarks/service_load.py clip.mpg --clips 200 --clients 50

It starts `affuse serve` with default limits on a free port, has clients send clips at once, and
looks every clip's answer up. Beside it, /healthz is asked ten times a second. For comparison the
same clips are answered by `affuse predict`, in as many processes. A line is added to
results/service_load.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from affuse.service.calls import Calls, Upload

RESULTS = Path(__file__).parent / "results" / "service_load.csv"
ENDS = ("done", "failed")


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory() as folder:
        figures = under_load(asked, Path(folder))
        there = on_the_spot(asked, Path(folder)) if asked.compare else None
        figures["predict_seconds"] = there
    print(json.dumps(figures, indent=1))
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        table = csv.DictWriter(file, list(figures))
        if new:
            table.writeheader()
        table.writerow(figures)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--compare", action="store_true", help="answer them by predict too")
    return parser.parse_args()


def under_load(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All clips by the service: seconds, losses, delays of /healthz, memory."""
    words = ["--port", "0", "--data", str(folder / "data"), "--workers", str(asked.workers)]
    began = time.monotonic()
    service = subprocess.Popen(
        [sys.executable, "-m", "affuse", "serve", *words], stderr=subprocess.PIPE, text=True
    )
    assert service.stderr is not None
    url = service.stderr.readline().split()[5].rstrip(";")
    threading.Thread(target=lambda: [None for _ in service.stderr], daemon=True).start()
    while healthz(url) is None:
        time.sleep(0.02)
    starts = time.monotonic() - began
    calls, over, delays, memory = Calls(url, None, patience=600), threading.Event(), [], []

    def look() -> None:
        while not over.wait(0.1):
            delays.append(healthz(url) or 60.0)
            memory.append(megabytes(service.pid))

    def ask(_: int) -> dict[str, Any]:
        job = calls.send({}, [Upload("file", asked.clip.name, asked.clip)])
        while (state := calls.json("GET", f"v1/jobs/{job}?wait=30"))["state"] not in ENDS:
            pass
        return state

    watch = threading.Thread(target=look)
    watch.start()
    began = time.monotonic()
    with ThreadPoolExecutor(asked.clients) as clients:
        states = list(clients.map(ask, range(asked.clips)))
    seconds = time.monotonic() - began
    over.set()
    watch.join()
    kept = calls.json("GET", "v1/jobs?limit=1000")["jobs"]
    service.terminate()
    service.wait(30)
    ends = Counter(state["state"] for state in states)
    delays.sort()
    return {
        "clips": asked.clips,
        "clients": asked.clients,
        "workers": asked.workers,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[2], 1),
        "starts_seconds": round(starts, 2),
        "seconds": round(seconds, 1),
        "clips_an_hour": round(3600 * asked.clips / seconds),
        "done": ends["done"],
        "distinct": len({state["id"] for state in states}),
        "kept": len(kept),
        "healthz_median_ms": round(1000 * statistics.median(delays), 1),
        "healthz_p95_ms": round(1000 * delays[int(0.95 * len(delays))], 1),
        "server_mb": round(max(memory)),
    }


def on_the_spot(asked: argparse.Namespace, folder: Path) -> float:
    """Seconds of `affuse predict` for the same clips, its start included."""
    clips = folder / "clips"
    clips.mkdir()
    for number in range(asked.clips):
        shutil.copy(asked.clip, clips / f"{number:04}{asked.clip.suffix}")
    words = [sys.executable, "-m", "affuse", "predict", str(clips), "--json"]
    helps = subprocess.run([*words[:4], "--help"], capture_output=True, text=True, check=True)
    jobs = ["--jobs", str(asked.workers)] if "--jobs" in helps.stdout else []
    began = time.monotonic()
    subprocess.run([*words, *jobs], capture_output=True, check=False)
    return round(time.monotonic() - began, 1)


def healthz(url: str) -> float | None:
    """Seconds that /healthz takes; None where it does not answer."""
    began = time.monotonic()
    try:
        with urlopen(f"{url}/healthz", timeout=30) as answer:
            answer.read()
    except OSError:
        return None
    return time.monotonic() - began


def megabytes(pid: int) -> float:
    """What the server's own process holds; 0 where that cannot be told."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    except OSError:
        return 0.0


if __name__ == "__main__":
    main()
