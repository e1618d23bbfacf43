"""What training may spoil or hide of a batch, what it tells of it, and who learns from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affuse.batches import Batch, collate
from affuse.fusion import FusionOutput
from affuse.samples import Sample
from affuse.tasks import Regression
from affuse.training import module as module_file
from affuse.training.module import FusionModule
from affuse.training.presets import TrainOptions, plan
from affuse.training.session import train_run
from affuse.training.spoil import MOST_DROPPED, MOST_NOISE, spoil

WIDTHS = {"text": 5, "audio": 30}
COUNT = 200


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Values from 1 to 2; audio is a single step; every tenth sample has text alone."""
    rng = np.random.default_rng(0)

    def sample(row: int) -> Sample:
        steps = {"text": int(rng.integers(2, 30)), "audio": 1}
        kept = [m for m in WIDTHS if m == "text" or row % 10]
        drawn = {m: rng.uniform(1, 2, (steps[m], WIDTHS[m])).astype(np.float32) for m in kept}
        return Sample(str(row), drawn, np.array([row], np.float32))

    return collate([sample(row) for row in range(COUNT)])


def changed(batch: Batch, *read: str, seed: int = 0, **options: Any) -> tuple[Batch, Tensor]:
    torch.manual_seed(seed)
    return spoil(batch, TrainOptions(**options), read or tuple(WIDTHS))


def lengths(batch: Batch, modality: str) -> Tensor:
    assert batch.lengths is not None
    return torch.tensor(batch.lengths[modality])


def whole(batch: Batch) -> None:
    """Masks and lengths say the same, and no sample is left without anything."""
    for m in batch.modalities:
        assert torch.equal(batch.masks[m].sum(dim=1), lengths(batch, m))
    batch.require_data()


def test_nothing_asked_changes_nothing_and_draws_nothing(batch: Batch) -> None:
    state = torch.get_rng_state()
    after, spoilt = spoil(batch, TrainOptions(), ("text", "audio", "vision"))
    assert after is batch
    assert spoilt.shape == (COUNT, 3)
    assert not spoilt.any()
    assert torch.equal(torch.get_rng_state(), state)


def test_modalities_are_hidden_and_never_a_samples_last(batch: Batch) -> None:
    after, spoilt = changed(batch, modality_dropout=0.3)
    whole(after)
    assert not spoilt.any()
    both = (lengths(batch, "audio") > 0).float()
    for m in WIDTHS:
        gone = ((lengths(batch, m) > 0) & (lengths(after, m) == 0)).float()
        assert not (gone * (1 - both)).any()
        # Hidden by itself, and not with the other: 0.3 * 0.7.
        assert float(gone.sum() / both.sum()) == pytest.approx(0.21, abs=0.07)
    alone, _ = changed(batch, "text", modality_dropout=0.9)
    assert torch.equal(alone.masks["text"], batch.masks["text"])
    assert torch.equal(alone.masks["audio"], batch.masks["audio"])


def test_one_modality_of_a_share_is_spoilt_and_told(batch: Batch) -> None:
    after, spoilt = changed(batch, spoil=0.5)
    whole(after)
    differs = []
    for column, m in enumerate(WIDTHS):
        mask = torch.nn.functional.pad(after.masks[m], (0, 0))
        same_mask = (mask == batch.masks[m]).all(dim=1)
        same = torch.where(mask[..., None], after.sequences[m] == batch.sequences[m], True)
        different = ~(same_mask & same.all(dim=2).all(dim=1))
        there = after.masks[m].any(dim=1)
        # Of little noise or a low rate nothing may be seen; what is seen is told.
        assert not (different & there & ~spoilt[:, column]).any()
        differs.append(different)
    assert not (differs[0] & differs[1]).any()
    assert float((differs[0] | differs[1]).float().mean()) == pytest.approx(0.5, abs=0.1)
    assert float(differs[0].float().mean()) == pytest.approx(0.27, abs=0.08)


def test_each_way_of_spoiling_occurs_within_its_bounds(batch: Batch) -> None:
    after, spoilt = changed(batch, spoil=1.0)
    audio, before = after.sequences["audio"][:, 0], batch.sequences["audio"][:, 0]
    there = after.masks["audio"].any(dim=1) & spoilt[:, 1]
    dropped = there & (audio == 0).any(dim=1)
    known = {row.numpy().tobytes(): n for n, row in enumerate(before)}
    donors = [known.get(row.numpy().tobytes()) for row in audio]
    swapped = torch.tensor([d is not None and d != n for n, d in enumerate(donors)]) & there
    noisy = there & ~dropped & ~swapped
    lost = ~after.masks["audio"].any(dim=1) & batch.masks["audio"].any(dim=1)
    counts = [int(kind.sum()) for kind in (dropped, swapped, noisy, lost)]
    assert min(counts) > 8
    assert float((audio[dropped] == 0).float().mean(dim=1).max()) < MOST_DROPPED + 0.1
    assert float((audio - before)[noisy].std(dim=1).max()) < MOST_NOISE + 1
    steps = after.sequences["text"]
    gaps = (steps == 0).all(dim=2) & after.masks["text"]
    assert gaps.any()
    # Of several steps whole ones are dropped.
    assert torch.equal((steps == 0).any(dim=2) & after.masks["text"], gaps)
    alone = ~batch.masks["audio"].any(dim=1)
    # What is a sample's all stays its own: neither swapped nor lost.
    assert torch.equal(after.masks["text"][alone], batch.masks["text"][alone])


def test_the_seed_decides(batch: Batch) -> None:
    options = {"spoil": 0.7, "modality_dropout": 0.2}
    (first, _), (again, _), (other, _) = (changed(batch, seed=s, **options) for s in (1, 1, 2))
    assert torch.equal(first.sequences["text"], again.sequences["text"])
    assert not torch.equal(first.sequences["text"], other.sequences["text"])


def test_a_head_is_not_taught_what_is_spoilt_but_its_reliability_is(
    told, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = FusionOutput(
        torch.tensor([[1.0], [2.0]]),
        torch.full((2, 2), 0.5),
        torch.zeros(2, dtype=torch.long),
        # Losses of text are 1 and 2, of audio 3 and 5.
        unimodal=torch.tensor([[[1.0], [3.0]], [[2.0], [5.0]]]),
        expected_loss=torch.tensor([[1.0, 3.0], [2.0, 1.0]]),
    )
    masks = {m: torch.ones(2, 1, dtype=torch.bool) for m in ("text", "audio")}
    shown = Batch({m: torch.ones(2, 1, 2) for m in masks}, masks, torch.zeros(2, 1), ("a", "b"))
    spoilt = torch.tensor([[False, False], [False, True]])
    monkeypatch.setattr(module_file, "spoil", lambda *_: (shown, spoilt))
    model = told({"text": 2, "audio": 2}, 1, answer)
    options = TrainOptions(average=0, auxiliary=1.0, reliability=1.0, spoil=0.5)
    trained = FusionModule(model, Regression(), options, 1, seed=0)
    heads = (1 + 2) / 2 + 3
    gap = abs(1.0 - 5.0) / 4
    assert float(trained.training_step(shown, 0)) == pytest.approx(1.5 + heads + gap)


def test_hct_mg_keeps_its_own_modality_dropout() -> None:
    settings = {"modality_dropout": 0.25}
    own, others = (plan("controlled", name, settings) for name in ("hct_mg", "concat"))
    assert (own.train.modality_dropout, own.options["modality_dropout"]) == (0.0, 0.25)
    assert others.train.modality_dropout == 0.25
    assert "modality_dropout" not in others.options


@pytest.mark.parametrize("model", ["unimodal:text", "concat", "hct_mg", "mult"])
def test_every_model_trains_on_it(corpus, small_plan, tmp_path, model: str) -> None:
    settings = {"spoil": 0.5, "modality_dropout": 0.3, "epochs": 1, "hct_mg.members": 1}
    if model == "mult":
        settings |= {"width": 10, "mult.layers": 1}
    made = train_run(corpus, small_plan(model, **settings), seed=0, folder=tmp_path)
    assert np.isfinite(made.training["history"][0]["train_loss"])
