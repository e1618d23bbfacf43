"""Common steps, against cases worked by hand."""

from __future__ import annotations

import pytest
import torch

from affuse.errors import InputError
from affuse.fusion.recurrent import align, interval_means, leading_modality


def masks(*lengths: int, steps: int = 0) -> torch.Tensor:
    return torch.arange(max(steps, *lengths)) < torch.tensor(lengths)[:, None]


def test_interval_means_by_hand() -> None:
    """Six steps to three, five to two, two to four, and three to three."""
    x = torch.tensor(
        [
            [1.0, 3.0, 5.0, 7.0, 9.0, 11.0],
            [1.0, 2.0, 3.0, 4.0, 5.0, 99.0],
            [8.0, 2.0, 99.0, 99.0, 99.0, 99.0],
            [4.0, 5.0, 6.0, 99.0, 99.0, 99.0],
        ]
    )[..., None]
    means = interval_means(x, masks(6, 5, 2, 3), masks(3, 2, 4, 3))
    expected = [
        [2.0, 6.0, 10.0, 0.0],
        # The middle step counts by half on either side.
        [(1 + 2 + 1.5) / 2.5, (1.5 + 4 + 5) / 2.5, 0.0, 0.0],
        [8.0, 8.0, 2.0, 2.0],
        [4.0, 5.0, 6.0, 0.0],
    ]
    torch.testing.assert_close(means[..., 0], torch.tensor(expected))


def test_aligned_sequences_pass_unchanged() -> None:
    mask = masks(50, 7, 33)
    x = torch.randn(3, 50, 4).masked_fill(~mask[..., None], 0.0)
    aligned, shared = align({"text": (x, mask), "audio": (x, mask)}, "text", most=50)
    assert torch.equal(shared, mask)
    assert torch.equal(aligned["audio"], x)


def test_each_sample_follows_its_own_reference() -> None:
    """Text decides; without it the longest does; the limit holds for both."""
    lengths = {"text": (3, 0, 8, 0), "audio": (9, 4, 2, 9), "vision": (1, 2, 0, 0)}
    sequences = {m: (torch.ones(4, 9, 2), masks(*n, steps=9)) for m, n in lengths.items()}
    aligned, shared = align(sequences, "text", most=6)
    assert shared.sum(dim=1).tolist() == [3, 4, 6, 6]
    assert aligned["vision"][..., 0].sum(dim=1).tolist() == [3, 4, 0, 0]


def test_leading_modality() -> None:
    assert leading_modality(None, {"audio": 1, "text": 2}) == "text"
    assert leading_modality(None, {"eeg": 1, "gaze": 2}) == "eeg"
    assert leading_modality("gaze", {"eeg": 1, "gaze": 2}) == "gaze"
    with pytest.raises(InputError, match=r"unknown modality 'gase'; did you mean 'gaze'\?"):
        leading_modality("gase", {"eeg": 1, "gaze": 2})
