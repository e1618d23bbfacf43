"""Spoiled files of every format, read in a process that is watched.

    python benchmarks/fuzz_files.py [--count 300] [--seed 0] [--out FILE.csv]

A sound corpus of each format is written, spoiled at random (bits, bytes, numbers, pieces, ends; for
`programs`, instructions of pickles), and read: by its reader, to the last value, and by the doctor.
Whatever comes, the reader must return a corpus or raise one `InputError`, within ten seconds, in
bounded memory, and nothing of the file may be run. Anything else fails this script:

- another exception, or an error of several lines;
- a process that dies: the reader runs in a process of its own, under a limit of address space, so
  that a fault in C (HDF5, zlib, numpy) is seen as what it is;
- ten seconds of a processor without an answer, or five minutes of none;
- a process started, a file written, a library loaded or a connection opened by the reader (seen by
  an audit hook and in the memory map), or a file made by one of the payloads.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import pickle
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from affuse.files import write_atomic
from fuzz_mutations import EXECUTED, SEEDS, Seed, mutate, mutate_program

SECONDS = 10.0
ADDRESS_SPACE = 3 << 30
progress = Console(stderr=True)


class Reader:
    """A process that reads what it is told to and says how it went."""

    def __init__(self, cache: Path, naive: bool) -> None:
        self.cache, self.naive, self.warm = cache, naive, False
        self.process: subprocess.Popen[str] | None = None

    def read(self, seed: Seed, *, sound: bool = False) -> dict[str, Any]:
        """`outcome`, and where known `error`, `seconds` and `peak` bytes.

        Args:
            sound: nothing is spoiled yet: what is imported now may be imported.
        """
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, __file__, "--read"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "AFFUSE_CACHE": str(self.cache), "OMP_NUM_THREADS": "1"},
            )
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        asked = [seed.corpus, str(seed.path), seed.options, sound, self.naive]
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        ready = self._wait(process)
        line = process.stdout.readline() if ready else ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.process, self.warm = None, False
        if not ready:
            process.kill()
        _, said = process.communicate()
        outcome = "crash" if ready else "hang"
        return {"outcome": outcome, "error": f"{process.returncode}: {said[-300:]}"}

    def _wait(self, process: subprocess.Popen[str]) -> bool:
        """Whether an answer comes before the process has computed, or waited, for too long."""
        computed, began = _computed(process.pid), time.monotonic()
        patience = SECONDS if self.warm else 60 + SECONDS  # for Python and its packages
        # On a machine that does much else, waiting says little.
        while time.monotonic() - began < 30 * patience:
            if select.select([process.stdout], [], [], 1.0)[0]:
                self.warm = True
                return True
            if _computed(process.pid) - computed > patience:
                break
        return False

    def close(self) -> None:
        if self.process is not None:
            self.process.communicate()


def _computed(process: int) -> float:
    """Seconds of a processor that a process has had."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serve() -> None:
    """Read one corpus after another, as standard input names them."""
    import faulthandler
    import unicodedata  # noqa: F401 - a first error message brings it in on some machines

    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seen: list[str] = []
    libraries: set[str] = set()
    sys.addaudithook(lambda event, arguments: _watch(seen, event, arguments))
    for line in sys.stdin:
        corpus, path, options, sound, naive = json.loads(line)
        read = _read_naively if naive and not sound else _read
        seen.clear()
        began = time.process_time()
        outcome, error = read(corpus, Path(path), options)
        seconds = time.process_time() - began
        if sound:
            libraries |= _libraries()
        elif strange := seen + sorted(_libraries() - libraries):
            outcome, error = "executed", ", ".join(strange)
        elif seconds > SECONDS:
            outcome = "hang"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer = {"outcome": outcome, "error": error, "seconds": seconds, "peak": peak}
        print(json.dumps(answer), flush=True)


def _read(corpus: str, path: Path, options: dict[str, Any]) -> tuple[str, str]:
    from affuse.doctor import examine
    from affuse.errors import InputError
    from affuse.readers.registry import load_corpus

    data = None if corpus == str(path) else path
    outcome, message = "read", ""
    for use in (lambda *a: load_corpus(*a).fingerprint(), examine):
        try:
            use(corpus, data, options)
        except InputError as error:
            outcome, message = "refused", str(error)
            if "\n" in message:
                return "other error", f"several lines: {message[:200]}"
        except BaseException as error:  # whatever it is, it is a failure
            import traceback

            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            return "other error", f"{type(error).__name__} in {place}: {error}"[:300]
    return outcome, message[:300]


def _read_naively(corpus: str, path: Path, options: dict[str, Any]) -> tuple[str, str]:
    """Python's own way with pickles, which this script must see fail."""
    del corpus, options
    try:
        pickle.loads(path.read_bytes())
    except Exception as error:
        return "refused", str(error)[:300]
    return "read", ""


_HARMFUL = ("os.", "subprocess.", "socket.", "ctypes.", "shutil.", "pty.", "webbrowser.")
# What the cache of extracted features does, which is told apart by its folder where it writes.
_HARMLESS = ("os.listdir", "os.scandir", "os.mkdir", "os.rename")


def _watch(seen: list[str], event: str, arguments: Any) -> None:
    if event == "open":
        _, mode, flags = arguments
        writes = set(mode or "") & set("wax+") if isinstance(mode, str) else flags & 0o3
        if writes and not str(arguments[0]).startswith(os.environ["AFFUSE_CACHE"]):
            seen.append(f"open {arguments[0]} {mode}")
    elif event.startswith(_HARMFUL) and event not in _HARMLESS:
        seen.append(event)


def _libraries() -> set[str]:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[-1] for line in lines if ".so" in line}


@dataclass
class Tally:
    """How the mutations of one format went."""

    format: str
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    base: int = 0
    peak: int = 0

    def row(self) -> dict[str, Any]:
        kinds = ("read", "refused", "other error", "crash", "hang", "executed")
        return {
            "format": self.format,
            "mutations": self.outcomes.total(),
            **{kind.replace(" ", "_"): self.outcomes[kind] for kind in kinds},
            "slowest_s": round(self.slowest, 2),
            "more_memory_mb": round(max(self.peak - self.base, 0) / 1e6, 1),
        }

    @property
    def failures(self) -> int:
        return self.outcomes.total() - self.outcomes["read"] - self.outcomes["refused"]


def fuzz(
    reader: Reader, name: str, count: int, seed: int, folder: Path, keep: Path | None
) -> Tally:
    """Spoil and read one format `count` times; files that fail are kept."""
    rng = random.Random(zlib.crc32(f"{seed} {name}".encode()))
    sound, sentinel = SEEDS[name](folder), folder.parent / EXECUTED
    originals = {file: file.read_bytes() for file in sound.files}
    tally = Tally(name)
    for number in range(count):
        if reader.process is None or not number:
            first = reader.read(sound, sound=True)
            if first["outcome"] != "read":
                raise SystemExit(f"{name}: the sound file is not read: {first['error']}")
            tally.base = tally.base or first["peak"]
        file = rng.choice(sound.files)
        if name == "programs":
            spoiled = mutate_program(originals[file], rng, sentinel)
        else:
            spoiled = mutate(originals[file], rng)
        file.write_bytes(spoiled)
        answer = reader.read(sound)
        if sentinel.exists():
            sentinel.unlink()
            answer["outcome"] = "executed"
        tally.outcomes[answer["outcome"]] += 1
        tally.slowest = max(tally.slowest, answer.get("seconds", SECONDS))
        tally.peak = max(tally.peak, answer.get("peak", 0))
        if answer["outcome"] not in ("read", "refused"):
            progress.print(f"{name} {number}, {file.name}: {answer}", markup=False)
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{name.replace(', ', '-')}-{seed}-{number}-{file.name}").write_bytes(
                    spoiled
                )
        file.write_bytes(originals[file])
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=300, help="mutations of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="formats, with semicolons")
    parser.add_argument("--keep", type=Path, help="a folder for the files that fail")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--naive", action="store_true", help="by Python's pickle: it must fail")
    parser.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read:
        serve()
        return
    tallies = []
    with tempfile.TemporaryDirectory(prefix="affuse-fuzz-") as place:
        reader = Reader(Path(place) / "cache", asked.naive)
        for number, name in enumerate(asked.only.split(";") if asked.only else SEEDS):
            folder = Path(place) / str(number)
            folder.mkdir()
            tallies.append(fuzz(reader, name, asked.count, asked.seed, folder, asked.keep))
            progress.print(tallies[-1].row(), markup=False)
        reader.close()
    if asked.out is not None:
        text = io.StringIO()
        rows = [{**tally.row(), "seed": asked.seed} for tally in tallies]
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomic(asked.out, text.getvalue().encode())
    sys.exit(any(tally.failures for tally in tallies))


if __name__ == "__main__":
    main()
