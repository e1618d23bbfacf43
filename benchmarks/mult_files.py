"""The six MulT files at their published size, written with random features, each in one command.

    python benchmarks/mult_files.py [--only mosi_data,iemocap_data_noalign] [--folder DIR]

The real files are not affuse's to share. What is theirs here is everything but the values: names,
shapes, types, numbers of samples, infinite values in the audio, and labels as the corpus has them.
Lengths are uniform up to the longest, so that the longest batch of a run is about as long as a
batch can be. One file is there at a time: the largest has 6.4 GB.

For each file this notes how long `affuse benchmark` took, and the memory of its processes as Linux
tells it in /proc: the highest resident size of any, and of all together at any moment, sampled
twice a second. Pages of the file that several processes share count in each.
"""

from __future__ import annotations

import argparse
import csv
import io
import pickle
import platform
import shlex
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from affuse.files import write_atomic

SEED = 0
progress = Console(stderr=True)


@dataclass(frozen=True)
class MultFile:
    """What is published of a file.

    Attributes:
        name: of the file, without its ending.
        counts: samples that train, validate and test.
        steps: of text, audio and vision, padding included.
        widths: of text, audio and vision.
    """

    name: str
    counts: tuple[int, int, int]
    steps: tuple[int, int, int]
    widths: tuple[int, int, int]

    @property
    def aligned(self) -> bool:
        return not self.name.endswith("noalign")


# Tsai et al. (2019), section 4, and the files themselves as others describe them.
FILES = (
    MultFile("mosi_data", (1284, 229, 686), (50, 50, 50), (300, 5, 20)),
    MultFile("mosi_data_noalign", (1284, 229, 686), (50, 375, 500), (300, 5, 20)),
    MultFile("mosei_senti_data", (16265, 1869, 4643), (50, 50, 50), (300, 74, 35)),
    MultFile("mosei_senti_data_noalign", (16326, 1871, 4659), (50, 500, 500), (300, 74, 35)),
    MultFile("iemocap_data", (2717, 798, 938), (20, 20, 20), (300, 74, 35)),
    MultFile("iemocap_data_noalign", (2717, 798, 938), (20, 400, 500), (300, 74, 35)),
)


class Later:
    """An array that is made when it is pickled and forgotten afterwards."""

    def __init__(self, make: Callable[[], np.ndarray[Any, Any]]) -> None:
        self.make = make

    def __reduce__(self) -> tuple[Any, ...]:
        reduced = self.make().__reduce__()
        assert isinstance(reduced, tuple)
        return reduced


def write(file: MultFile, path: Path) -> None:
    """Write a file in the memory of its largest array."""
    data = {part: _part(file, part, n) for part, n in zip(PARTS, file.counts, strict=True)}
    with path.open("wb") as out:
        pickler = pickle.Pickler(out, protocol=4)
        # Its memo would keep every array until the end.
        pickler.fast = True
        pickler.dump(data)


PARTS = ("train", "valid", "test")
MODALITIES = ("text", "audio", "vision")


def _part(file: MultFile, part: str, count: int) -> dict[str, Any]:
    rng = np.random.default_rng([SEED, zlib.crc32(f"{file.name} {part}".encode())])
    shares = rng.uniform(0.02, 1.0, (count, 1 if file.aligned else 3))
    content: dict[str, Any] = {}
    for number, (modality, steps, width) in enumerate(
        zip(MODALITIES, file.steps, file.widths, strict=True)
    ):
        lengths = np.ceil(shares[:, number % shares.shape[1]] * steps).astype(int)
        # Words end where their steps end; the steps of unaligned voice and face begin at the first.
        at_end = file.aligned or modality == "text"
        seed = int(rng.integers(2**32))
        make = partial(_features, seed, modality, lengths, steps, width, at_end)
        content[modality] = Later(make)
    if file.name.startswith("iemocap"):
        flags = rng.random((count, 4)) < (0.41, 0.14, 0.21, 0.24)
        content["labels"] = np.stack([~flags, flags], axis=2).astype(np.int64)
    else:
        labels = rng.integers(-9, 10, (count, 1, 1)) / 3
        content["labels"] = labels.astype(np.float32)
        content["id"] = [
            [f"{part}{i // 20}".encode(), b"%d" % i, b"%d" % (i + 1)] for i in range(count)
        ]
    return content


def _features(
    seed: int, modality: str, lengths: Any, steps: int, width: int, at_end: bool
) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    array = np.zeros((len(lengths), steps, width), np.float32)
    for row, length in zip(array, lengths, strict=True):
        place = slice(steps - length, None) if at_end else slice(length)
        row[place] = rng.standard_normal((length, width), np.float32)
    if modality == "audio":
        array[::50, -1 if at_end else 0, 0] = -np.inf
    return array


@dataclass(frozen=True)
class Measured:
    """What one command took."""

    file: str
    file_mb: float
    train_mb: float
    seconds: float
    largest_process_mb: float
    all_processes_mb: float
    command: str
    torch: str
    machine: str


def measure(file: MultFile, path: Path, options: list[str], program: Path) -> Measured:
    """Run the benchmark on a file, its output on this terminal."""
    shown = ["affuse", "benchmark", path.name, *options]
    began, largest, together = time.monotonic(), 0, 0
    run = subprocess.Popen([str(program), *shown[1:]], cwd=path.parent, start_new_session=True)
    while run.poll() is None:
        sizes = list(_resident(run.pid))
        largest = max([largest, *sizes])
        together = max(together, sum(sizes))
        time.sleep(0.5)
    if run.returncode:
        raise SystemExit(f"{shlex.join(shown)} ended with {run.returncode}")
    cells = sum(s * w for s, w in zip(file.steps, file.widths, strict=True))
    return Measured(
        file=path.name,
        file_mb=round(path.stat().st_size / 1e6, 1),
        train_mb=round(file.counts[0] * cells * 4 / 1e6, 1),
        seconds=round(time.monotonic() - began, 1),
        largest_process_mb=round(largest / 1e6, 1),
        all_processes_mb=round(together / 1e6, 1),
        command=shlex.join(shown),
        torch=torch.__version__,
        machine=platform.platform(),
    )


def _resident(session: int) -> Iterator[int]:
    """Bytes that each process of a session has in memory."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in brackets, may have spaces in it.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                yield int((entry / "statm").read_text().split()[1]) * 4096
        except (OSError, IndexError):
            continue  # it has ended


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    results = Path(__file__).parent / "results" / "mult_files.csv"
    parser.add_argument("--only", default=",".join(file.name for file in FILES))
    parser.add_argument("--folder", type=Path, default=Path("build/mult"), help="6.4 GB free")
    parser.add_argument("--keep", action="store_true", help="leave the files there")
    parser.add_argument("--out", type=Path, default=results)
    parser.add_argument(
        "--options", default="--models hct_mg,mult --seeds 1 --epochs 1 --limit 512 --jobs 1"
    )
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name("affuse")
    known = read_rows(asked.out)
    for file in (file for file in FILES if file.name in asked.only.split(",")):
        path = asked.folder / f"{file.name}.pkl"
        if not path.exists():
            progress.print(f"writing {path}")
            write(file, path)
        try:
            row = measure(file, path, shlex.split(asked.options), program)
        finally:
            if not asked.keep:
                path.unlink()
        progress.print(row)
        known[row.file] = {key: str(value) for key, value in asdict(row).items()}
        write_rows(asked.out, known)


def read_rows(path: Path) -> dict[str, dict[str, str]]:
    """Rows of earlier runs by file, so that one can be measured anew."""
    if not path.exists():
        return {}
    with path.open(newline="") as lines:
        return {row["file"]: row for row in csv.DictReader(lines)}


def write_rows(path: Path, rows: dict[str, dict[str, str]]) -> None:
    order = [f"{file.name}.pkl" for file in FILES]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Measured.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[name] for name in order if name in rows)
    write_atomic(path, text.getvalue().encode())


if __name__ == "__main__":
    main()
