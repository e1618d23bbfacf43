"""Write a corpus as a MulT pickle, which `affuse.corpora.mult` and the field's tools read."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from affuse.corpora.corpus import Corpus
from affuse.corpora.padded import MODALITIES
from affuse.errors import InputError
from affuse.samples import FloatArray, Sample
from affuse.tasks import Regression


def to_mult_pickle(corpus: Corpus) -> bytes:
    """The content of a MulT pickle.

    Each part has text, audio and vision `(N, T, D)`, padded with zeros at the end, labels
    `(N, 1, 1)` and ids, triples of the sample's name, 0 and the second at which its last step
    starts. Times and planted truth have no place in this format.

    Raises:
        InputError: the corpus is not one split of sentiment in [-3, 3] from text, audio and
            vision.
    """
    if (
        corpus.task != Regression(-3.0, 3.0)
        or set(corpus.widths) != set(MODALITIES)
        or len(corpus.folds) != 1
    ):
        raise InputError(
            "only one split of sentiment in [-3, 3] from text, audio and vision has a MulT file",
            remedy="choose another corpus",
            source=corpus.name,
        )
    parts = corpus.folds[0].parts()
    everything = [sample for samples in parts.values() for sample in samples]
    steps = {
        m: max((len(s.sequences[m]) for s in everything if m in s.sequences), default=1)
        for m in MODALITIES
    }
    return pickle.dumps(
        {
            name: {
                **{m: _padded(samples, m, steps[m], corpus.widths[m]) for m in MODALITIES},
                "labels": np.stack([_label(s, corpus.name) for s in samples])[:, :, None],
                "id": np.array([_identity(s) for s in samples]),
            }
            for name, samples in parts.items()
        },
        protocol=4,
    )


def _padded(samples: Sequence[Sample], modality: str, steps: int, width: int) -> FloatArray:
    padded = np.zeros((len(samples), steps, width), dtype=np.float32)
    for row, sample in enumerate(samples):
        if modality in sample.sequences:
            sequence = sample.sequences[modality]
            padded[row, : len(sequence)] = sequence
    return padded


def _label(sample: Sample, source: str) -> Any:
    if sample.target is None:
        raise InputError(f"sample '{sample.id}' has no label", remedy="give it one", source=source)
    return sample.target


def _identity(sample: Sample) -> list[bytes]:
    last = max((float(times[-1]) for times in sample.times.values()), default=0.0)
    return [sample.id.encode(), b"0", f"{last:.2f}".encode()]
