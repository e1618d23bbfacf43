"""Samples to batches of similar length, in an order that follows from seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from affuse.batches import collate
from affuse.errors import InputError
from affuse.samples import Sample, release_sample
from affuse.training.normalise import as_they_lie

# Batches that are sorted by length together. More pad less, fewer mix better: all at once would
# put the same samples side by side in every epoch.
_POOL = 16
# Batches after which the memory of mapped files is given back.
_RELEASED_EVERY = 16


class BucketBatchSampler(Sampler[list[int]]):
    """Index lists of at most `batch_size`, each index exactly once an epoch.

    With `shuffle`, samples are drawn into pools of 16 batches, sorted by length within each pool,
    and the batches shuffled; what comes follows from `seed` and the epoch alone. Without it the
    samples keep their order, so that predictions line up with the samples they belong to.

    Of several processes, each is dealt its share of every batch: one of every so many, which are
    sorted by length, so that all have as much to do. One that gets nothing of a last small batch
    gets its first index all the same, as `~index`: to take part, and to count for nothing.

    Args:
        lengths: steps of each sample, over all its modalities.
        batch_size: samples a batch, over all processes; the last may have fewer.
        seed: 0 or more.
        shuffle: True for training.
        rank: which of the processes this is.
        processes: how many there are.

    Raises:
        InputError: a batch size below 1.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        *,
        seed: int,
        shuffle: bool,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size = {batch_size}", remedy="give 1 or more")
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.batch_size, self.seed, self.shuffle, self.epoch = batch_size, seed, shuffle, 0
        self.rank, self.processes = rank, processes

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; Lightning calls this by itself."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._batches():
            yield batch[self.rank :: self.processes] or [~batch[0]]

    def _batches(self) -> Iterator[list[int]]:
        order = np.arange(len(self.lengths))
        if not self.shuffle:
            yield from self._cut(order)
            return
        rng = np.random.default_rng([self.seed, self.epoch])
        rng.shuffle(order)
        size = self.batch_size * _POOL
        pools = (order[start : start + size] for start in range(0, len(order), size))
        by_length = (pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools)
        batches = [batch for pool in by_length for batch in self._cut(pool)]
        for index in rng.permutation(len(batches)):
            yield batches[index]

    def _cut(self, order: NDArray[np.int64]) -> list[list[int]]:
        starts = range(0, len(order), self.batch_size)
        return [order[start : start + self.batch_size].tolist() for start in starts]


class _SampleLists(Dataset[list[Sample]]):
    """The samples of a list of indices at once; of `~index`, without its target."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self._lying = as_they_lie(samples)
        self._asked = 0

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, indices: list[int]) -> list[Sample]:
        self._asked += 1
        if self._asked % _RELEASED_EVERY == 0:
            # What a pass over a file has read would otherwise count as memory of this process.
            release_sample(self._lying[max(indices[0], ~indices[0])])
        return [self.samples[i] if i >= 0 else self.samples[~i].without_target() for i in indices]


def data_loader(
    samples: Sequence[Sample],
    *,
    batch_size: int,
    shuffle: bool,
    seed: int,
    modalities: Iterable[str] | None = None,
    rank: int = 0,
    processes: int = 1,
) -> DataLoader[list[Sample]]:
    """A loader that yields an `affuse.batches.Batch` at a time.

    Args:
        batch_size: samples a batch, over all processes.
        shuffle: length-bucketed random order (training), or the order given (evaluation).
        seed: of the shuffling; global random state is neither read nor changed.
        modalities: which to load and in which order; by default all that occur.
        rank: which of the processes this is, each of which loads its share of every batch.
        processes: how many there are.
    """
    wanted = None if modalities is None else tuple(modalities)
    lengths = [
        sum(len(x) for m, x in s.sequences.items() if wanted is None or m in wanted)
        for s in as_they_lie(samples)
    ]
    dealt = {"rank": rank, "processes": processes}
    # As `sampler` without a batch size, because Lightning sets the epoch of a loader's sampler
    # but not of its batch sampler.
    return DataLoader(
        _SampleLists(samples),
        sampler=BucketBatchSampler(lengths, batch_size, seed=seed, shuffle=shuffle, **dealt),
        batch_size=None,
        collate_fn=partial(collate, modalities=wanted),
        generator=torch.Generator(),
    )
