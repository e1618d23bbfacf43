"""Standardisation of features: fitted on training frames, or on each speaker's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.samples import (
    FloatArray,
    Sample,
    Split,
    passing,
    release,
    release_sample,
    require_finite,
)

NormaliseMode = Literal["train", "speaker", "none"]

# Extractors fail with values of many thousand deviations; no real frame needs more than this.
CLIP = 10.0
_PREFIX = "normaliser."
_FLOAT32 = np.finfo(np.float32)


@dataclass(frozen=True)
class Normaliser:
    """Subtracts a mean and divides by a scale, feature by feature, then clips to ±10 scales.

    Both are float32 `(D,)` of each modality; scales are standard deviations (of the population), or
    1 where a feature is constant.
    """

    means: Mapping[str, FloatArray]
    scales: Mapping[str, FloatArray]

    @classmethod
    def fit(cls, samples: Sequence[Sample]) -> Normaliser:
        """Mean and scale over all frames of `samples`, summed in float64.

        Raises:
            InputError: no samples, widths that differ or values that are not finite.
        """
        if not samples:
            raise InputError("no samples to normalise by", remedy="give at least one")
        frames: dict[str, list[FloatArray]] = {}
        for sample in passing(samples, release_sample):
            for modality, sequence in sample.sequences.items():
                known = frames.setdefault(modality, [])
                _require_usable(sample, modality, (known or [sequence])[0].shape[1])
                known.append(sequence)
        moments = {m: _moments(arrays) for m, arrays in frames.items()}
        return cls(*({m: each[part] for m, each in moments.items()} for part in (0, 1)))

    def apply(self, sample: Sample) -> Sample:
        """`sample` in scale units around the mean.

        Raises:
            InputError: a modality that was not fitted, another width, or values not finite.
        """
        normalised = {}
        for modality, sequence in sample.sequences.items():
            if modality not in self.means:
                raise InputError(
                    f"sample '{sample.id}' has {modality}, which no training sample has",
                    remedy=f"leave {modality} out, or train with it",
                )
            mean, scale = self.means[modality], self.scales[modality]
            _require_usable(sample, modality, len(mean))
            with np.errstate(over="ignore"):  # beyond float32 is beyond the clip too
                normalised[modality] = np.clip((sequence - mean) / scale, -CLIP, CLIP)
        return sample.with_sequences(normalised)

    def apply_all(self, samples: Iterable[Sample]) -> list[Sample]:
        return [self.apply(sample) for sample in samples]

    def to_arrays(self) -> dict[str, FloatArray]:
        """Arrays by the names `normaliser.<modality>.mean` and `.scale`, for a checkpoint."""
        means = {f"{_PREFIX}{m}.mean": mean for m, mean in self.means.items()}
        return {**means, **{f"{_PREFIX}{m}.scale": scale for m, scale in self.scales.items()}}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> Normaliser:
        """The inverse of `to_arrays`; arrays of other names are left alone.

        Raises:
            InputError: a mean without its scale, or the reverse.
        """
        means, scales = _named(arrays, ".mean"), _named(arrays, ".scale")
        if odd := sorted(means.keys() ^ scales.keys()):
            problem = f"the normaliser of {odd[0]} lacks its mean or its scale"
            raise InputError(problem, remedy="use the checkpoint as it was written")
        return cls(means, scales)


def normalise_by_group(samples: Sequence[Sample]) -> list[Sample]:
    """Each sample by the mean and scale of its own group's frames; no label is looked at.

    Raises:
        InputError: a sample without a group.
    """
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.group is None:
            raise InputError(
                f"sample '{sample.id}' has no group to normalise by",
                remedy="use normalise=train, or a corpus that names its speakers",
            )
        groups.setdefault(sample.group, []).append(sample)
    fitted = {group: Normaliser.fit(members) for group, members in groups.items()}
    return [fitted[sample.group].apply(sample) for sample in samples if sample.group is not None]


def normalise(split: Split, mode: NormaliseMode) -> tuple[Split, Normaliser | None]:
    """A split in comparable units, and the normaliser that a checkpoint must carry.

    `train` standardises by the training frames alone. `speaker` first standardises each group
    within its part, which uses the other clips of a test speaker, though never their labels; then
    as `train`. `none` returns the split as it is.

    Samples that lie on disk stay there, and are standardised whenever they are used.
    """
    if mode == "none":
        return split, None
    if mode == "speaker":
        split = Split(**{name: normalise_by_group(part) for name, part in split.parts().items()})
    fitted = Normaliser.fit(split.train)
    return Split(**{name: _applied(fitted, part) for name, part in split.parts().items()}), fitted


@dataclass(frozen=True)
class _Standardised(Sequence[Sample]):
    """Samples in scale units, made when they are asked for."""

    samples: Sequence[Sample]
    normaliser: Normaliser

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return _Standardised(self.samples[index], self.normaliser)
        return self.normaliser.apply(self.samples[index])


def as_they_lie(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The same samples with the values of their files, where they are standardised when used."""
    return samples.samples if isinstance(samples, _Standardised) else samples


def _applied(normaliser: Normaliser, samples: Sequence[Sample]) -> Sequence[Sample]:
    if all(x.flags.writeable for sample in samples for x in sample.sequences.values()):
        return normaliser.apply_all(samples)
    for sample in passing(samples, release_sample):
        normaliser.apply(sample)  # what cannot be used is an error now, not amid training
    return _Standardised(samples, normaliser)


def _require_usable(sample: Sample, modality: str, width: int) -> None:
    sequence = sample.sequences[modality]
    if sequence.shape[1] != width:
        raise InputError(
            f"sample '{sample.id}' has {modality} of width {sequence.shape[1]}, others {width}",
            remedy="extract all samples with the same features",
        )
    require_finite(sample, modality)


def _moments(arrays: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    count = sum(len(a) for a in arrays)
    total = sum(a.sum(axis=0, dtype=np.float64) for a in passing(arrays, release))
    mean: NDArray[np.float64] = np.asarray(total) / count
    # In two passes: the difference of large sums would lose the variance of offset features.
    squares = sum(((a - mean) ** 2).sum(axis=0) for a in passing(arrays, release))
    deviation = np.sqrt(np.asarray(squares) / count)
    # Less than float32 resolves at this mean is rounding, not variation.
    varies = deviation > np.maximum(_FLOAT32.eps * np.abs(mean), _FLOAT32.tiny)
    return mean.astype(np.float32), np.where(varies, deviation, 1.0).astype(np.float32)


def _named(arrays: Mapping[str, FloatArray], ending: str) -> dict[str, FloatArray]:
    return {
        name.removeprefix(_PREFIX).removesuffix(ending): array
        for name, array in arrays.items()
        if name.startswith(_PREFIX) and name.endswith(ending)
    }
