"""EF-LSTM and LF-LSTM: their published sizes and what sets them apart."""

from __future__ import annotations

import pytest
import torch

from affuse.batches import collate
from affuse.errors import InputError
from affuse.fusion import count_parameters, create_model

MOSEI = {"text": 300, "audio": 74, "vision": 35}
WIDTHS = {"text": 6, "audio": 2, "vision": 3}


@pytest.mark.parametrize(("name", "published"), [("ef_lstm", 0.56e6), ("lf_lstm", 1.22e6)])
def test_published_size(name: str, published: float) -> None:
    assert count_parameters(create_model(name, MOSEI, 1)) == pytest.approx(published, rel=0.02)


def test_early_fusion_reads_the_modalities_side_by_side(random_samples) -> None:
    """On aligned steps: torch's LSTM over the concatenated features."""
    model = create_model("ef_lstm", WIDTHS, 1).eval()
    (sample,) = random_samples(WIDTHS, [(7, 7, 7)])
    joint = torch.cat([torch.from_numpy(x) for x in sample.sequences.values()], dim=1)
    with torch.no_grad():
        _, (last, _) = model.lstm.forwards(joint)
        expected = model.head(last)
        prediction = model(collate([sample])).prediction
    torch.testing.assert_close(prediction, expected)


def test_late_fusion_keeps_modalities_apart(random_samples) -> None:
    """What audio says changes nothing in the stream of text."""
    model = create_model("lf_lstm", WIDTHS, 1).eval()
    one, other = random_samples(WIDTHS, [(7, 5, 3), (7, 5, 3)])
    mixed = one.with_sequences({**one.sequences, "audio": other.sequences["audio"]})
    with torch.no_grad():
        output = model(collate([one, mixed]), detail=True)
    assert output.latents is not None
    assert torch.equal(*output.latents["text"])
    assert not torch.allclose(*output.latents["audio"])
    assert not torch.allclose(*output.prediction)


def test_reference_decides_the_number_of_steps(random_samples) -> None:
    batch = collate(random_samples(WIDTHS, [(7, 5, 3)]))
    for reference, steps in (("text", 7), ("vision", 3)):
        model = create_model("ef_lstm", WIDTHS, 1, {"reference": reference}).eval()
        latents = model(batch, detail=True).latents
        assert latents is not None
        assert latents["joint"].shape[1] == steps
    with pytest.raises(InputError, match="unknown modality 'smell'"):
        create_model("ef_lstm", WIDTHS, 1, {"reference": "smell"})
