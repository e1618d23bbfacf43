"""Time and memory from a clip to its features, each in a process of its own, imports included.

    python benchmarks/extraction_speed.py path/to/clips --out extraction_speed.csv

The clips are talking heads with sound (.mpg); of their frames and sound, one after the other,
recordings of 640 by 480 at 25 frames a second are made (H.264 and AAC). `first` is the time from
the start of the process to the first window. Processor seconds stand beside those of the clock,
for machines that have other things to do.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

WORDS = "bin blue at f two now "
CASES = (
    ("given transcript", 3, False),
    ("given transcript", 60, False),
    ("recognised speech", 60, True),
    ("given transcript", 600, False),
)
MEASURE = """
import json, sys, time
from pathlib import Path
started = time.perf_counter() - time.process_time()
from affuse.extract.clip import ClipExtractor, ClipSettings, Transcript
source, text, recognise = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "True"
extractor = ClipExtractor(ClipSettings(recognise=recognise))
first, count = None, 0
for window in extractor.windows(source, None if recognise else Transcript.of_text(text)):
    first = first or time.perf_counter() - started
    count += len(window.sample.sequences)
peak = next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)
print(json.dumps({"first": first, "wall": time.perf_counter() - started,
    "processor": time.process_time(), "peak_mb": int(peak.split()[1]) // 1024, "found": count}))
"""
FIELDS = ("case", "seconds", "first_s", "wall_s", "processor_s", "wall_rtf", "processor_rtf")


def make_recording(clips: list[Path], seconds: int, path: Path) -> None:
    """A recording of so many seconds; the clips follow each other until it is full."""
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = 640, 480, "yuv420p"
        audio: Any = out.add_stream("aac", rate=44_100)
        audio.layout = "stereo"
        pictures, samples = 0, 0
        for clip in itertools.cycle(clips):
            with av.open(str(clip)) as media:
                resampler = av.AudioResampler("fltp", "stereo", 44_100, frame_size=1024)
                for frame in media.decode(video=0, audio=0):
                    if isinstance(frame, av.VideoFrame):
                        frame = frame.reformat(640, 480, "yuv420p", interpolation="BICUBIC")
                        frame.pts, frame.time_base = pictures, Fraction(1, 25)
                        frame.pict_type = 0
                        pictures += 1
                        out.mux(video.encode(frame))
                        continue
                    for piece in resampler.resample(frame):
                        piece.pts, piece.time_base = samples, Fraction(1, 44_100)
                        samples += piece.samples
                        out.mux(audio.encode(piece))
            if pictures >= seconds * 25:
                break
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def measure(path: Path, seconds: int, recognise: bool) -> dict[str, Any]:
    command = [sys.executable, "-c", MEASURE, str(path), WORDS * (seconds // 3), str(recognise)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path, help="a folder of .mpg")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--longest", type=int, default=600, help="seconds of the longest recording")
    arguments = parser.parse_args()
    clips = sorted(arguments.clips.glob("*.mpg"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case, seconds, recognise in CASES:
            if seconds > arguments.longest:
                continue
            path = Path(folder) / f"{seconds}.mp4"
            if not path.exists():
                make_recording(clips, seconds, path)
            found = measure(path, seconds, recognise)
            times = [found[key] for key in ("first", "wall", "processor")]
            factors = [time / seconds for time in times[1:]]
            row = [case, seconds, *(f"{t:.2f}" for t in times), *(f"{f:.3f}" for f in factors)]
            rows.append([*row, found["peak_mb"], found["found"]])
            print(*rows[-1], sep="\t", flush=True)
    if arguments.out:
        with arguments.out.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*FIELDS, "peak_mb", "sequences"])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
