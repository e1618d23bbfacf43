"""Memory of two processes that train together on a stored corpus of the size of CMU-MOSEI.

    python benchmarks/stored_memory.py [--samples 23000] [--devices 2] [--folder FOLDER]

A made-up corpus with GloVe, COVAREP and FACET widths, words to 50 and frames to 500, is written in
the stored format (2.5 GB) and trained on for an epoch. Every second the memory of each process is
read from Linux's /proc: PSS, in which a page that several share counts once over all, apart from
what is anonymous, of the process alone.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "stored_memory.csv"
WIDTHS = {"text": 300, "audio": 74, "vision": 35}
LONGEST = {"text": 50, "audio": 500, "vision": 500}
TRAIN = """
import sys, affuse
affuse.train(
    sys.argv[1], "concat", data=None, out=sys.argv[2], accelerator="cpu", devices=int(sys.argv[3]),
    progress=False,
    settings={"epochs": 1, "batch_size": 32, "concat.width": 8, "concat.encoder_layers": 0},
)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=23_000)
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--folder", type=Path, help="of a corpus that an earlier call has written")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = asked.folder or Path(place) / "corpus"
        if not folder.exists():
            write(folder, asked.samples)
        rows = []
        for devices in asked.devices:
            out = Path(place) / str(devices)
            rows.append(measured(folder, out, devices, asked.samples))
            with RESULTS.open("w", newline="") as file:
                table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                table.writeheader()
                table.writerows(rows)


def write(folder: Path, count: int) -> None:
    """A stored corpus whose values were never in memory together."""
    from affuse.readers.stored_write import store_corpus
    from affuse.samples import Corpus, Sample, Split
    from affuse.tasks import Regression

    rng = np.random.default_rng(0)
    folder.parent.mkdir(parents=True, exist_ok=True)
    sequences: list[dict[str, Any]] = [{} for _ in range(count)]
    drafts = []
    for modality, width in WIDTHS.items():
        lengths = rng.integers(1, LONGEST[modality], count, endpoint=True)
        ends = np.cumsum(lengths)
        drafts.append(folder.parent / f"{modality}.draft")
        shape = (int(ends[-1]), width)
        values = np.memmap(drafts[-1], np.float32, "w+", shape=shape)
        for begin in range(0, len(values), 1 << 16):
            piece = values[begin : begin + (1 << 16)]
            piece[:] = rng.random(piece.shape, np.float32)
        values.flush()
        values = np.memmap(drafts[-1], np.float32, "r", shape=shape)
        for row, (end, length) in enumerate(zip(ends, lengths, strict=True)):
            sequences[row][modality] = np.asarray(values[end - length : end])
    targets = rng.uniform(-3, 3, (count, 1)).astype(np.float32)
    samples = [
        Sample(str(n), steps, target)
        for n, (steps, target) in enumerate(zip(sequences, targets, strict=True))
    ]
    train, valid = int(count * 0.72), int(count * 0.8)
    parts = Split(samples[:train], samples[train:valid], samples[valid:])
    store_corpus(Corpus("made-up", Regression(-3.0, 3.0), WIDTHS, (parts,)), folder)
    for draft in drafts:
        draft.unlink()


def measured(corpus: Path, out: Path, devices: int, samples: int) -> dict[str, Any]:
    """Train for an epoch, and the most that the processes held of memory."""
    size = sum(file.stat().st_size for file in corpus.iterdir())
    began = time.monotonic()
    words = [sys.executable, "-c", TRAIN, str(corpus), str(out), str(devices)]
    training = subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "1"})
    watch = Watch(training.pid)
    code = training.wait()
    watch.end()
    if code:
        raise SystemExit(code)
    row = {
        "samples": samples,
        "corpus_mb": round(size / 1e6),
        "processes": devices,
        "anonymous_mb_a_process": round(watch.most["anonymous"]),
        "pss_mb_a_process": round(watch.most["pss"]),
        "pss_mb_of_all": round(watch.most["all"]),
        "seconds": round(time.monotonic() - began, 1),
        "load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }
    print(row)
    return row


class Watch:
    """Reads the memory of a process and of all that it began, every second, in a thread."""

    def __init__(self, pid: int) -> None:
        self.most = dict.fromkeys(("anonymous", "pss", "all"), 0.0)
        self._pid, self._ended = pid, threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._ended.wait(1):
            found = [memory(pid) for pid in family(self._pid)]
            self.most["all"] = max(self.most["all"], sum(each["Pss"] for each in found))
            for each in found:
                self.most["pss"] = max(self.most["pss"], each["Pss"])
                self.most["anonymous"] = max(self.most["anonymous"], each["Pss_Anon"])


def family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        below = " ".join((task / "children").read_text() for task in tasks)
    except OSError:
        return []
    return [pid, *(other for child in below.split() for other in family(int(child)))]


def memory(pid: int) -> dict[str, float]:
    """Megabytes of a process, by the names of /proc; zeros where it is gone."""
    found = dict.fromkeys(("Pss", "Pss_Anon"), 0.0)
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        name, _, value = line.partition(":")
        if name in found:
            found[name] = float(value.split()[0]) / 1000
    return found


if __name__ == "__main__":
    main()
