"""How well the multilingual checkpoint reads words of other languages than it learned from.

    python benchmarks/languages.py DATA

DATA is the folder that `make checkpoints` takes. Lines of Chinese films and series (CH-SIMS and
CH-SIMS v2, their test parts), as they were spoken and as the corpora translate them, and CMU-MOSI's
official test part; words alone, by the sentiment checkpoints that come with affuse. They learned
from English texts, and CH-SIMS labels what a whole clip says. Writes
benchmarks/results/languages.csv.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import affuse
from affuse.files import write_atomic
from affuse.readers.mosi import load_utterances
from affuse.report.csv_tables import csv_text
from affuse.runtime.predictor import Predictor
from affuse.samples import FloatArray, Sample

RESULTS = Path(__file__).parent / "results" / "languages.csv"
ENGLISH, MANY = "sentiment", "multilingual"


class Row(NamedTuple):
    """Acc2 is of what is not neutral; an error in MOSI's units means nothing elsewhere."""

    corpus: str
    words: str
    checkpoint: str
    samples: int
    acc2: float
    positive: float  # the share of the positive, which a constant answer would have right
    correlation: float
    mae: float | None


class Lines(NamedTuple):
    corpus: str
    words: str  # their language
    texts: list[str]
    values: FloatArray
    checkpoints: tuple[str, ...]


def sentiments(predictor: Predictor, texts: Sequence[str]) -> FloatArray:
    """The sentiment of each text, by its words alone."""
    encoded = predictor.extractor().features.text.encode(texts)
    samples = [
        Sample(str(number), {"text": e.features}, text=text)
        for number, (e, text) in enumerate(zip(encoded, texts, strict=True))
    ]
    said = [predictor.predict_sample(sample).sentiment for sample in samples]
    return np.array(said, np.float32)


def sims(data: Path, file: str, corpus: str) -> Iterator[Lines]:
    with (data / "text" / file).open(newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "test"]
    values = np.array([float(row["label"]) for row in rows], np.float32)
    yield Lines(corpus, "Chinese", [row["text_zh"] for row in rows], values, (MANY,))
    texts = [row["text_en"] for row in rows]
    yield Lines(corpus, "English, translated", texts, values, (MANY, ENGLISH))


def mosi(data: Path) -> Lines:
    table = load_utterances(data / "mosi" / "utterances.npz")
    test = table["split_official"] == "test"
    texts, values = table["transcript"][test].tolist(), table["y_real"][test].astype(np.float32)
    return Lines("CMU-MOSI", "English", texts, values.reshape(-1), (MANY, ENGLISH))


def measured(lines: Lines, checkpoint: str, said: FloatArray) -> Row:
    clear = lines.values != 0
    right = (said > 0) == (lines.values > 0)
    positive = float((lines.values[clear] > 0).mean())
    return Row(
        *(lines.corpus, lines.words, checkpoint, len(said)),
        acc2=float(right[clear].mean()),
        positive=positive,
        correlation=float(np.corrcoef(said, lines.values)[0, 1]),
        mae=float(np.abs(said - lines.values).mean()) if lines.corpus == "CMU-MOSI" else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    predictors = {name: affuse.load(name) for name in (MANY, ENGLISH)}
    rows = []
    for lines in (
        *sims(data, "sims.csv", "CH-SIMS"),
        *sims(data, "simsv2.csv", "CH-SIMS v2"),
        mosi(data),
    ):
        for name in lines.checkpoints:
            row = measured(lines, name, sentiments(predictors[name], lines.texts))
            print(*row, flush=True)
            rows.append(row)
    table = csv_text(Row._fields, [row._asdict() for row in rows])
    write_atomic(RESULTS, table.encode())


if __name__ == "__main__":
    main()
