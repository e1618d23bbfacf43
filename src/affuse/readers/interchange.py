"""A corpus as other tools read it: Parquet, a Hugging Face dataset, pickles of MulT and MMSA.

The first fold is written: a file for all parts, or a file a part.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import InputError
from affuse.files import make_folder, write_atomic
from affuse.optional import require
from affuse.readers.pickles.mult_format import to_mult_pickle
from affuse.samples import Corpus, Sample, Split, pad_sequences
from affuse.tasks import BinaryLabels, Classification, Regression, Values

# Names of parts as `datasets` has them.
_CALLED = {"train": "train", "valid": "validation", "test": "test"}
_SENTIMENT = Regression(-3.0, 3.0)
_SIGNS = ("Negative", "Neutral", "Positive")


def write_corpus(corpus: Corpus, out: Path, form: str) -> list[Path]:
    """Write the first fold of a corpus to the folder `out`, which is made.

    | form | what is written |
    |---|---|
    | `parquet` | `corpus.parquet`: a row a sample, with its part |
    | `hf` | a folder that `datasets.load_dataset` reads: `data/*.parquet` and `README.md` |
    | `mult`, `mmsa` | `mult.pkl`, `mmsa.pkl` of values, brought to [-3, 3] from their own range |

    Returns:
        The files.

    Raises:
        InputError: a form that does not have what the corpus is.
    """
    make_folder(out)
    return _WRITERS[form](corpus, out)


def _parquet(corpus: Corpus, out: Path) -> list[Path]:
    parts = corpus.folds[0].parts().items()
    rows = [{"part": part, **_row(corpus, s)} for part, found in parts for s in found]
    return [_write_parquet(out / "corpus.parquet", rows)]


def _hugging_face(corpus: Corpus, out: Path) -> list[Path]:
    make_folder(out / "data")
    files = [
        _write_parquet(
            out / "data" / f"{_CALLED[part]}-00000-of-00001.parquet",
            [_row(corpus, sample) for sample in found],
        )
        for part, found in corpus.folds[0].parts().items()
    ]
    card = out / "README.md"
    lines = "\n".join(f"- {m}: {name}" for m, name in corpus.features.items())
    what = f"Features of {corpus.name}, extracted by affuse.\n\n{lines}\n"
    write_atomic(card, f"---\ntags: [affect]\n---\n\n# {corpus.name}\n\n{what}".encode())
    return [*files, card]


def _row(corpus: Corpus, sample: Sample) -> dict[str, Any]:
    row: dict[str, Any] = {"id": sample.id, "group": sample.group, "text": sample.text}
    row |= _label(corpus, sample)
    for modality in corpus.modalities:
        steps, times = sample.sequences.get(modality), sample.times.get(modality)
        row[f"{modality}_features"] = None if steps is None else list(steps)
        row[f"{modality}_seconds"] = None if times is None else times
    return row


def _label(corpus: Corpus, sample: Sample) -> dict[str, Any]:
    target, task = sample.target, corpus.task
    if isinstance(task, BinaryLabels):
        flags = [None] * len(task.labels) if target is None else map(int, target)
        return dict(zip(task.labels, flags, strict=True))
    if isinstance(task, Values):
        told = [np.nan] * len(task.names) if target is None else target.tolist()
        values = [None if np.isnan(value) else value for value in told]
        return dict(zip(task.names, values, strict=True))
    if target is None:
        return {"label": None}
    named = isinstance(task, Classification)
    return {"label": task.labels[int(target[0])] if named else float(target[0])}  # type: ignore[attr-defined]


def _write_parquet(file: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    arrow = require("pyarrow", extra="parquet")
    parquet = require("pyarrow.parquet", extra="parquet")
    steps = arrow.list_(arrow.list_(arrow.float32()))
    kinds = {"features": steps, "seconds": arrow.list_(arrow.float32())}
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    typed = {
        name: arrow.array(cells, kinds.get(name.rpartition("_")[2]) if "_" in name else None)
        for name, cells in columns.items()
    }
    content = io.BytesIO()
    parquet.write_table(arrow.table(typed), content)
    write_atomic(file, content.getvalue())
    return file


def _mult(corpus: Corpus, out: Path) -> list[Path]:
    file = out / "mult.pkl"
    write_atomic(file, to_mult_pickle(_as_sentiment(corpus)))
    return [file]


def _mmsa(corpus: Corpus, out: Path) -> list[Path]:
    corpus = _as_sentiment(corpus)
    steps = {
        m: max(len(s.sequences.get(m, ())) for s in corpus.folds[0].samples())
        for m in corpus.widths
    }
    content = {
        part: _mmsa_part(corpus, samples, steps)
        for part, samples in corpus.folds[0].parts().items()
    }
    file = out / "mmsa.pkl"
    write_atomic(file, pickle.dumps(content, protocol=4))
    return [file]


def _mmsa_part(
    corpus: Corpus, samples: Sequence[Sample], steps: Mapping[str, int]
) -> dict[str, Any]:
    values = np.array([float(s.target[0]) for s in samples if s.target is not None], np.float32)
    part: dict[str, Any] = {
        "raw_text": np.array([s.text or "" for s in samples]),
        "id": np.array([f"{s.group or s.id}$_${s.id}" for s in samples]),
        "regression_labels": values,
        "classification_labels": np.sign(values) + 1,
        "annotations": np.array(["Negative", "Neutral", "Positive"])[
            np.sign(values).astype(int) + 1
        ],
    }
    for modality, width in corpus.widths.items():
        sequences = [s.sequences.get(modality) for s in samples]
        part[modality] = pad_sequences(sequences, width, steps[modality])
        part[f"{modality}_lengths"] = np.array([0 if x is None else len(x) for x in sequences])
    return part


def _as_sentiment(corpus: Corpus) -> Corpus:
    """The first fold with its values brought to [-3, 3]."""
    if not isinstance(corpus.task, Regression):
        problem = "pickles of MulT and MMSA are of values"
        remedy = "use parquet or hf, or another label"
        raise InputError(problem, remedy=remedy, source=corpus.name)
    low, high = corpus.task.low, corpus.task.high

    def scaled(sample: Sample) -> Sample:
        if sample.target is None:
            problem, remedy = f"sample '{sample.id}' has no label", "give it one"
            raise InputError(problem, remedy=remedy, source=corpus.name)
        return replace(sample, target=(sample.target - low) / (high - low) * 6 - 3)

    fold = Split(*([scaled(s) for s in part] for part in corpus.folds[0].parts().values()))
    return replace(corpus, task=_SENTIMENT, folds=(fold,))


_WRITERS: Mapping[str, Callable[[Corpus, Path], list[Path]]] = {
    "parquet": _parquet,
    "hf": _hugging_face,
    "mult": _mult,
    "mmsa": _mmsa,
}
FORMS = tuple(_WRITERS)
