"""One network learns from several: the losses, the teacher's training, and who may teach."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from affuse.batches import Batch
from affuse.errors import InputError
from affuse.fusion import FusionOutput, count_parameters, members_of
from affuse.samples import Corpus
from affuse.tasks import BinaryLabels, Classification, Regression, Values
from affuse.training.checkpoint import load_checkpoint
from affuse.training.distil import agreement
from affuse.training.module import FusionModule
from affuse.training.presets import TrainOptions
from affuse.training.session import train_run


class StoppedError(Exception):
    """Training was cut short."""


def test_values_agree_by_their_difference() -> None:
    ours, theirs = torch.tensor([[1.0], [-2.0]]), torch.tensor([[0.5], [1.0]])
    assert agreement(Regression(), ours, theirs, 2.0).tolist() == [0.5, 3.0]


def test_classes_agree_by_the_divergence_of_softened_probabilities() -> None:
    task = Classification(("calm", "angry"))
    ours, theirs = torch.zeros(1, 2), torch.tensor([[2 * math.log(3.0), 0.0]])
    # Softened by 2, the teacher says 3/4 and 1/4.
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert float(agreement(task, ours, theirs, 2.0)) == pytest.approx(4 * expected)
    assert float(agreement(task, theirs, theirs, 2.0)) == pytest.approx(0.0, abs=1e-6)


def test_labels_are_taught_one_by_one() -> None:
    single, several = Classification(("no", "yes")), BinaryLabels(("happy", "sad"))
    ours, theirs = torch.randn(3, 4), torch.randn(3, 4)
    each = [agreement(single, ours[:, i : i + 2], theirs[:, i : i + 2], 3.0) for i in (0, 2)]
    found = agreement(several, ours, theirs, 3.0)
    torch.testing.assert_close(found, torch.stack(each).mean(dim=0))


def test_several_values_are_taught_by_their_mean_distance() -> None:
    ours, theirs = torch.tensor([[0.5, -0.5]]), torch.tensor([[0.25, 0.25]])
    found = agreement(Values(("valence", "arousal")), ours, theirs, 3.0)
    assert found.tolist() == [pytest.approx((0.25 + 0.75) / 2)]


def said(value: float, modalities: int = 2) -> FusionOutput:
    """Every answer is `value`, of two samples."""
    gate = torch.full((2, modalities), 1 / modalities)
    whole = torch.full((2, modalities + 1, 1), value)
    primary, expected = torch.zeros(2, dtype=torch.long), torch.full((2, modalities), value)
    return FusionOutput(whole[:, 0], gate, primary, whole[:, 1:], expected)


@pytest.mark.parametrize("alike", [True, False])
def test_the_loss_is_shared_between_labels_and_teacher(told, alike: bool) -> None:
    widths = {"text": 2, "audio": 2}
    student = told(widths, 1, said(3.0))
    # A teacher of other modalities teaches the answer alone.
    teacher = told(widths if alike else {"text": 2}, 1, said(1.0, 2 if alike else 1))
    options = TrainOptions(average=0, auxiliary=0.5, reliability=0.0, distil_share=0.25)
    module = FusionModule(student, Regression(), options, 1, 0, teacher)
    masks = {m: torch.ones(2, 1, dtype=torch.bool) for m in widths}
    sequences = {m: torch.ones(2, 1, 2) for m in widths}
    batch = Batch(sequences, masks, torch.zeros(2, 1), ("a", "b"))
    label, lesson = 3.0, 2.0
    mixed = 0.75 * label + 0.25 * lesson
    own = mixed if alike else label
    assert float(module.training_step(batch, 0)) == pytest.approx(mixed + 0.5 * 2 * own)


@pytest.fixture(scope="module")
def run(corpus: Corpus, small_plan: Any):
    """`run(folder, **settings)`: one network of hct_mg, trained with these."""

    def train(folder: Path, **settings: Any):
        settings = {"hct_mg.members": 1, "epochs": 2, **settings}
        return train_run(corpus, small_plan(**settings), seed=0, folder=folder, resume=True)

    return train


@pytest.mark.slow
def test_one_network_learns_from_members_trained_first(run, tmp_path: Path) -> None:
    teacher = run(tmp_path / "teacher", **{"hct_mg.members": 2})
    student = run(tmp_path / "student", distil=2)
    assert len(members_of(student.model)) == 1
    known = load_checkpoint(tmp_path / "student").training["distilled"]
    # It is the very model that training it alone would give.
    assert (known["members"], known["parameters"]) == (2, count_parameters(teacher.model))
    named = run(tmp_path / "named", teacher=str(tmp_path / "teacher"))
    assert named.training["distilled"] == known
    for ours, theirs in zip(student.model.parameters(), named.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert not (tmp_path / "student" / "training").exists()


@pytest.mark.slow
def test_it_goes_on_where_it_was_stopped(corpus, small_plan, run, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", distil=2)
    plan = small_plan(**{"hct_mg.members": 1, "epochs": 2, "distil": 2})
    for stop in (1, 3):
        seen: list[int] = []

        def on_epoch(epoch: int, _: object, seen: list[int] = seen, stop: int = stop) -> None:
            seen.append(epoch)
            if len(seen) == stop:
                raise StoppedError

        with pytest.raises(StoppedError):
            train_run(
                *(corpus, plan), seed=0, folder=tmp_path / "cut", resume=True, on_epoch=on_epoch
            )
    again = run(tmp_path / "cut", distil=2)
    for ours, theirs in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "elsewhere"}, "trained on fold 0 of controlled"),
        ({"normalise": "none"}, "normalised by 'train', and is to teach"),
    ],
)
def test_a_teacher_of_other_data_is_refused(
    corpus, small_plan, run, tmp_path: Path, change: dict[str, str], words: str
) -> None:
    run(tmp_path / "teacher", epochs=1)
    settings = {"teacher": str(tmp_path / "teacher"), "hct_mg.members": 1}
    if "name" in change:
        first, *others = corpus.folds[0].train
        folds = (replace(corpus.folds[0], train=(*others, first)),)
        corpus = replace(corpus, name="elsewhere", folds=folds)
    else:
        settings |= change
    with pytest.raises(InputError, match=words):
        train_run(corpus, small_plan(**settings), seed=0, folder=tmp_path / "student")
    assert not (tmp_path / "student").exists()


def test_there_is_one_teacher(small_plan) -> None:
    with pytest.raises(InputError, match="distil trains a teacher, and teacher names one"):
        small_plan(distil=2, teacher="somewhere")
