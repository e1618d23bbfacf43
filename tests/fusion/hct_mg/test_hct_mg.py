"""HCT-MG: what leads, and what is added to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from affuse.batches import Batch, collate
from affuse.errors import InputError
from affuse.fusion import FusionModel, create_model

WIDTHS = {"text": 6, "audio": 4, "vision": 3}


@pytest.fixture
def batch(random_samples) -> Batch:
    return collate(random_samples(WIDTHS, [(4, 6, 5), (2, 3, 1), (5, 0, 2)]))


def build(outputs: int = 2, **options) -> FusionModel:
    torch.manual_seed(0)
    return create_model("hct_mg", WIDTHS, outputs, options).eval()


def told(model: FusionModel, *losses: float) -> FusionModel:
    model.track(torch.tensor(losses))
    return model


def test_the_modality_of_the_lowest_loss_leads(batch) -> None:
    output = told(build(), 3.0, 1.0, 2.0)(batch)
    # The third sample has no audio: the next best leads there.
    assert output.primary.tolist() == [1, 1, 2]


def test_without_trust_it_answers_as_its_primary(batch, perturb) -> None:
    model = told(build(), 3.0, 1.0, 2.0)
    perturb(model)
    rows = torch.arange(3)
    full = model(batch)
    lead = full.unimodal[rows, full.primary]
    assert (full.prediction - lead).abs().max() > 0.01
    model.trust(0.0)
    torch.testing.assert_close(model(batch).prediction, lead)
    model.trust(0.5)
    torch.testing.assert_close(model(batch).prediction, lead + 0.5 * full.correction)


def test_logits_add_up_by_weights_relative_to_the_primarys(batch) -> None:
    output = told(build(outputs=3), 3.0, 1.0, 2.0)(batch)
    relative = output.gate / output.gate.amax(dim=1, keepdim=True)
    # The correction itself starts at zero.
    torch.testing.assert_close(
        output.prediction, (relative[..., None] * output.unimodal).sum(dim=1)
    )


@pytest.mark.parametrize(("outputs", "options"), [(1, {}), (2, {"values": True})])
def test_values_are_averaged_by_weight(batch, outputs, options) -> None:
    output = told(build(outputs, **options), 3.0, 1.0, 2.0)(batch)
    torch.testing.assert_close(
        output.prediction, (output.gate[..., None] * output.unimodal).sum(dim=1)
    )


def test_a_hopeless_modality_changes_nothing(batch, perturb) -> None:
    """Its weight is next to nothing wherever it enters."""
    model = told(build(), 1.0, 1e4, 1.5)
    perturb(model)
    with_audio = model(batch).prediction
    noise = batch.sequences | {"audio": torch.randn_like(batch.sequences["audio"])}
    torch.testing.assert_close(
        model(replace(batch, sequences=noise)).prediction, with_audio, atol=1e-4, rtol=0
    )


def test_trust_means_the_same_with_members(batch, perturb) -> None:
    model = told(build(members=2), 3.0, 1.0, 2.0)
    perturb(model)
    model.trust(0.3)
    output = model(batch)
    lead = output.unimodal[torch.arange(3), output.primary]
    torch.testing.assert_close(output.prediction, lead + 0.3 * output.correction)


def test_one_step_is_read_without_losing_its_size(random_samples) -> None:
    model = build(static=("vision",))
    batch = collate(random_samples(WIDTHS, [(4, 6, 1)]))
    threefold = batch.sequences | {"vision": 3 * batch.sequences["vision"]}
    larger = replace(batch, sequences=threefold)
    gap = (model(batch).unimodal - model(larger).unimodal)[0].abs().amax(dim=1)
    assert gap[2] > 1e-3
    assert gap[:2].max() == 0


@pytest.mark.parametrize(
    ("gate", "words"), [("contributions", "contribution"), ("fixed:voice", "audio")]
)
def test_an_unknown_gate_is_named(gate, words) -> None:
    with pytest.raises(InputError, match=words):
        build(gate=gate)
