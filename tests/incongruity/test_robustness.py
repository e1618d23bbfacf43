"""Spoilt inputs, and the curves of a model that reads them."""

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
from affuse.fusion import FusionModel, FusionOutput
from affuse.incongruity.robustness import SPOILINGS, over_runs, robustness, spoil
from affuse.samples import Sample
from affuse.tasks import Regression

TASK = Regression(-3.0, 3.0)


class Listener(FusionModel):
    """Says the mean of the voice's first feature, and 0 without a voice; the face is ignored."""

    Options = Options

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__(widths, 1, Options())

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        del detail
        x, mask = self.take(batch, "voice")
        total = (x[..., :1] * mask[..., None]).sum(dim=1)
        gate, primary = self.even_gate(batch)
        return FusionOutput(total / mask.sum(dim=1, keepdim=True).clamp(min=1), gate, primary)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    rng = np.random.default_rng(0)
    made = []
    for row in range(120):
        label = rng.uniform(-3, 3)
        voice = np.full((10, 2), label, dtype=np.float32)
        voice[:, 1] = np.arange(10)
        face = rng.normal(size=(6, 3)).astype(np.float32)
        made.append(Sample(f"clip{row}", {"voice": voice, "face": face}, np.float32([label])))
    return made


@pytest.fixture(scope="module")
def model() -> Listener:
    return Listener({"voice": 2, "face": 3})


@pytest.mark.parametrize("name", [s.name for s in SPOILINGS])
def test_spoiling_is_deterministic_and_touches_one_modality(samples, name: str) -> None:
    first, again = (spoil(samples, "voice", name, 0.5, 7) for _ in range(2))
    for old, new, same in zip(samples, first, again, strict=True):
        assert new.sequences.keys() == same.sequences.keys()
        for modality, x in new.sequences.items():
            assert np.array_equal(x, same.sequences[modality])
            assert x.dtype == np.float32
        assert new.sequences["face"] is old.sequences["face"]
        assert (new.id, new.target) == (old.id, old.target)


def test_a_sample_is_spoilt_alike_in_any_company(samples) -> None:
    alone = spoil(samples[5:6], "voice", "drop", 0.5, 7)[0]
    together = spoil(samples, "voice", "drop", 0.5, 7)[5]
    assert np.array_equal(alone.sequences["voice"], together.sequences["voice"])


def test_noise_is_in_deviations_of_each_feature(samples) -> None:
    clean = np.concatenate([s.sequences["voice"] for s in samples])
    noisy = np.concatenate([s.sequences["voice"] for s in spoil(samples, "voice", "noise", 2.0, 0)])
    np.testing.assert_allclose((noisy - clean).std(axis=0), 2 * clean.std(axis=0), rtol=0.1)


def test_shift_wraps_around(samples) -> None:
    (moved,) = spoil(samples[:1], "voice", "shift", 0.25, 0)
    assert moved.sequences["voice"][:, 1].tolist() == [8, 9, 0, 1, 2, 3, 4, 5, 6, 7]


def test_drops_are_nested_in_order_and_leave_a_step(samples) -> None:
    some, more, most = (
        spoil(samples[:1], "voice", "drop", level, 0)[0].sequences["voice"][:, 1].tolist()
        for level in (0.25, 0.5, 1.0)
    )
    assert (len(some), len(more), len(most)) == (8, 5, 1)
    assert set(most) <= set(more) <= set(some)
    assert some == sorted(some)


def test_nobody_keeps_a_swapped_modality(samples) -> None:
    voices = {id(s.sequences["voice"]): s.id for s in samples}
    swapped = spoil(samples, "voice", "swap", 1.0, 0)
    assert sorted(voices[id(s.sequences["voice"])] for s in swapped) == sorted(voices.values())
    assert all(voices[id(s.sequences["voice"])] != s.id for s in swapped)


def test_curves_tell_what_the_model_leans_on(samples, model: Listener) -> None:
    found = robustness("listener", model, TASK, samples, most=120)
    assert found.metric == "mae"
    assert found.clean.mean == pytest.approx(0, abs=1e-6)
    curves = {(c.spoiling, c.modality): c for c in found.curves}
    assert len(curves) == 2 * len(SPOILINGS)
    for spoiling in SPOILINGS:
        deaf = curves[spoiling.name, "face"]
        assert all(change.mean == pytest.approx(0, abs=1e-6) for change in deaf.changes)
    noise = [s.mean for s in curves["noise", "voice"].scores]
    assert 0 < noise[0] < noise[1] < noise[2]
    # What it is told by others' voices, and by none.
    labels = np.array([s.target[0] for s in samples])
    (swap,), (missing,) = (curves[n, "voice"].scores for n in ("swap", "missing"))
    assert missing.mean == pytest.approx(np.abs(labels).mean(), abs=1e-5)
    assert swap.mean > missing.mean
    assert swap.ci95[0] < swap.mean < swap.ci95[1]


def test_is_deterministic_and_json(samples, model: Listener) -> None:
    first, again = (robustness("listener", model, TASK, samples, most=30) for _ in range(2))
    assert first == again
    assert json.loads(to_strict_json(first.to_dict()))["samples"] == 30


def test_runs_are_summed_up_by_level(samples, model: Listener) -> None:
    runs = [robustness("listener", model, TASK, samples, most=30, seed=s) for s in range(3)]
    summary = over_runs(runs)
    assert len(summary["noise", "voice", 0.5].runs) == 3
    low, high = summary["noise", "voice", 0.5].ci95
    assert low < summary["noise", "voice", 0.5].mean < high


def test_a_sample_left_without_anything_is_not_scored(samples, model: Listener) -> None:
    only = [s.keep(["voice"]) for s in samples[:20]]
    found = robustness("listener", model, TASK, [*only, *samples[20:30]])
    (missing,) = (c for c in found.curves if (c.spoiling, c.modality) == ("missing", "voice"))
    labels = np.array([s.target[0] for s in samples[20:30]])
    assert missing.scores[0].mean == pytest.approx(np.abs(labels).mean(), abs=1e-5)


def test_refuses_unlabelled_samples(samples, model: Listener) -> None:
    with pytest.raises(InputError, match="without a target"):
        robustness("listener", model, TASK, [samples[0].without_target()])


def test_torch_state_is_left(samples, model: Listener) -> None:
    state = torch.get_rng_state()
    robustness("listener", model, TASK, samples[:10])
    assert torch.equal(torch.get_rng_state(), state)
