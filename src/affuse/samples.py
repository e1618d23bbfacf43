"""The data that flows: a `Sample` from a corpus or an extractor, before any batching.

Nothing here imports torch, so that extraction and inference run without it; `affuse.batches`
turns samples into padded tensors.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.shown import Shown
from affuse.tasks import Task

FloatArray = NDArray[np.float32]
_T = TypeVar("_T")

MODALITIES = ("text", "audio", "vision")
PARTS = ("train", "valid", "test")
MADE_OF = "made_of"
"""Among a corpus' options: the names of the corpora that it is made of, where it is of others."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One clip or utterance: a feature sequence for each modality that is present.

    Attributes:
        id: unique within its corpus.
        sequences: modality to float32 array `(T, D)`, T >= 1. A missing modality is absent.
        target: float32 `(K,)`: the value (regression), the class index (classification) or one
            0/1 flag a label (several binary labels). None where unknown.
        times: modality to float32 `(T,)`, the seconds at which each step starts.
        group: speaker or video, the unit that must not be shared between splits.
        text: the transcript, where there is one.
        truth: what a generator knows of the sample beyond its target (`affuse.readers.controlled`).
        unimodal: modality to the target `(K,)` of it alone, where somebody told it (the unimodal
            labels of CH-SIMS). Training holds each modality's own answer to it.
    """

    id: str
    sequences: Mapping[str, FloatArray]
    target: FloatArray | None = None
    times: Mapping[str, FloatArray] = field(default_factory=dict)
    group: str | None = None
    text: str | None = None
    truth: Mapping[str, Any] = field(default_factory=dict)
    unimodal: Mapping[str, FloatArray] = field(default_factory=dict)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{m} {x.shape}" for m, x in self.sequences.items())
        target = "" if self.target is None else f", target {self.target.tolist()}"
        return f"Sample({self.id!r}, {shapes or 'nothing'}{target})"

    def __post_init__(self) -> None:
        for modality, sequence in self.sequences.items():
            if sequence.ndim != 2 or sequence.shape[0] < 1 or sequence.dtype != np.float32:
                raise InputError(
                    f"sample '{self.id}' has {modality} of shape {sequence.shape} and type "
                    f"{sequence.dtype}",
                    remedy="give float32 of shape (time, features) with at least one step, "
                    "or leave the modality out",
                )

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.sequences)

    def keep(self, modalities: Iterable[str]) -> Sample:
        """The same sample with only these modalities (those it has)."""
        kept = {m: self.sequences[m] for m in modalities if m in self.sequences}
        return self.with_sequences(kept)

    def with_sequences(self, sequences: Mapping[str, FloatArray]) -> Sample:
        """The same sample with other features."""
        return replace(self, sequences=sequences)

    def without_target(self) -> Sample:
        """The same sample with its target and planted truth removed."""
        return Sample(self.id, self.sequences, None, self.times, self.group, self.text)


def release(values: NDArray[Any] | memoryview) -> None:
    """Give back the memory that the file below `values` takes up, where it is mapped to read.

    Nothing is lost: what is used again is fetched again. Without this, a pass over a file counts
    as memory of the process until the system needs it elsewhere.
    """
    base: object = values.obj if isinstance(values, memoryview) else values
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


# Items of a pass after which memory is given back: each time it is, what is used next is fetched.
_RELEASED_EVERY = 64


def passing(items: Iterable[_T], give_back: Callable[[_T], None]) -> Iterator[_T]:
    """Items one after the other; now and then the memory of the files below them is given back.

    `give_back` does so for one of them, and with it for all that lie over the same file.
    """
    for number, item in enumerate(items, start=1):
        yield item
        if number % _RELEASED_EVERY == 0:
            give_back(item)


class Recording(NamedTuple):
    """Which seconds of which file a sample is of."""

    path: Path
    start: float
    end: float


@dataclass(frozen=True)
class Split:
    """One way to divide a corpus: train, valid and test, each a sequence of samples."""

    train: Sequence[Sample]
    valid: Sequence[Sample]
    test: Sequence[Sample]

    def __repr__(self) -> str:
        return f"Split({', '.join(f'{name} {len(x)}' for name, x in self.parts().items())})"

    def parts(self) -> dict[str, Sequence[Sample]]:
        return {"train": self.train, "valid": self.valid, "test": self.test}

    def samples(self) -> Iterator[Sample]:
        """Those of all parts, one after the other."""
        return chain(self.train, self.valid, self.test)


@dataclass(frozen=True, repr=False)
class Corpus(Shown):
    """What a reader returns.

    Attributes:
        name: the registered name, with options that change the data, e.g. `mosi[split=bc]`.
        task: what is predicted.
        widths: modality to feature width D, in the field's order (text, audio, vision).
        folds: one `Split`, or several for cross-validation.
        options: the reader's options, kept in results and checkpoints.
        features: modality to the name of its features, e.g. `minilm-l6-v2 tokens`.
        preset: which settings to train with, e.g. `mult-mosi`; by default the reader's name.
        notices: what was read otherwise than it stands, a line each.
        recordings: where samples were read from, by their ids, where a player may be shown them.
    """

    name: str
    task: Task
    widths: Mapping[str, int]
    folds: tuple[Split, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, str] = field(default_factory=dict)
    preset: str = ""
    notices: tuple[str, ...] = ()
    recordings: Mapping[str, Recording] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not self.preset:
            object.__setattr__(self, "preset", self.name.partition("[")[0])
        for number, fold in enumerate(self.folds):
            for part, samples in fold.parts().items():
                where = f"{self.name} fold {number}" if len(self.folds) > 1 else self.name
                self._check(samples, f"{where} {part}")

    def _check(self, samples: Sequence[Sample], source: str) -> None:
        if not samples:
            raise InputError("the split is empty", remedy="check the file", source=source)
        if known := labelled(samples):
            self.task.check(targets_of(known), source=source)
        alone: dict[str, list[FloatArray]] = {}
        for sample in samples:
            for modality, target in sample.unimodal.items():
                alone.setdefault(modality, []).append(target)
            for modality, sequence in sample.sequences.items():
                if self.widths.get(modality) != sequence.shape[1]:
                    raise InputError(
                        f"sample '{sample.id}' has {modality} of width {sequence.shape[1]}, "
                        f"the corpus {self.widths.get(modality)}",
                        remedy="extract all samples with the same features",
                        source=source,
                    )
        for modality, targets in alone.items():
            self.task.check(np.stack(targets), source=f"{source}, {modality} alone")

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.widths)

    def _summary(self) -> str:
        widths = ", ".join(f"{m} {width}" for m, width in self.widths.items())
        parts = ", ".join(f"{len(x)} {name}" for name, x in self.folds[0].parts().items())
        folds = f" in the first of {len(self.folds)} folds" if len(self.folds) > 1 else ""
        return f"{self.name!r}, {self.task.kind}, widths {widths}, {parts}{folds}"

    def to_dict(self) -> dict[str, Any]:
        """What it is, without its samples: those are in `to_records`."""
        return {
            "name": self.name,
            "task": self.task.to_config(),
            "widths": dict(self.widths),
            "folds": len(self.folds),
            "options": dict(self.options),
            "features": dict(self.features),
            "fingerprint": self.fingerprint(),
        }

    def to_records(self) -> list[dict[str, Any]]:
        """A plain row for each sample of each part, for a data frame."""
        return [
            {
                "id": s.id,
                "fold": number,
                "part": part,
                "group": s.group,
                "target": None if s.target is None else s.target.tolist(),
                **{f"{m}_steps": len(s.sequences.get(m, ())) for m in self.modalities},
                "text": s.text,
            }
            for number, fold in enumerate(self.folds)
            for part, samples in fold.parts().items()
            for s in samples
        ]

    def require_fold(self, number: int) -> None:
        """Raise `InputError` where there is no fold of that number."""
        if number >= len(self.folds):
            remedy = f"give --fold from 0 to {len(self.folds) - 1}"
            raise InputError(f"{self.name} has {len(self.folds)} fold(s)", remedy=remedy)

    def fingerprint(self) -> str:
        """SHA-256 over ids, features and targets of all folds: changes when any value does."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        digest.update(repr((self.task.to_config(), sorted(self.widths.items()))).encode())
        seen: set[int] = set()
        for fold in self.folds:
            for part, samples in fold.parts().items():
                digest.update(part.encode())
                for sample in passing(samples, release_sample):
                    digest.update(sample.id.encode())
                    if id(sample) not in seen:
                        seen.add(id(sample))
                        add_to_digest(digest, sample)
        return digest.hexdigest()[:16]


def require_finite(sample: Sample, modality: str) -> None:
    """Raise `InputError` where a modality has a value that is not finite."""
    if not np.isfinite(sample.sequences[modality]).all():
        problem = f"sample '{sample.id}' has {modality} with values that are not finite"
        raise InputError(problem, remedy="set them to zero or leave the modality out")


def release_sample(sample: Sample) -> None:
    """Give back the memory that the files take up over which a sample's sequences lie."""
    for sequence in sample.sequences.values():
        release(sequence)


def add_to_digest(digest: Any, sample: Sample) -> None:
    """Feed a sample's features and targets to a digest of hashlib."""
    for modality, sequence in sample.sequences.items():
        digest.update(modality.encode())
        digest.update(np.ascontiguousarray(sequence).data)
    if sample.target is not None:
        digest.update(sample.target.tobytes())
    for modality, target in sample.unimodal.items():
        digest.update(f"{modality} alone".encode() + target.tobytes())


def labelled(samples: Iterable[Sample]) -> list[Sample]:
    """Those that have a target."""
    return [sample for sample in samples if sample.target is not None]


def targets_of(
    samples: Sequence[Sample],
    remedy: str = "leave it out",
    problem: str = "a sample without a target",
) -> FloatArray:
    """Targets `(N, K)` of samples.

    Raises:
        InputError: one has none.
    """
    targets = [sample.target for sample in samples if sample.target is not None]
    if len(targets) < len(samples):
        raise InputError(problem, remedy=remedy)
    return np.stack(targets)


def features_digest(sample: Sample) -> bytes | None:
    """A digest of a sample's features alone; None where they are all zero, which says nothing."""
    if not any(x.any() for x in sample.sequences.values()):
        return None
    digest = hashlib.blake2b(digest_size=16)
    for modality, sequence in sorted(sample.sequences.items()):
        digest.update(f"{modality}{sequence.shape}".encode())
        digest.update(np.ascontiguousarray(sequence).data)
    return digest.digest()


def pad_sequences(
    sequences: Sequence[FloatArray | None], width: int, steps: int | None = None
) -> FloatArray:
    """Sequences `(T, D)` as one array `(N, steps, D)`, zeros at their ends and where one is None.

    By default there are as many steps as the longest has, and one at least.
    """
    longest = max((len(x) for x in sequences if x is not None), default=1)
    padded = np.zeros((len(sequences), longest if steps is None else steps, width), np.float32)
    for row, sequence in enumerate(sequences):
        if sequence is not None:
            padded[row, : len(sequence)] = sequence
    return padded


def widths_of(samples: Iterable[Sample], order: Sequence[str] = MODALITIES) -> dict[str, int]:
    """Modality to width over all samples: `order` first, then any others as they occur."""
    found: dict[str, int] = {}
    for sample in samples:
        for modality, sequence in sample.sequences.items():
            found.setdefault(modality, int(sequence.shape[1]))
    ranked = [m for m in order if m in found] + [m for m in found if m not in order]
    return {m: found[m] for m in ranked}
