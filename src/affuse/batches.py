"""Padded tensors for a model: `Batch`, `collate` and masks (True is real)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from affuse.errors import InputError
from affuse.samples import Sample, targets_of


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples side by side.

    Attributes:
        sequences: modality to float tensor `(B, T, D)`, zero where padded.
        masks: modality to bool tensor `(B, T)`, True where real. A sample without the modality
            has a row of False; a modality that no sample has is absent.
        targets: float tensor `(B, K)` or None.
        ids: B sample ids.
    """

    sequences: dict[str, Tensor]
    masks: dict[str, Tensor]
    targets: Tensor | None
    ids: tuple[str, ...]

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
        )

    def to(self, device: torch.device | str) -> Batch:
        return replace(
            self,
            sequences={m: x.to(device) for m, x in self.sequences.items()},
            masks={m: x.to(device) for m, x in self.masks.items()},
            targets=None if self.targets is None else self.targets.to(device),
        )

    def require_data(self) -> None:
        """Raise `InputError` where a sample has no modality at all: no model can answer that."""
        if any(mask.shape[1] and bool(mask.all()) for mask in self.masks.values()):
            return  # at once in the common case
        present = torch.zeros(self.size, dtype=torch.bool)
        for mask in self.masks.values():
            present |= mask.any(dim=1).cpu()
        if not bool(present.all()):
            missing = self.ids[int((~present).nonzero()[0, 0])]
            raise InputError(
                f"sample '{missing}' has no modality with data",
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
    wanted = list(modalities) if modalities is not None else _union(samples)
    sequences: dict[str, Tensor] = {}
    masks: dict[str, Tensor] = {}
    for modality in wanted:
        arrays = [s.sequences.get(modality) for s in samples]
        widths = {a.shape[1] for a in arrays if a is not None}
        if not widths:
            continue
        if len(widths) > 1:
            raise InputError(
                f"{modality} has widths {sorted(widths)} in one batch",
                remedy="extract all samples with the same features",
            )
        empty = np.zeros((0, widths.pop()), dtype=np.float32)
        # Arrays that lie over a file are read-only and may begin at any byte: torch wants neither.
        usable = (np.require(empty if a is None else a, None, ["A", "W"]) for a in arrays)
        tensors = [torch.from_numpy(a) for a in usable]
        lengths = torch.tensor([len(t) for t in tensors])
        sequences[modality] = pad_sequence(tensors, batch_first=True)
        masks[modality] = torch.arange(int(lengths.max())) < lengths[:, None]
    known = all(sample.target is not None for sample in samples)
    targets = torch.from_numpy(targets_of(samples)) if known else None
    return Batch(sequences, masks, targets, tuple(s.id for s in samples))


def _union(samples: Sequence[Sample]) -> list[str]:
    seen: dict[str, None] = {}
    for sample in samples:
        seen.update(dict.fromkeys(sample.sequences))
    return list(seen)
