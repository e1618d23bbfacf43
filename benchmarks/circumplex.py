"""How well the shipped checkpoint tells valence and arousal, by source and modality.

    python benchmarks/circumplex.py DATA [--checkpoint FOLDER] [--card FILE]

DATA is the folder that `make checkpoints` takes. Of the test parts: words of EmoBank, IEMOCAP and
MUStARD++ against what people rated; voices of RAVDESS, nEMO and SAVEE (each as it is and taken to
its speaker) and faces of FER+ against the norms of their emotions; and clips composed of all three,
by each modality and by all, where `all` is also compared with the best of them on the same clips.
Beside the checkpoint stand the mean of the training part (trivial) and a ridge regression on the
means of the same features, whose penalty validation chooses. Writes
benchmarks/results/circumplex.csv; with --card, what the checkpoint says of each source goes into a
model card, such as src/affuse/checkpoints/circumplex/README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import affuse
from affuse.evaluation.bootstrap import FoldAnswers, paired_bootstrap, resampled_scores
from affuse.extract.features import ClipFeatures, ClipSettings
from affuse.files import write_atomic
from affuse.metrics.scores import score_outputs
from affuse.readers.circumplex import NAMES, NORMS
from affuse.readers.composed_sources import Piece, fer_faces
from affuse.readers.composed_voices import acted_voices
from affuse.readers.registry import load_corpus
from affuse.report.csv_tables import csv_text
from affuse.runtime.bundle import Session
from affuse.samples import Sample, targets_of
from affuse.tasks import Values
from tables import into_card

RESULTS = Path(__file__).parent / "results" / "circumplex.csv"
TASK = Values(NAMES)
TITLE = "## By source"
PENALTIES = (1e2, 3e2, 1e3, 3e3, 1e4, 3e4, 1e5)
WORDS = {"emobank": "EmoBank", "iemocap": "IEMOCAP", "mustard": "MUStARD++"}
VOICES = {"ravdess": "RAVDESS", "nemo": "nEMO", "savee": "SAVEE"}
MODALITIES = ("text", "audio", "vision")
_BATCH = 64
Array = NDArray[np.float64]
Parts = Mapping[str, Sequence[Sample]]


class Row(NamedTuple):
    """CCC, Pearson's r and MAE of one value; differences of CCCs have only `ccc`."""

    source: str
    read: str
    by: str
    value: str
    samples: int
    ccc: float
    corr: float | str
    mae: float | str
    low: float | str = ""
    high: float | str = ""


def answers(session: Session, samples: Sequence[Sample]) -> Array:
    parts = [session.run(samples[n : n + _BATCH]) for n in range(0, len(samples), _BATCH)]
    said = np.concatenate([part.prediction for part in parts])
    return np.asarray(TASK.decode(said), np.float64)


def means(samples: Sequence[Sample], read: Sequence[str]) -> Array:
    """The means over steps of what is read, side by side."""
    return np.array([np.concatenate([s.sequences[m].mean(axis=0) for m in read]) for s in samples])


def ridge(parts: Parts, read: Sequence[str]) -> Array:
    """What a ridge regression on the training part says of the test part."""
    x = {part: means(samples, read) for part, samples in parts.items()}
    y = {part: targets_of(samples).astype(np.float64) for part, samples in parts.items()}
    mean, scale = x["train"].mean(axis=0), x["train"].std(axis=0) + 1e-6
    x = {part: (values - mean) / scale for part, values in x.items()}
    centre, square = y["train"].mean(axis=0), x["train"].T @ x["train"]
    with_targets = x["train"].T @ (y["train"] - centre)
    found = []
    for penalty in PENALTIES:
        weights = np.linalg.solve(square + penalty * np.eye(len(square)), with_targets)
        score = score_outputs(TASK, x["valid"] @ weights + centre, y["valid"], ["ccc_mean"])
        found.append((score["ccc_mean"], weights))
    best = max(found, key=lambda one: one[0])[1]
    return np.asarray(TASK.decode(x["test"] @ best + centre))


def scored(source: str, read: str, by: str, said: Array, true: Array) -> Iterator[Row]:
    scores = score_outputs(TASK, said, true)
    for name in (*NAMES, "mean"):
        each = (round(scores[f"{metric}_{name}"], 4) + 0.0 for metric in ("ccc", "corr", "mae"))
        yield Row(source, read, by, name, len(true), *each)


def compared(
    source: str, parts: Parts, read: Sequence[str], said: Array, models: Mapping[str, Array]
) -> Iterator[Row]:
    """The rows of a source: the checkpoint, the regressions, and the training part's mean."""
    true, name = targets_of(parts["test"]).astype(np.float64), "+".join(read)
    yield from scored(source, name, "checkpoint", said, true)
    for model, predicted in models.items():
        yield from scored(source, name, model, predicted, true)
    constant = TASK.trivial(targets_of(parts["train"]))
    yield from scored(source, name, "trivial", np.tile(constant, (len(true), 1)), true)


def alone(samples: Sequence[Sample], modality: str) -> list[Sample]:
    """What a modality of composed clips says by itself."""
    return [
        Sample(s.id, {modality: s.sequences[modality]}, s.unimodal[modality], group=s.group)
        for s in samples
        if modality in s.unimodal
    ]


def of_source(parts: Parts, begins: str) -> dict[str, list[Sample]]:
    return {part: [s for s in each if s.id.startswith(begins)] for part, each in parts.items()}


def texts(parts: Parts, session: Session) -> Iterator[Row]:
    every = {part: alone(samples, "text") for part, samples in parts.items()}
    pooled = dict(zip((s.id for s in every["test"]), ridge(every, ["text"]), strict=True))
    for begins, source in WORDS.items():
        own = of_source(every, begins)
        models = {
            "ridge": np.array([pooled[s.id] for s in own["test"]]),
            "ridge on this corpus": ridge(own, ["text"]),
        }
        yield from compared(source, own, ["text"], answers(session, own["test"]), models)


def pieces_of(modality: str, pieces: Sequence[Piece]) -> dict[str, list[Sample]]:
    parts: dict[str, list[Sample]] = {"train": [], "valid": [], "test": []}
    for number, piece in enumerate(pieces):
        name = f"{piece.group or modality} {piece.id} {number}"
        norm = np.array(NORMS[piece.label], np.float32)
        parts[piece.part].append(Sample(name, {modality: piece.features}, norm))
    return parts


def pieces(data: Path, session: Session) -> Iterator[Row]:
    reader = ClipFeatures(ClipSettings.model_validate(session.config.clip))
    voices, _ = acted_voices(data, tuple(VOICES), reader, polar=False)
    heard = pieces_of("audio", voices)
    pooled = dict(zip((s.id for s in heard["test"]), ridge(heard, ["audio"]), strict=True))
    for begins, source in VOICES.items():
        own = of_source(heard, begins)
        models = {"ridge": np.array([pooled[s.id] for s in own["test"]])}
        yield from compared(source, own, ["audio"], answers(session, own["test"]), models)
    seen = pieces_of("vision", fer_faces(data / "faces", reader, polar=False))
    models = {"ridge": ridge(seen, ["vision"])}
    yield from compared("FER+", seen, ["vision"], answers(session, seen["test"]), models)


def composed(parts: Parts, session: Session) -> Iterator[Row]:
    whole = {p: [s for s in each if len(s.sequences) == 3] for p, each in parts.items()}
    true = targets_of(whole["test"]).astype(np.float64)
    said = {}
    for read in (*((m,) for m in MODALITIES), MODALITIES):
        name = "+".join(read)
        said[name] = answers(session, [s.keep(read) for s in whole["test"]])
        models = {"ridge": ridge(whole, read)}
        yield from compared("composed", whole, read, said[name], models)

    def redrawn(predicted: Array) -> Any:
        ids, groups = [s.id for s in whole["test"]], [s.group for s in whole["test"]]
        folds = [FoldAnswers(ids, true, predicted[None], groups)]
        return resampled_scores(TASK, folds, TASK.metrics)

    best = max(MODALITIES, key=lambda m: score_outputs(TASK, said[m], true)["ccc_mean"])
    all_, single = redrawn(said["+".join(MODALITIES)]), redrawn(said[best])
    for name in (*NAMES, "mean"):
        found = paired_bootstrap(all_[f"ccc_{name}"], single[f"ccc_{name}"])
        by = f"checkpoint, all less {best} alone"
        read = "+".join(MODALITIES)
        mean, low, high = (round(x, 4) for x in (found.mean, *found.ci95))
        yield Row("composed", read, by, name, len(true), mean, "", "", low, high)


def card_section(rows: Sequence[Row]) -> str:
    """A table of the sources, by CCC and MAE."""
    heads = ("source", "read", "samples", *(f"{m} of {v}" for v in NAMES for m in ("CCC", "MAE")))
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    told = {(r.source, r.read, r.value): r for r in rows if r.by == "checkpoint"}
    for source, read in dict.fromkeys((r.source, r.read) for r in rows):
        first, *others = (told[source, read, name] for name in NAMES)
        figures = [f"{x:.3f}" for row in (first, *others) for x in (row.ccc, float(row.mae))]
        lines.append(f"| {source} | {read} | {first.samples} | {' | '.join(figures)} |")
    about = "Words against ratings, voices and faces against norms; composed clips with conflicts."
    return f"{TITLE}\n\n{about}\n\n" + "\n".join(lines) + "\n\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="a folder that affuse export wrote")
    parser.add_argument("--card", type=Path, help="a model card that the table goes into")
    arguments = parser.parse_args()
    session = affuse.load(arguments.checkpoint or "circumplex").sessions[0]
    corpus = load_corpus("composed", arguments.data, {"task": "circumplex"})
    parts = corpus.folds[0].parts()
    rows: list[Row] = []
    for found in (
        texts(parts, session),
        pieces(arguments.data, session),
        composed(parts, session),
    ):
        for row in found:
            figures = " ".join(f"{x:7.3f}" for x in row[5:] if isinstance(x, float))
            print(f"{row.source:10} {row.read:18} {row.by:34} {row.value:8} {figures}", flush=True)
            rows.append(row)
    write_atomic(RESULTS, csv_text(Row._fields, [row._asdict() for row in rows]).encode())
    if arguments.card is not None:
        into_card(arguments.card, card_section(rows))


if __name__ == "__main__":
    main()
