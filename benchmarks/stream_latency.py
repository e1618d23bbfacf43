"""How late the answers of `affuse predict --stream` are, as a recording arrives while it is spoken.

    python benchmarks/stream_latency.py path/to/clips [--seconds 60] [--out FILE.csv]

The clips, one after the other, become a Matroska stream of 640 by 480, whose bytes are written to
the command's standard input when the picture that they complete would have been taken. `late` is
from the moment at which the last picture of a window was written to the answer for that window;
`said` the latency that the answer itself reports, from when its window was complete.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

import av

from affuse.files import write_atomic
from extraction_speed import make_recording

TRANSCRIPT = "1\n00:00:00,000 --> 00:00:03,000\nbin blue at f two now\n"


def packets(recording: Path) -> list[tuple[float, bytes]]:
    """The recording as Matroska: pieces of the stream, and the second at which each is complete."""
    pieces: list[tuple[float, bytes]] = []
    sink = io.BytesIO()
    with (
        av.open(str(recording)) as source,
        av.open(
            sink, "w", format="matroska", options={"live": "1", "cluster_time_limit": "0"}
        ) as out,
    ):
        streams: dict[int, Any] = {
            s.index: out.add_stream_from_template(s)
            for s in (*source.streams.video, *source.streams.audio)
        }
        end, written = 0.0, 0
        for packet in source.demux():
            if packet.dts is None:
                continue
            assert packet.pts is not None
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
            pieces.append((end, sink.getvalue()[written:]))
            written = len(sink.getvalue())
    pieces.append((end, sink.getvalue()[written:]))
    return pieces


def feed(pieces: list[tuple[float, bytes]], pipe: IO[bytes], began: list[float]) -> None:
    """Write each piece at its time; the clock starts with the first."""
    began.append(time.monotonic())
    for moment, piece in pieces:
        time.sleep(max(0.0, began[0] + moment - time.monotonic()))
        pipe.write(piece)
        pipe.flush()
    pipe.close()


def answers(
    pieces: list[tuple[float, bytes]], transcript: Path
) -> list[tuple[float, float, float]]:
    """End of the window, seconds late, and latency as reported, for each answer."""
    program = Path(sys.executable).with_name("affuse")
    command = [program, "predict", "--stream", "-", "--json", "--transcript", transcript]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    # As where the command runs before the camera: else the first answer waits for imports.
    time.sleep(5)
    began: list[float] = []
    threading.Thread(target=feed, args=(pieces, process.stdin, began), daemon=True).start()
    found = []
    for line in process.stdout:
        content = json.loads(line)
        end = content["end"]
        found.append((end, time.monotonic() - began[0] - end, content["latency"]))
    if process.wait():
        raise SystemExit(f"affuse predict --stream ended with {process.returncode}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clips", type=Path, help="a folder of .mpg")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording, transcript = Path(folder) / "stream.mp4", Path(folder) / "said.srt"
        make_recording(sorted(arguments.clips.glob("*.mpg")), arguments.seconds, recording)
        transcript.write_text(TRANSCRIPT)
        found = answers(packets(recording), transcript)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("latency", "answers", "median_s", "p95_s", "highest_s"))
    for name, column in (("late", 1), ("said", 2)):
        values = sorted(row[column] for row in found)
        high = values[min(len(values) - 1, round(0.95 * len(values)))]
        row = (statistics.median(values), high, values[-1])
        writer.writerow((name, len(values), *(f"{value:.2f}" for value in row)))
    print(text.getvalue(), end="")
    if arguments.out:
        write_atomic(arguments.out, text.getvalue().encode())


if __name__ == "__main__":
    main()
