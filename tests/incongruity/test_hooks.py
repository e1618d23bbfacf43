"""What crossmodal blocks leave, for models of either kind."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from affuse.batches import collate
from affuse.errors import InputError
from affuse.fusion import FusionModel, create_model
from affuse.incongruity.hooks import Trace, compressed, trace
from affuse.samples import Sample

WIDTHS = {"text": 4, "audio": 3, "vision": 5}
# Steps of each modality; 0 leaves it out.
LENGTHS = [(5, 21, 9), (2, 8, 30), (6, 0, 4), (3, 12, 0)]


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    rng = np.random.default_rng(0)
    return [
        Sample(
            str(row),
            {
                m: rng.standard_normal((steps, width)).astype(np.float32)
                for steps, (m, width) in zip(counts, WIDTHS.items(), strict=True)
                if steps
            },
        )
        for row, counts in enumerate(LENGTHS)
    ]


def hct_mg(**options: object) -> FusionModel:
    torch.manual_seed(0)
    small = {"width": 8, "heads": 2, "strides": {"audio": 4}}
    return create_model("hct_mg", WIDTHS, 1, {**small, **options}).eval()


def mult() -> FusionModel:
    torch.manual_seed(0)
    return create_model("mult", WIDTHS, 1, {"width": 10, "layers": 1}).eval()


def test_pairs_of_mult_are_named(samples: list[Sample]) -> None:
    found = trace(mult(), samples)
    assert [b.name for b in found.blocks][:2] == ["text<-audio", "text<-vision"]
    for block in found.blocks:
        target, source = (list(WIDTHS).index(m) for m in block.name.split("<-"))
        lengths = torch.tensor(LENGTHS)
        assert (block.target == target).all()
        there = (lengths[:, target] > 0) & (lengths[:, source] > 0)
        assert ((block.source == source) == there).all()
        assert (block.source[~there] == -1).all()
        assert block.before.mask.sum(dim=1).tolist() == lengths[:, target].tolist()
        assert block.before.latents.shape == block.after.latents.shape
    assert set(found.own) == set(WIDTHS)


def test_a_level_of_hct_mg_follows_the_gate(samples: list[Sample]) -> None:
    model = hct_mg(gate="fixed:audio")
    first, second = trace(model, samples).blocks
    assert (first.name, second.name) == ("level1", "level2")
    # Audio leads where there is any; then the others by their order.
    assert first.target.tolist() == [1, 1, 0, 1]
    assert first.source.tolist() == [0, 0, 2, 0]
    assert second.source.tolist() == [2, 2, -1, -1]


def test_the_target_of_the_first_level_is_the_primarys_own_stream(samples: list[Sample]) -> None:
    model = hct_mg(gate="fixed:audio")
    found = trace(model, samples)
    own, before = found.own["audio"], found.blocks[0].before
    # Four steps of the stride become one.
    assert own.mask.sum(dim=1).tolist() == [6, 2, 0, 3]
    assert before.mask[0].sum() == 6
    gap = (before.latents[0, :6] - own.latents[0, :6]).detach()
    torch.testing.assert_close(gap, gap[:1].expand_as(gap), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", [hct_mg, mult])
def test_batches_change_nothing(samples: list[Sample], monkeypatch, build) -> None:
    model = build()
    together = trace(model, samples)
    monkeypatch.setattr("affuse.incongruity.hooks._BATCH", 1)
    _assert_same(trace(model, samples), together)


def _assert_same(one: Trace, other: Trace) -> None:
    for a, b in zip(one.blocks, other.blocks, strict=True):
        assert (a.name, a.target.tolist(), a.source.tolist()) == (
            b.name,
            b.target.tolist(),
            b.source.tolist(),
        )
        first, second = a.after, b.after
        # Padding may differ.
        assert first.mask.sum(dim=1).tolist() == second.mask.sum(dim=1).tolist()
        torch.testing.assert_close(
            first.latents[first.mask], second.latents[second.mask], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_a_compressed_mask_is_the_models_own(samples: list[Sample], stride: int) -> None:
    model = hct_mg(strides={"audio": stride})
    batch = collate(samples, model.modalities)
    encoder = model.network.encoders["audio"]
    encoded = encoder(*model.take(batch, "audio"))
    steps = encoded.stream.shape[1]
    assert torch.equal(compressed(batch.masks["audio"], steps), encoded.mask)


def test_refuses_a_model_without_crossmodal_blocks(samples: list[Sample]) -> None:
    model = create_model("concat", WIDTHS, 1, {"width": 8, "heads": 2})
    with pytest.raises(InputError, match="Concat leaves no latents of crossmodal blocks"):
        trace(model, samples)
