"""How well voices of a corpus are told that was left out of training, adapted and not.

    python benchmarks/voices_left_out.py DATA

Each of three corpora of acted voices is answered by a model of voices alone that learnt from the
two others, clean and disturbed, as they are and taken to their speakers, as those do that come with
affuse. Of its classes alone, UAR; adapted to each speaker by 5, 10, 20 or all of the speaker's
takes, and to the whole corpus. Three seeds. Writes benchmarks/results/voices_left_out.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import affuse
from affuse.extract.adaptation import Usual
from affuse.extract.features import ClipFeatures, ClipSettings
from affuse.files import write_atomic
from affuse.readers.composed_sources import EMOTIONS, Piece
from affuse.readers.composed_voices import VOICES, acted_voices
from affuse.report.csv_tables import csv_text
from affuse.samples import Corpus, FloatArray, Sample, Split
from affuse.tasks import Classification
from affuse.training.checkpoint import Checkpoint

RESULTS = Path(__file__).parent / "results" / "voices_left_out.csv"
SETTINGS = {
    "members": 2,
    "epochs": 20,
    "select": "last",
    "batch_size": 64,
    "learning_rate": 0.001,
    "average": 0.995,
    "width": 64,
    "dropout": 0.4,
    "input_dropout": 0.3,
    "label_smoothing": 0.1,
    "shift": {"audio": 0.3},
    "balance": 1.0,
    "kernel": 1,
}


def plain_of(data: Path, corpus: str, pieces: list[Piece]) -> list[Piece]:
    """Each take as it is: it comes again taken to its speaker, then both once more disturbed."""
    return pieces[: 2 * len(list(VOICES[corpus](data))) : 2]


def samples_of(pieces: list[Piece], labels: Sequence[str] = EMOTIONS) -> list[Sample]:
    return [
        Sample(
            f"{number} {piece.group} {piece.id}",
            {"audio": piece.features},
            np.array([labels.index(piece.label)], np.float32),
            group=piece.group,
        )
        for number, piece in enumerate(pieces)
    ]


def adapted(pieces: list[Piece], usual: Usual, count: int | None) -> list[FloatArray]:
    """Features taken to each speaker, by so many of the speaker's takes, their own among them."""
    rng, found = np.random.default_rng(0), []
    for piece in pieces:
        own = [other.features for other in pieces if other.group == piece.group]
        if count is not None:
            rows = rng.permutation(len(own))[: count - 1]
            own = [piece.features, *(own[row] for row in rows)]
        found.append(usual.shift(own).apply(piece.features))
    return found


def uar(run: Checkpoint, features: list[FloatArray], labels: list[str]) -> float:
    """Of the classes that occur."""
    from affuse.evaluation.held_out import run_model

    samples = [Sample(str(n), {"audio": x}) for n, x in enumerate(features)]
    said = run_model(run.model, run.prepare(samples)).prediction
    known = sorted({EMOTIONS.index(label) for label in labels})
    top = np.array(known)[np.asarray(said)[:, known].argmax(axis=1)]
    true = np.array([EMOTIONS.index(label) for label in labels])
    return float(np.mean([(top[true == label] == label).mean() for label in known]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    data, rows = parser.parse_args().data, []
    reader = ClipFeatures(ClipSettings(audio="summary"))
    for left_out in VOICES:
        others = [name for name in VOICES if name != left_out]
        learnt, usual = acted_voices(data, others, reader, polar=False)
        tested, _ = acted_voices(data, [left_out], reader, polar=False)
        tested = plain_of(data, left_out, tested)
        train = samples_of([piece for piece in learnt if piece.part != "valid"])
        valid = samples_of([piece for piece in learnt if piece.part == "valid"])
        widths = {"audio": tested[0].features.shape[1]}
        split = Split(train, valid, valid[:1])
        corpus = Corpus(f"without {left_out}", Classification(EMOTIONS), widths, (split,))
        labels = [piece.label for piece in tested]
        forms = {"none": [piece.features for piece in tested]}
        forms |= {f"speaker, {n} takes": adapted(tested, usual, n) for n in (5, 10, 20)}
        forms["speaker, all takes"] = adapted(tested, usual, None)
        shift = usual.shift([piece.features for piece in tested])
        forms["corpus"] = [shift.apply(piece.features) for piece in tested]
        for seed in range(3):
            run = affuse.train(corpus, "unimodal", seed=seed, progress=False, **SETTINGS)
            for form, features in forms.items():
                row = {"left_out": left_out, "adapted_to": form, "seed": seed}
                rows.append({**row, "uar": round(uar(run, features, labels), 4)})
                print(rows[-1], flush=True)
    write_atomic(RESULTS, csv_text(("left_out", "adapted_to", "seed", "uar"), rows).encode())


if __name__ == "__main__":
    main()
