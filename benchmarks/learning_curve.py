"""How many clips it takes: voices of RAVDESS and nEMO, words of CH-SIMS, 50 to 800, groups apart.

    python benchmarks/learning_curve.py DATA [--only ravdess nemo sims]

Voices are those of the corpus `composed`, statistics of descriptors and of a speech encoder's
states, without adaptation. Training clips are drawn from all speakers but those that are tested,
a fifth of them validates, and the model and its settings are those of a folder of so many clips.
It begins anew, and with what the voices of two other corpora have taught. Words are the translated
lines of Chinese dramas, whose sentiment is told by a model of words alone that begins anew, and
with the checkpoint that comes with affuse, which has not seen them. Writes
benchmarks/results/learning_curve.csv.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import affuse
import voices_left_out
from affuse.extract.features import ClipFeatures, ClipSettings
from affuse.extract.text import encode_corpus
from affuse.extract.text.minilm import PACKED_LAYERS
from affuse.readers.composed_sources import EMOTIONS
from affuse.readers.composed_voices import VOICES, acted_voices
from affuse.samples import Corpus, Sample, Split, widths_of
from affuse.tasks import Classification, Regression
from affuse.training.presets import load_preset
from tables import Row, keep, told

RESULTS = Path(__file__).parent / "results" / "learning_curve.csv"
COUNTS, DRAWS = (50, 100, 200, 400, 800), 3
COLUMNS = ("corpus", "clips", "draw", "begins", "metric", "value")
SETTINGS = {**voices_left_out.SETTINGS, "members": 1, "epochs": 12}


def settings_for(count: int) -> dict[str, Any]:
    name = "clips-small" if count < 500 else "clips-medium"
    return dict(load_preset(name).shared)


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


def voices(name: str, data: Path) -> Iterator[Row]:
    learnt, tested, task = samples_of(data, name)
    whole = Corpus(name, task, widths_of(tested), (Split(learnt, learnt[:1], tested),))
    with tempfile.TemporaryDirectory() as place:
        for count in COUNTS:
            width = settings_for(count)["width"]
            begun = Path(place) / str(width)
            if not begun.exists():
                pretrained(data, name, width, begun)
            yield from curve(whole, count, {"anew": "", "other voices": str(begun)}, "uar")


def words(data: Path) -> Iterator[Row]:
    with (data / "text" / "sims.csv").open(encoding="utf-8-sig", newline="") as table:
        lines = [line for line in csv.DictReader(table) if line["text_en"].strip()]
    reader = ClipFeatures(ClipSettings(text="minilm8", layers=PACKED_LAYERS, audio="summary"))
    encoded = encode_corpus([line["text_en"] for line in lines], reader.text)
    parts: dict[str, list[Sample]] = {"train": [], "valid": [], "test": []}
    for line, steps in zip(lines, encoded, strict=True):
        value = np.array([float(line["label"]) * 3], np.float32)
        parts[line["split"]].append(Sample(line["id"], {"text": steps}, value))
    features = {"text": reader.versions["text"]}
    task, widths = Regression(-3.0, 3.0), widths_of(parts["test"])
    whole = Corpus("sims", task, widths, (Split(**parts),), features=features)
    for count in COUNTS:
        yield from curve(whole, count, {"anew": "", "shipped": "shipped"}, "acc2_nonzero")


def curve(whole: Corpus, count: int, begins: dict[str, str], metric: str) -> Iterator[Row]:
    """What so many of the training samples teach, a fifth of which validate, in each draw."""
    (split,) = whole.folds
    for draw in range(DRAWS):
        chosen = np.random.default_rng(draw).permutation(len(split.train))[:count]
        drawn = [split.train[row] for row in chosen]
        part = Split(drawn[count // 5 :], drawn[: count // 5], split.test)
        corpus = replace(whole, name=f"{whole.name}, {count} clips", folds=(part,))
        for way, init in begins.items():
            asked = {**settings_for(count), "init": init, "seed": draw, "progress": False}
            run = affuse.train(corpus, "unimodal", **asked)
            value = affuse.evaluate(run, corpus).to_dict()["metrics"][metric]
            yield told(COLUMNS, whole.name, count, draw, way, metric, round(value, 4))


CURVES: dict[str, Callable[[Path], Iterator[Row]]] = {
    "ravdess": partial(voices, "ravdess"),
    "nemo": partial(voices, "nemo"),
    "sims": words,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=CURVES, default=list(CURVES))
    asked = parser.parse_args()
    for name in asked.only:
        keep(RESULTS, COLUMNS, list(CURVES[name](asked.data)), key=("corpus",))


if __name__ == "__main__":
    main()
