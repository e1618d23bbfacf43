"""Latent incongruity of blocks whose effect is known."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from affuse.batches import Batch
from affuse.config import Options
from affuse.errors import InputError
from affuse.files import to_strict_json
from affuse.fusion import FusionModel, FusionOutput, create_model
from affuse.incongruity import probes
from affuse.incongruity.latent import LatentIncongruity, latent_incongruity
from affuse.samples import Sample, Split
from affuse.tasks import Regression

TASK = Regression(-3.0, 3.0)
WIDTHS = {"voice": 4, "face": 4}


class Told(FusionModel):
    """One block, voice<-face, which does to the voice's features what it is told."""

    Options = Options
    effect = "nothing"

    def __init__(self, widths: Mapping[str, int], outputs: int = 1, effect: str = "") -> None:
        super().__init__(widths, outputs, Options())
        self.effect = effect

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        voice, face = batch.sequences["voice"], batch.sequences["face"]
        after = {
            "nothing": voice,
            "scaled": 3 * voice + 1,
            "replaced": face,
            "reversed": voice.flip(1),
            # Two features change places: all is still there, in other terms.
            "permuted": voice[..., [1, 0, 2, 3]],
        }[self.effect]
        gate, primary = self.even_gate(batch)
        latents = {"voice<-face.before": voice, "voice<-face.after": after}
        return FusionOutput(voice[:, 0, :1], gate, primary, latents=latents if detail else None)


def _samples(count: int, seed: int) -> list[Sample]:
    """The voice tells the label in one early step, marked by a feature; the face half the time."""
    rng = np.random.default_rng(seed)
    made = []
    for row in range(count):
        label = rng.uniform(0.5, 3) * rng.choice([-1, 1])
        said = {"voice": label, "face": label if rng.random() < 0.5 else -label}
        sequences = {}
        for modality, value in said.items():
            x = rng.normal(0, 1, (8, 4))
            x[:, 3] = 0.1 * x[:, 3]
            x[rng.integers(3), [0, 3]] = value, 4.0
            sequences[modality] = x.astype(np.float32)
        made.append(Sample(str(row), sequences, np.array([label], dtype=np.float32)))
    return made


@pytest.fixture(scope="module")
def told() -> Split:
    return Split(_samples(300, 0), _samples(100, 1), _samples(200, 2))


@pytest.fixture(scope="module")
def found(told: Split) -> dict[str, LatentIncongruity]:
    effects = ("nothing", "scaled", "replaced", "reversed", "permuted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "_STEPS", 150)
        return {e: latent_incongruity(e, Told(WIDTHS, effect=e), TASK, told) for e in effects}


@pytest.mark.parametrize("effect", ["nothing", "scaled"])
def test_what_only_scales_and_shifts_harms_nothing(found, effect: str) -> None:
    kept = found[effect].overall("kept")
    assert kept.before.mean > 0.95
    assert kept.flip_rate.mean == 0
    assert kept.damage.mean == 0
    assert kept.displacement.mean == pytest.approx(0, abs=1e-4)


def test_replacing_the_voice_by_the_face_costs_what_the_face_gets_wrong(found) -> None:
    for way in ("kept", "refitted"):
        change = found["replaced"].overall(way)
        assert change.damage.mean == pytest.approx(0.5, abs=0.12)
        assert change.damage.ci95[0] > 0.3
    assert found["replaced"].overall("kept").flip_rate.mean == pytest.approx(0.5, abs=0.12)


def test_reversing_time_moves_the_salience_and_keeps_the_tendency(found) -> None:
    kept = found["reversed"].overall("kept")
    assert kept.flip_rate.mean == 0
    # The early step that tells is a late one now.
    assert kept.displacement.mean > 0.5


def test_other_terms_are_damage_to_a_kept_probe_alone(found) -> None:
    assert found["permuted"].overall("kept").damage.mean > 0.3
    assert found["permuted"].overall("refitted").damage.mean == pytest.approx(0, abs=0.05)


def test_refitted_saliences_are_not_compared(found) -> None:
    assert np.isnan(found["nothing"].overall("refitted").displacement.mean)


def test_blocks_name_their_ends_and_slices_select(found) -> None:
    result = found["replaced"]
    (block,) = result.blocks
    assert (block.target, block.source) == ("voice", "face")
    wrong = np.asarray(block.kept.after) == 0
    assert result.overall("kept", wrong).after.mean == 0
    assert result.overall("kept", wrong).samples == wrong.sum()
    assert result.overall("kept", target="face").samples == 0
    content = json.loads(to_strict_json(result.to_dict(wrong)))
    assert content["samples"] == wrong.sum()
    assert content["targets"].keys() == {"voice"}
    assert content["overall"]["refitted"]["displacement"]["mean"] is None


@pytest.mark.usefixtures("quick_probes")
@pytest.mark.parametrize(
    ("name", "options", "blocks"),
    [
        ("mult", {"width": 10, "layers": 1}, {("voice", "face"), ("face", "voice")}),
        ("hct_mg", {"width": 8, "heads": 2, "gate": "fixed:face"}, {("face", "voice")}),
    ],
)
def test_registered_models_are_examined(told: Split, name, options, blocks) -> None:
    torch.manual_seed(0)
    model = create_model(name, WIDTHS, 1, options)
    result = latent_incongruity(name, model, TASK, told)
    assert {(b.target, b.source) for b in result.blocks} == blocks
    assert all(len(b.rows) == 200 for b in result.blocks)
    for way in ("kept", "refitted"):
        change = result.overall(way)
        assert 0 <= change.flip_rate.mean <= 1
        assert -1 <= change.damage.mean <= 1
    assert 0 <= result.overall("kept").displacement.mean <= 1


@pytest.mark.usefixtures("quick_probes")
def test_a_primary_for_each_sample_makes_an_entry_for_each_way(told: Split) -> None:
    torch.manual_seed(0)
    model = create_model("hct_mg", WIDTHS, 1, {"width": 8, "heads": 2, "granularity": "sample"})
    blocks = latent_incongruity("hct_mg", model, TASK, told).blocks
    assert {(b.target, b.source) for b in blocks} <= {("voice", "face"), ("face", "voice")}
    rows = np.concatenate([b.rows for b in blocks])
    assert len(rows) == len(set(rows.tolist()))


def test_refuses_samples_without_a_target(told: Split) -> None:
    unlabelled = Split(told.train, told.valid, [told.test[0].without_target()])
    with pytest.raises(InputError, match="without a target"):
        latent_incongruity("told", Told(WIDTHS, effect="nothing"), TASK, unlabelled)
