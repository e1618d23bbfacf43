"""Spoiled media files, extracted in processes that are watched.

    python benchmarks/fuzz_media.py path/to/clips --count 5000 [--seed 0] [--out FILE.csv]

Real clips are spoiled at random (bits, bytes, pieces left out, doubled or swapped, ends cut). Each
must give windows or one `InputError` within the time and memory allowed. A crash, a hang, another
exception or an error of several lines fails this script. A spoiled file is kept where it does.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import select
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

# On a machine that does much else, waiting says little: most of this is patience.
SECONDS = 120.0
MEGABYTES = 3000
SERVE = """
import json, resource, sys, warnings
from pathlib import Path
from affuse.errors import InputError
from affuse.extract.clip import ClipExtractor, ClipSettings
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]) << 20,) * 2)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
warnings.simplefilter("error")
extractor = ClipExtractor(ClipSettings(fps=2))
for line in sys.stdin:
    try:
        windows = list(extractor.windows(Path(json.loads(line))))
        answer = "windows", f"{windows[-1].end:.1f} s"
    except InputError as error:
        answer = ("error" if len(str(error).splitlines()) == 1 else "several lines"), str(error)
    except BaseException as error:
        answer = "exception", repr(error)
    print(json.dumps(answer), flush=True)
"""


class Worker:
    """A process that extracts what it is told to."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def extract(self, path: Path) -> tuple[str, str]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(MEGABYTES)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(str(path)) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], SECONDS)[0]:
            process.kill()
            answer = "hang", f"{SECONDS:.0f} s"
        elif line := process.stdout.readline():
            outcome, said = json.loads(line)
            return outcome, said
        else:
            answer = "crash", str(process.wait())
        self._process = None
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()


def spoil(content: bytes, rng: random.Random) -> bytes:
    """A file with one to eight things wrong; half of them near its head."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        near = len(data) if rng.random() < 0.5 else min(len(data), 2000)
        at, size = rng.randrange(max(1, near)), rng.choice((1, 4, 64, 2000))
        match rng.randrange(6):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                data[at : at + size] = rng.randbytes(size)
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = data[at : at + size]
            case 4:
                data[at : at + 4] = rng.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
            case _:
                del data[max(1, at) :]
    return bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path, help="a folder of media files")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    clips = sorted(path for path in arguments.clips.iterdir() if path.is_file())
    outcomes: Counter[tuple[str, str]] = Counter()
    failures = 0
    idle: SimpleQueue[Worker] = SimpleQueue()
    workers = [Worker() for _ in range(arguments.workers)]
    for worker in workers:
        idle.put(worker)
    kept = Path(tempfile.mkdtemp(prefix="fuzz-media-"))

    def attempt(number: int) -> tuple[Path, Path, str, str]:
        rng = random.Random(f"{arguments.seed}-{number}")
        clip = clips[number % len(clips)]
        path = kept / f"{number}{clip.suffix}"
        path.write_bytes(spoil(clip.read_bytes(), rng))
        worker = idle.get()
        try:
            return clip, path, *worker.extract(path)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(arguments.workers) as pool:
        for clip, path, outcome, said in pool.map(attempt, range(arguments.count)):
            outcomes[clip.suffix, outcome] += 1
            if outcome in ("windows", "error"):
                path.unlink()
                continue
            failures += 1
            print(f"{path}: {outcome}: {said}", flush=True)
    for worker in workers:
        worker.close()
    rows = [(*key, count) for key, count in sorted(outcomes.items())]
    for row in rows:
        print(*row, sep="\t")
    if arguments.out:
        with arguments.out.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([("format", "outcome", "files"), *rows])
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
