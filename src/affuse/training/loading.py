"""Batches of samples of similar length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from affuse.batches import collate
from affuse.errors import InputError
from affuse.samples import Sample

# Batches that are sorted by length together. More pad less, fewer mix better: all at once would
# put the same samples side by side in every epoch.
_POOL = 16


class BucketBatchSampler(Sampler[list[int]]):
    """Index lists of at most `batch_size`, each index exactly once an epoch.

    With `shuffle`, samples are drawn into pools of 16 batches, sorted by length within each pool,
    and the batches shuffled; what comes follows from `seed` and the epoch alone. Without it the
    samples keep their order, so that predictions line up with the samples they belong to.

    Args:
        lengths: steps of each sample, over all its modalities.
        batch_size: samples a batch; the last may have fewer.
        seed: 0 or more.
        shuffle: True for training.

    Raises:
        InputError: a batch size below 1.
    """

    def __init__(
        self, lengths: Sequence[int], batch_size: int, *, seed: int, shuffle: bool
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size = {batch_size}", remedy="give 1 or more")
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; Lightning calls this by itself."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(len(self.lengths))
        if not self.shuffle:
            yield from self._cut(order)
            return
        rng = np.random.default_rng([self.seed, self.epoch])
        rng.shuffle(order)
        size = self.batch_size * _POOL
        pools = [order[start : start + size] for start in range(0, len(order), size)]
        batches = [
            batch
            for pool in pools
            for batch in self._cut(pool[np.argsort(self.lengths[pool], kind="stable")])
        ]
        for index in rng.permutation(len(batches)):
            yield batches[index]

    def _cut(self, order: NDArray[np.int64]) -> list[list[int]]:
        starts = range(0, len(order), self.batch_size)
        return [order[start : start + self.batch_size].tolist() for start in starts]


class _SampleLists(Dataset[list[Sample]]):
    """The samples of a list of indices at once."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, indices: list[int]) -> list[Sample]:
        return [self.samples[index] for index in indices]


def data_loader(
    samples: Sequence[Sample],
    *,
    batch_size: int,
    shuffle: bool,
    seed: int,
    modalities: Iterable[str] | None = None,
) -> DataLoader[list[Sample]]:
    """A loader that yields an `affuse.batches.Batch` at a time.

    Args:
        samples: what to load.
        batch_size: samples a batch.
        shuffle: length-bucketed random order (training), or the order given (evaluation).
        seed: of the shuffling; global random state is neither read nor changed.
        modalities: which to load and in which order; by default all that occur.
    """
    wanted = None if modalities is None else tuple(modalities)
    lengths = [
        sum(len(x) for m, x in s.sequences.items() if wanted is None or m in wanted)
        for s in samples
    ]
    # As `sampler` without a batch size, because Lightning sets the epoch of a loader's sampler
    # but not of its batch sampler.
    return DataLoader(
        _SampleLists(samples),
        sampler=BucketBatchSampler(lengths, batch_size, seed=seed, shuffle=shuffle),
        batch_size=None,
        collate_fn=partial(collate, modalities=wanted),
        generator=torch.Generator(),
    )
