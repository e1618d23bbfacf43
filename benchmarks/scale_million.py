"""A table of a million clips, of which all but a thousand are answered: start, memory, end.

    python benchmarks/scale_million.py [--rows 1000000] [--left 1000]

The answers that are there are made up, in the tables that `affuse predict --parquet` writes; the
clips that are left are half a second of sound each.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "scale_million.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--left", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="where one was run before")
    asked = parser.parse_args()
    if asked.folder is not None:
        measure(asked.folder)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder, asked.rows, asked.left)
        # What preparing took of memory is not to be counted.
        subprocess.run([sys.executable, __file__, "--folder", place], check=True)


_STATE = {"size": 1, "modified": 1}


def prepare(folder: Path, rows: int, left: int) -> None:
    """Write the table, the clips that are left, and answers to all others."""
    from affuse.runtime.many_clips import ClipReader, Reading
    from affuse.runtime.predictor import Predictor
    from affuse.scale.parquet_parts import Parts
    from affuse.scale.prediction import Request, _settings
    from affuse.scale.shards import Shard, key_of
    from affuse.scale.table_rows import Columns, Rows

    paths = [f"clips/{number // 1000:04}/{number:07}.wav" for number in range(rows)]
    todo = {number * (rows // left) for number in range(left)}
    with (folder / "list.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "language"))
        table.writerows((path, "en") for path in paths)
    for number in todo:
        write_clip(folder / paths[number])
    predictor = Predictor.from_pretrained("sentiment")
    settings = _settings(ClipReader(predictor), Request((), reading=Reading()))
    parts = Parts(folder / "tables", settings, Columns.of(predictor), Shard())
    batch = Rows()
    for number, path in enumerate(paths):
        if number not in todo:
            batch.answer(key_of(str(folder / path)), made_up(path), None, _STATE)
        if len(batch) == 5000 or number == rows - 1:
            parts.add(batch)
            batch = Rows()


def write_clip(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = (np.sin(np.arange(8000) * 0.2) * 9000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(tone.tobytes())


def made_up(path: str) -> dict[str, Any]:
    answer = {"sentiment": 0.5, "emotion": None, "gate": {"text": 1.0}, "primary": "text"}
    answer |= {"conflict": 0.1, "notices": [], "interval": [0.0, 1.0]}
    window = {**answer, "start": 0.0, "end": 3.0}
    content = {"file": path, "duration": 3.0, "words": [], "timeline": [window]}
    return {**content, **answer}


def measure(folder: Path) -> None:
    """Run what is left, and print when the first clip was done, and the memory of the driver."""
    began = time.monotonic()
    from affuse.scale.prediction import Prediction, Request

    request = Request((str(folder / "list.csv"),), "sentiment", parquet=folder / "tables")
    prediction = Prediction(request)
    planned, first, processor = time.monotonic() - began, None, 0.0
    for _ in prediction.run():
        if first is None:
            first, processor = time.monotonic() - began, time.process_time()
    row = {
        "rows": prediction.total,
        "known": prediction.known,
        "answered": prediction.answered,
        "failed": prediction.failed,
        "planned_s": round(planned, 1),
        "first_answer_s": round(first or 0.0, 1),
        "first_answer_processor_s": round(processor, 1),
        "all_s": round(time.monotonic() - began, 1),
        "driver_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }
    print(row)
    with RESULTS.open("w", newline="") as file:
        table = csv.DictWriter(file, list(row))
        table.writeheader()
        table.writerow(row)


if __name__ == "__main__":
    main()
