"""What each modality learns alone before fusion: whose weights they are, and that they stay."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affuse.batches import collate
from affuse.errors import InputError
from affuse.fusion import FusionModel, create_model, members_of
from affuse.samples import MODALITIES, Corpus, Sample, Split
from affuse.training.pretrain import pretraining_plans, told_alone
from affuse.training.session import epochs_of, train_run, what_is_not_pretrained


class StoppedError(Exception):
    """Training was cut short."""


@pytest.fixture(scope="module")
def run(corpus: Corpus, small_plan: Any):
    """`run(folder, model, **settings)`: trained with these for two epochs."""

    def train(folder: Path, model: str = "hct_mg", members: int = 1, **settings: Any):
        each = {"members": members, "hct_mg.members": members}
        settings = {"epochs": 2, **each, **settings}
        return train_run(corpus, small_plan(model, **settings), seed=0, folder=folder, resume=True)

    return train


def answers(model: FusionModel, corpus: Corpus, name: str) -> torch.Tensor:
    with torch.no_grad():
        return getattr(model(collate(corpus.folds[0].valid, model.modalities)), name)


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 2])
def test_frozen_each_modality_says_what_it_says_alone(
    run, corpus: Corpus, tmp_path: Path, members: int
) -> None:
    frozen = run(tmp_path / "frozen", pretrain="frozen", members=members).model
    said = answers(frozen, corpus, "unimodal")
    for place, modality in enumerate(MODALITIES):
        alone = run(tmp_path / modality, f"unimodal:{modality}", members=members).model
        theirs = answers(alone, corpus, "prediction")
        torch.testing.assert_close(said[:, place], theirs, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_tuned_it_goes_on_from_there(run, corpus: Corpus, tmp_path: Path) -> None:
    # Of no length at all, further training changes little; of none, nothing is known.
    rate = {"learning_rate": 1e-6}
    tuned = run(tmp_path / "tuned", pretrain="tuned", **rate).model
    plain = run(tmp_path / "plain", **rate).model
    frozen = run(tmp_path / "frozen", pretrain="frozen", **rate).model
    ours, known, other = (answers(m, corpus, "unimodal") for m in (tuned, frozen, plain))
    assert not torch.equal(ours, known)
    assert (ours - known).abs().max() < (other - known).abs().max() + 1e-3
    assert all(parameter.requires_grad for parameter in tuned.parameters())


def test_encoders_of_another_kind_and_single_modalities_begin_as_ever(small_plan, corpus) -> None:
    for model in ("mult", "unimodal:text"):
        plan = small_plan(model, pretrain="frozen")
        build = partial(create_model, model, corpus.widths, 1, plan.options)
        assert pretraining_plans(plan, build, corpus.folds[0]) == {}
        told = what_is_not_pretrained(corpus, plan)
        assert told == ("mult is not pretrained: its encoders are not those of unimodal") * (
            model == "mult"
        )
    plan = small_plan("concat", pretrain="tuned")
    build = partial(create_model, "concat", corpus.widths, 1, plan.options)
    plans = pretraining_plans(plan, build, corpus.folds[0])
    assert {m: p.model for m, p in plans.items()} == {m: f"unimodal:{m}" for m in MODALITIES}
    assert {(p.train.pretrain, p.train.alone) for p in plans.values()} == {("none", True)}
    assert pretraining_plans(small_plan("concat"), build, corpus.folds[0]) == {}


@pytest.mark.slow
def test_what_it_begins_with_counts_and_goes_on_after_a_stop(
    run, small_plan, corpus: Corpus, tmp_path: Path
) -> None:
    settings = {"pretrain": "frozen", "epochs": 2}
    plan = small_plan(**{"hct_mg.members": 1}, **settings)
    assert epochs_of(corpus, plan) == 8
    seen: list[int] = []

    def on_epoch(epoch: int, _: object) -> None:
        seen.append(epoch)
        if len(seen) in (3, 7):
            raise StoppedError

    for _ in range(2):
        with pytest.raises(StoppedError):
            train_run(
                *(corpus, plan), seed=0, folder=tmp_path / "cut", resume=True, on_epoch=on_epoch
            )
    again, whole = run(tmp_path / "cut", **settings), run(tmp_path / "whole", **settings)
    for ours, theirs in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.slow
def test_distilled_what_it_begins_with_is_distilled_too(run, tmp_path: Path) -> None:
    student = run(tmp_path / "student", pretrain="frozen", distil=2, epochs=1)
    assert len(members_of(student.model)) == 1
    alone = run(tmp_path / "alone", "unimodal:text", distil=2, epochs=1)
    theirs = dict(alone.model.head.named_parameters())
    for name, ours in student.model.network.heads["text"].named_parameters():
        assert torch.equal(ours, theirs[name])


def test_alone_the_target_is_what_the_modality_should_say_by_itself() -> None:
    x, whole, own = (np.full(shape, 1.0, np.float32) for shape in ((2, 3), 1, 1))
    told = Sample("told", {"audio": x}, whole, unimodal={"audio": 2 * own, "text": 3 * own})
    split = Split([told, Sample("not", {"audio": x}, whole)], [told], [told])
    found = told_alone(split, ("audio",))
    targets = [[float(s.target[0]) for s in part] for part in found.parts().values()]
    assert targets == [[2, 1], [2], [1]]
    with pytest.raises(InputError, match="alone is for models of one modality, not 2"):
        told_alone(split, ("audio", "text"))


def test_what_cannot_be_is_refused_before_training(
    corpus: Corpus, small_plan: Any, tmp_path: Path
) -> None:
    for setting, said in (("balance", "no classes to balance"), ("alone", "not 3")):
        with pytest.raises(InputError, match=said):
            train_run(corpus, small_plan("concat", **{setting: 1}), seed=0, folder=tmp_path / "run")
        assert not (tmp_path / "run").exists()
