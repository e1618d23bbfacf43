"""Whether HCT-MG reads more from streams than from statistics of the same features.

    python benchmarks/streams_pay.py DATA [--only NAME ...] [--jobs N]

Each corpus is there twice: as it was read, and with every stream of several steps replaced by one
step of its mean, its deviation and its mean change from step to step. The same model with the same
settings learns from both, five seeds of each fold, and the difference is taken over seeds and
groups as every table does. Voices are two streams, descriptors and a speech encoder's states,
beside the one step of RAVDESS' faces; words are those of a text encoder's tokens, beside IEMOCAP's
eight numbers of sound. Runs are kept in build/streams and taken up again. Writes
benchmarks/results/streams_pay.csv.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import affuse
from affuse.files import write_atomic
from affuse.report.csv_tables import csv_text
from affuse.samples import Corpus, FloatArray, Sample, Split, widths_of
from affuse.training.presets import load_preset
from paired_runs import MODEL, SEEDS, compared, scores_of
from tables import keep, told

ROOT = Path(__file__).parent
RESULTS, KEPT = ROOT / "results" / "streams_pay.csv", ROOT.parent / "build" / "streams"
METRICS = ("accuracy", "uar")
COLUMNS = ("corpus", "metric", "streams", "statistics", "difference", "low", "high", "seeds")


def preset(name: str) -> dict[str, Any]:
    found = load_preset(name)
    return {**found.shared, **found.models.get(MODEL, {})}


def ravdess(data: Path, audio: str, pool: int) -> Corpus:
    """Two folds of four: six men are tested, then six women."""
    corpus = affuse.load_corpus("ravdess", data / "ravdess", audio=audio, pool=pool)
    return replace(corpus, folds=corpus.folds[:2])


def nemo(data: Path, audio: str, pool: int) -> Corpus:
    """The folder as one's own clips, in three folds by speaker."""
    folder = KEPT / "nemo clips"
    if not (folder / "metadata.csv").exists():
        shutil.copytree(data / "voices" / "nemo", folder, dirs_exist_ok=True)
        with (folder / "labels.csv").open(encoding="utf-8-sig", newline="") as table:
            takes = list(csv.DictReader(table))
        rows = [(f"{take['id']}.opus", take["speaker_id"], take["emotion"]) for take in takes]
        columns = ("file_name", "speaker", "emotion")
        described = [dict(zip(columns, row, strict=True)) for row in rows]
        (folder / "labels.csv").unlink()
        write_atomic(folder / "metadata.csv", csv_text(columns, described).encode())
    asked = {"modalities": ("audio",), "audio": audio, "pool": pool, "folds": 3}
    return affuse.load_corpus("clips", folder, **asked)


def two_streams(read: Callable[[Path, str, int], Corpus], data: Path) -> Corpus:
    """Voices as descriptors and a speech encoder's states, ten steps a second of each."""
    ours, other = read(data, "frames", 10), read(data, "speech", 5)
    states = {s.id: s.sequences["audio"] for split in other.folds for s in split.samples()}

    def joined(sample: Sample) -> Sample:
        streams = {"descriptors": sample.sequences["audio"], "states": states[sample.id]}
        faces = {m: x for m, x in sample.sequences.items() if m == "vision"}
        return replace(sample, sequences={**streams, **faces}, times={}, text="")

    folds = each_sample(ours, joined)
    widths = widths_of(folds[0].samples(), ("descriptors", "states", "vision"))
    return replace(ours, folds=folds, widths=widths, features=dict.fromkeys(widths, ours.name))


def iemocap(data: Path) -> Corpus:
    return affuse.load_corpus("iemocap", data / "iemocap", layers=[2, 4, 6])


CORPORA: dict[str, tuple[Callable[[Path], Corpus], dict[str, Any]]] = {
    "RAVDESS, voice and face": (partial(two_streams, ravdess), preset("clips-medium")),
    "nEMO, voice": (partial(two_streams, nemo), preset("clips-medium")),
    "IEMOCAP, words and numbers": (iemocap, preset("iemocap")),
}


def each_sample(corpus: Corpus, change: Callable[[Sample], Sample]) -> tuple[Split, ...]:
    """The folds with every sample changed, once."""
    changed = cache(lambda name: change(named[name]))
    named = {s.id: s for split in corpus.folds for s in split.samples()}
    return tuple(
        Split(*([changed(sample.id) for sample in part] for part in split.parts().values()))
        for split in corpus.folds
    )


def statistics_of(steps: FloatArray) -> FloatArray:
    """One step `(1, 3 D)` of a stream `(T, D)`; a single step stays."""
    if len(steps) == 1:
        change = np.zeros_like(steps[0])
    else:
        change = np.abs(np.diff(steps, axis=0)).mean(axis=0)
    return np.hstack([steps.mean(axis=0), steps.std(axis=0), change])[None].astype(np.float32)


def summarised(corpus: Corpus) -> Corpus:
    """The corpus with statistics instead of streams."""
    samples = [s for split in corpus.folds for s in split.samples()]
    long = {m for s in samples for m, steps in s.sequences.items() if len(steps) > 1}

    def brief(sample: Sample) -> Sample:
        kept = {
            m: statistics_of(steps) if m in long else steps for m, steps in sample.sequences.items()
        }
        return replace(sample, sequences=kept, times={})

    folds = each_sample(corpus, brief)
    widths = widths_of(folds[0].samples(), tuple(corpus.widths))
    features = {m: f"statistics: {name}" for m, name in corpus.features.items()}
    name = f"{corpus.name}, statistics"
    return replace(corpus, name=name, widths=widths, folds=folds, features=features)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--jobs", type=int, default=None)
    asked = parser.parse_args()
    for name in asked.only:
        read, settings = CORPORA[name]
        corpus = read(asked.data)
        forms = {"streams": corpus, "statistics": summarised(corpus)}
        streams, statistics = (
            scores_of(given, settings, METRICS, KEPT / f"{name}, {form}", asked.jobs)
            for form, given in forms.items()
        )
        rows = [
            told(COLUMNS, name, metric, *compared(streams[metric], statistics[metric]), SEEDS)
            for metric in METRICS
        ]
        keep(RESULTS, COLUMNS, rows, key=("corpus",))


if __name__ == "__main__":
    main()
