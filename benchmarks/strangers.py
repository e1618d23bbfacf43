"""How often the shipped checkpoints are right on recordings that they were not trained on.

    python benchmarks/strangers.py DATA

DATA is the folder that `make checkpoints` takes. Voices of RAVDESS' test actors are answered from
their recordings, alone and glued to one with short pauses, as they are and adapted; words of
CMU-MOSI's test part by the transcript alone; people who read out commands; and the test part of the
composed corpus by each of its modalities and by all. Writes benchmarks/results/strangers.csv.
"""

from __future__ import annotations

import argparse
import tempfile
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import affuse
from affuse.extract.account import Account
from affuse.extract.media.tracks import Wanted
from affuse.extract.text.transcript import Beside
from affuse.extract.voice import RATE
from affuse.extract.voice.descriptors import read_audio
from affuse.files import write_atomic
from affuse.metrics.calibration import reliability
from affuse.metrics.scores import auroc
from affuse.readers.composed_sources import EMOTIONS
from affuse.readers.composed_voices import VOICES
from affuse.readers.registry import load_corpus
from affuse.report.csv_tables import csv_text
from affuse.runtime.predictor import Predictor

RESULTS = Path(__file__).parent / "results" / "strangers.csv"
_CALLED = {"calm": "neutral", "fearful": "fear", "surprised": "surprise"}


class Row(NamedTuple):
    what: str
    samples: int
    measure: str
    value: float


def accuracy(said: Sequence[str], true: Sequence[str]) -> float:
    return float(np.mean([a == b for a, b in zip(said, true, strict=True)]))


def uar(said: Sequence[str], true: Sequence[str]) -> float:
    recalls = [
        np.mean([a == label for a, b in zip(said, true, strict=True) if b == label])
        for label in sorted(set(true))
    ]
    return float(np.mean(recalls))


def voices(data: Path, predictor: Predictor) -> Iterator[Row]:
    takes = [take for take in VOICES["ravdess"](data) if take.part == "test"]
    true = [_CALLED.get(take.label, take.label) for take in takes]
    read = []
    for take in takes:
        windows = predictor.windows(take.file, Beside(None), Wanted(), Account())
        read.append(max(windows, key=lambda w: len(w.sample.sequences)))
    for adapt in ("none", "speaker", "folder"):
        groups: dict[str, list[int]] = {}
        for number, take in enumerate(takes):
            groups.setdefault(take.speaker if adapt == "speaker" else adapt, []).append(number)
        said = [""] * len(takes)
        for rows in groups.values():
            shifts = {}
            if adapt != "none":
                own = [read[row].sample.sequences["audio"] for row in rows]
                shifts = {"audio": predictor.usual["audio"].shift(own)}
            for row in rows:
                said[row] = predictor.answer_of(read[row], shifts).top or ""
        what = f"RAVDESS, unseen actors, voice alone, adapted to {adapt}"
        yield Row(what, len(takes), "accuracy", accuracy(said, true))
        yield Row(what, len(takes), "uar", uar(said, true))


def glued(data: Path, predictor: Predictor) -> Iterator[Row]:
    """Takes of each actor in a row with pauses of 0.3 to 1 s; the middle of each speaks for it."""
    takes = [take for take in VOICES["ravdess"](data) if take.part == "test"]
    rng = np.random.default_rng(0)
    alone, together, true = [], [], []
    for speaker in sorted({take.speaker for take in takes}):
        own = [take for take in takes if take.speaker == speaker]
        own = [own[row] for row in rng.permutation(len(own))[:20]]
        parts, middles, at = [], [], 0.0
        for take in own:
            signal, _ = read_audio(take.file)
            pause = np.zeros(round(rng.uniform(0.3, 1.0) * RATE), np.float32)
            parts += [signal, pause]
            middles.append(at + len(signal) / RATE / 2)
            at += (len(signal) + len(pause)) / RATE
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "takes.wav"
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 2, RATE, 0, "NONE", ""))
                file.writeframes((np.concatenate(parts) * 32767).astype("<i2").tobytes())
            timeline = predictor.read(path, Beside(None), Wanted(), adapt="none").timeline
        for take, middle in zip(own, middles, strict=True):
            window = next(w for w in timeline if w.start <= middle < w.end)
            together.append(window.answer.top or "")
            single = predictor.read(take.file, Beside(None), Wanted(), adapt="none")
            alone.append(single.answer.top or "")
            true.append(_CALLED.get(take.label, take.label))
    for what, said in (("alone", alone), ("glued", together)):
        yield Row(
            f"RAVDESS, unseen actors, takes {what}", len(true), "accuracy", accuracy(said, true)
        )


def words(data: Path, predictor: Predictor) -> Iterator[Row]:
    corpus = load_corpus(
        "mosi", data / "mosi", {"split": "official", "text": "minilm8", "layers": [2, 4, 6]}
    )
    test = [sample for sample in corpus.folds[0].test if "text" in sample.sequences]
    answers = [predictor.predict_sample(sample.keep(("text",))) for sample in test]
    said = np.array([answer.sentiment for answer in answers], dtype=float)
    true = np.array([float(sample.target[0]) for sample in test])
    clear = true != 0
    what = "CMU-MOSI, official test part, transcript alone"
    yield Row(what, len(test), "mae", float(np.abs(said - true).mean()))
    yield Row(what, int(clear.sum()), "acc2", float(((said > 0) == (true > 0))[clear].mean()))
    held = [
        a.interval is not None and a.interval[0] <= y <= a.interval[1]
        for a, y in zip(answers, true, strict=True)
    ]
    yield Row(what, len(test), "share in 80% intervals", float(np.mean(held)))


def composed(data: Path, predictor: Predictor, task: str) -> Iterator[Row]:
    corpus = load_corpus("composed", data, {"task": task})
    test = list(corpus.folds[0].test)
    kept = [("text",), ("audio",), ("vision",), ("text", "audio", "vision")]
    for modalities in kept:
        having = [s for s in test if set(modalities) <= s.sequences.keys()]
        answers = [predictor.predict_sample(s.keep(modalities)) for s in having]
        what = f"composed, {task}, {'+'.join(modalities)}"
        if task == "emotion":
            true = [EMOTIONS[int(s.target[0])] for s in having]
            said = [a.top or "" for a in answers]
            yield Row(what, len(having), "accuracy", accuracy(said, true))
            yield Row(what, len(having), "uar", uar(said, true))
            sure = np.array([max((a.emotion or {"": 0.0}).values()) for a in answers])
            right = np.array([a == b for a, b in zip(said, true, strict=True)], dtype=float)
            yield Row(what, len(having), "calibration error", reliability(sure, right).error)
        else:
            true_values = np.array([float(s.target[0]) for s in having])
            values = np.array([a.sentiment for a in answers], dtype=float)
            yield Row(what, len(having), "mae", float(np.abs(values - true_values).mean()))
            inside = [
                a.interval[0] <= y <= a.interval[1]
                for a, y in zip(answers, true_values, strict=True)
                if a.interval
            ]
            yield Row(what, len(having), "share in 80% intervals", float(np.mean(inside)))
        if len(modalities) == 3:
            planted = np.array([bool(s.truth.get("conflict")) for s in having])
            scores = [a.leading.conflict if a.leading else None for a in answers]
            if None not in scores:
                found = np.array(scores, dtype=float)
                yield Row(what, len(having), "conflict auroc", auroc(found, planted))
                yield Row(
                    what,
                    len(having),
                    "conflict calibration error",
                    reliability(found, planted.astype(float)).error,
                )


def flat(data: Path, predictor: Predictor) -> Iterator[Row]:
    """People who read out commands, with voice and face: nobody contradicts anybody."""
    clips = sorted((data / "clips").glob("*.mpg"))
    scores = [predictor.read(c, Beside(None), Wanted()).answer.conflict for c in clips]
    known = [score for score in scores if score is not None]
    yield Row("GRID, flat speech, voice and face", len(known), "highest conflict", max(known))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoints", type=Path, help="a folder with emotion and sentiment")
    arguments = parser.parse_args()
    place = arguments.checkpoints
    emotion, sentiment = (
        affuse.load(place / name if place else name) for name in ("emotion", "sentiment")
    )
    rows: list[Row] = []
    for found in (
        composed(arguments.data, emotion, "emotion"),
        composed(arguments.data, sentiment, "sentiment"),
        words(arguments.data, sentiment),
        voices(arguments.data, emotion),
        glued(arguments.data, emotion),
        flat(arguments.data, affuse.load(place)),
    ):
        for row in found:
            print(f"{row.what:60} {row.samples:6} {row.measure:26} {row.value:.3f}", flush=True)
            rows.append(row)
    table = csv_text(Row._fields, [row._asdict() for row in rows])
    write_atomic(RESULTS, table.encode())


if __name__ == "__main__":
    main()
