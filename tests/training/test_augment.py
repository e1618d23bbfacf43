"""What training may change in a batch, and what it may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from affuse.batches import Batch, collate
from affuse.samples import Sample
from affuse.training.augment import augment
from affuse.training.presets import TrainOptions

LENGTHS = [(40, 7), (13, 30), (25, 1)]
EVERYTHING = {"noise": {"text": 0.3}, "shift": {"audio": 0.5}, "time_mask": {"text": 0.4}}


@pytest.fixture
def batch() -> Batch:
    rng = np.random.default_rng(0)
    widths = {"text": 5, "audio": 3}
    return collate(
        [
            Sample(
                str(row),
                {
                    m: rng.normal(size=(steps, widths[m])).astype(np.float32) + 10
                    for m, steps in zip(widths, counts, strict=True)
                },
                np.array([row], np.float32),
            )
            for row, counts in enumerate(LENGTHS)
        ]
    )


def changed(batch: Batch, seed: int = 0, **options: Any) -> Batch:
    torch.manual_seed(seed)
    return augment(batch, TrainOptions(**options))


def test_shapes_masks_targets_and_names_stay(batch: Batch) -> None:
    before = {m: x.clone() for m, x in batch.sequences.items()}
    after = changed(batch, **EVERYTHING)
    assert after.ids == batch.ids
    assert torch.equal(after.targets, batch.targets)
    for modality in batch.modalities:
        assert torch.equal(after.masks[modality], batch.masks[modality])
        assert after.sequences[modality].shape == batch.sequences[modality].shape
        assert not torch.equal(after.sequences[modality], batch.sequences[modality])
        # The corpus' own arrays lie below the batch: they are never written to.
        assert torch.equal(before[modality], batch.sequences[modality])


def test_the_seed_decides(batch: Batch) -> None:
    first, again, other = (changed(batch, seed, **EVERYTHING) for seed in (1, 1, 2))
    for modality in batch.modalities:
        assert torch.equal(first.sequences[modality], again.sequences[modality])
        assert not torch.equal(first.sequences[modality], other.sequences[modality])


def test_nothing_asked_changes_nothing(batch: Batch) -> None:
    after = changed(batch)
    assert all(torch.equal(after.sequences[m], batch.sequences[m]) for m in batch.modalities)


def test_what_the_batch_lacks_is_left_out(batch: Batch) -> None:
    options = {"noise": {"vision": 1.0}, "shift": {"vision": 1.0}, "time_mask": {"vision": 0.5}}
    after = changed(batch, **options)
    assert after.modalities == batch.modalities
    assert all(torch.equal(after.sequences[m], batch.sequences[m]) for m in batch.modalities)


def test_noise_has_the_deviation_asked_for() -> None:
    wide = Batch({"text": torch.zeros(8, 200, 50)}, {}, None, ())
    added = changed(wide, noise={"text": 0.3}).sequences["text"]
    assert float(added.std()) == pytest.approx(0.3, rel=0.02)
    assert float(added.mean()) == pytest.approx(0.0, abs=0.01)


def test_a_shift_is_one_offset_and_gain_a_sample_and_feature(batch: Batch) -> None:
    x = batch.sequences["audio"]
    after = changed(batch, shift={"audio": 0.5}).sequences["audio"]
    for row in range(len(x)):
        for feature in range(x.shape[2]):
            steps = torch.stack([x[row, :, feature], torch.ones(x.shape[1])], dim=1)
            gain, offset = torch.linalg.lstsq(steps, after[row, :, feature]).solution
            torch.testing.assert_close(gain * steps[:, 0] + offset, after[row, :, feature])


def test_hidden_spans_are_at_most_two_and_of_the_length_asked_for(batch: Batch) -> None:
    share, hid = 0.3, 0
    for seed in range(20):
        x = changed(batch, seed, time_mask={"text": share}).sequences["text"]
        for row, (length, _) in enumerate(LENGTHS):
            real = x[row, :length]
            hidden = (real == 0).all(dim=1)
            assert torch.equal(real[~hidden], batch.sequences["text"][row, :length][~hidden])
            begins = int((hidden[1:] & ~hidden[:-1]).sum() + hidden[0])
            assert begins <= 2
            assert int(hidden.sum()) <= 2 * (share * length + 1)
            hid += int(hidden.sum())
    assert hid > 0
