"""Padded tensors for a model: `Batch`, `collate` and masks (True is real)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from affuse.errors import InputError
from affuse.samples import Sample, targets_of

Lengths = tuple[int, ...]
"""The number of real steps of each of B samples."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples side by side.

    Attributes:
        sequences: modality to float tensor `(B, T, D)`, zero where padded.
        masks: modality to bool tensor `(B, T)`, True where real. A sample without the modality
            has a row of False; a modality that no sample has is absent.
        targets: float tensor `(B, K)` or None.
        ids: B sample ids.
        lengths: modality to the real steps of each sample, which the host so knows without asking
            an accelerator. None where the masks alone tell, as in a graph that is traced:
            then nothing is skipped because nothing is masked, and no sample is refused.
        unimodal: modality to float tensor `(B, K)`, the targets of it alone (`Sample.unimodal`),
            NaN where nobody told; a modality of which that is so of all samples is absent.
    """

    sequences: dict[str, Tensor]
    masks: dict[str, Tensor]
    targets: Tensor | None
    ids: tuple[str, ...]
    lengths: Mapping[str, Lengths] | None = None
    unimodal: Mapping[str, Tensor] = field(default_factory=dict)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{m} {tuple(x.shape)}" for m, x in self.sequences.items())
        return f"Batch({shapes})"

    @property
    def size(self) -> int:
        return len(self.ids)

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.sequences)

    def keep(self, modalities: Iterable[str]) -> Batch:
        """The same batch with only these modalities (those it has)."""
        kept = [m for m in modalities if m in self.sequences]
        return replace(
            self,
            sequences={m: self.sequences[m] for m in kept},
            masks={m: self.masks[m] for m in kept},
            lengths=None if self.lengths is None else {m: self.lengths[m] for m in kept},
            unimodal={m: x for m, x in self.unimodal.items() if m in kept},
        )

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device; lengths stay with the host, which waits for no copy."""
        place = torch.device(device)

        def copy(x: Tensor) -> Tensor:
            # Others may read the host's memory after it has been given to something else.
            return x.to(place, non_blocking=place.type == "cuda")

        return replace(
            self,
            sequences={m: copy(x) for m, x in self.sequences.items()},
            masks={m: copy(x) for m, x in self.masks.items()},
            targets=None if self.targets is None else copy(self.targets),
            unimodal={m: copy(x) for m, x in self.unimodal.items()},
        )

    def require_data(self) -> None:
        """Raise `InputError` where a sample has no modality at all: no model can answer that."""
        if self.lengths is None:
            return
        some = list(map(any, zip(*self.lengths.values(), strict=True))) or [False] * self.size
        if not all(some):
            raise InputError(
                f"sample '{self.ids[some.index(False)]}' has no modality with data",
                remedy="give at least one of the modalities that the model was trained on",
            )


def collate(samples: Sequence[Sample], modalities: Iterable[str] | None = None) -> Batch:
    """Pad samples into a `Batch`.

    Args:
        samples: at least one. Either all have a target or the batch has none.
        modalities: which to take and in which order; by default all that occur.

    Raises:
        InputError: no samples, or widths that differ between samples.
    """
    if not samples:
        raise InputError("a batch of no samples", remedy="give at least one sample")
    if modalities is None:
        modalities = dict.fromkeys(m for sample in samples for m in sample.sequences)
    sequences: dict[str, Tensor] = {}
    masks: dict[str, Tensor] = {}
    lengths: dict[str, Lengths] = {}
    for modality in modalities:
        arrays = [s.sequences.get(modality) for s in samples]
        widths = {a.shape[1] for a in arrays if a is not None}
        if not widths:
            continue
        if len(widths) > 1:
            problem = f"{modality} has widths {sorted(widths)} in one batch"
            raise InputError(problem, remedy="extract all samples with the same features")
        empty = np.zeros((0, widths.pop()), dtype=np.float32)
        # Arrays that lie over a file are read-only and may begin at any byte: torch wants neither.
        usable = (np.require(empty if a is None else a, None, ["A", "W"]) for a in arrays)
        tensors = [torch.from_numpy(a) for a in usable]
        lengths[modality] = tuple(map(len, tensors))
        real = np.array(lengths[modality])
        sequences[modality] = pad_sequence(tensors, batch_first=True)
        masks[modality] = torch.from_numpy(np.arange(real.max()) < real[:, None])
    known = all(sample.target is not None for sample in samples)
    targets = torch.from_numpy(targets_of(samples)) if known else None
    ids = tuple(s.id for s in samples)
    return Batch(sequences, masks, targets, ids, lengths, _unimodal(samples, sequences))


def _unimodal(samples: Sequence[Sample], modalities: Iterable[str]) -> dict[str, Tensor]:
    """Targets of single modalities: see `Batch`."""
    found = {}
    for modality in modalities:
        told = [sample.unimodal.get(modality) for sample in samples]
        if width := next((len(x) for x in told if x is not None), 0):
            unknown = np.full(width, np.nan, np.float32)
            found[modality] = torch.from_numpy(
                np.stack([unknown if x is None else x for x in told])
            )
    return found
