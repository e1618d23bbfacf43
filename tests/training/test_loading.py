"""Length-bucketed batches: each sample once, in a known order, with little padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from affuse.batches import Batch
from affuse.errors import InputError
from affuse.samples import Sample
from affuse.training.sampling import BucketBatchSampler, data_loader


def _skewed(count: int) -> list[int]:
    return (1 + np.random.default_rng(3).exponential(80, count).astype(int)).tolist()


def _samples(lengths: list[int]) -> list[Sample]:
    return [
        Sample(
            str(i),
            {"text": np.full((2, 3), i, np.float32), "audio": np.ones((n, 1), np.float32)},
            target=np.array([i], np.float32),
        )
        for i, n in enumerate(lengths)
    ]


def _padding(lengths: list[int], batches: list[list[int]]) -> float:
    """Padded steps for each real one."""
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    return padded / sum(lengths) - 1


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("count", "size"), [(0, 4), (1, 4), (4, 4), (101, 4), (500, 1), (7, 100)])
def test_every_index_comes_once(count: int, size: int, shuffle: bool) -> None:
    sampler = BucketBatchSampler(_skewed(count), size, seed=0, shuffle=shuffle)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert sorted(i for batch in batches for i in batch) == list(range(count))
        assert len(batches) == len(sampler) == -(-count // size)
        assert sum(len(batch) < size for batch in batches) == (count % size > 0)


def test_order_follows_from_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        sampler = BucketBatchSampler(_skewed(300), 8, seed=seed, shuffle=True)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)
    # Not the same batches in another order: who meets whom changes too.
    assert {tuple(sorted(b)) for b in order(1, 2)} != {tuple(sorted(b)) for b in order(1, 3)}


def test_without_shuffling_samples_keep_their_order() -> None:
    sampler = BucketBatchSampler(_skewed(10), 4, seed=0, shuffle=False)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        assert list(sampler) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_padding_is_small() -> None:
    lengths = _skewed(1000)
    sampler = BucketBatchSampler(lengths, 16, seed=0, shuffle=True)
    shuffled = np.random.default_rng(0).permutation(1000).tolist()
    drawn = [shuffled[start : start + 16] for start in range(0, 1000, 16)]
    assert _padding(lengths, list(sampler)) < 0.25 * _padding(lengths, drawn)


def test_batch_size_must_be_positive() -> None:
    with pytest.raises(InputError, match="batch_size = 0"):
        BucketBatchSampler([1], 0, seed=0, shuffle=True)


@pytest.mark.parametrize(("count", "size", "processes"), [(41, 8, 2), (41, 8, 3), (3, 8, 4)])
def test_processes_share_each_batch_evenly_and_count_each_sample_once(
    count: int, size: int, processes: int
) -> None:
    lengths = _skewed(count)
    options: dict[str, Any] = {"seed": 0, "shuffle": True}
    whole = list(BucketBatchSampler(lengths, size, **options))
    dealt = [
        list(BucketBatchSampler(lengths, size, **options, rank=rank, processes=processes))
        for rank in range(processes)
    ]
    for batch, *shares in zip(whole, *dealt, strict=True):
        real = [[index for index in share if index >= 0] for share in shares]
        assert sorted(index for share in real for index in share) == sorted(batch)
        assert max(map(len, real)) - min(map(len, real)) <= 1
        # Who has nothing to do takes part all the same.
        assert [share for share in shares if not share] == []
        assert all(share == [~batch[0]] for share in shares if share[0] < 0)


def test_what_counts_for_nothing_has_no_target() -> None:
    loader = data_loader(_samples([1]), batch_size=8, shuffle=True, seed=0, rank=1, processes=2)
    (batch,) = loader
    assert (batch.size, batch.targets) == (1, None)


def _ids(loader: Any) -> list[str]:
    return [name for batch in loader for name in batch.ids]


def test_loader_yields_batches() -> None:
    samples = _samples(_skewed(30))
    loader = data_loader(samples, batch_size=8, shuffle=False, seed=0)
    batches = list(loader)
    assert all(isinstance(batch, Batch) for batch in batches)
    assert [batch.size for batch in batches] == [8, 8, 8, 6]
    assert len(loader) == 4
    assert _ids(loader) == [s.id for s in samples]
    assert batches[3].targets is not None
    assert batches[3].targets.ravel().tolist() == [24, 25, 26, 27, 28, 29]
    assert batches[0].modalities == ("text", "audio")


def test_loader_takes_only_the_modalities_asked_for() -> None:
    # With text alone all lengths are 2: the audio must not decide the batches.
    order = {
        tuple(_ids(data_loader(s, batch_size=8, shuffle=True, seed=0, modalities=["text"])))
        for s in (_samples(_skewed(200)), _samples([1] * 200))
    }
    assert len(order) == 1
    loader = data_loader(
        _samples([3, 4]), batch_size=2, shuffle=False, seed=0, modalities=("audio", "text")
    )
    assert next(iter(loader)).modalities == ("audio", "text")


def test_loader_leaves_global_randomness_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert len(_ids(data_loader(_samples([1] * 9), batch_size=2, shuffle=True, seed=0))) == 9
    assert torch.equal(torch.rand(3), expected)


class _Recorder(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.epochs: list[list[str]] = []

    def on_train_epoch_start(self) -> None:
        self.epochs.append([])

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        self.epochs[-1] += batch.ids
        return self.layer(batch.sequences["text"]).mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def test_lightning_changes_the_order_each_epoch() -> None:
    module = _Recorder()
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    samples = _samples(_skewed(40))
    trainer.fit(module, data_loader(samples, batch_size=8, shuffle=True, seed=0))
    assert all(sorted(ids) == sorted(s.id for s in samples) for ids in module.epochs)
    assert len({tuple(ids) for ids in module.epochs}) == 3
