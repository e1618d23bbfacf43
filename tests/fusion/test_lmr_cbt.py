"""LMR-CBT: its published sizes, and what enters the primary's stream."""

from __future__ import annotations

import pytest
import torch

from affuse.batches import collate
from affuse.errors import InputError
from affuse.fusion import count_parameters, create_model

WIDTHS = {"text": 6, "audio": 2, "vision": 3}
SMALL = {"width": 8, "heads": 2, "layers": 1}


@pytest.mark.parametrize(
    ("widths", "layers", "published"),
    [
        ({"text": 300, "audio": 74, "vision": 35}, 5, 0.41e6),
        ({"text": 300, "audio": 5, "vision": 20}, 4, 0.34e6),
    ],
    ids=["CMU-MOSEI", "CMU-MOSI"],
)
def test_published_size(widths, layers, published) -> None:
    model = create_model("lmr_cbt", widths, 1, {"layers": layers})
    assert count_parameters(model) == pytest.approx(published, rel=0.01)


def test_fused_steps_are_distributions_beside_the_stream(random_samples) -> None:
    """After the last block each step sums to one over its features (a softmax)."""
    model = create_model("lmr_cbt", WIDTHS, 1, SMALL).eval()
    latents = model(collate(random_samples(WIDTHS, [(5, 4, 3)])), detail=True).latents
    assert latents is not None
    added = latents["fusion.after"] - latents["fusion.before"]
    torch.testing.assert_close(added.sum(dim=2), torch.ones(1, 5))


def test_absent_modality_is_not_fused(random_samples) -> None:
    """With text alone nothing is added; with audio, what its block makes of it."""
    model = create_model("lmr_cbt", WIDTHS, 1, SMALL).eval()
    batch = collate(random_samples(WIDTHS, [(5, 0, 0), (5, 4, 0)]))
    latents = model(batch, detail=True).latents
    assert latents is not None
    before, after = latents["fusion.before"], latents["fusion.after"]
    assert torch.equal(before[0], after[0])
    block, heard = model.fusions["audio"], latents["audio"][1, 3]
    expected = torch.softmax(torch.tanh(block.stream(before[1]) + block.summary(heard)), dim=1)
    torch.testing.assert_close(after[1], before[1] + expected)


def test_primary_is_an_option(random_samples) -> None:
    batch = collate(random_samples(WIDTHS, [(5, 4, 3)]))
    latents = create_model("lmr_cbt", WIDTHS, 1, SMALL | {"primary": "vision"})(batch, True).latents
    assert latents is not None
    assert latents["fusion.after"].shape[1] == 3
    with pytest.raises(InputError, match="unknown modality 'smell'"):
        create_model("lmr_cbt", WIDTHS, 1, {"primary": "smell"})


@pytest.mark.parametrize(("width", "heads"), [(12, 8), (9, 3)])
def test_refuses_widths_that_do_not_divide(width: int, heads: int) -> None:
    with pytest.raises(InputError, match=f"width {width} is"):
        create_model("lmr_cbt", WIDTHS, 1, {"width": width, "heads": heads})
