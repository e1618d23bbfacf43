"""How often the one that speaks is told of two people side by side.

    python benchmarks/who_speaks.py CLIPS

CLIPS is a folder of talking heads (GRID): each speaks beside each other, who moves with other words
or does not move, at either side, each as large or at 0.6 of the size. Writes
benchmarks/results/who_speaks.csv.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from pathlib import Path

from affuse.extract.clip import ClipExtractor, ClipSettings
from affuse.files import write_atomic
from affuse.report.csv_tables import csv_text

# The tests' own way to make such clips.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
from two_faces import two_faces

RESULTS = Path(__file__).parent / "results" / "who_speaks.csv"
CASES = ((False, (1.0, 1.0)), (False, (0.6, 1.0)), (False, (1.0, 0.6)), (True, (0.6, 1.0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path)
    talks = sorted(parser.parse_args().clips.glob("*.mpg"))
    extractor = ClipExtractor(ClipSettings(follow=True, expression=False))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for frozen, sizes in CASES:
            found = []
            for number, (one, other) in enumerate(itertools.permutations(talks, 2)):
                left = number % 2 == 0
                place = Path(folder) / "two.mkv"
                two_faces(place, one, other, left=left, frozen=frozen, sizes=sizes)
                window = max(extractor.windows(place), key=lambda w: w.end - w.start)
                if window.face is None:
                    found.append((False, "none"))
                    continue
                found.append(((window.face.place[0] < 0.5) == left, window.face.why))
            rows.append(
                {
                    "other": "rests" if frozen else "moves",
                    "speaker_size": sizes[0],
                    "other_size": sizes[1],
                    "clips": len(found),
                    "right": sum(right for right, _ in found),
                    "said_to_speak": sum(why == "speaks" for _, why in found),
                    "wrongly_said_to_speak": sum(w == "speaks" and not r for r, w in found),
                }
            )
            print(rows[-1], flush=True)
    write_atomic(RESULTS, csv_text(tuple(rows[0]), rows).encode())


if __name__ == "__main__":
    main()
