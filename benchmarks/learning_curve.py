"""How many clips it takes: voices of RAVDESS and nEMO, 50 to 800 of them, speakers apart.

    python benchmarks/learning_curve.py DATA

Voices are those of the corpus `composed`, statistics of descriptors and of a speech encoder's
states, without adaptation. Training clips are drawn from all speakers but those that are tested,
a fifth of them validates, and the model and its settings are those of a folder of so many clips.
It begins anew, and with what the voices of two other corpora have taught. Writes
benchmarks/results/learning_curve.csv.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import affuse
import voices_left_out
from affuse.extract.features import ClipFeatures, ClipSettings
from affuse.files import write_atomic
from affuse.readers.composed_sources import EMOTIONS
from affuse.readers.composed_voices import VOICES, acted_voices
from affuse.report.csv_tables import csv_text
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import Classification

RESULTS = Path(__file__).parent / "results" / "learning_curve.csv"
PRESETS = Path(affuse.__file__).parent / "training" / "presets"
COUNTS, DRAWS = (50, 100, 200, 400, 800), 3
SETTINGS = {**voices_left_out.SETTINGS, "members": 1, "epochs": 12}


def settings_for(count: int) -> dict[str, Any]:
    name = "clips-small" if count < 500 else "clips-medium"
    return dict(yaml.safe_load((PRESETS / f"{name}.yaml").read_text())["shared"])


def samples_of(data: Path, corpus: str) -> tuple[list[Sample], list[Sample], Classification]:
    """Those of speakers that may train, and of those that are tested."""
    reader = ClipFeatures(ClipSettings(audio="summary"))
    pieces, _ = acted_voices(data, [corpus], reader, polar=False)
    plain = voices_left_out.plain_of(data, corpus, pieces)
    labels = tuple(sorted({piece.label for piece in plain}))
    samples = voices_left_out.samples_of(plain, labels)
    tested = {piece.group for piece in plain if piece.part != "train"}
    learnt = [sample for sample in samples if sample.group not in tested]
    return learnt, [s for s in samples if s.group in tested], Classification(labels)


def pretrained(data: Path, corpus: str, width: int, out: Path) -> Path:
    """A model of the two other corpora's voices, as they are, disturbed, and taken to speakers."""
    reader = ClipFeatures(ClipSettings(audio="summary"))
    pieces, _ = acted_voices(data, [c for c in VOICES if c != corpus], reader, polar=False)
    train = voices_left_out.samples_of([piece for piece in pieces if piece.part != "valid"])
    valid = voices_left_out.samples_of([piece for piece in pieces if piece.part == "valid"])
    widths = {"audio": pieces[0].features.shape[1]}
    # The test part, which a corpus must have, stays closed.
    split = Split(train, valid, valid[:1])
    others = Corpus("other voices", Classification(EMOTIONS), widths, (split,))
    affuse.train(others, "unimodal", out=out, progress=False, **{**SETTINGS, "width": width})
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    data, rows = parser.parse_args().data, []
    with tempfile.TemporaryDirectory() as place:
        for name in ("ravdess", "nemo"):
            learnt, tested, task = samples_of(data, name)
            for count in COUNTS:
                settings = settings_for(count)
                begun = Path(place) / f"{name}-{settings['width']}"
                if not begun.exists():
                    pretrained(data, name, settings["width"], begun)
                for draw in range(DRAWS):
                    chosen = np.random.default_rng(draw).permutation(len(learnt))[:count]
                    drawn = [learnt[row] for row in chosen]
                    split = Split(drawn[count // 5 :], drawn[: count // 5], tested)
                    widths = {"audio": drawn[0].sequences["audio"].shape[1]}
                    corpus = Corpus(f"{name}, {count} clips", task, widths, (split,))
                    row = {"corpus": name, "clips": count, "draw": draw}
                    for begins, init in (("anew", ""), ("other voices", str(begun))):
                        asked = {**settings, "init": init, "seed": draw, "progress": False}
                        run = affuse.train(corpus, "unimodal", **asked)
                        uar = affuse.evaluate(run, corpus).to_dict()["metrics"]["uar"]
                        rows.append({**row, "begins": begins, "uar": round(uar, 4)})
                        print(rows[-1], flush=True)
    write_atomic(RESULTS, csv_text(("corpus", "clips", "draw", "begins", "uar"), rows).encode())


if __name__ == "__main__":
    main()
