"""What words without meaning cost a voice of unseen RAVDESS actors, by the shipped checkpoint.

    python benchmarks/meaningless_words.py DATA

Each take is answered by the voice alone, and again with words that say nothing of what is felt: the
statement that is spoken, of which RAVDESS has two for all emotions, the other one, "la la la", and
random function words. As they are and adapted to each actor. Writes
benchmarks/results/meaningless_words.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

import affuse
from affuse.extract.features import ClipFeatures
from affuse.extract.text.meaning import say_something
from affuse.extract.text.transcript import Transcript
from affuse.files import write_atomic
from affuse.readers.composed_sources import Piece
from affuse.readers.composed_voices import acted_voices
from affuse.report.csv_tables import csv_text
from affuse.samples import FloatArray, Sample
from strangers import accuracy, uar
from voices_left_out import plain_of

RESULTS = Path(__file__).parent / "results" / "meaningless_words.csv"
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
FUNCTION = (
    *("the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "be"),
    *("by", "on", "at", "from", "or", "an", "which", "this"),
)
Say = Callable[[Piece, np.random.Generator], str]
WORDS: dict[str, Say] = {
    "none": lambda *_: "",
    "the statement": lambda piece, _: STATEMENTS[piece.id.split("-")[4]],
    "the other statement": lambda piece, _: STATEMENTS[
        "02" if piece.id.split("-")[4] == "01" else "01"
    ],
    "la la la": lambda *_: "la la la la la la",
    "function words": lambda _, rng: " ".join(rng.choice(FUNCTION, 6)),
}


def with_words(reader: ClipFeatures, piece: Piece, voice: FloatArray, text: str) -> Sample:
    """A take with words, as a clip of 3 s with that transcript would have them."""
    words = Transcript.of_text(text).spread(3.0).words if text else ()
    # As beside a voice, which is there already.
    words = words if say_something(words, reader.text) else ()
    sample = reader.sample_of(piece.id, 0.0, np.zeros(0, np.float32), [], words)
    times = {**sample.times, "audio": np.zeros(len(voice), np.float32)}
    return Sample(piece.id, {**sample.sequences, "audio": voice}, times=times, text=sample.text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", default="emotion")
    arguments = parser.parse_args()
    predictor = affuse.load(arguments.checkpoint)
    reader = predictor.extractor().features
    heard, _ = acted_voices(arguments.data, ["ravdess"], reader, polar=False)
    takes = [p for p in plain_of(arguments.data, "ravdess", heard) if p.part == "test"]
    true, rows = [take.label for take in takes], []
    for adapted in ("none", "speaker"):
        alone, plain = 0.0, dict[str, str]()
        voices = {
            speaker: predictor.usual["audio"].shift(
                [t.features for t in takes if t.group == speaker] if adapted == "speaker" else []
            )
            for speaker in {take.group for take in takes}
        }
        for name, say in WORDS.items():
            rng, said = np.random.default_rng(0), []
            for take in takes:
                voice = voices[take.group].apply(take.features)
                sample = with_words(reader, take, voice, say(take, rng))
                known = take.id if "text" not in sample.sequences else ""
                top = plain.get(known) or predictor.predict_sample(sample).top or ""
                said.append(top)
                if known:
                    plain[known] = top
            right = accuracy(said, true)
            alone = right if name == "none" else alone
            rows.append(
                {
                    "adapted_to": adapted,
                    "words": name,
                    "takes": len(takes),
                    "accuracy": round(right, 4),
                    "uar": round(uar(said, true), 4),
                    "points_below_voice_alone": round(100 * (alone - right), 1),
                }
            )
            print(rows[-1], flush=True)
    write_atomic(RESULTS, csv_text(tuple(rows[0]), rows).encode())


if __name__ == "__main__":
    main()
