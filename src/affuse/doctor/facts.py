"""What the doctor measures: a pickle as its file stands, and a corpus as its reader returns it.

Readers mend what they can, so that what was wrong shows only in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.readers.csd.sequence_file import open_csd
from affuse.readers.pickles.padded import Steps, attention_mask, real_steps
from affuse.readers.pickles.parts import Identity, pickle_format, read_identities
from affuse.readers.pickles.splits import load_splits
from affuse.samples import (
    MODALITIES,
    PARTS,
    Corpus,
    FloatArray,
    Sample,
    features_digest,
    release,
    release_sample,
)

# Samples a step: MOSEI's audio alone is 2.4 GB.
_CHUNK = 64
# Lengths beyond any array count as this, so that they fit an integer.
_LONGEST = 1 << 30
UNUSABLE = ("minus-infinity", "plus-infinity", "nan", "overflow")
"""The rows of `ArrayFacts.unusable`; the last is finite, but beyond float32."""


@dataclass(frozen=True, eq=False)
class ArrayFacts:
    """The array of a modality `(N, T, D)` in one part, as the file has it."""

    shape: tuple[int, int, int]  # N, T, D
    dtype: str  # as numpy names it
    unusable: NDArray[np.int64]  # int64 `(4, N)`, each sample's values of the kinds in `UNUSABLE`
    # int64 `(N,)`, the step after the last that is not zero; 0 where all are.
    ends: NDArray[np.int64]
    padding: float  # share of steps that are padding
    gaps: int  # samples with a step of zeros between others

    @property
    def absent(self) -> int:
        """How many samples have nothing but zeros."""
        return int((self.ends == 0).sum())

    def to_dict(self) -> dict[str, Any]:
        """The same in numbers over all samples, for JSON and tables."""
        shape = dict(zip(("samples", "steps", "width"), self.shape, strict=True))
        totals = dict(zip(UNUSABLE, self.unusable.sum(axis=1).tolist(), strict=True))
        return {**shape, "dtype": self.dtype, "padding": self.padding, **totals}


@dataclass(frozen=True, eq=False)
class PartFacts:
    """One part of a pickle, of `count` samples; arrays and lengths are by modality."""

    count: int
    arrays: Mapping[str, ArrayFacts] = field(default_factory=dict)
    labels: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # by their key
    lengths: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)  # `(N,)`, where told
    identities: Sequence[Identity] | None = None  # None where there are no ids that can be read


@dataclass(frozen=True)
class SampleFacts:
    """A sample without its features; `content` is a hash of them, None where they are all zero."""

    id: str
    group: str | None
    modalities: frozenset[str]
    content: bytes | None


@dataclass(eq=False)
class Ranges:
    """The smallest and largest value of each feature, `(D,)`, over `steps` steps.

    `unusable` counts values that are not finite, although a reader let them through.
    """

    low: FloatArray
    high: FloatArray
    steps: int = 0
    unusable: int = 0

    def add(self, sequence: FloatArray) -> None:
        # fmin and fmax pass over nan, which is counted on its own.
        self.low = np.fmin(self.low, np.fmin.reduce(sequence, axis=0))
        self.high = np.fmax(self.high, np.fmax.reduce(sequence, axis=0))
        self.steps += len(sequence)
        self.unusable += sequence.size - int(np.isfinite(sequence).sum())


@dataclass(frozen=True, eq=False)
class CorpusFacts:
    """A corpus as it was read: of each fold, part to samples; of each modality, its ranges."""

    folds: Sequence[Mapping[str, Sequence[SampleFacts]]]
    ranges: Mapping[str, Ranges]


def measure_pickle(path: Path | None) -> dict[str, PartFacts] | None:
    """Part to its facts, before a reader mends anything; None for what is no pickle of splits."""
    if path is None or pickle_format(path) is None:
        return None
    splits = load_splits(path)
    return {part: _measure_part(splits.look(part), part, str(path)) for part in PARTS}


def _measure_part(values: Mapping[Any, Any], part: str, source: str) -> PartFacts:
    numbers = {
        key: array
        for key, value in values.items()
        if isinstance(key, str) and (array := _numbers(value)) is not None
    }
    labels = {key: array for key, array in numbers.items() if "labels" in key}
    count = min((len(array) for array in (labels or numbers).values()), default=0)
    # BERT's features are not zero where it pads: its attention mask tells.
    masks = {"text": numbers.get("text_bert")}
    arrays = {
        m: _measure_array(numbers[m], attention_mask(masks.get(m), *numbers[m].shape[:2]))
        for m in MODALITIES
        if m in numbers and numbers[m].ndim == 3 and 0 not in numbers[m].shape
    }
    lengths = {
        m: np.clip(known, -1, _LONGEST).astype(np.int64)
        for m, facts in arrays.items()
        if (known := numbers.get(f"{m}_lengths")) is not None
        and known.shape == facts.ends.shape
        and not np.isnan(known).any()
    }
    identities = None
    with suppress(InputError):  # the reader says what is wrong with them
        identities = read_identities(values["id"], count, part, source) if "id" in values else None
    return PartFacts(count, arrays, labels, lengths, identities)


def _numbers(value: object) -> NDArray[Any] | None:
    if isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
        value = np.array(value, dtype=np.float64)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.ndim:
        return value
    return None


def _measure_array(array: NDArray[Any], mask: Steps | None) -> ArrayFacts:
    unusable = np.zeros((len(UNUSABLE), len(array)), np.int64)
    for start in range(0, len(array), _CHUNK):
        rows = slice(start, start + _CHUNK)
        unusable[:, rows] = _count_unusable(array[rows])
        release(array)
    real = real_steps(array)
    known = real if mask is None else real & mask
    steps = known.shape[1]
    ends = np.where(known.any(axis=1), steps - known[:, ::-1].argmax(axis=1), 0)
    spans = ends - known.argmax(axis=1)
    return ArrayFacts(
        (len(array), array.shape[1], array.shape[2]),
        str(array.dtype),
        unusable,
        ends.astype(np.int64),
        1 - float(spans.sum()) / known.size,
        int((spans > known.sum(axis=1)).sum()),
    )


def _count_unusable(values: NDArray[Any]) -> NDArray[np.int64]:
    with np.errstate(over="ignore"):  # beyond float32 is infinite
        finite = np.isfinite(values.astype(np.float32, copy=False))
    if finite.all():
        return np.zeros((len(UNUSABLE), len(values)), np.int64)
    known = (values == -np.inf, values == np.inf, np.isnan(values))
    overflow = ~finite & ~np.logical_or.reduce(known)
    return np.stack([np.count_nonzero(each, axis=(1, 2)) for each in (*known, overflow)])


def measure_csd(folder: Path) -> dict[str, NDArray[np.int64]]:
    """Name of each .csd file of numbers to its videos' unusable values, `(4, V)` as `UNUSABLE`."""
    found = {}
    for path in sorted(folder.glob("*.csd")):
        # A file that the corpus does without may be damaged; if it does not, its reader says so.
        with suppress(InputError), open_csd(path) as file:
            videos = (file.read(entry).features for entry in file.entries)
            counts = [_count_unusable(x[None])[:, 0] for x in videos if x.dtype.kind in "fiu"]
            if counts:
                found[path.name] = np.stack(counts, axis=1)
    return found


def measure_corpus(corpus: Corpus) -> CorpusFacts:
    """One pass over the samples, each measured once however many folds it is in."""
    ranges = {
        m: Ranges(np.full(d, np.inf, np.float32), np.full(d, -np.inf, np.float32))
        for m, d in corpus.widths.items()
    }
    known: dict[int, SampleFacts] = {}

    def facts(sample: Sample) -> SampleFacts:
        if id(sample) not in known:
            for modality, sequence in sample.sequences.items():
                ranges[modality].add(sequence)
            modalities, content = frozenset(sample.sequences), features_digest(sample)
            known[id(sample)] = SampleFacts(sample.id, sample.group, modalities, content)
            if len(known) % _CHUNK == 0:
                release_sample(sample)
        return known[id(sample)]

    folds = [{p: [*map(facts, s)] for p, s in fold.parts().items()} for fold in corpus.folds]
    return CorpusFacts(folds, ranges)
